import type { TlsCertificate } from "./tls_options.ts";

/** What is known of the connection that carries a channel. What isn't known is `null`. */
export interface ConnectionInfo {
  /** The IP address at the other end: the proxy's, where there is one; `null` with a Unix socket. */
  readonly remoteAddress: string | null;
  /** The port at the other end. */
  readonly remotePort: number | null;
  /** The IP address at this end. */
  readonly localAddress: string | null;
  /** The port at this end. */
  readonly localPort: number | null;
  /** The proxy, such as `"http://proxy.example:3128"`, without its credentials; `null` when there is none. */
  readonly proxy: string | null;
  /** What TLS agreed on with the peer; `null` when there is no TLS, or the platform hides it. */
  readonly tls: TlsInfo | null;
}

/** What TLS agreed on. */
export interface TlsInfo {
  /** The version of TLS, such as `"TLSv1.3"`. */
  readonly protocol: string | null;
  /** The cipher suite by its name in RFC 8446 or its like, such as `"TLS_AES_128_GCM_SHA256"`. */
  readonly cipher: string | null;
  /** The application protocol of ALPN (RFC 7301), such as `"http/1.1"`. */
  readonly alpnProtocol: string | null;
  /**
   * The peer's certificate: of a server, or of a client that was asked for one. It is parsed when it is first
   * read; after the end of the connection it is `null` unless it was read before.
   */
  readonly peerCertificate: TlsCertificate | null;
}
