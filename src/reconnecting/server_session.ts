import { PreparedMessage } from "../protocol/prepared_message.ts";
import { copyOf } from "../realm/bytes.ts";
import { closeQuietly } from "../stream_channel/channel_like.ts";
import { sinkControl } from "../stream_channel/channel_sink.ts";
import { streamFeed, type StreamSubscription } from "../stream_channel/channel_stream.ts";
import { MIN_SIZE } from "../stream_channel/counted_queue.ts";
import { ignore, preHandled } from "../stream_channel/errors.ts";
import { Channel } from "../web_socket/channel.ts";
import { ChannelCore } from "../web_socket/channel_core.ts";
import { closeContent, type Ending } from "../web_socket/channel_state.ts";
import type { Clock } from "../web_socket/clock.ts";
import type { CloseFrameContent, CloseInfo } from "../web_socket/close_info.ts";
import type { ConnectionInfo } from "../web_socket/connection_info.ts";
import type { ServiceHost } from "../web_socket/connection_service.ts";
import { Deadline } from "../web_socket/deadline.ts";
import { QueueFullError, WebSocketChannelError } from "../web_socket/errors.ts";
import { failConnection, onPeerClose } from "../web_socket/peer_ending.ts";
import type { Transport } from "../web_socket/transport.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type { MessageInput, SendOptions } from "../web_socket/web_socket_sink.ts";

import type { BufferPool } from "./buffer_pool.ts";
import { formatHello, type Hello, TEXT_MARK } from "./resume_messages.ts";
import { contentOf, type Kept, kept, type SessionLimits } from "./session.ts";
import { SessionLink, type SessionLinkEvents } from "./session_link.ts";

/** Close codes of RFC 6455 §7.4.1. */
const PROTOCOL_ERROR = 1002;
const INTERNAL_ERROR = 1011;

const HEX: readonly string[] = /* @__PURE__ */ Array.from(
  { length: 256 },
  (_, byte) => byte.toString(16).padStart(2, "0"),
);

/** Creates a session's id: 128 random bits in hexadecimal digits. A client that knows it can take over the session. */
function createSessionId(): string {
  let id = "";
  for (const byte of crypto.getRandomValues(new Uint8Array(16))) id += HEX[byte];
  return id;
}

/** A connection that requests a session, or has one. */
export interface Carrier {
  readonly connection: WebSocketChannel;
  /** The subscription to its stream. */
  readonly subscription: StreamSubscription;
}

/** Options of a {@linkcode ServerSession}. */
export interface ServerSessionOptions extends SessionLimits {
  readonly pool: BufferPool;
  /** How long the session lives without a connection, in milliseconds. */
  readonly timeout: number;
  readonly clock: Clock;
  /** The identity of its client: the answer of `identify`. */
  readonly identity: unknown;
  /** Calls the user's handler with the channel. */
  readonly start: (channel: WebSocketChannel, host: ServiceHost) => void;
  /** Called when the session has ended. */
  readonly onEnd: () => void;
}

/** For each shared message, its encoded form for sessions, which is framed once for all of them. */
const shared: WeakMap<PreparedMessage, PreparedMessage> = /* @__PURE__ */ new WeakMap<
  PreparedMessage,
  PreparedMessage
>();

function sharedForm(message: PreparedMessage): PreparedMessage {
  if (typeof message.content !== "string") return message;
  let form = shared.get(message);
  if (form === undefined) {
    shared.set(message, form = new PreparedMessage(TEXT_MARK + message.content));
  }
  return form;
}

/** Closes a connection, without the code if its transport can't send that. There is no caller to get the error. */
export function closeWith(
  { sink }: WebSocketChannel,
  code: number | undefined,
  reason: string | undefined,
): void {
  try {
    sink.close(code, reason).catch(ignore);
  } catch {
    closeQuietly(sink);
  }
}

/** The server's side of a session; the transport of the one channel that the handler gets. */
export class ServerSession implements Transport, SessionLinkEvents {
  readonly id: string = createSessionId();
  readonly identity: unknown;
  readonly latency = null;
  readonly errorCode: number = INTERNAL_ERROR;
  readonly #options: ServerSessionOptions;
  readonly #link: SessionLink;
  /** The core of the channel; `null` until the client has confirmed the id. */
  #core: ChannelCore | null = null;
  #host: ServiceHost | null = null;
  #carrier: Carrier | null = null;
  /** The time by which the client must reconnect. */
  #deadline: Deadline | null = null;
  /** The code and reason with which the user closes the session. */
  #closing: { readonly code: number | undefined; readonly reason: string } | null = null;
  #hasSentClose = false;
  /** Whether the connection has taken our Close. */
  #isCloseOut = false;
  #attempt = 0;
  #isRef = true;
  /** Called when the pool has room. */
  readonly #onRoom = (): void => this.onDrained();

