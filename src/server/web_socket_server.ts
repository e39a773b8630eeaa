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
  /** The address to listen at. Default `"127.0.0.1"`: this machine only; `"0.0.0.0"` or `"::"`: all. */
  hostname?: string | undefined;
  /** The port; 0: one that is free, `address` tells which. Default 0. */
  port?: number | undefined;
  /**
   * A file descriptor that listens already, instead of a `hostname` and a `port`: 3 is the one that systemd's socket
   * activation gives. Its creator, and other processes that have it, go on listening: no client is refused when this
   * server closes.
   */
  fd?: number | undefined;
  /**
   * Whether several processes may listen at the same port, each with this option. On Linux the system spreads
   * connections over them. A process that stops listening resets those that it hasn't accepted yet; `fd` doesn't. Node
   * before 22.12 and 23.1 fails with an `UnsupportedError`. Default `false`.
   */
  reusePort?: boolean | undefined;
  /** TLS settings: with these it is a `wss:` server. */
  tls?: ServerTlsOptions | undefined;
  /**
   * With `tls`: whether to serve HTTP/2 as well, at the same port; each client chooses (ALPN). Its channels are streams
   * of one connection (RFC 8441), and `onRequest` gets its requests, too. Default `false`.
   */
  http2?: boolean | Http2BindOptions | undefined;
  /**
   * The only path, or paths, to serve, such as `"/chat"`; upgrades of others are refused with 404. A request's whole path
   * is compared, without its query, upper and lower case apart. There are no patterns: leave it out to serve paths that
   * `verify` looks at. Left out: every path.
   */
  path?: string | readonly string[] | undefined;
  /**
   * How many TCP connections there may be that have not sent a whole request yet. When one more comes, the oldest of them
   * is ended, without an answer. Besides, each has `handshakeTimeout`, and with `maxConnectionsPerAddress` and no
   * `clientAddress` an address may have as many as that, but at least 16. Default 10,000.
   */
  maxSilentConnections?: number | undefined;
  /**
   * Answers HTTP requests that aren't upgrades, such as for a page, in the manner of `fetch`. If it throws,
   * the client gets 500, and `onError` the error. Left out: they get 426.
   */
  onRequest?: RequestHandler | undefined;
}

/** What a client may do over HTTP/2. */
export interface Http2BindOptions {
  /** How many streams a client may have in one session, each of them a channel or a request: from 1. Default 100. */
  maxStreams?: number | undefined;
}

