import { goingAway, isSendable, tryAgainLater } from "../../status.ts";
import type { ConnectionHandler } from "../server/handler.ts";
import type { ServerRequest, ServerWebSocketChannel } from "../server/server_request.ts";
import type { StreamSubscription } from "../stream_channel/channel_stream.ts";
import { Deferred, ignore } from "../stream_channel/errors.ts";
import { type OptionKinds, readOptions, shown } from "../stream_channel/options.ts";
import { type Clock, systemClock } from "../web_socket/clock.ts";
import { type ServiceHost, services } from "../web_socket/connection_service.ts";
import { Deadline } from "../web_socket/deadline.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import { checkCloseArguments } from "../web_socket/web_socket_sink.ts";
import { BufferPool } from "./buffer_pool.ts";
import { type Hello, parseHello, RESUME_PROTOCOL } from "./resume_messages.ts";
import {
  type Carrier,
  closeWith,
  ServerSession,
  type ServerSessionOptions,
} from "./server_session.ts";

/** The identity of a client, compared with `Object.is` when it reconnects. */
export type SessionIdentity = string | number | bigint | boolean | null | undefined;

/** Options of {@linkcode Sessions}. Times are in milliseconds, sizes in bytes. */
export interface SessionsOptions<Context = unknown> {
  /**
   * How long a session lives without a connection, in milliseconds. Its channel then ends with 1006 and initiator
   * `"timeout"`, and `closed.unacknowledged` has the unacknowledged messages. Default 120,000; 0: a session ends with
   * its connection.
   */
  timeout?: number | undefined;
  /**
   * How many bytes of unacknowledged messages one session keeps, and how many unacknowledged bytes its client may send.
   * Above it `sink.hasRoom` is `false`, and `add` throws a `QueueFullError`. Default 1 MiB.
   */
  maxBuffer?: number | undefined;
  /**
   * How many bytes all sessions together keep; a message that `broadcast` sent to many of them counts once. Above it no
   * session has room. If handlers leave this much unread, the server reads only from clients whose acknowledgements are
   * pending, up to twice `maxBuffer`. Default 256 MiB.
   */
  maxTotalBuffer?: number | undefined;
  /** How many sessions may exist. Further clients are closed with 1013 (try again later). Default 100,000. */
  maxSessions?: number | undefined;
  /**
   * How many sessions one identity may have, including those without a connection. Its further clients are closed with
   * 1013. It needs {@linkcode identify}; clients whose identity is `undefined` or `null` don't count. A reloaded page
   * leaves its session behind until `timeout`. Default: no limit except `maxSessions`.
   */
  maxSessionsPerIdentity?: number | undefined;
  /**
   * Returns the identity of a client, such as its account's id. Only a client with the same identity can take over a
   * session. It is called for each connection, with its request and the `context` of `verify`. If it throws or rejects,
   * the connection is closed with 1011, and `onError` gets the error. After 10 seconds without an answer, the
   * connection is closed with 1013. Default: a client that knows the session's id, 128 random bits, can take it over.
   */
  identify?:
    | ((
      request: ServerRequest,
      context: Context,
    ) => SessionIdentity | Promise<SessionIdentity>)
    | undefined;
  /** The clock for all timeouts. A test can pass its own and needs no real time. Default: the system clock. */
  clock?: Clock | undefined;
}

/** Options of {@linkcode Sessions.close}. */
export interface SessionsCloseOptions {
  /** The close code for all sessions. Default 1001 (going away). */
  code?: number | undefined;
  /** The close reason for all sessions. Default: none. */
  reason?: string | undefined;
}

const SESSIONS_KINDS: OptionKinds<SessionsOptions> = {
  timeout: "time",
  maxBuffer: "limit",
  maxTotalBuffer: "limit",
  maxSessions: "size",
  maxSessionsPerIdentity: "limit",
  identify: "function",
  clock: "object",
};

