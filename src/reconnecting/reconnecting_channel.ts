import type { StreamChannel } from "../stream_channel/stream_channel.ts";
import type { ChannelStream } from "../stream_channel/channel_stream.ts";
import type { CloseInfo } from "../web_socket/close_info.ts";
import type { Clock } from "../web_socket/clock.ts";
import type { ConnectOptions } from "../web_socket/options.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type { MessageInput, WebSocketSink } from "../web_socket/web_socket_sink.ts";
import type { Resumption } from "./line.ts";
import type { ReconnectingCloseInfo, ReconnectingState } from "./state.ts";

/** The argument of a target function: the attempt for which it is called. */
export interface TargetContext {
  /** The number of the attempt since the last stable connection, from 1. */
  readonly attempt: number;
  /** How the previous connection or attempt ended; `null` for the first. */
  readonly lastClose: CloseInfo | null;
  /** Aborts when the channel cancels the attempt. Pass it to `fetch` and other calls that the function awaits. */
  readonly signal: AbortSignal;
}

/** A URL to connect to, with the options of `WebSocketChannel.connect`. */
export interface TargetOptions extends Omit<ConnectOptions, "streamLargerThan"> {
  /** The URL, as in `WebSocketChannel.connect`. */
  url: string | URL;
}

/** An address to connect to: a URL, or a URL with options. */
export type TargetAddress = string | URL | TargetOptions;

/**
 * The target of a channel: an address, or a function that is called for each attempt. The function returns an address,
 * such as one with fresh credentials, or a new `WebSocketChannel` over any transport, open or connecting.
 */
export type Target =
  | TargetAddress
  | ((
    context: TargetContext,
  ) => TargetAddress | WebSocketChannel | PromiseLike<TargetAddress | WebSocketChannel>);

/** A heartbeat: a message of the application that detects a lost connection. */
export interface HeartbeatOptions {
  /** How long without a received message before a heartbeat is sent, in milliseconds; 0: only after a sleep. */
  interval: number;
  /** How long to wait for any message after a heartbeat, in milliseconds. After that the connection counts as lost. */
  timeout: number;
  /** Returns the heartbeat message. */
  message: () => MessageInput;
  /** Returns whether a message is the answer to a heartbeat, which the stream then omits. Default: no message is. */
  isReply?: ((message: Message) => boolean) | undefined;
}

/** Options of {@linkcode ReconnectingChannelStatic.connect}. Times are in milliseconds, sizes in bytes. */
export interface ReconnectingOptions {
  /** Called with each state; the first call is in a microtask. An error that it throws is rethrown in a microtask. */
  onState?: ((state: ReconnectingState) => void) | undefined;
  /** Closes the channel permanently when it aborts; `closed` has its reason as `error`. */
  signal?: AbortSignal | undefined;
  /** The upper bound of the first random delay, in milliseconds. It doubles with each delay. Default 500. */
  firstDelay?: number | undefined;
  /** The upper bound of all random delays, in milliseconds. Default 30,000. */
  maxDelay?: number | undefined;
  /**
   * How long a connection must be open to count as stable, in milliseconds; the delays then start again at
   * `firstDelay`. Default 5,000.
   */
  minUptime?: number | undefined;
  /**
   * Decides whether to try again after a connection or an attempt has ended: `true` after the usual delay, a number
   * after that many milliseconds, `false` never. If it throws, the channel ends with its error. Default:
   * `defaultRetry`, which follows the table in the guide.
   */
  retry?: ((info: CloseInfo, attempt: number) => boolean | number) | undefined;
  /**
   * What happens to messages added while there is no connection. `"queue"` queues them, up to `maxBuffer`. With
   * `"drop"`, `add` returns `false`. With `"reject"`, `add` throws an `InvalidStateError`. `addStream` and `writable`
   * wait for a connection, or for room. Default `"queue"`.
   */
  whileAway?: "queue" | "drop" | "reject" | undefined;
  /** How many bytes of messages may be queued. Each message counts at least 32 bytes. Default 1 MiB. */
  maxBuffer?: number | undefined;
  /**
   * How long one attempt may take, in milliseconds: the target function and the opening handshake. Default 30,000; 0:
   * no limit.
   */
  connectTimeout?: number | undefined;
  /** How long `close` waits for the peer, in milliseconds. Default 5,000. */
  closeTimeout?: number | undefined;
  /** A heartbeat of the application, for transports that can't ping, as in browsers. Default: none. */
  heartbeat?: HeartbeatOptions | undefined;
  /**
   * The resumption of sessions, such as `resumption()`. Default: none; a lost connection loses the messages in flight.
   */
  resume?: Resumption | undefined;
  /**
   * The clock for all delays and timeouts. A test can pass its own and needs no real time. Default: the system clock.
   */
  clock?: Clock | undefined;
  /** Returns random numbers for the delays, at least 0 and less than 1. Default `Math.random`. */
  random?: (() => number) | undefined;
}

/**
 * A channel that uses one connection after another. When a connection is lost, it opens the next one after a random
 * delay, which grows with each failure.
 *
 * Its stream has the messages of all connections, in order. Close the sink or call {@linkcode close} to end the
 * channel; the stream then ends, and {@linkcode closed} reports how. You need not handle its promises.
 */
export interface ReconnectingChannel extends StreamChannel<Message, MessageInput>, AsyncDisposable {
  /** The sink for outgoing messages: it sends them at once, or as soon as there is a connection. See `whileAway`. */
  readonly sink: WebSocketSink;
  /** The current connection; `null` while there is none. Only inspect it: the channel itself reads and sends. */
  readonly connection: WebSocketChannel | null;
  /** The current state. */
  readonly state: ReconnectingState;
  /**
   * A stream of the current state and all following ones, until the channel has ended. A slow reader may miss some, but
   * never the last.
   */
  readonly states: ChannelStream<ReconnectingState>;
  /** Whether the current connection resumes the session. If so, losing it neither loses nor repeats a message. */
  readonly resumable: boolean;
  /** The negotiated subprotocol of yours; `null` if there is none, or no connection. */
  readonly protocol: string | null;
  /**
   * Fulfils when the channel has ended permanently. Never rejects. If the channel has given up, `error` says why; a
   * normal closure by the server (1000) is no error.
   */
  readonly closed: Promise<ReconnectingCloseInfo>;
  /**
   * Ends the channel permanently, like `sink.close`. Messages that wait for a connection are not sent: `closed` has
   * them as `unsent`.
   *
   * @param code The close code, as for `WebSocketSink.close`.
   * @param reason The close reason, as for `WebSocketSink.close`.
   * @returns `sink.done`.
   * @throws {RangeError | TypeError | SyntaxError} When `WebSocketSink.close` would throw; the channel is then
   * unchanged.
   */
  close(code?: number, reason?: string): Promise<void>;
  /**
   * Connects again without a delay, even while the platform is offline. An open connection is dropped.
   *
   * @returns `false` when the channel has been closed.
   */
  reconnect(): boolean;
}

/** The type of the companion object {@linkcode ReconnectingChannel}, which creates channels. */
export interface ReconnectingChannelStatic {
  /**
   * Creates a channel that connects and stays connected. Returns at once.
   *
   * @param target See {@linkcode Target}.
   * @param options See {@linkcode ReconnectingOptions}.
   * @throws {SyntaxError} When a URL, or a subprotocol that is given with it, is malformed.
   * @throws {TypeError} When the target, or an option, is of the wrong type.
   * @throws {RangeError} When a number is out of its range.
   */
  connect(target: Target, options?: ReconnectingOptions): ReconnectingChannel;
}