/**
 * Options of {@linkcode WebSocketServerStatic.attach}. With a `path` the server leaves upgrades of other paths to the
 * other listeners of the HTTP server. One that no listener takes within `handshakeTimeout` is refused with 404.
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

/** How to close a server. */
export interface ServerCloseOptions {
  /** The close code for all channels. Default 1001, going away. */
  code?: number | undefined;
  /** The close reason. */
  reason?: string | undefined;
  /**
   * How long to wait until the clients have taken what was sent, and have closed, in milliseconds,
   * whatever `closeTimeout` says; those that haven't are then cut off, and handlers that still run are no longer
   * waited for. Default 5,000.
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

/** Reads the option `http2`. */
function readHttp2({ http2 = false, tls }: BindOptions): Http2ServerSettings | null {
  if (http2 === false) return null;
  if (tls === undefined) throw malformedOption("http2", "left out where there is no tls");
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
 * A server of WebSocket channels. Its `handler` gets each of them when it is open; without a handler each comes
 * out of the server's iterator, once.
 *
 * Close it in the end. Leaving a loop over it doesn't: the loop may be started again, and meanwhile
 * clients connect, but what they send is not read. **A loop that awaits in its body serves one client at a
 * time.** With a handler the iterator throws an `InvalidStateError`.
 *
 * A channel keeps what its client sends before the iterator hands it out. If the client also closes before
 * that, its Close takes effect when the channel has been handed out, or after 10 seconds: your code can
 * answer its messages.
 */
export interface WebSocketServer<Context = unknown> extends AttachedWebSocketServer<Context> {
  /** Where it listens. */
  readonly address: ServerAddress;
  /** The URL to connect to from this machine, such as `"ws://127.0.0.1:8080"`, without a path. */
  readonly url: string;
  /**
   * Replaces the certificates, without a restart: connections that are made from now on get the new ones, those that
   * are open go on.
   *
   * @param tls As the option `tls` of `bind`, with all that is to be so from now on; without what decides about clients
   * (`requestCert`, `rejectUnauthorized`, `SNICallback`, …), which stays.
   * @throws {TypeError} When a setting can't be read, or there is no certificate; `cause` is the platform's error, if it
   * was the platform that refused it. The old ones stay in use.
   * @throws {RangeError} When a number is out of its range.
   * @throws {UnsupportedError} When the platform would ignore a setting.
   * @throws {DOMException} `InvalidStateError` when the server has no TLS.
   */
  setTls(tls: TlsContextOptions): void;
  /** Lets the server keep the process alive again. */
  ref(): void;
  /** Lets the process end although the server listens. */
  unref(): void;
}

/** A server of WebSocket channels on an HTTP server of your own: see {@linkcode WebSocketServerStatic.attach}. */
export interface AttachedWebSocketServer<Context = unknown>
  extends AsyncIterable<ServerWebSocketChannel<Message, MessageInput, Context>>, AsyncDisposable {
  /** The channels that are open, or closing; those of `Sessions` also while their clients are away. */
  readonly channels: ReadonlySet<ServerWebSocketChannel<Message, MessageInput, Context>>;
  /** Fulfils when the server is closed. Never rejects. */
  readonly closed: Promise<void>;
  /**
   * Sends one message to all channels, framed (and compressed) once. See {@linkcode broadcast}.
   *
   * @param message The message.
   * @param options Who is left out, and what is done with slow receivers.
   * @throws {TypeError} When the message is neither text nor bytes.
   */
  broadcast(message: MessageInput, options?: BroadcastOptions): void;
  /**
   * Tells what the server has done so far, since it was bound.
   *
   * @returns Figures that don't change any more.
   */
  stats(): ServerStats;
  /**
   * Stops accepting, closes every channel, and waits for the clients and the handlers, but not forever. Loops
   * over the server end. A handler should not wait for this: it would wait for itself. An HTTP server of your own,
   * which an attached server shares, goes on: its own `close` ends once this has fulfilled.
   *
   * @param options With which code, and how long to wait.
   * @returns A promise that fulfils when nothing is left: no channel, no socket, no timer, and no handler, unless
   * one takes longer than `drainTimeout`.
   * @throws {RangeError | TypeError | SyntaxError} When the code or the reason can't be sent.
   */
  close(options?: ServerCloseOptions): Promise<void>;
}

/** What a server has done so far, and has to do. */
export interface ServerStats {
  /** Connections that have become channels, or may. */
  readonly connections: {
    /** How many channels are open, or closing. */
    readonly open: number;
    /** How many requests are being decided about. */
    readonly connecting: number;
    /** How many channels there have been, ever. */
    readonly accepted: number;
    /** How many TCP connections have not sent a whole request yet. Of an attached server 0: they aren't its own. */
    readonly silent: number;
    /** How many TCP connections were ended, ever, because there were too many without a request. */
    readonly dropped: number;
  };
  /** How many upgrades were refused, by reason. */
  readonly refused: Readonly<Record<RefusalReason, number>>;
  /** What was received after the opening handshakes. */
  readonly received: Readonly<Flow>;
  /** What the connections took, behind the opening handshakes. A message that was added counts at once. */
  readonly sent: Readonly<Flow>;
  /** How many bytes of messages wait to be sent, in all channels together: the sum of their `bufferedAmount`. */
  readonly queued: number;
}

/** What {@linkcode WebSocketServer}, the companion object, can do. */
export interface WebSocketServerStatic {
  /**
   * Listens, on Deno, Node (20.16 or later) and Bun.
   *
   * @param options See {@linkcode BindOptions}. By default only this machine can connect, and web
   * pages of other hosts are refused.
   * @returns The server. It rejects with a `RangeError`, `TypeError` or `SyntaxError` when an option is
   * malformed (a setting of `tls` that can't be read is a `TypeError`), with the platform's error when it can't listen there, and with an `UnsupportedError`
   * where the platform has no `node:http`.
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
   * Answers the upgrades of a `node:http` or `node:https` server of your own, or of a framework's, on Deno, Node
   * (20.16 or later) and Bun. Several can be attached to one server, each with its `path`.
   *
   * It decides about an upgrade when all listeners of the `upgrade` event have been called, so the order in which they
   * were added doesn't matter:
   *
   * - It leaves an upgrade that another listener has taken alone: one of its own `path` is an `InvalidStateError` that
   *   `onError` gets, as `"attach"`.
   * - It leaves upgrades of other paths to the other listeners, and refuses with 404 what none of them has taken within
   *   `handshakeTimeout`; at once if there is no other listener.
   *
   * `close` closes the channels and ends this. Close the HTTP server as well: its own `close` waits for the channels.
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
   * // To stop: no new connections, then an orderly end of all that there are.
   * http.close();
   * await sockets.close({ code: 1012, reason: "restarting", drainTimeout: 10_000 });
   * ```
   */
  attach<Context = undefined>(
    server: SharedHttpServer,
    options?: AttachOptions<Context>,
  ): AttachedWebSocketServer<Context>;
}

/** Makes {@linkcode WebSocketServer}s. */
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
  // An Express application is a function with the methods of an emitter, and emits no upgrades.
  if (
    typeof http === "function" ||
    typeof (http as Partial<SharedHttpServer> | null)?.prependListener !== "function"
  ) {
    const hint = typeof http === "function" ? ". Pass what createServer(app) returns" : "";
    throw new TypeError(
      `Cannot attach: it must be a server of node:http, got ${shown(http)}${hint}`,
    );
  }
  const server = new BoundServer(http as HttpServer & SharedHttpServer, options, {
    settings,
    clock,
  });
  server.share(http);
  return server as WebSocketServer as WebSocketServer<Context>;
}

/** What counts connections: of the user's, or one of the server's own. */
function limitsOf(
  options: ConnectionLimitOptions & Pick<ServerOptions, "limits">,
  clock: Clock,
): ConnectionCounter | undefined {
  const own = Object.keys(LIMIT_KINDS).find((it) =>
    options[it as keyof ConnectionLimitOptions] !== undefined
  );
  if (own === undefined) return counterOf(options.limits);
  if (options.limits === undefined) return new ConnectionCounter(options, clock);
  throw malformedOption("limits", `left out where ${own} is given`);
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
    // It would be compared as it is, and no request would have it.
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

/** The options of `close`, checked. */
type Farewell = CloseArguments & { readonly drainTimeout: number };

/** What the server itself looks at, beside its {@linkcode ServerSettings}. */
type PlaceOptions = Pick<BindOptions, "tls" | "path" | "maxSilentConnections" | "onRequest">;

class BoundServer implements WebSocketServer, ServerHost {
  readonly #http: HttpServer;
  readonly #options: PlaceOptions;
  readonly #settings: ServerSettings;
  readonly #clock: Clock;
  /** What users hold. */
  readonly #channels: Set<ServerChannel> = new Set<ServerChannel>();
  /** Connections of channels that may have several, one after another. */
  readonly #carriers: Set<ServerChannel> = new Set<ServerChannel>();
  /** How many connections there are. */
  #open = 0;
  readonly #connecting: Set<ServerChannel> = new Set<ServerChannel>();
  readonly #queue: ChannelQueue<ServerChannel> = new ChannelQueue<ServerChannel>(
    ServerChannel.taken,
  );
  readonly #connections: Connections;
  readonly #silent: SilentSockets;
  /** The sessions of HTTP/2. */
  readonly #sessions: Map<object, SessionGuard> = new Map<object, SessionGuard>();
  readonly #broadcaster: Broadcaster;
  /** The calls of the handler that have not returned. */
  readonly #handled: Set<Promise<void>> = new Set<Promise<void>>();
  readonly #closed = new Deferred();
  readonly closed: Promise<void> = this.#closed.promise;
  /** One function for all channels. */
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
  /** Ends that it answers the upgrades of a server that isn't its own. */
  #leave: (() => void) | null = null;
  #stopAccepting: (() => void) | null = null;
  /** How channels are closed, since {@linkcode close} was called. */
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

  /** Serves and listens. */
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

  /** Serves beside others. */
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

  /** Whether a channel is still connecting: then the server waits for it. */
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
    // The session, once it has asked for something, is watched by its guard.
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

  /** What is decided before the request is looked at more closely. */
  #refusalOf(target: string): Refused | undefined {
    if (!isServed(this.#options.path, target)) return refused(refuse(404), "path");
    // Where the server accepts no connection any more, a client that had one before is served, and then closed.
    const isRefused = this.isClosing && this.#http.listening;
    return isRefused ? refused(refuse(503), "closing") : undefined;
  }

  /** A connection's request has arrived. */
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

  // What it is for a `ConnectionService`.

  get isClosing(): boolean {
    return this.#farewell !== null;
  }

  onChannel(channel: WebSocketChannel): void {
    this.#channels.add(channel as ServerChannel);
  }

  onChannelClosed(channel: WebSocketChannel): void {
    this.#channels.delete(channel as ServerChannel);
  }

  /** An answer was the connection's last when the server is closing and no further request waits. */
  #onAnswered(connection: Connection, socket: UpgradeSocket): void {
    connection.unanswered -= 1;
    const isLast = this.isClosing && connection.unanswered === 0;
    if (isLast && this.#connections.has(connection)) socket.end();
  }

  /** An error of the listening socket: once it listens, this is its only handler. */
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
    // Those that are connecting are refused by it, with 503.
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
    // A channel that is over has closed its connection, unless it never had one of its own.
    for (const it of this.#carriers) this.#dismiss(it, farewell);
    await Promise.all([...this.#carriers].map((it) => it.closed));
    await stopped;
    // Some may have been opened meanwhile.
    while (this.#all.length > 0) await Promise.all(this.#all.map((it) => it.closed));
    this.#connections.stop();
    await Promise.race([Promise.all(this.#handled), late.promise]);
    grace.clear();
    deadline.clear();
    this.#leave?.();
  }

  /** All channels: those that aren't open yet, and those that carry others. */
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
  // An attached one has none of its own.
  ...(it.address.port === 0 ? {} : { url: it.url }),
  ...it.stats(),
}));

/** RFC 9110 §15.5.22. */
function upgradeRequired(): Response {
  return new Response("This address speaks WebSocket only\n", {
    status: 426,
    headers: { Connection: "close", Upgrade: "websocket", "Sec-WebSocket-Version": "13" },
  });
}