const CLOSE_KINDS: OptionKinds<SessionsCloseOptions> = { code: "number", reason: "string" };

const DEFAULT_TIMEOUT = 120_000;
const DEFAULT_MAX_BUFFER = 1024 * 1024;
const DEFAULT_MAX_TOTAL_BUFFER = 256 * 1024 * 1024;
const DEFAULT_MAX_SESSIONS = 100_000;

/** How long a client may take to send its hello, in milliseconds. */
const HELLO_TIMEOUT = 10_000;

/** The close code (RFC 6455 §7.4.1) for a client that violates the protocol; `BROKEN` is the reason. */
const PROTOCOL_ERROR = 1002;
const BROKEN = "Not resume.v1";

/**
 * The server's side of resumption. It keeps a session for each client, and gives a handler **one channel for the
 * session's life**, whatever happens to its connections. Sessions are kept in the memory of this process: when it ends,
 * they are lost, and clients report the state `reset`.
 *
 * Pass what {@linkcode handler} returns to `WebSocketServer.bind`, `acceptUpgrade`, `upgradeWebSocket` or
 * `bunWebSocket`. Clients that don't offer `resume.v1` are served as well: their channel is the connection. The
 * server's `close` also closes its sessions. Without such a server, call {@linkcode close}.
 *
 * @typeParam Context The type of the context that `verify` returns.
 *
 * @example
 * ```ts
 * import { WebSocketServer } from "@web-socket/channel/server";
 * import { Sessions } from "@web-socket/channel/reconnecting";
 *
 * const sessions = new Sessions({ timeout: 60_000 });
 * const server = await WebSocketServer.bind({
 *   handler: sessions.handler(async (channel) => {
 *     for await (const message of channel.stream) channel.sink.add(message);
 *   }),
 * });
 * await server.close();
 * ```
 */
export class Sessions<Context = unknown> implements AsyncDisposable {
  readonly #sessions: Map<string, ServerSession> = new Map<string, ServerSession>();
  /** The sessions whose clients have not confirmed the id. */
  readonly #unconfirmed: Set<ServerSession> = new Set<ServerSession>();
  /** The number of sessions of each identity. */
  readonly #perIdentity: Map<unknown, number> = new Map<unknown, number>();
  readonly #pool: BufferPool;
  readonly #unread: BufferPool;
  readonly #options: SessionsOptions<Context>;
  readonly #clock: Clock;

  /**
   * Creates an empty set of sessions.
   *
   * @param given See {@linkcode SessionsOptions}.
   * @throws {TypeError} When an option is unknown or of the wrong type, or `maxSessionsPerIdentity` has no `identify`.
   * @throws {RangeError} When a number is out of its range.
   */
  constructor(given?: SessionsOptions<Context>) {
    const options = readOptions(given as SessionsOptions | undefined, SESSIONS_KINDS);
    this.#options = options as SessionsOptions<Context>;
    if (options.maxSessionsPerIdentity !== undefined && options.identify === undefined) {
      throw new TypeError(
        "Cannot use the option maxSessionsPerIdentity: it needs the option identify",
      );
    }
    this.#clock = options.clock ?? systemClock;
    const { maxTotalBuffer = DEFAULT_MAX_TOTAL_BUFFER } = options;
    this.#pool = new BufferPool(maxTotalBuffer);
    this.#unread = new BufferPool(maxTotalBuffer);
  }

  /** The number of sessions, with or without a connection. */
  get size(): number {
    return this.#sessions.size;
  }

  /** The number of unacknowledged bytes that all sessions keep. */
  get bufferedAmount(): number {
    return this.#pool.size;
  }

