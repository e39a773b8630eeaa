/** The options of a server's creation, and how they are read. */

import {
  malformedOption,
  type OptionKinds,
  readOptions,
  shown,
} from "../stream_channel/options.ts";
import type { Clock } from "../web_socket/clock.ts";
import {
  ConnectionCounter,
  type ConnectionLimitOptions,
  counterOf,
  LIMIT_KINDS,
} from "./connection_limits.ts";
import { HANDLERS } from "./handler.ts";
import type { Http2ServerSettings, ServerTlsOptions } from "./http_server.ts";
import type { RequestHandler } from "./plain_request.ts";
import {
  checkServerOptions,
  SERVER_KINDS,
  type ServerOptions,
  type ServerSettings,
} from "./server_options.ts";

/** Options of {@linkcode WebSocketServer.bind}. */
export interface BindOptions<Context = unknown>
  extends ServerOptions<Context>, ConnectionLimitOptions {
  /**
   * The IP address to listen on. Default `"127.0.0.1"`, this machine only. `"0.0.0.0"` and `"::"` listen on all
   * interfaces.
   */
  hostname?: string | undefined;
  /** The port to listen on; 0 chooses a free port, which `address` reports. Default 0. */
  port?: number | undefined;
  /**
   * A file descriptor that is already listening, instead of `hostname` and `port`. The socket activation of systemd
   * passes 3. The process that created it, and others that share it, keep listening, so closing this server refuses no
   * client.
   */
  fd?: number | undefined;
  /**
   * Whether several processes may listen on the same port, each with this option. Linux spreads the connections over
   * them. A process that stops listening resets the connections that it hasn't accepted yet; with `fd` none is reset.
   * Node before 22.12 or 23.1 rejects with an `UnsupportedError`. Default `false`.
   */
  reusePort?: boolean | undefined;
  /** The TLS settings. With them the server is a `wss:` server. */
  tls?: ServerTlsOptions | undefined;
  /**
   * Whether to serve HTTP/2 as well, on the same port; needs `tls`. Each client chooses by ALPN. Over HTTP/2 each
   * channel is one stream of a connection (RFC 8441), and `onRequest` also gets its plain requests. Default `false`.
   */
  http2?: boolean | Http2BindOptions | undefined;
  /**
   * The path or paths to serve, such as `"/chat"`. The server refuses upgrades of other paths with 404. It compares the
   * whole path of a request, case-sensitively and without the query; there are no patterns. Default: every path, about
   * which `verify` can decide.
   */
  path?: string | readonly string[] | undefined;
  /**
   * How many TCP connections may exist that have not sent a complete request yet. When one more arrives, the server
   * closes the oldest of them without an answer. Each of them also has `handshakeTimeout`. With
   * `maxConnectionsPerAddress` and no `clientAddress`, an address may have that many, but at least 16. Default 10,000.
   */
  maxSilentConnections?: number | undefined;
  /**
   * Answers HTTP requests that aren't upgrades, such as for a page: takes a `Request`, returns a `Response`. If it
   * throws, the client gets 500 and `onError` gets the error. Default: every such request gets 426.
   */
  onRequest?: RequestHandler | undefined;
}

/** Limits of a client that connects over HTTP/2. */
export interface Http2BindOptions {
  /**
   * How many streams a client may have open in one session, at least 1. Each is a channel or a request. Default 100.
   */
  maxStreams?: number | undefined;
}

/**
 * Options of {@linkcode WebSocketServerStatic.attach}. With `path`, the server leaves upgrades of other paths to the
 * other listeners of the HTTP server. It refuses with 404 what no listener takes within `handshakeTimeout`.
 */
export interface AttachOptions<Context = unknown> extends
  Omit<
    BindOptions<Context>,
    | "hostname"
    | "port"
    | "fd"
    | "reusePort"
    | "tls"
    | "http2"
    | "onRequest"
    | "maxSilentConnections"
  > {}

/** Options of a server's `close`. */
export interface ServerCloseOptions {
  /** The close code that every client gets. Default 1001 (going away). */
  code?: number | undefined;
  /** The close reason that every client gets, at most 123 bytes of UTF-8. Default: none. */
  reason?: string | undefined;
  /**
   * How long to wait for the clients to receive what was sent and to close, in milliseconds; it replaces
   * `closeTimeout`. After that the server ends the remaining connections and no longer waits for running handlers.
   * Default 5,000.
   */
  drainTimeout?: number | undefined;
}

