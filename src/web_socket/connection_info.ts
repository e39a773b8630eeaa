import type { TlsCertificate } from "./tls_options.ts";

/** The addresses, the proxy and TLS of a channel's connection. Unknown values are `null`. */
export interface ConnectionInfo {
  /** The IP address of the other end, or of the proxy if there is one; `null` for a Unix socket. */
  readonly remoteAddress: string | null;
  /** The port of the other end. */
  readonly remotePort: number | null;
  /** The IP address of this end. */
  readonly localAddress: string | null;
  /** The port of this end. */
  readonly localPort: number | null;
  /** The proxy, such as `"http://proxy.example:3128"`, without its credentials; `null` if there is none. */
  readonly proxy: string | null;
  /** The agreed parameters of TLS; `null` if there is no TLS, or the platform doesn't expose it. */
  readonly tls: TlsInfo | null;
}

/** The agreed parameters of TLS. */
export interface TlsInfo {
  /** The version of TLS, such as `"TLSv1.3"`. */
  readonly protocol: string | null;
  /** The cipher suite by its name in RFC 8446 or its like, such as `"TLS_AES_128_GCM_SHA256"`. */
  readonly cipher: string | null;
  /** The application protocol of ALPN (RFC 7301), such as `"http/1.1"`. */
  readonly alpnProtocol: string | null;
  /**
   * The certificate of the server, or of a client that was asked for one. It is parsed on the first access.
   * After the end of the connection, it is `null` unless it was read before.
   */
  readonly peerCertificate: TlsCertificate | null;
}
