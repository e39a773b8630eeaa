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

/** OpenSSL's limit, in bytes. */
const MAX_PSK_HINT = 128;

function readTls(tls: ServerTlsOptions): ServerTlsOptions {
  const read = readOptions(tls, TLS_KINDS, { within: "tls." });
  checkTlsContext(read);
  // RFC 4279 §5.3 allows more; OpenSSL doesn't, and fails each handshake.
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

/** What is used of `node:crypto`. */
interface Crypto {
  createPrivateKey(options: object): object;
  X509Certificate: new (cert: unknown) => { checkPrivateKey(key: object): boolean };
}

/**
 * Deno takes what it can't read, and a key of another certificate, and then fails each handshake; Bun does when it is
 * bound. Deno and Node go on without authorities that they can't read.
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

/** What `node:crypto` reads; `null`: it can't, and the platform's TLS decides, which Deno's does too late. */
function readable<T>(name: string, label: string, read: () => T): T | null {
  try {
    return read();
  } catch {
    if (platform() !== "deno") return null;
    throw malformedOption(`tls.${name}`, `PEM, a ${label}`);
  }
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
  /** Whether it accepts connections. */
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
  /** Destroys connections without a request: since Node 19, `close` calls it. */
  closeIdleConnections?(): void;
  /** Takes other certificates, for connections to come. */
  setSecureContext?(options: object): void;
}

/** What `listen` of `node:net` is given. */
export interface ListenOptions {
  readonly backlog: number;
  readonly host?: string;
  readonly port?: number;
  readonly reusePort?: boolean;
  readonly fd?: number;
}

/** What any server of `node:http`, `node:https`, `node:net` or `node:tls` has as well. */
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
 * Makes a server of `node:http` or, with `tls`, of `node:https`.
 *
 * @throws {UnsupportedError} Where the platform has none.
 */
export function createHttpServer(
  tls: ServerTlsOptions | undefined,
  handshakeTimeout: number,
  { http2, ...place }: ServerPlace & { readonly http2?: Http2ServerSettings | null } =
    DEFAULT_PLACE,
): HttpServer {
  const isBun = platform() === "bun";
  if (tls === undefined) {
    // Bun's own node:http listens at a port of the system's choice instead.
    const needsNet = isBun && (place.fd !== undefined || place.reusePort === true);
    return needsNet ? forwarding("net", "connection", {}) : builtin("http").createServer({});
  }
  // The server bounds a handshake itself, from its connection on: the platform's timer would blame the
  // client for a stall of this process. Bun reports a connection only behind the handshake.
  const isOurs = handshakeTimeout === 0 || !isBun;
  const options = {
    ...readTls(tls),
    handshakeTimeout: isOurs ? MAX_TIMEOUT : handshakeTimeout,
    // RFC 6455 §4: the handshake is one of HTTP/1.1.
    ALPNProtocols: ["http/1.1"],
  };
  if (http2) return negotiating(options, http2);
  // Bun's own node:https can't take other certificates later.
  return secured(() =>
    isBun ? forwarding("tls", "secureConnection", options) : builtin("https").createServer(options)
  );
}

/** What the platform makes of the option `tls`: each has errors of its own for what it can't read. */
function secured<T>(make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (cause instanceof UnsupportedError) throw cause;
    const { message } = cause as Error;
    throw new TypeError(`Cannot use the option tls: the platform refuses it: ${message}`, {
      cause,
    });
  }
}

/** A server of `node:net` or `node:tls` that reads requests as well, where it can listen in ways that `node:http` can't. */
function forwarding(name: "net" | "tls", event: string, options: object): HttpServer {
  const http = builtin("http").createServer({});
  const server = builtin(name).createServer(options);
  server.on(event as "connection", (socket) => http.emit("connection", socket));
  http.on("upgrade", (...values) => server.emit("upgrade", ...values));
  http.on("request", (...values) => server.emit("request", ...values));
  return server;
}

