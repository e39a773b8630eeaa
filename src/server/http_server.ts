import { checkTlsContext, refuseIgnored, TLS_CONTEXT_KINDS } from "../net/tls_options.ts";
import { http2Module, type Http2Session, STREAM_WINDOW } from "../net/http2.ts";
import { builtinModule } from "../realm/builtin_module.ts";
import { ignore } from "../stream_channel/errors.ts";
import { malformedOption, type OptionKinds, readOptions } from "../stream_channel/options.ts";
import type { TlsContextOptions } from "../web_socket/tls_options.ts";
import { UnsupportedError } from "../web_socket/errors.ts";
import { MAX_TIMEOUT, systemClock } from "../web_socket/clock.ts";
import { platform } from "../web_socket/platform.ts";
import type { UpgradeRequestMessage } from "./accept_upgrade.ts";
import type { ServerHttp2Stream } from "./accept_stream.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";

/**
 * TLS settings of a server, as `createServer` of `node:tls` takes them. The certificate is a `cert` and a `key`, a
 * `pfx`, or what `SNICallback` returns.
 */
export interface ServerTlsOptions extends TlsContextOptions {
  /** Whether to request a certificate from clients. Default `false`. */
  requestCert?: boolean | undefined;
  /** Whether to refuse clients without a trusted certificate when one is requested. Default `true`. */
  rejectUnauthorized?: boolean | undefined;
  /** Chooses the certificate for the server name that the client requests. Not on Bun. */
  SNICallback?(
    servername: string,
    callback: (error: Error | null, context?: object) => void,
  ): void;
  /** Returns the pre-shared key of an identity. Only on Node. */
  pskCallback?(socket: object, identity: string): Uint8Array | null;
  /** A hint that helps clients choose their pre-shared key, at most 128 bytes. Only on Node. */
  pskIdentityHint?: string | undefined;
  /** Whether OpenSSL prints a trace of each connection. */
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

/** OpenSSL's limit of a PSK identity hint, in bytes. */
const MAX_PSK_HINT = 128;

function readTls(tls: ServerTlsOptions): ServerTlsOptions {
  const read = readOptions(tls, TLS_KINDS, { within: "tls." });
  checkTlsContext(read);
  // OpenSSL fails every handshake with a longer hint, which RFC 4279 §5.3 would allow.
  if (new TextEncoder().encode(read.pskIdentityHint).length > MAX_PSK_HINT) {
    throw malformedOption("tls.pskIdentityHint", `at most ${MAX_PSK_HINT} bytes long`);
  }
  if (read.cert ?? read.pfx ?? read.SNICallback ?? read.pskCallback) {
    refuseIgnored(read);
    checkCertificates(read);
    return read;
  }
  throw new TypeError("Cannot use the option tls: it must have a cert and a key, or a pfx");
}

/** The part of `node:crypto` that this module uses. */
interface Crypto {
  createPrivateKey(options: object): object;
  X509Certificate: new (cert: unknown) => { checkPrivateKey(key: object): boolean };
}

/**
 * Rejects certificates and keys that Deno or Bun would accept and then fail with. Deno accepts unreadable ones, and a
 * key of another certificate, and then fails every handshake; Bun fails only when it starts listening. Deno and Node
 * ignore authorities that they can't read.
 */
function checkCertificates({ ca, cert, key, passphrase }: ServerTlsOptions): void {
  const listed = (given: unknown): unknown[] => Array.isArray(given) ? given : [given];
  const [certs, keys] = [listed(cert), listed(key)];
  const isPlain = [...certs, ...keys].every((it) =>
    typeof it === "string" || ArrayBuffer.isView(it)
  );
  const crypto = builtinModule<Crypto>("crypto");
  if (crypto === null) return;
  for (const it of ca === undefined ? [] : listed(ca)) {
    try {
      new crypto.X509Certificate(it);
    } catch {
      throw malformedOption("tls.ca", "PEM, a CERTIFICATE");
    }
  }
  if (!isPlain) return;
  const read = certs.map((it) =>
    readable("cert", "CERTIFICATE", () => new crypto.X509Certificate(it))
  );
  for (const it of keys) {
    const privateKey = readable(
      "key",
      "PRIVATE KEY",
      () => crypto.createPrivateKey({ key: it, passphrase }),
    );
    if (privateKey === null || read.includes(null)) return;
    if (read.some((its) => its?.checkPrivateKey(privateKey))) continue;
    throw malformedOption("tls.key", "the key of tls.cert");
  }
}

/**
 * Returns what `node:crypto` reads. If it can't, returns `null`, and the platform's TLS decides; Deno's decides too
 * late, so there it throws.
 */
function readable<T>(name: string, label: string, read: () => T): T | null {
  try {
    return read();
  } catch {
    if (platform() !== "deno") return null;
    throw malformedOption(`tls.${name}`, `PEM, a ${label}`);
  }
}

/** The address on which a server listens. */
export interface ServerAddress {
  /** The IP address, such as `"127.0.0.1"`. */
  readonly hostname: string;
  /** The port number. */
  readonly port: number;
}

/** The part of `node:http`'s request that this package uses, in addition to what an upgrade needs. */
export interface HttpRequest extends UpgradeRequestMessage, AsyncIterable<Uint8Array> {
  readonly socket: UpgradeSocket;
}

/** The part of `node:http`'s response that this package uses. */
export interface HttpResponse {
  readonly destroyed: boolean;
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  /** The reason phrase, if it isn't the default one of the status. */
  statusMessage: string;
  writeHead(status: number, headers: string[]): unknown;
  write(chunk: Uint8Array): boolean;
  end(chunk?: Uint8Array): unknown;
  destroy(): unknown;
  once(event: "drain" | "close", listener: () => void): unknown;
  removeListener(event: "drain" | "close", listener: () => void): unknown;
}

/** The part of a `node:http` or `node:https` server that this package uses. */
export interface HttpServer {
  /** Whether the server accepts connections. */
  readonly listening: boolean;
  listen(options: ListenOptions): unknown;
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
  on(event: "session", listener: (session: Http2Session) => void): unknown;
  on(
    event: "stream",
    listener: (
      stream: ServerHttp2Stream,
      headers: Readonly<Record<string, string>>,
      flags: number,
      raw?: readonly string[],
    ) => void,
  ): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
  once(event: "listening", listener: () => void): unknown;
  /** Destroys connections without a request; called by `close` since Node 19. */
  closeIdleConnections?(): void;
  /** Replaces the certificates for future connections. */
  setSecureContext?(options: object): void;
}

/** The options of `listen` of `node:net`. */
export interface ListenOptions {
  readonly backlog: number;
  readonly host?: string;
  readonly port?: number;
  readonly reusePort?: boolean;
  readonly fd?: number;
}

/** The event emitter that every server of `node:http`, `node:https`, `node:net` and `node:tls` is. */
interface Emitter {
  emit(event: string, ...values: unknown[]): unknown;
}

type Builtins = Record<
  "http" | "https" | "net" | "tls",
  { createServer(options: object): HttpServer & Emitter }
>;

function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] {
  const found = builtinModule<Builtins[Name]>(name);
  if (found === null) {
    throw new UnsupportedError(`node:${name}`, platform(), "Node must be 20.16 or later");
  }
  return found;
}

