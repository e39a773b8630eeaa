import type { ConnectionInfo, TlsInfo } from "../web_socket/connection_info.ts";
import type { TlsCertificate } from "../web_socket/tls_options.ts";

/** The part of a `node:net` or `node:tls` socket that this module reads; other streams lack it. */
interface Described {
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly encrypted?: boolean;
  readonly alpnProtocol?: string | false | null;
  getProtocol?(): string | null;
  getCipher?(): { readonly name?: string; readonly standardName?: string } | null | undefined;
  getPeerCertificate?(): TlsCertificate | object | null | undefined;
}

/**
 * Describes the connection of a socket.
 *
 * @param socket The socket of the TCP connection.
 * @param secure The socket of the TLS connection with the peer, or one that may be TLS; `null` when there is none.
 * @param proxy The proxy, without its credentials.
 * @returns What is known of the connection now.
 */
export function socketInfo(
  socket: object,
  secure: object | null,
  proxy: string | null = null,
): ConnectionInfo {
  const { remoteAddress, remotePort, localAddress, localPort } = socket as Described;
  return {
    remoteAddress: remoteAddress ?? null,
    remotePort: remotePort ?? null,
    localAddress: localAddress ?? null,
    localPort: localPort ?? null,
    proxy,
    tls: secure === null ? null : tlsInfo(secure as Described),
  };
}

function tlsInfo(socket: Described): TlsInfo | null {
  if (socket.encrypted !== true) return null;
  const cipher = socket.getCipher?.();
  let certificate: TlsCertificate | null = null;
  return {
    protocol: socket.getProtocol?.() ?? null,
    cipher: cipher?.standardName ?? cipher?.name ?? null,
    alpnProtocol: socket.alpnProtocol || null,
    get peerCertificate(): TlsCertificate | null {
      return certificate ??= certificateOf(socket);
    },
  };
}

/** Returns the certificate. Without one, `node:tls` returns an empty object. */
function certificateOf(socket: Described): TlsCertificate | null {
  const certificate = socket.getPeerCertificate?.();
  return certificate && "raw" in certificate ? certificate : null;
}