/** What the option `http2` of a server says. */
export interface Http2ServerSettings {
  /** How many streams a client may have in a session. */
  readonly maxStreams: number;
}

/** The longest head of a request, in bytes, as HTTP/2 counts: RFC 9113 §6.5.2. `node:http` allows as much. */
const MAX_HEADER_LIST = 16 * 1024;

/** A server of `node:tls` that reads requests of HTTP/1.1 and HTTP/2, as the client chooses (ALPN). RFC 7301. */
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
 * Gives a server other certificates; connections that are there go on with the old ones.
 *
 * @throws {TypeError} When a setting is malformed, or there is no certificate.
 * @throws {UnsupportedError} When this platform would ignore a setting.
 */
export function setTlsContext(server: HttpServer, tls: TlsContextOptions): void {
  const read = readOptions(tls, TLS_CONTEXT_KINDS, { within: "tls." });
  const settings = readTls(read);
  secured(() => server.setSecureContext?.(settings));
}

/** How many connections the system may queue. */
const BACKLOG = 4096;

/** Where a server is to listen. */
export interface ServerPlace {
  /** The address; left out: this machine only. */
  readonly hostname?: string | undefined;
  /** The port; left out: one that is free. */
  readonly port?: number | undefined;
  /** A file descriptor that listens already. */
  readonly fd?: number | undefined;
  /** Whether other processes may listen there as well. */
  readonly reusePort?: boolean | undefined;
}

const DEFAULT_PLACE: ServerPlace = {};

/** What `listen` of `node:net` is to be given. */
function listenOptions({ fd, hostname, port, reusePort }: ServerPlace): ListenOptions {
  // It would be every address of the machine, such as for an environment variable that isn't set.
  if (hostname === "") throw malformedOption("hostname", "a string that isn't empty");
  if (fd !== undefined) {
    if (hostname === undefined && port === undefined) return { fd, backlog: BACKLOG };
    throw malformedOption("fd", "left out where there is a hostname or a port");
  }
  const options = { host: hostname ?? "127.0.0.1", port: port ?? 0, backlog: BACKLOG };
  if (reusePort !== true) return options;
  if (!canReusePort()) {
    throw new UnsupportedError("reusePort", platform(), "Node must be 22.12, 23.1 or later");
  }
  return { ...options, reusePort };
}

/** An older Node ignores it. */
function canReusePort(): boolean {
  if (platform() !== "node") return true;
  const { process } = globalThis as unknown as { process: { versions: { node: string } } };
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major === 22 ? minor >= 12 : major === 23 ? minor >= 1 : major > 23;
}

/**
 * Starts to listen; fulfils with where.
 *
 * @throws {TypeError} When `fd` stands beside a `hostname` or a `port`.
 * @throws {UnsupportedError} Where the platform would ignore `reusePort`.
 */
export async function listen(server: HttpServer, place: ServerPlace): Promise<ServerAddress> {
  const options = listenOptions(place);
  // Which of them to destroy, and when, is decided where they are counted.
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
 * Accepts again. When a process has no file left to accept a connection with, Deno's `node:net` stops
 * accepting for good, and reports nothing: it starts again when it listens again.
 */
export function acceptAgain(server: HttpServer): void {
  if (platform() !== "deno") return;
  const { _handle: handle } = server as { _handle?: { listen?(backlog: number): unknown } | null };
  handle?.listen?.(BACKLOG);
}

/** How often {@linkcode keepAccepting} looks, in milliseconds. */
const ACCEPT_INTERVAL = 1_000;

/**
 * Lets {@linkcode acceptAgain} happen also when files become free that aren't connections of the server's: nothing
 * reports those.
 *
 * @returns Ends it.
 */
export function keepAccepting(server: HttpServer): () => void {
  if (platform() !== "deno") return () => {};
  let timer: unknown;
  // Not of the server's own clock: it is about this process, whatever time a test sets.
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
