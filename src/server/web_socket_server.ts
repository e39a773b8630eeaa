import { goingAway, isSendable } from "../../status.ts";
import { refuse } from "../handshake/server_handshake.ts";
import type { Http2Session } from "../net/http2.ts";
import { Deferred, ignore, invalidState } from "../stream_channel/errors.ts";
import {
  malformedOption,
  type OptionKinds,
  readOptions,
  shown,
} from "../stream_channel/options.ts";
import { type Clock, systemClock } from "../web_socket/clock.ts";
import { Deadline } from "../web_socket/deadline.ts";
import type { TlsContextOptions } from "../web_socket/tls_options.ts";
import { inspectAs } from "../web_socket/inspection.ts";
import { type Flow, Traffic } from "../web_socket/traffic.ts";
import { checkCloseArguments, type MessageInput } from "../web_socket/web_socket_sink.ts";
import { accept, type UpgradeEvent } from "./accept_upgrade.ts";
import { Broadcaster, type BroadcastOptions } from "./broadcast.ts";
import { ChannelQueue } from "./channel_queue.ts";
import { takenByAnother } from "./claim.ts";
import { type Connection, Connections, MAX_UNDER_WAY } from "./connections.ts";
import {
  ConnectionCounter,
  type ConnectionLimitOptions,
  counterOf,
  LIMIT_KINDS,
} from "./connection_limits.ts";
import {
  acceptAgain,
  createHttpServer,
  type Http2ServerSettings,
  type HttpRequest,
  type HttpResponse,
  type HttpServer,
  keepAccepting,
  listen,
  type ServerAddress,
  type ServerPlace,
  type ServerTlsOptions,
  setTlsContext,
} from "./http_server.ts";
import { type Refused, refused } from "./admission.ts";
import { type RefusalReason, report } from "./error_hook.ts";
import { HANDLERS, serve, type ServerHost } from "./handler.ts";
import { services } from "../web_socket/connection_service.ts";
import { SilentSockets } from "./silent_sockets.ts";
import type { UpgradeSocket } from "./upgrade_socket.ts";
import { answerRequest, type RequestHandler } from "./plain_request.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import { acceptOn, separated, type StreamEvent } from "./accept_stream.ts";
import { type CloseArguments, ServerChannel, type UpgradeExtra } from "./server_channel.ts";
import { SessionGuard } from "./session_guard.ts";
import { requestOn, StreamResponse } from "./stream_request.ts";
import {
  type ServerWebSocketChannel,
  SocketRemote,
  UpgradeServerRequest,
} from "./server_request.ts";
import { isServed, type SharedHttpServer, SharedUpgrades } from "./shared_upgrades.ts";
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

/** Reads the option `http2`; `null` if HTTP/2 is off. */
function readHttp2({ http2 = false, tls }: BindOptions): Http2ServerSettings | null {
  if (http2 === false) return null;
  if (tls === undefined) throw malformedOption("http2", "left out if there is no tls");
  const read = readOptions(http2 === true ? {} : http2, HTTP2_KINDS, { within: "http2." });
  return { maxStreams: read.maxStreams ?? DEFAULT_MAX_STREAMS };
}

const CLOSE_KINDS: OptionKinds<ServerCloseOptions> = {
  code: "number",
  reason: "string",
  drainTimeout: "time",
};

/** The default of {@linkcode BindOptions.maxSilentConnections}. */
const DEFAULT_MAX_SILENT = 10_000;

/** The default of {@linkcode ServerCloseOptions.drainTimeout}, in milliseconds. */
const DEFAULT_DRAIN_TIMEOUT = 5_000;

/**
 * A server of WebSocket channels. It calls its `handler` with each channel once it is open. Without a handler,
 * iterating over the server yields each channel once.
 *
 * Close the server when you are done. Leaving a loop over it doesn't close it: clients still connect, but nothing reads
 * what they send until another loop starts. **A loop that awaits in its body serves one client at a time.** With a
 * handler, the iterator throws an `InvalidStateError`.
 *
 * A channel keeps what its client sends before the iterator yields it. If the client also closes before that, the
 * channel delays the end until the iterator yields it, or for 10 seconds. So your code can still answer its messages.
 */
