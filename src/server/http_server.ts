import { UnsupportedError } from "../web_socket/errors.ts";
import { platform } from "../web_socket/platform.ts";
import type { UpgradeRequestMessage } from "./accept_upgrade.ts";
import type { UpgradeSocket } from "./pending_upgrade.ts";

/** TLS settings of a server, as `node:tls` has them. */
export interface ServerTlsOptions {
  /** The certificate chain, PEM. */
  cert: string | Uint8Array;
  /** The private key, PEM. */
  key: string | Uint8Array;
  /** Authorities whose client certificates are trusted, PEM. */
  ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /** Whether to ask clients for a certificate. Default `false`. */
  requestCert?: boolean | undefined;
  /** Whether a client whose certificate isn't trusted is refused, where one is asked for. Default `true`. */
  rejectUnauthorized?: boolean | undefined;
}

/** Where a server listens. */
export interface ServerAddress {
  /** The IP address. */
  readonly hostname: string;
  /** The port. */
  readonly port: number;
}

/** What is used of `node:http`'s request, beside what an upgrade needs. */
export interface HttpRequest extends UpgradeRequestMessage, AsyncIterable<Uint8Array> {
  readonly socket: UpgradeSocket;
}

/** What is used of `node:http`'s response. */
export interface HttpResponse {
  readonly destroyed: boolean;
  readonly headersSent: boolean;
  writeHead(status: number, statusText: string, headers: string[]): unknown;
  write(chunk: Uint8Array): boolean;
  end(chunk?: Uint8Array): unknown;
  destroy(): unknown;
  once(event: "drain" | "close", listener: () => void): unknown;
  removeListener(event: "drain" | "close", listener: () => void): unknown;
}

/** What is used of a server of `node:http` or `node:https`. */
export interface HttpServer {
  headersTimeout: number;
  requestTimeout: number;
  listen(options: { host: string; port: number; backlog?: number }): unknown;
  address(): { address: string; port: number } | string | null;
  close(callback: () => void): unknown;
  closeIdleConnections?(): void;
  ref(): unknown;
  unref(): unknown;
  on(
    event: "upgrade",
    listener: (request: UpgradeRequestMessage, socket: UpgradeSocket, head: Uint8Array) => void,
  ): unknown;
  on(event: "request", listener: (request: HttpRequest, response: HttpResponse) => void): unknown;
  on(
    event: "connection" | "secureConnection",
    listener: (socket: UpgradeSocket) => void,
  ): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
  once(event: "listening", listener: () => void): unknown;
}

interface Builtins {
  http: { createServer(options: object): HttpServer };
  https: { createServer(options: object): HttpServer };
}

/** Not an import, so that this module loads where there is no such builtin. */
function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (name: string) => unknown };
  };
  const found = process?.getBuiltinModule?.(name);
  if (found === undefined) {
    throw new UnsupportedError(`node:${name}`, platform(), "Node must be 20.16 or later");
  }
  return found as Builtins[Name];
}

/**
 * Makes a server of `node:http` or, with `tls`, of `node:https`.
 *
 * @throws {UnsupportedError} Where the platform has none.
 */
export function createHttpServer(
  tls: ServerTlsOptions | undefined,
  handshakeTimeout: number,
): HttpServer {
  if (tls === undefined) return builtin("http").createServer({});
  return builtin("https").createServer({
    ...tls,
    ...(handshakeTimeout === 0 ? {} : { handshakeTimeout }),
    // RFC 6455 §4: the handshake is one of HTTP/1.1.
    ALPNProtocols: ["http/1.1"],
  });
}

/** Starts to listen; fulfils with where. */
export function listen(
  server: HttpServer,
  { hostname, port }: ServerAddress,
): Promise<ServerAddress> {
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.once("listening", () => {
      const address = server.address();
      if (address === null || typeof address === "string") return reject(new Error("No address"));
      resolve({ hostname: address.address, port: address.port });
    });
    server.listen({ host: hostname, port, backlog: 4096 });
  });
}