/**
 * Creates a server of `node:http` or, with `tls`, of `node:https`.
 *
 * @throws {UnsupportedError} When the platform has no such module.
 */
export function createHttpServer(
  tls: ServerTlsOptions | undefined,
  handshakeTimeout: number,
  { http2, ...place }: ServerPlace & { readonly http2?: Http2ServerSettings | null } =
    DEFAULT_PLACE,
): HttpServer {
  const isBun = platform() === "bun";
  if (tls === undefined) {
    // Bun's own node:http ignores these options and listens on a random port.
    const needsNet = isBun && (place.fd !== undefined || place.reusePort === true);
    return needsNet ? forwarding("net", "connection", {}) : builtin("http").createServer({});
  }
  // This package limits the time of a TLS handshake itself, from the connection on: the platform's timer would blame
  // the client when this process stalls. Bun reports a connection only after the handshake, so there the platform
  // limits it.
  const isOurs = handshakeTimeout === 0 || !isBun;
  const options = {
    ...readTls(tls),
    handshakeTimeout: isOurs ? MAX_TIMEOUT : handshakeTimeout,
    // A WebSocket handshake needs HTTP/1.1 (RFC 6455 §4).
    ALPNProtocols: ["http/1.1"],
  };
  if (http2) return negotiating(options, http2);
  // Bun's own node:https can't replace its certificates.
  return secured(() =>
    isBun ? forwarding("tls", "secureConnection", options) : builtin("https").createServer(options)
  );
}

/** Creates a TLS server or context, and turns the platform's errors about the option `tls` into a `TypeError`. */
function secured<T>(make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (cause instanceof UnsupportedError) throw cause;
    const { message } = cause as Error;
    throw new TypeError(`Cannot use the option tls: the platform rejects it: ${message}`, {
      cause,
    });
  }
}

/**
 * Creates a server of `node:net` or `node:tls` that forwards its connections to `node:http`, for ways of listening that
 * `node:http` itself doesn't support.
 */
function forwarding(name: "net" | "tls", event: string, options: object): HttpServer {
  const http = builtin("http").createServer({});
  const server = builtin(name).createServer(options);
  server.on(event as "connection", (socket) => http.emit("connection", socket));
  http.on("upgrade", (...values) => server.emit("upgrade", ...values));
  http.on("request", (...values) => server.emit("request", ...values));
  return server;
}

/** The checked option `http2` of a server. */
export interface Http2ServerSettings {
  /** The maximum number of concurrent streams in a session. */
  readonly maxStreams: number;
}

/**
 * The maximum size of a request's header list, in bytes as HTTP/2 counts them (RFC 9113 §6.5.2). `node:http` has the
 * same limit.
 */
const MAX_HEADER_LIST = 16 * 1024;

