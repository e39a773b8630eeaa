import { checkTlsContext, refuseIgnored, TLS_CONTEXT_KINDS } from "../net/tls_options.ts";
import { builtinModule } from "../realm/builtin_module.ts";
import { type OptionKinds, readOptions } from "../stream_channel/options.ts";
import type { TlsContextOptions } from "../web_socket/tls_options.ts";
import { UnsupportedError } from "../web_socket/errors.ts";
import { MAX_TIMEOUT } from "../web_socket/clock.ts";
import { platform } from "../web_socket/platform.ts";
import type { UpgradeRequestMessage } from "./accept_upgrade.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";

/**
 * TLS settings of a server, as `createServer` of `node:tls` takes them: a `cert` and a `key`, a `pfx`, or
 * an `SNICallback` that has them.
 */
export interface ServerTlsOptions extends TlsContextOptions {
  /** Whether to ask clients for a certificate. Default `false`. */
  requestCert?: boolean | undefined;
  /** Whether a client whose certificate isn't trusted is refused, where one is asked for. Default `true`. */
  rejectUnauthorized?: boolean | undefined;
  /** Chooses the certificate by the name that the client asks for. Not on Bun. */
  SNICallback?(
    servername: string,
    callback: (error: Error | null, context?: object) => void,
  ): void;
  /** Gives the pre-shared key of an identity. Only on Node. */
  pskCallback?(socket: object, identity: string): Uint8Array | null;
  /** The hint that helps a client to choose its pre-shared key. Only on Node. */
  pskIdentityHint?: string | undefined;
  /** Whether OpenSSL prints what it does. */
  enableTrace?: boolean | undefined;
}

const TLS_KINDS: OptionKinds<ServerTlsOptions> = {
  ...TLS_CONTEXT_KINDS,
  requestCert: "boolean",
  rejectUnauthorized: "boolean",
  SNICallback: "function",
  pskCallback: "function",
  pskIdentityHint: "string",
  enableTrace: "boolean",
};

function readTls(tls: ServerTlsOptions): ServerTlsOptions {
  const read = readOptions(tls, TLS_KINDS, { within: "tls." });
  checkTlsContext(read);
  if (read.cert ?? read.pfx ?? read.SNICallback ?? read.pskCallback) {
    refuseIgnored(read);
    return read;
  }
  throw new TypeError("Cannot use the option tls: it must have a cert and a key, or a pfx");
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
  readonly writableEnded: boolean;
  /** Its reason phrase, if it isn't the usual one. */
  statusMessage: string;
  writeHead(status: number, headers: string[]): unknown;
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

function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] {
  const found = builtinModule<Builtins[Name]>(name);
  if (found === null) {
    throw new UnsupportedError(`node:${name}`, platform(), "Node must be 20.16 or later");
  }
  return found;
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
  // The server bounds a handshake itself, from its connection on: the platform's timer would blame the
  // client for a stall of this process. Bun reports a connection only behind the handshake.
  const isOurs = handshakeTimeout === 0 || platform() !== "bun";
  return builtin("https").createServer({
    ...readTls(tls),
    handshakeTimeout: isOurs ? MAX_TIMEOUT : handshakeTimeout,
    // RFC 6455 §4: the handshake is one of HTTP/1.1.
    ALPNProtocols: ["http/1.1"],
  });
}

/** How many connections the system may queue. */
const BACKLOG = 4096;

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
    server.listen({ host: hostname, port, backlog: BACKLOG });
  });
}

/**
 * Accepts again. When a process has no file left to accept a connection with, Deno's `node:net` stops
 * accepting for good, and reports nothing: it starts again when it listens again.
 */
export function acceptAgain(server: HttpServer): void {
  if (platform() !== "deno") return;
  const { _handle: handle } = server as { _handle?: { listen?(backlog: number): unknown } | null };
  handle?.listen?.(BACKLOG);
}