  /**
   * Wraps a handler of sessions as a server's handler.
   *
   * The handler gets one channel for each session, when the client has confirmed the session's id. The channel's
   * `request` and `context` are those of that connection. The channel ends when either side closes it, or when the
   * client stays disconnected for `timeout`. If the handler throws or rejects, the session is closed with 1011, and the
   * server's `onError` gets the error.
   *
   * @param handler The function that serves each session, and each connection of a client that can't resume.
   * @returns The function to pass to a server as `handler`.
   * @throws {TypeError} When `handler` is no function.
   */
  handler(handler: ConnectionHandler<Context>): ConnectionHandler<Context> {
    if (typeof handler !== "function") {
      throw new TypeError(
        `Cannot serve sessions: the handler must be a function, got ${shown(handler)}`,
      );
    }
    const plain: ConnectionHandler<Context> = (channel) => handler(channel);
    services.set(plain, {
      protocol: RESUME_PROTOCOL,
      serve: (connection, host) => this.#serve(connection, handler, host),
    });
    return plain;
  }

  /**
   * Closes all sessions. It first sends what was added, and waits for acknowledgements, within the server's
   * `closeTimeout`. Disconnected clients have the same time to reconnect.
   *
   * @param given The close code and reason.
   * @returns A promise that fulfils when all sessions have ended.
   * @throws {RangeError | TypeError | SyntaxError} When the code or the reason can't be sent.
   */
  async close(given?: SessionsCloseOptions): Promise<void> {
    const { code = goingAway, reason } = readOptions(given, CLOSE_KINDS);
    checkCloseArguments(code, reason, isSendable);
    const ended: Promise<unknown>[] = [];
    for (const session of [...this.#sessions.values()]) {
      const { channel } = session;
      if (channel === null) session.drop();
      else {
        channel.sink.close(code, reason).catch(ignore);
        ended.push(channel.closed);
      }
    }
    await Promise.all(ended);
  }

  /** Closes all sessions: see {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #serve(
    connection: WebSocketChannel,
    handler: ConnectionHandler<Context>,
    host: ServiceHost,
  ): Promise<void> {
    const { request, context } = connection as ServerWebSocketChannel<Message, never, Context>;
    const { identify } = this.#options;
    let identity: unknown;
    if (identify !== undefined) {
      identity = await this.#inTime(connection, () => identify(request, context));
      // The client has left. Its messages wait for its next connection.
      if (connection.state !== "open") return;
    }
    // The promise of the handler, once the client has confirmed its session; `undefined` if the connection ends before.
    const served = new Deferred<Promise<void> | undefined>();
    const means: SessionMeans = {
      identity,
      host,
      start: (channel, its) =>
        served.resolve(its.handle(handler as (channel: never) => unknown, channel)),
    };
    const openSession: OpenSession = (carrier, hello) => this.#openSession(carrier, hello, means);
    new ServedConnection(connection, this.#clock, openSession);
    connection.closed.then(() => served.resolve(undefined));
    await served.promise;
  }

  /** Waits for the answer of `identify`; ignores an answer that is late, or follows the client's leaving. */
  async #inTime(connection: WebSocketChannel, identify: () => unknown): Promise<unknown> {
    const deadline = new Deadline(this.#clock, {
      ms: HELLO_TIMEOUT,
      onTime: () => closeWith(connection, tryAgainLater, "Not identified in time"),
    });
    try {
      return checkedIdentity(await Promise.race([identify(), connection.closed.then(ignore)]));
    } finally {
      deadline.clear();
    }
  }

  /** Opens a session for a client that has sent its hello: its previous one, or a new one. */
  #openSession(
    carrier: ServedConnection,
    hello: Hello,
    { identity, host, start }: SessionMeans,
  ): ServerSession | null {
    const before = this.#sessions.get(hello.session ?? "");
    if (before !== undefined && Object.is(before.identity, identity)) {
      if (before.isStale(hello)) return carrier.refuse(tryAgainLater, "Taken over");
      if (!before.canResume(hello)) return carrier.refuse(PROTOCOL_ERROR, BROKEN);
      before.take(carrier, hello, host);
      return before;
    }
    if (!this.#makeRoom(identity)) return carrier.refuse(tryAgainLater, "Too many sessions");
    const { timeout = DEFAULT_TIMEOUT, maxBuffer = DEFAULT_MAX_BUFFER } = this.#options;
    const session = new ServerSession({
      pool: this.#pool,
      unread: this.#unread,
      maxBuffer,
      timeout,
      clock: this.#clock,
      identity,
      start: (channel, its) => {
        this.#unconfirmed.delete(session);
        start(channel, its);
      },
      onEnd: () => {
        this.#unconfirmed.delete(session);
        this.#sessions.delete(session.id);
        this.#count(identity, -1);
      },
    });
    this.#count(identity, 1);
    this.#sessions.set(session.id, session);
    this.#unconfirmed.add(session);
    // The client's hello is about a lost session, or another client's, so its count is ignored.
    session.take(carrier, { ...hello, session: null, received: 0 }, host);
    return session;
  }

  #count(identity: unknown, change: number): void {
    if (identity === undefined || identity === null) return;
    const count = (this.#perIdentity.get(identity) ?? 0) + change;
    if (count > 0) this.#perIdentity.set(identity, count);
    else this.#perIdentity.delete(identity);
  }

  /** Makes room for another session, by dropping unconfirmed ones; returns whether there is room. */
  #makeRoom(identity: unknown): boolean {
    const { maxSessions = DEFAULT_MAX_SESSIONS, maxSessionsPerIdentity = Infinity } = this.#options;
    const own = this.#perIdentity.get(identity) ?? 0;
    const hasOwnRoom = own < maxSessionsPerIdentity;
    if (hasOwnRoom && this.#sessions.size < maxSessions) return true;
    for (const session of this.#unconfirmed) {
      if (session.isConnected || !hasOwnRoom && session.identity !== identity) continue;
      session.drop();
      return true;
    }
    return false;
  }
}