export interface WebSocketServer<Context = unknown> extends AttachedWebSocketServer<Context> {
  /** The address and the port on which the server listens. */
  readonly address: ServerAddress;
  /** The URL to connect to from this machine, without a path, such as `"ws://127.0.0.1:8080"`. */
  readonly url: string;
  /**
   * Replaces the certificates without a restart. New connections use the new ones; open connections continue.
   *
   * @param tls The complete new settings, as in the option `tls` of `bind`. Leave out what decides about clients
   * (`requestCert`, `rejectUnauthorized`, `SNICallback`, …), which stays as it is.
   * @throws {TypeError} When a setting can't be read, or there is no certificate. If the platform refused it, `cause`
   * is the platform's error. The old certificates stay in use.
   * @throws {RangeError} When a number is out of its range.
   * @throws {UnsupportedError} When the platform would ignore a setting.
   * @throws {DOMException} `InvalidStateError` when the server has no TLS.
   */
  setTls(tls: TlsContextOptions): void;
  /** Makes the server keep the process alive, as it does by default. Undoes `unref`. */
  ref(): void;
  /** Allows the process to exit while the server is listening. */
  unref(): void;
}

/** A server of WebSocket channels on your own HTTP server; {@linkcode WebSocketServerStatic.attach} creates it. */
export interface AttachedWebSocketServer<Context = unknown>
  extends AsyncIterable<ServerWebSocketChannel<Message, MessageInput, Context>>, AsyncDisposable {
  /** The channels that are open or closing. Channels of `Sessions` stay in it while their clients are disconnected. */
  readonly channels: ReadonlySet<ServerWebSocketChannel<Message, MessageInput, Context>>;
  /** Fulfils when the server has closed. Never rejects. */
  readonly closed: Promise<void>;
  /**
   * Sends one message to all channels. It is framed, and compressed, only once. See {@linkcode broadcast}.
   *
   * @param message The message.
   * @param options Which channels to leave out, and how to treat slow receivers.
   * @throws {TypeError} When the message is neither text nor bytes.
   */
  broadcast(message: MessageInput, options?: BroadcastOptions): void;
  /**
   * Returns counters of the server since it was created.
   *
   * @returns A snapshot, which doesn't change afterwards.
   */
  stats(): ServerStats;
  /**
   * Stops accepting connections, closes every channel, and waits for the clients and the handlers, at most about
   * `drainTimeout`. Loops over the server end. A handler must not wait for this promise: it would wait for itself. The
   * HTTP server of an attached server stays open; close it yourself.
   *
   * @param options The close code and reason, and how long to wait.
   * @returns A promise that fulfils when no channel, socket or timer is left. Handlers that run longer than
   * `drainTimeout` may still be running.
   * @throws {RangeError | TypeError | SyntaxError} When the code or the reason can't be sent.
   */
  close(options?: ServerCloseOptions): Promise<void>;
}

/** Counters of a server. */
export interface ServerStats {
  /** The server's connections. */
  readonly connections: {
    /** How many channels are open or closing. */
    readonly open: number;
    /** How many upgrade requests are pending. */
    readonly connecting: number;
    /** How many channels the server has opened so far. */
    readonly accepted: number;
    /**
     * How many TCP connections have not sent a complete request yet; 0 for an attached server, which has no connections
     * of its own.
     */
    readonly silent: number;
    /** How many TCP connections the server has closed so far because too many had sent no request. */
    readonly dropped: number;
  };
  /** How many upgrades the server has refused so far, by reason. */
  readonly refused: Readonly<Record<RefusalReason, number>>;
  /** What the server has received, without the opening handshakes. */
  readonly received: Readonly<Flow>;
  /** What the server has sent, without the opening handshakes. A message counts as soon as it is added. */
  readonly sent: Readonly<Flow>;
  /** How many bytes of messages are queued for sending in all channels: the sum of their `bufferedAmount`. */
  readonly queued: number;
}