const ATTACH_KINDS: OptionKinds<AttachOptions> = {
  ...SERVER_KINDS,
  ...LIMIT_KINDS,
  path: "string|list",
};

const BIND_KINDS: OptionKinds<BindOptions> = {
  ...ATTACH_KINDS,
  hostname: "string",
  port: "port",
  fd: "int31",
  reusePort: "boolean",
  tls: "object",
  http2: "boolean|object",
  onRequest: "function",
  maxSilentConnections: "limit",
};

const HTTP2_KINDS: OptionKinds<Http2BindOptions> = { maxStreams: "limit" };

/** The default of {@linkcode Http2BindOptions.maxStreams}. */
const DEFAULT_MAX_STREAMS = 100;

/** The options that only the server itself reads, not its channels. */
export type PlaceOptions = Pick<BindOptions, "tls" | "path" | "maxSilentConnections" | "onRequest">;

/** The options of a server, checked. */
export interface ReadServerOptions<Options> {
  /** The options, their paths as a request has them. */
  readonly options: Options;
  /** What its channels need of them. */
  readonly settings: ServerSettings;
}

/**
 * Reads the options of `bind`.
 *
 * @throws {RangeError | TypeError | SyntaxError} When one is malformed.
 */
export function readBindOptions<Context>(
  given: BindOptions<Context> | undefined,
  clock: Clock,
): ReadServerOptions<BindOptions<Context>> & { readonly http2: Http2ServerSettings | null } {
  const options = readOptions(given, BIND_KINDS, { hint: ". Give { port }", elsewhere: HANDLERS });
  const settings = { ...checkServerOptions(options), limits: limitsOf(options, clock) };
  options.path = readPaths(options.path);
  return { options, settings, http2: readHttp2(options as BindOptions) };
}

/**
 * Reads the options of `attach`.
 *
 * @throws {RangeError | TypeError | SyntaxError} When one is malformed.
 */
export function readAttachOptions<Context>(
  given: AttachOptions<Context> | undefined,
  clock: Clock,
): ReadServerOptions<AttachOptions<Context>> {
  const place = { hint: ". Give { path }", elsewhere: HANDLERS };
  const options = readOptions(given, ATTACH_KINDS, place);
  const settings = { ...checkServerOptions(options), limits: limitsOf(options, clock) };
  options.path = readPaths(options.path);
  return { options, settings };
}

/** Reads the option `http2`; `null` if HTTP/2 is off. */
function readHttp2({ http2 = false, tls }: BindOptions): Http2ServerSettings | null {
  if (http2 === false) return null;
  if (tls === undefined) throw malformedOption("http2", "left out if there is no tls");
  const read = readOptions(http2 === true ? {} : http2, HTTP2_KINDS, { within: "http2." });
  return { maxStreams: read.maxStreams ?? DEFAULT_MAX_STREAMS };
}

/** The counter of connections: the one of the option `limits`, or a new one if this server has limits of its own. */
function limitsOf(
  options: ConnectionLimitOptions & Pick<ServerOptions, "limits">,
  clock: Clock,
): ConnectionCounter | undefined {
  const own = Object.keys(LIMIT_KINDS).find((it) =>
    options[it as keyof ConnectionLimitOptions] !== undefined
  );
  if (own === undefined) return counterOf(options.limits);
  if (options.limits === undefined) return new ConnectionCounter(options, clock);
  throw malformedOption("limits", `left out if ${own} is given`);
}

/**
 * The paths as a client's request has them: as in a URL.
 *
 * @throws {TypeError} When there is none, or one that no request can have.
 */
function readPaths(given: BindOptions["path"]): readonly string[] | undefined {
  if (given === undefined) return undefined;
  const paths: unknown[] = typeof given === "string" ? [given] : [...given];
  if (paths.length === 0) throw malformedOption("path", "left out, or a list that isn't empty");
  return paths.map((path): string => {
    if (typeof path !== "string" || !path.startsWith("/")) {
      throw new TypeError(
        `Cannot use the option path: it must begin with a slash, got ${shown(path, true)}`,
      );
    }
    // Paths are compared literally, so no request could ever match.
    if (/[*?#]|\/:\w/.test(path)) {
      throw new TypeError(
        `Cannot use the option path: it must be a whole path, without a pattern or a query, got ${
          shown(path, true)
        }. verify can decide about others`,
      );
    }
    return new URL(`ws://localhost${path}`).pathname;
  });
}