  /** Creates a session without a connection. */
  constructor(options: ServerSessionOptions) {
    this.#options = options;
    this.identity = options.identity;
    this.#link = new SessionLink(options, options.clock, this);
  }

  /** Whether the session has a connection. */
  get isConnected(): boolean {
    return this.#carrier !== null;
  }

  /** The channel that the handler got; `null` before that. */
  get channel(): WebSocketChannel | null {
    return this.#core?.face ?? null;
  }

  // Connections.

  /** Whether a client with this number of received messages can take over the session. */
  canResume({ received }: Hello): boolean {
    return this.#link.session.canResume(received);
  }

  /** Whether a hello belongs to an older connection than the current one. */
  isStale({ attempt }: Hello): boolean {
    return attempt <= this.#attempt;
  }

  /**
   * Switches to a new connection.
   *
   * @param carrier The connection.
   * @param hello The client's hello.
   * @param host The server of the connection.
   */
  take(carrier: Carrier, hello: Hello, host: ServiceHost): void {
    // Before the count is read, because messages that the old connection still delivers must not count.
    this.#silence();
    this.#deadline?.clear();
    this.#carrier = carrier;
    this.#host = host;
    const { session } = this.#link;
    this.#attempt = hello.attempt;
    session.resume(hello.received, hello.window, false);
    const { connection } = carrier;
    const { received } = session;
    const window = this.#link.announce();
    this.#link.say(
      connection,
      formatHello({
        session: this.id,
        received,
        window,
        protocol: host.protocol ?? undefined,
      }),
    );
    if (this.#carrier !== carrier) return;
    if (!this.#isRef) connection.unref();
    this.#link.open(connection, carrier.subscription);
    // The client has sent the id, so it knows it.
    if (hello.session === this.id) this.#confirm();
    this.onDrained();
  }

  #silence(): void {
    const carrier = this.#carrier;
    this.#carrier = null;
    this.#link.lose();
    carrier?.subscription.cancel();
    carrier?.connection.terminate();
  }

  /** Passes the channel to the handler, because the client has confirmed the id. */
  #confirm(): void {
    const host = this.#host;
    const carrier = this.#carrier;
    if (this.#core !== null || host === null || carrier === null) return;
    const { connection } = carrier;
    const below = Channel.coreOf(connection);
    const core = new ChannelCore(
      { closeTimeout: below?.closeTimeout, highWaterMark: below?.highWaterMark },
      this.#options.clock,
      { transport: "server", capabilities: connection.capabilities, url: () => connection.url },
    );
    this.#core = core;
    core.onUnread = below?.onUnread ?? null;
    core.attach(this);
    const channel = host.create(core);
    core.onClosed = () => {
      host.onChannelClosed(channel);
      this.#end();
    };
    core.open({ protocol: host.protocol, extensions: connection.extensions, response: null });
    host.onChannel(channel);
    this.#options.start(channel, host);
  }

  /** Reads a message of the current connection. */
  receive(message: Message): void {
    this.#confirm();
    const received = this.#link.receive(message);
    if (received !== null && this.#core !== null) streamFeed.add(this.#core.incoming, received);
  }

  /** Handles the end of a connection. */
  lose(carrier: Carrier, info: CloseInfo): void {
    if (this.#carrier !== carrier) return;
    this.#carrier = null;
    const { isLast } = this.#link;
    this.#link.lose();
    if (this.#closing !== null && this.#hasSentClose) return this.#endAs(info);
    if (isLast) return this.#endByPeer(info);
    if (this.#closing !== null && this.#host?.isClosing) return this.#endAs(info);
    const { clock, timeout: ms } = this.#options;
    if (ms === 0) return this.#expire();
    this.#deadline = new Deadline(clock, { ms, unref: true, onTime: () => this.#expire() });
  }

  #endByPeer(info: CloseInfo): void {
    const core = this.#core;
    if (core !== null && info.received !== undefined) onPeerClose(core, info.received, info.sent);
    this.#endAs(info);
  }

  #endAs({ received, sent, wasClean, initiator, error }: CloseInfo): void {
    this.#isCloseOut = sent !== undefined;
    this.#conclude({ received, wasClean, initiator, error });
  }

  #expire(): void {
    const { timeout } = this.#options;
    const error = new WebSocketChannelError(
      `Cannot resume the session: the client did not reconnect within ${timeout} ms`,
    );
    this.#conclude({ wasClean: false, initiator: "timeout", error });
  }

  /** Ends the session, with or without a channel. */
  #conclude(ending: Ending): void {
    if (this.#core !== null) this.#core.end(ending);
    else this.#end();
  }

  /** Releases everything. */
  #end(): void {
    this.#deadline?.clear();
    this.#options.pool.forget(this.#onRoom);
    this.#carrier = null;
    this.#link.end();
    this.#options.onEnd();
  }