/** The type of the companion object {@linkcode WebSocketServer}, which creates servers. */
export interface WebSocketServerStatic {
  /**
   * Creates a server and starts listening, on Deno, Node (20.16 or later) and Bun.
   *
   * @param options See {@linkcode BindOptions}. By default only this machine can connect, and the server refuses web
   * pages of other hosts.
   * @returns A promise of the listening server. It rejects with a `RangeError`, `TypeError` or `SyntaxError` when an
   * option is malformed; a setting of `tls` that can't be read is a `TypeError`. It rejects with the platform's error
   * when listening fails, and with an `UnsupportedError` on a platform without `node:http`.
   *
   * @example
   * ```ts
   * import { WebSocketServer } from "@web-socket/channel/server";
   *
   * const server = await WebSocketServer.bind({
   *   port: 0,
   *   async handler(channel) {
   *     for await (const message of channel.stream) channel.sink.add(message);
   *   },
   * });
   * await server.close();
   * ```
   */
  bind<Context = undefined>(options?: BindOptions<Context>): Promise<WebSocketServer<Context>>;
  /**
   * Answers the upgrades of your own `node:http` or `node:https` server, or of a framework's, on Deno, Node (20.16 or
   * later) and Bun. Several attached servers can share an HTTP server, each with its own `path`.
   *
   * It decides about an upgrade after all listeners of the `upgrade` event have been called, so the order of the
   * listeners doesn't matter:
   *
   * - It ignores an upgrade that another listener has taken. If the path was its own, `onError` gets an
   *   `InvalidStateError` with `where: "attach"`.
   * - It leaves upgrades of other paths to the other listeners. It refuses with 404 what none of them takes within
   *   `handshakeTimeout`, or at once if there is no other listener.
   *
   * `close` closes the channels and detaches the server. Close the HTTP server as well: its own `close` waits for the
   * channels.
   *
   * @param server The HTTP server, listening or not. It stays yours.
   * @param options See {@linkcode AttachOptions}.
   * @returns The attached server.
   * @throws {RangeError | TypeError | SyntaxError} When an option is malformed, or `server` is no such server.
   * @throws {DOMException} `InvalidStateError` when a server is already attached to it with the same path.
   *
   * @example
   * ```ts
   * import { createServer } from "node:http";
   * import { WebSocketServer } from "@web-socket/channel/server";
   *
   * const http = createServer((_request, response) => response.end("a page"));
   * const sockets = WebSocketServer.attach(http, {
   *   path: "/chat",
   *   async handler(channel) {
   *     for await (const message of channel.stream) channel.sink.add(message);
   *   },
   * });
   * // To stop: accept no new connections, then close the open ones.
   * http.close();
   * await sockets.close({ code: 1012, reason: "restarting", drainTimeout: 10_000 });
   * ```
   */
  attach<Context = undefined>(
    server: SharedHttpServer,
    options?: AttachOptions<Context>,
  ): AttachedWebSocketServer<Context>;
}

/** Creates WebSocket servers: `bind` listens on its own, `attach` shares an HTTP server of yours. */
export const WebSocketServer: WebSocketServerStatic = {
  bind: (options) => bind(options),
  attach: (server, options) => attach(server, options),
};

/** {@linkcode WebSocketServerStatic.bind} with the clock as an argument. */
export async function bind<Context = undefined>(
  given?: BindOptions<Context>,
  clock: Clock = systemClock,
): Promise<WebSocketServer<Context>> {
  const options = readOptions(given, BIND_KINDS, { hint: ". Give { port }", elsewhere: HANDLERS });
  const { tls } = options;
  const settings = { ...checkServerOptions(options), limits: limitsOf(options, clock) };
  options.path = readPaths(options.path);
  const http2 = readHttp2(options as BindOptions);
  const http = createHttpServer(tls, settings.handshakeTimeout, { ...options, http2 });
  const server = new BoundServer(http, options, { settings, clock });
  await server.listen(options);
  return server as WebSocketServer as WebSocketServer<Context>;
}