/** Creates a server of `node:tls` that serves HTTP/1.1 and HTTP/2; the client chooses by ALPN (RFC 7301). */
function negotiating(options: object, { maxStreams }: Http2ServerSettings): HttpServer {
  const http = builtin("http").createServer({});
  const http2 = http2Module().createServer({
    settings: {
      enableConnectProtocol: true,
      initialWindowSize: STREAM_WINDOW,
      maxConcurrentStreams: maxStreams,
      maxHeaderListSize: MAX_HEADER_LIST,
    },
  });
  const server = builtin("tls").createServer({ ...options, ALPNProtocols: ["h2", "http/1.1"] });
  server.on("secureConnection", (socket) => {
    const { alpnProtocol } = socket as { alpnProtocol?: string | false | null };
    (alpnProtocol === "h2" ? http2 : http).emit("connection", socket);
  });
  http.on("upgrade", (...values) => server.emit("upgrade", ...values));
  http.on("request", (...values) => server.emit("request", ...values));
  http2.on("session", (session: Http2Session) => server.emit("session", session));
  http2.on("stream", (...values: unknown[]) => server.emit("stream", ...values));
  return server;
}

/**
 * Replaces a server's certificates. Open connections keep the old ones.
 *
 * @throws {TypeError} When a setting is malformed, or the certificate is missing.
 * @throws {UnsupportedError} When this platform would ignore a setting.
 */
export function setTlsContext(server: HttpServer, tls: TlsContextOptions): void {
  const read = readOptions(tls, TLS_CONTEXT_KINDS, { within: "tls." });
  const settings = readTls(read);
  secured(() => server.setSecureContext?.(settings));
}

/** How many connections the system may queue until the server accepts them. */
const BACKLOG = 4096;

/** The options that say where a server listens. */
export interface ServerPlace {
  /** The address. Default: this machine only. */
  readonly hostname?: string | undefined;
  /** The port. Default: a free one. */
  readonly port?: number | undefined;
  /** A file descriptor that is already listening. */
  readonly fd?: number | undefined;
  /** Whether other processes may listen on the same port. */
  readonly reusePort?: boolean | undefined;
}

const DEFAULT_PLACE: ServerPlace = {};

/** Returns the options for `listen` of `node:net`. */
function listenOptions({ fd, hostname, port, reusePort }: ServerPlace): ListenOptions {
  // The platform takes it for every address of the machine. It is often an unset environment variable.
  if (hostname === "") throw malformedOption("hostname", "a string that isn't empty");
  if (fd !== undefined) {
    if (hostname === undefined && port === undefined) return { fd, backlog: BACKLOG };
    throw malformedOption("fd", "left out if there is a hostname or a port");
  }
  const options = { host: hostname ?? "127.0.0.1", port: port ?? 0, backlog: BACKLOG };
  if (reusePort !== true) return options;
  if (!canReusePort()) {
    throw new UnsupportedError("reusePort", platform(), "Node must be 22.12, 23.1 or later");
  }
  return { ...options, reusePort };
}

/** Whether the platform supports `reusePort`; older versions of Node ignore it. */
function canReusePort(): boolean {
  if (platform() !== "node") return true;
  const { process } = globalThis as unknown as { process: { versions: { node: string } } };
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major === 22 ? minor >= 12 : major === 23 ? minor >= 1 : major > 23;
}

/**
 * Starts listening.
 *
 * @returns A promise of the address. It rejects with a `TypeError` when `fd` is combined with `hostname` or `port`,
 * with an `UnsupportedError` when the platform would ignore `reusePort`, and with the platform's error when listening
 * fails.
 */
export async function listen(server: HttpServer, place: ServerPlace): Promise<ServerAddress> {
  const options = listenOptions(place);
  // `Connections` decides which connections to destroy, and when.
  server.closeIdleConnections = ignore;
  return await new Promise((resolve, reject) => {
    server.on("error", reject);
    server.once("listening", () => {
      const address = server.address();
      if (address === null || typeof address === "string") return reject(new Error("No address"));
      resolve({ hostname: address.address, port: address.port });
    });
    server.listen(options);
  });
}

/**
 * Makes Deno accept connections again. When the process runs out of file descriptors, Deno's `node:net` silently stops
 * accepting, until this package tells it to listen again.
 */
export function acceptAgain(server: HttpServer): void {
  if (platform() !== "deno") return;
  const { _handle: handle } = server as { _handle?: { listen?(backlog: number): unknown } | null };
  handle?.listen?.(BACKLOG);
}

/** The interval of {@linkcode keepAccepting}, in milliseconds. */
const ACCEPT_INTERVAL = 1_000;

/**
 * Calls {@linkcode acceptAgain} regularly, because nothing reports when other file descriptors of the process become
 * free.
 *
 * @returns A function that stops it.
 */
export function keepAccepting(server: HttpServer): () => void {
  if (platform() !== "deno") return () => {};
  let timer: unknown;
  // Always the system clock, whatever clock a test sets: this is about the process.
  const wait = (): void => {
    timer = systemClock.setTimeout(() => {
      acceptAgain(server);
      wait();
    }, ACCEPT_INTERVAL);
    systemClock.unref?.(timer);
  };
  wait();
  return () => systemClock.clearTimeout(timer);
}