  /** Drops a session whose client has not confirmed the id. */
  drop(): void {
    this.#silence();
    this.#end();
  }

  // Events of the link.

  transmit(connection: WebSocketChannel, wire: Kept["wire"], options: Kept["options"]): void {
    if (typeof wire === "string" || !("frame" in wire)) connection.sink.add(wire, options);
    else {
      const core = Channel.coreOf(connection);
      if (core === null) connection.sink.add(wire.content, options);
      else core.openTransport?.sendPrepared(wire, options, false);
    }
  }

  onDrained(): void {
    const sink = this.#core?.sink;
    if (sink === undefined) return;
    sinkControl.drained(sink);
    // Other sessions may have filled the pool, and this session may get no further acknowledgement.
    if (sinkControl.isWaitedFor(sink) && this.isFull) this.#options.pool.wait(this.#onRoom);
  }

  onAcknowledged(): void {
    if (this.#closing !== null) this.#closeConnection();
  }

  onOverrun(): void {
    // The client sends the rest again on its next connection.
    this.#carrier?.subscription.cancel();
    this.#carrier?.connection.terminate();
  }

  onFault(error: unknown): void {
    const carrier = this.#carrier;
    this.#carrier = null;
    this.#link.lose();
    carrier?.subscription.cancel();
    if (carrier !== null) closeWith(carrier.connection, PROTOCOL_ERROR, "Not resume.v1");
    const sent = closeContent(PROTOCOL_ERROR, "Not resume.v1");
    this.#isCloseOut = true;
    if (this.#core !== null) failConnection(this.#core, error, sent);
    this.#conclude({ wasClean: false, initiator: "protocol-error", error });
  }

  // Members of a transport.

  get bufferedAmount(): number {
    return this.#link.session.size;
  }

  get load(): number {
    return this.#link.session.size;
  }

  get isFull(): boolean {
    return this.#link.session.isFull;
  }

  get unacknowledged(): Message[] {
    const { unacknowledged, unsent } = this.#link.session;
    return [...unacknowledged, ...unsent.map(contentOf)];
  }

  get connectionInfo(): ConnectionInfo | null {
    return this.#carrier?.connection.connectionInfo ?? null;
  }

  send(message: MessageInput, options: SendOptions | undefined): boolean {
    if (this.isFull) throw this.#queueFull();
    this.#link.send(kept(typeof message === "string" ? message : copyOf(message), options));
    return true;
  }

  #queueFull(): QueueFullError {
    const { pool, maxBuffer } = this.#options;
    return pool.isFull
      ? new QueueFullError("maxTotalBuffer", pool.limit)
      : new QueueFullError("maxBuffer", maxBuffer);
  }

  sendPrepared(message: PreparedMessage, options: SendOptions | undefined): boolean {
    const size = Math.max(message.size, MIN_SIZE);
    this.#link.send({ wire: sharedForm(message), options, size });
    return true;
  }

  ping(payload?: Uint8Array, signal?: AbortSignal): Promise<number> {
    const connection = this.#carrier?.connection;
    if (connection !== undefined) return connection.ping({ payload, signal });
    const error = new WebSocketChannelError("Cannot ping: the session has no connection");
    return preHandled(Promise.reject(error));
  }

  pong(payload: Uint8Array): boolean {
    return this.#carrier?.connection.pong(payload) ?? false;
  }

  close(code: number | undefined, reason: string): CloseFrameContent {
    this.#closing = { code, reason };
    this.#link.finish();
    if (this.#link.session.size === 0) this.#closeConnection();
    // The server is closing, so a disconnected client can't reconnect.
    if (this.#carrier === null && this.#host?.isClosing) {
      queueMicrotask(() => this.#conclude({ wasClean: false, initiator: "transport" }));
    }
    return closeContent(code, reason);
  }

  /** Closes the connection: everything is acknowledged, or nothing more will be. */
  #closeConnection(): void {
    const carrier = this.#carrier;
    if (carrier === null || this.#hasSentClose) return;
    this.#hasSentClose = true;
    const { code, reason } = this.#closing ?? {};
    closeWith(carrier.connection, code, reason);
  }

  hasSentClose(): boolean {
    return this.#isCloseOut;
  }

  destroy(): void {
    this.#silence();
  }

  pause(): void {
    this.#link.withhold();
  }

  resume(): void {
    this.#link.goOn();
  }

  watch(): void {
    if (this.isFull) this.#options.pool.wait(this.#onRoom);
    this.#link.ask();
  }

  ref(): void {
    this.#isRef = true;
    this.#carrier?.connection.ref();
  }

  unref(): void {
    this.#isRef = false;
    this.#carrier?.connection.unref();
  }
}