/** {@linkcode WebSocketServerStatic.attach} with the clock as an argument. */
export function attach<Context = undefined>(
  http: SharedHttpServer,
  given?: AttachOptions<Context>,
  clock: Clock = systemClock,
): AttachedWebSocketServer<Context> {
  const place = { hint: ". Give { path }", elsewhere: HANDLERS };
  const options = readOptions(given, ATTACH_KINDS, place);
  const settings = { ...checkServerOptions(options), limits: limitsOf(options, clock) };
  options.path = readPaths(options.path);
  // An Express application is a function with an emitter's methods, but it emits no upgrades.
  if (
    typeof http === "function" ||
    typeof (http as Partial<SharedHttpServer> | null)?.prependListener !== "function"
  ) {
    const hint = typeof http === "function" ? ". Pass what createServer(app) returns" : "";
    throw new TypeError(
      `Cannot attach: the server must be one of node:http, got ${shown(http)}${hint}`,
    );
  }
  const server = new BoundServer(http as HttpServer & SharedHttpServer, options, {
    settings,
    clock,
  });
  server.share(http);
  return server as WebSocketServer as WebSocketServer<Context>;
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

/** The checked options of `close`. */
type Farewell = CloseArguments & { readonly drainTimeout: number };

/** The options that only the server itself reads, not its channels. */
type PlaceOptions = Pick<BindOptions, "tls" | "path" | "maxSilentConnections" | "onRequest">;

class BoundServer implements WebSocketServer, ServerHost {
  readonly #http: HttpServer;
  readonly #options: PlaceOptions;
  readonly #settings: ServerSettings;
  readonly #clock: Clock;
  /** The channels that users get. */
  readonly #channels: Set<ServerChannel> = new Set<ServerChannel>();
  /** Connections that carry channels which may have several connections, one after another. */
  readonly #carriers: Set<ServerChannel> = new Set<ServerChannel>();
  /** How many channels and carriers are open. */
  #open = 0;
  readonly #connecting: Set<ServerChannel> = new Set<ServerChannel>();
  readonly #queue: ChannelQueue<ServerChannel> = new ChannelQueue<ServerChannel>(
    ServerChannel.taken,
  );
  readonly #connections: Connections;
  readonly #silent: SilentSockets;
  /** The guard of each HTTP/2 session. */
  readonly #sessions: Map<object, SessionGuard> = new Map<object, SessionGuard>();
  readonly #broadcaster: Broadcaster;
  /** Calls of the handler that have not settled yet. */
  readonly #handled: Set<Promise<void>> = new Set<Promise<void>>();
  readonly #closed = new Deferred();
  readonly closed: Promise<void> = this.#closed.promise;
  /** All channels share this function. */
  readonly #onClosed = (closed: WebSocketChannel): void => {
    const channel = closed as ServerChannel;
    ServerChannel.forget(channel);
    if (this.#carriers.delete(channel)) this.#open--;
    else if (this.#channels.delete(channel)) {
      this.#open--;
      this.#queue.over(channel);
    }
    acceptAgain(this.#http);
  };
  readonly #traffic = new Traffic();
  readonly #refused: Record<RefusalReason, number> = {
    malformed: 0,
    host: 0,
    origin: 0,
    verify: 0,
    error: 0,
    timeout: 0,
    path: 0,
    full: 0,
    address: 0,
    rate: 0,
    closing: 0,
  };
  #accepted = 0;
  #address: ServerAddress = { hostname: "", port: 0 };
  /** Detaches the server from an HTTP server of the user's. */
  #leave: (() => void) | null = null;
  #stopAccepting: (() => void) | null = null;
  /** How to close channels; set when {@linkcode close} is called. */
  #farewell: Farewell | null = null;

  constructor(
    http: HttpServer,
    options: PlaceOptions,
    { settings, clock }: { settings: ServerSettings; clock: Clock },
  ) {
    this.#http = http;
    this.#options = options;
    this.#settings = {
      ...settings,
      traffic: this.#traffic,
      onRefused: (refused) => {
        this.#refused[refused.reason]++;
        return settings.onRefused?.(refused);
      },
    };
    this.#clock = clock;
    this.#broadcaster = new Broadcaster(clock);
    this.#silent = new SilentSockets({
      max: options.maxSilentConnections ?? DEFAULT_MAX_SILENT,
      maxPerAddress: settings.limits?.maxSilentPerAddress ?? null,
    });
    this.#connections = new Connections({
      clock,
      handshakeTimeout: settings.handshakeTimeout,
      secure: options.tls !== undefined,
      onClose: (socket) => {
        this.#silent.heard(socket);
        acceptAgain(http);
      },
    });
  }

  /** Installs its listeners, and starts listening. */
  async listen(place: ServerPlace): Promise<void> {
    const http = this.#http;
    http.on("connection", (socket) => {
      this.#silent.add(socket);
      this.#connections.add(socket);
    });
    http.on("upgrade", (request, socket, head) => this.#onUpgrade({ request, socket, head }));
    http.on("request", (request, response) => this.#onRequest(request, response));
    http.on("session", (session) => this.#onSession(session));
    http.on("stream", (stream, headers, _flags, raw) => {
      this.#onStream({ stream, fields: raw ?? headers }, headers[":protocol"] !== undefined);
    });
    http.on("error", (error) => this.#onError(error));
    this.#address = await listen(http, place);
    this.#stopAccepting = keepAccepting(http);
  }

  /** Answers upgrades of an HTTP server that has other listeners, too. */
  share(http: SharedHttpServer): void {
    this.#leave = SharedUpgrades.attach(http, {
      paths: this.#options.path,
      handshakeTimeout: this.#settings.handshakeTimeout,
      clock: this.#clock,
      answer: (event) => this.#onUpgrade(event),
      reportTaken: ({ request: { url = "", rawHeaders }, socket }) => {
        const request = new UpgradeServerRequest(url, rawHeaders, new SocketRemote(socket, "ws"));
        report(this.#settings.onError, takenByAnother(), { where: "attach", request });
      },
    });
  }

  get address(): ServerAddress {
    return this.#address;
  }

  get url(): string {
    const { hostname, port } = this.#address;
    const scheme = this.#options.tls === undefined ? "ws" : "wss";
    const host = hostname === "0.0.0.0" ? "127.0.0.1" : hostname === "::" ? "::1" : hostname;
    return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  get channels(): ReadonlySet<ServerWebSocketChannel> {
    return this.#channels;
  }

  [Symbol.asyncIterator](): AsyncIterator<ServerWebSocketChannel, undefined> {
    if (this.#settings.handler !== undefined) {
      throw invalidState("Cannot iterate over the server: its handler gets the channels");
    }
    return { next: () => this.#queue.next() };
  }

  #onUpgrade(event: UpgradeEvent): void {
    const { request, socket } = event;
    const connection = this.#takeOver(socket);
    const channel = accept(event, this.#settings, this.#clock, {
      ...this.#extraOf(request.url ?? ""),
      onOpen: (it) => this.#onOpen(it, socket),
    });
    if (this.#await(channel) && connection !== undefined) connection.unanswered += 1;
  }

  #extraOf(target: string): UpgradeExtra {
    return {
      refused: this.#refusalOf(target),
      onClosed: this.#onClosed,
      isQueued: this.#settings.handler === undefined,
    };
  }

  /** Registers a channel if it is still connecting, and returns whether it is. */
  #await(channel: ServerChannel): boolean {
    if (channel.state !== "connecting") return false;
    this.#connecting.add(channel);
    channel.ready.catch(() => this.#connecting.delete(channel));
    return true;
  }

  #onSession(session: Http2Session): void {
    const guard = new SessionGuard(session, this.#clock);
    this.#sessions.set(session, guard);
    session.on("close", () => this.#sessions.delete(session));
  }

  #onStream(event: StreamEvent, isExtended: boolean): void {
    const { stream, fields } = event;
    const guard = this.#sessions.get(stream.session ?? {});
    // After its first request the guard watches the session.
    const socket = guard?.session.socket as UpgradeSocket | undefined;
    if (socket !== undefined && this.#takeOver(socket) !== undefined) {
      this.#connections.remove(socket);
    }
    guard?.add(stream);
    if (!isExtended) {
      stream.on("error", ignore);
      return this.#answer(requestOn(event), new StreamResponse(stream));
    }
    const { path = "" } = separated(fields).pseudo;
    const channel = acceptOn(event, this.#settings, this.#clock, {
      ...this.#extraOf(path),
      onOpen: (it) => this.#onOpen(it, null),
    });
    this.#await(channel);
  }

  /** A refusal that needs only the path and the server's state. */
  #refusalOf(target: string): Refused | undefined {
    if (!isServed(this.#options.path, target)) return refused(refuse(404), "path");
    // Once the HTTP server has stopped listening, a client of an earlier connection is still accepted, and then closed.
    const isRefused = this.isClosing && this.#http.listening;
    return isRefused ? refused(refuse(503), "closing") : undefined;
  }

  /** Records that a connection has sent its request. */
  #takeOver(socket: UpgradeSocket): Connection | undefined {
    const connection = this.#connections.heard(socket);
    if (connection !== undefined) this.#silent.heard(connection.socket);
    return connection;
  }

  #onOpen(channel: ServerChannel, socket: UpgradeSocket | null): void {
    this.#connecting.delete(channel);
    this.#open++;
    this.#accepted++;
    if (socket !== null) this.#connections.remove(socket);
    const { handler } = this.#settings;
    const service = handler && services.get(handler);
    const isCarrier = service !== undefined && channel.protocol === service.protocol;
    (isCarrier ? this.#carriers : this.#channels).add(channel);
    if (handler === undefined) this.#queue.push(channel);
    else this.#serve(channel, handler);
    if (this.#farewell !== null) this.#dismiss(channel, this.#farewell);
  }

  #serve(channel: ServerChannel, handler: NonNullable<ServerSettings["handler"]>): void {
    const handled = serve(handler, channel, this.#settings.onError, this);
    if (handled === null) return;
    this.#handled.add(handled);
    handled.then(() => this.#handled.delete(handled));
  }

  #dismiss(channel: ServerChannel, { drainTimeout, ...content }: Farewell): void {
    ServerChannel.drain(channel, content, drainTimeout);
  }

  // The interface of a `ServerHost`, for a `ConnectionService`.

  get isClosing(): boolean {
    return this.#farewell !== null;
  }

  onChannel(channel: WebSocketChannel): void {
    this.#channels.add(channel as ServerChannel);
  }

  onChannelClosed(channel: WebSocketChannel): void {
    this.#channels.delete(channel as ServerChannel);
  }

  /** Ends a connection after its last answer while the server is closing. */
  #onAnswered(connection: Connection, socket: UpgradeSocket): void {
    connection.unanswered -= 1;
    const isLast = this.isClosing && connection.unanswered === 0;
    if (isLast && this.#connections.has(connection)) socket.end();
  }

  /** Reports an error of the listening socket. Before it listens, `listen` rejects with the error instead. */
  #onError(error: unknown): void {
    if (this.#address.port === 0) return;
    report(this.#settings.onError, error, { where: "listen", request: null });
  }

  #onRequest(request: HttpRequest, response: HttpResponse): void {
    const { socket } = request;
    const connection = this.#takeOver(socket);
    if (connection !== undefined) {
      connection.unanswered += 1;
      response.once("close", () => this.#onAnswered(connection, socket));
    }
    this.#answer(request, response);
  }

  #answer(request: HttpRequest, response: HttpResponse): void {
    const { onRequest, tls } = this.#options;
    const handler = onRequest ?? upgradeRequired;
    const secure = tls !== undefined;
    const clock = this.#clock;
    void answerRequest(request, response, { ...this.#settings, handler, secure, clock });
  }

  broadcast(message: MessageInput, options?: BroadcastOptions): void {
    this.#broadcaster.send(this.#channels, message, options);
  }

  stats(): ServerStats {
    let queued = 0;
    for (const channel of this.#channels) queued += channel.sink.bufferedAmount;
    return {
      connections: {
        open: this.#open,
        connecting: this.#connecting.size,
        accepted: this.#accepted,
        silent: this.#silent.size,
        dropped: this.#silent.dropped,
      },
      refused: { ...this.#refused },
      received: { ...this.#traffic.received },
      sent: { ...this.#traffic.sent },
      queued,
    };
  }

  close(options?: ServerCloseOptions): Promise<void> {
    const read = readOptions(options, CLOSE_KINDS, { hint: ". Give { code }" });
    const { code = goingAway, reason, drainTimeout = DEFAULT_DRAIN_TIMEOUT } = read;
    checkCloseArguments(code, reason, isSendable);
    if (!this.isClosing) {
      this.#farewell = { code, reason, drainTimeout };
      this.#queue.end();
      this.#shutDown(this.#farewell).then(() => this.#closed.resolve());
    }
    return this.closed;
  }

  async #shutDown(farewell: Farewell): Promise<void> {
    const { drainTimeout } = farewell;
    this.#stopAccepting?.();
    const stopped = this.#leave === null &&
      new Promise<void>((resolve) => this.#http.close(resolve));
    // This refuses the channels that are still connecting, with 503.
    const channels = [...this.#channels, ...this.#connecting];
    for (const channel of channels) this.#dismiss(channel, farewell);
    this.#connections.destroyIdle(true);
    for (const it of this.#sessions.values()) it.close();
    const late = new Deferred();
    const onTime = (): void => {
      late.resolve();
      for (const it of this.#all) it.terminate();
      for (const { socket } of this.#connections) socket.destroy();
      for (const { session } of this.#sessions.values()) session.destroy();
    };
    const deadline = new Deadline(this.#clock, { ms: drainTimeout, onTime });
    const grace = new Deadline(this.#clock, {
      ms: Math.min(MAX_UNDER_WAY, drainTimeout),
      onTime: () => this.#connections.destroyIdle(false),
    });
    await Promise.all(channels.map((channel) => channel.closed));
    // A closed channel has closed its connection, unless its carrier had it.
    for (const it of this.#carriers) this.#dismiss(it, farewell);
    await Promise.all([...this.#carriers].map((it) => it.closed));
    await stopped;
    // More channels may have opened in the meantime.
    while (this.#all.length > 0) await Promise.all(this.#all.map((it) => it.closed));
    this.#connections.stop();
    await Promise.race([Promise.all(this.#handled), late.promise]);
    grace.clear();
    deadline.clear();
    this.#leave?.();
  }

  /** All channels, including those that are connecting and those that carry others. */
  get #all(): ServerChannel[] {
    return [...this.#channels, ...this.#connecting, ...this.#carriers];
  }

  setTls(tls: TlsContextOptions): void {
    if (this.#options.tls === undefined) {
      throw invalidState("Cannot set the certificates: the server was bound without tls");
    }
    setTlsContext(this.#http, tls);
  }

  ref(): void {
    this.#http.ref();
  }

  unref(): void {
    this.#http.unref();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

inspectAs(BoundServer.prototype, "WebSocketServer", (it) => ({
  // An attached server has no address.
  ...(it.address.port === 0 ? {} : { url: it.url }),
  ...it.stats(),
}));

/** Answers a plain request with 426 (RFC 9110 §15.5.22). */
function upgradeRequired(): Response {
  return new Response("This address speaks WebSocket only\n", {
    status: 426,
    headers: { Connection: "close", Upgrade: "websocket", "Sec-WebSocket-Version": "13" },
  });
}