/** The identity of a client, and the function that serves it. */
interface SessionMeans extends Pick<ServerSessionOptions, "identity" | "start"> {
  readonly host: ServiceHost;
}

/** Checks that an identity is a primitive value. */
function checkedIdentity(identity: unknown): unknown {
  if (identity === null || typeof identity !== "object" && typeof identity !== "function") {
    return identity;
  }
  throw new TypeError(
    `Cannot serve the session: identify must return a string or a number, got ${shown(identity)}`,
  );
}

/** Opens a session for a client that has sent its hello; returns `null` if the connection is refused. */
type OpenSession = (carrier: ServedConnection, hello: Hello) => ServerSession | null;

/** A connection of a client that speaks `resume.v1`. */
class ServedConnection implements Carrier {
  readonly connection: WebSocketChannel;
  readonly subscription: StreamSubscription;
  readonly #openSession: OpenSession;
  readonly #deadline: Deadline;
  #session: ServerSession | null = null;

  constructor(connection: WebSocketChannel, clock: Clock, openSession: OpenSession) {
    this.connection = connection;
    this.#openSession = openSession;
    this.#deadline = new Deadline(clock, {
      ms: HELLO_TIMEOUT,
      onTime: () => this.refuse(tryAgainLater, "No hello in time"),
    });
    this.subscription = connection.stream.listen((message) => this.#receive(message));
    connection.closed.then((info) => {
      this.#deadline.clear();
      this.#session?.lose(this, info);
    });
  }

  #receive(message: Message): void {
    if (this.#session !== null) return this.#session.receive(message);
    this.#deadline.clear();
    const hello = parseHello(message);
    if (hello === null) this.refuse(PROTOCOL_ERROR, BROKEN);
    else this.#session = this.#openSession(this, hello);
  }

  /** Closes the connection without a session. */
  refuse(code: number, reason: string): null {
    this.subscription.cancel();
    closeWith(this.connection, code, reason);
    return null;
  }
}
