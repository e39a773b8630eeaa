import type { StreamChannel } from "../stream_channel/stream_channel.ts";
import type { ChannelStream } from "../stream_channel/channel_stream.ts";
import type { CloseInfo } from "../web_socket/close_info.ts";
import type { Clock } from "../web_socket/clock.ts";
import type { ConnectOptions } from "../web_socket/options.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type { MessageInput, WebSocketSink } from "../web_socket/web_socket_sink.ts";
import type { Resumption } from "./line.ts";
import type { ReconnectingCloseInfo, ReconnectingState } from "./state.ts";

/** What a target function gets to know about the attempt that it is for. */
export interface TargetContext {
  /** Which attempt it is since the last connection that lasted, from 1. */
  readonly attempt: number;
  /** How the last connection or attempt ended; `null` before the first has. */
  readonly lastClose: CloseInfo | null;
  /** Aborts when the attempt is given up: pass it to whatever the function waits for. */
  readonly signal: AbortSignal;
}

/** Where to connect to, and the options of `WebSocketChannel.connect`. */
export interface TargetOptions extends Omit<ConnectOptions, "streamLargerThan"> {
  /** The URL, as `WebSocketChannel.connect` takes it. */
  url: string | URL;
}

/** Where to connect to: a URL, or a URL with options. */
export type TargetAddress = string | URL | TargetOptions;

/**
 * What a channel connects to: an address, or a function that is called for each attempt and returns one, such
 * as one with fresh credentials; or a new `WebSocketChannel`, over any transport, open or still connecting.
 */
export type Target =
  | TargetAddress
  | ((
    context: TargetContext,
  ) => TargetAddress | WebSocketChannel | PromiseLike<TargetAddress | WebSocketChannel>);

/** A message that the application sends to learn whether the peer is still there. */
export interface HeartbeatOptions {
  /** How long without a message before one is sent, in milliseconds; 0: only after a sleep. */
  interval: number;
  /** How long to wait for any message then, in milliseconds, before the connection counts as lost. */
  timeout: number;
  /** Creates the message. */
  message: () => MessageInput;
  /** Whether a message is an answer to a heartbeat: then the stream doesn't give it. Left out: none is. */
  isReply?: ((message: Message) => boolean) | undefined;
}

/** Options of {@linkcode ReconnectingChannelStatic.connect}. Times are in milliseconds, sizes in bytes. */
export interface ReconnectingOptions {
  /** Called with each state, the first one from a microtask. What it throws is thrown again from a microtask. */
  onState?: ((state: ReconnectingState) => void) | undefined;
  /** Closes the channel for good when it aborts; `closed` has its reason as `error`. */
  signal?: AbortSignal | undefined;
  /** The upper bound of the first random delay. Each further one is twice as long. Default 500. */
  firstDelay?: number | undefined;
  /** The upper bound of all random delays. Default 30,000. */
  maxDelay?: number | undefined;
  /** How long a connection must have been open for the next delay to be a first one again. Default 5,000. */
  minUptime?: number | undefined;
  /**
   * Whether to try again after a connection or an attempt has ended, and when: `true` after the usual delay, a
   * number after so many milliseconds, `false` never. If it throws, the channel ends with its error. Default: the
   * table in the guide. `defaultRetry` is that.
   */
  retry?: ((info: CloseInfo, attempt: number) => boolean | number) | undefined;
  /**
   * What becomes of messages that are added while there is no connection: `"queue"`: they wait, up to `maxBuffer`;
   * `"drop"`: `add` returns `false`; `"reject"`: `add` throws an `InvalidStateError`. `addStream` and `writable`
   * wait for a connection, or for room. Default `"queue"`.
   */
  whileAway?: "queue" | "drop" | "reject" | undefined;
  /** How many bytes may wait for a connection. Each message counts at least 32. Default 1 MiB. */
  maxBuffer?: number | undefined;
  /** How long one attempt may take: the target function, and the opening handshake. Default 30,000; 0: no limit. */
  connectTimeout?: number | undefined;
  /** How long `close` waits for the peer. Default 5,000. */
  closeTimeout?: number | undefined;
  /** How the application asks whether the peer is there, where the transport can't ping: in browsers. Default: it doesn't. */
  heartbeat?: HeartbeatOptions | undefined;
  /** Resumption. Left out: messages in flight are lost when the connection is. */
  resume?: Resumption | undefined;
  /** Where times come from. A test that moves its own clock needs no sleep. */
  clock?: Clock | undefined;
  /** Random numbers, at least 0 and less than 1, for the delays. Default `Math.random`. */
  random?: (() => number) | undefined;
}

/**
 * A connection that stays: a channel over one connection after another. When one is lost, the next is made, after a
 * random delay that grows.
 *
 * Messages are those of all connections, in order. Close its sink to end it, or call {@linkcode close}; then the stream
 * ends, and {@linkcode closed} reports how. You need not handle any of its promises.
 */
export interface ReconnectingChannel extends StreamChannel<Message, MessageInput>, AsyncDisposable {
  /** Outgoing messages: sent at once, or as soon as there is a connection. See `whileAway`. */
  readonly sink: WebSocketSink;
  /** The current connection; `null` while there is none. Look, but let the channel read and send. */
  readonly connection: WebSocketChannel | null;
  /** Where it is in its life. */
  readonly state: ReconnectingState;
  /**
   * The state, and each one that follows, until the channel has ended. A reader that is slow may miss some, never the
   * last.
   */
  readonly states: ChannelStream<ReconnectingState>;
  /** Whether the current connection resumes: then no message is lost or doubled when it is. */
  readonly resumable: boolean;
  /** The subprotocol of yours that was agreed on; `null` while there is no connection, and when none was. */
  readonly protocol: string | null;
  /**
   * Fulfils when the channel has ended for good. Never rejects. When it has given up, `error` says why; a normal
   * closure by the server (1000) is no error.
   */
  readonly closed: Promise<ReconnectingCloseInfo>;
  /**
   * Ends the channel for good: `sink.close`. What waits for a connection is not sent: `closed` has it.
   *
   * @param code As for `WebSocketSink.close`.
   * @param reason As for `WebSocketSink.close`.
   * @returns `sink.done`.
   * @throws {RangeError | TypeError | SyntaxError} As `WebSocketSink.close` does, with the channel unharmed.
   */
  close(code?: number, reason?: string): Promise<void>;
  /**
   * Tries now, without a delay, also while the platform is offline. A connection that is there is dropped.
   *
   * @returns `false` when the channel has been closed.
   */
  reconnect(): boolean;
}

/** What {@linkcode ReconnectingChannel}, the companion object, can do. */
export interface ReconnectingChannelStatic {
  /**
   * Connects, and stays connected. Returns at once.
   *
   * @param target See {@linkcode Target}.
   * @param options See {@linkcode ReconnectingOptions}.
   * @throws {SyntaxError} When a URL, or a subprotocol that is given with it, is malformed.
   * @throws {TypeError} When the target, or an option, is of the wrong type.
   * @throws {RangeError} When a number is out of its range.
   */
  connect(target: Target, options?: ReconnectingOptions): ReconnectingChannel;
}
