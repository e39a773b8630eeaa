import type { ChannelLike } from "../stream_channel/channel_like.ts";
import type { ChannelSink } from "../stream_channel/channel_sink.ts";
import type { ChannelStream } from "../stream_channel/channel_stream.ts";
import type { MessageTransform } from "../stream_channel/relay.ts";
import type { ChannelTransformer, StreamChannel } from "../stream_channel/stream_channel.ts";
import type { Capabilities } from "./capabilities.ts";
import type { CloseInfo } from "./close_info.ts";
import type { ConnectionInfo } from "./connection_info.ts";
import type { HandshakeResponse } from "./errors.ts";
import type { IncomingMessage } from "./incoming_message.ts";
import type { MessageInput, WebSocketSink } from "./web_socket_sink.ts";

/** A received message: text or bytes. */
export type Message = string | Uint8Array;

/** The state of a channel. */
export type ChannelState = "connecting" | "open" | "closing" | "closed";

/** Options of an asynchronous method. */
export interface WaitOptions {
  /** Ends the wait when it aborts: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@linkcode WebSocketChannel.ping}. */
export interface PingOptions extends WaitOptions {
  /** The Ping's payload, which the Pong returns: 0–125 bytes. Default: four bytes, different each time. */
  readonly payload?: ArrayBuffer | ArrayBufferView | undefined;
}

/**
 * A connection to a WebSocket peer: a {@linkcode StreamChannel} of messages that reports how it ended.
 *
 * To end it, close its sink (or use `await using`). It has ended when the stream ends; `closed` then reports
 * why. You need not handle any of its promises: an unhandled rejection never ends the program.
 * {@linkcode transform} and similar methods return a WebSocket channel of the same connection with other
 * messages.
 *
 * Corresponds to Dart's `WebSocketChannel`.
 *
 * @typeParam In The type of received messages.
 * @typeParam Out The type of outgoing messages.
 */
export interface WebSocketChannel<In = Message, Out = MessageInput>
  extends StreamChannel<In, Out>, AsyncDisposable {
  /**
   * The sink for outgoing messages. Messages that are added before the connection is open are sent, in order,
   * once it is.
   */
  readonly sink: WebSocketSink<Out>;
  /**
   * Fulfils when the connection is open. If it can't be opened, it rejects with the error that also ends the
   * stream: a {@linkcode ConnectError}, an {@linkcode UnsupportedError}, a `TimeoutError`, an `AbortError` if
   * the channel was closed meanwhile, or the reason of `signal`.
   */
  readonly ready: Promise<void>;
  /**
   * Waits for {@linkcode ready} until a signal aborts. That ends only the wait: to cancel the attempt too,
   * call {@linkcode terminate}, or pass the signal to `connect`.
   *
   * @param options Its `signal` ends the wait: the promise rejects with its reason.
   * @throws {TypeError} If an option is unknown or of the wrong type.
   */
  whenReady(options?: WaitOptions): Promise<void>;
  /**
   * Fulfils as soon as either side has started to close an open connection, or the channel has ended in
   * another way. Never rejects.
   */
  readonly closing: Promise<void>;
  /** Fulfils when the channel has ended, in any way. Never rejects. */
  readonly closed: Promise<CloseInfo>;
  /**
   * The absolute URL that it connects to, or that a client has requested from this server. It has no user
   * info, and `…` in place of each value of the query, because they may be secrets. With `followRedirects`,
   * it is the URL after the redirects. Empty if no URL is known.
   */
  readonly url: string;
  /** The state of the channel. */
  readonly state: ChannelState;
  /** The agreed subprotocol; `null` while connecting, and if none was agreed. */
  readonly protocol: string | null;
  /** The extensions in use, as in the header field `Sec-WebSocket-Extensions`; empty if there are none. */
  readonly extensions: string;
  /**
   * The peer's close code; 1005 if its Close had none, 1006 if there was no Close; `null` until the channel
   * ends.
   */
  readonly closeCode: number | null;
  /** The peer's close reason; `null` until the channel ends. */
  readonly closeReason: string | null;
  /** The server's answer to the opening handshake, if this package did the handshake; otherwise `null`. */
  readonly response: HandshakeResponse | null;
  /**
   * The addresses of both ends, the proxy, and the agreed parameters of TLS, if this package knows them;
   * `null` while there is no connection. A client over `node:net` has it from the opening handshake on, even
   * after the end. A server's channel has it while it is open, and after the end if it was read before;
   * otherwise only the client's address remains. With the platform's `WebSocket`, and over a channel of
   * bytes, it is `null`.
   */
  readonly connectionInfo: ConnectionInfo | null;
  /** The capabilities of this channel's transport. */
  readonly capabilities: Capabilities;
  /**
   * Sends a Ping frame and waits for its Pong.
   *
   * @param options The payload, and a signal that ends the wait.
   * @returns A promise of the round-trip time, in milliseconds. It rejects with an {@linkcode UnsupportedError} if the
   * transport can't ping, and with a {@linkcode WebSocketChannelError} if the channel ends first or 128 Pings are
   * unanswered. It also rejects with the signal's reason.
   * @throws {TypeError} If an option is unknown or of the wrong type.
   * @throws {RangeError} If the payload is longer than 125 bytes.
   */
  ping(options?: PingOptions): Promise<number>;
  /**
   * Sends an unsolicited Pong frame. RFC 6455 §5.5.3. Pings are answered automatically, unless `autoPong` is
   * `false`.
   *
   * @param payload 0–125 bytes. Default: none.
   * @returns `false` if it was dropped because the connection isn't open.
   * @throws {UnsupportedError} If the transport can't (capability `ping`).
   * @throws {TypeError} If the payload isn't bytes.
   * @throws {RangeError} If it is longer than 125 bytes.
   */
  pong(payload?: ArrayBuffer | ArrayBufferView): boolean;
  /**
   * The round-trip time of the latest answered Ping, including those of `pingInterval`, in milliseconds;
   * `null` before the first, and if the transport can't ping.
   */
  readonly latency: number | null;
  /** Ends the channel at once, without a closing handshake. */
  terminate(): void;
  /** Lets the connection keep the process alive again, if the platform supports it. */
  ref(): void;
  /** Lets the process end although the connection is open or connecting, if the platform supports it. */
  unref(): void;
  /**
   * Connects this channel with another one in both directions: see {@linkcode StreamChannel.pipe}. If the
   * other one is a WebSocket channel as well, the close code and reason pass on, as with `relay` of
   * `./server`. If there was no code, none is sent; after a lost connection it is 1014 or 1011. A message
   * that `streamLargerThan` delivers in parts is sent while it arrives. For that, the other one must be a
   * WebSocket channel with the capability `messageStreams`, whose sink isn't transformed.
   *
   * @param other A channel whose message types match this one's.
   * @returns A promise that fulfils when both directions have ended. It rejects with the first error.
   * @throws {DOMException} `InvalidStateError` if one of the two streams has a reader.
   * @throws {UnsupportedError} If one delivers messages in parts, and the other can't send them in parts.
   * @throws {TypeError} If one delivers messages in parts, and the other's sink doesn't accept them.
   */
  pipe(other: ChannelLike<Out | IncomingMessage, Exclude<In, IncomingMessage>>): Promise<void>;
  /** Returns a WebSocket channel of other messages over this one. See {@linkcode StreamChannel.transform}. */
  transform<NewIn, NewOut>(
    transformer: ChannelTransformer<In, Out, NewIn, NewOut>,
  ): WebSocketChannel<NewIn, NewOut>;
  /** Transforms only incoming messages. See {@linkcode StreamChannel.transformStream}. */
  transformStream<NewIn>(transform: MessageTransform<In, NewIn>): WebSocketChannel<NewIn, Out>;
  /** Transforms only outgoing messages. See {@linkcode StreamChannel.transformSink}. */
  transformSink<NewOut>(transform: MessageTransform<NewOut, Out>): WebSocketChannel<In, NewOut>;
  /** Replaces this channel's stream. See {@linkcode StreamChannel.changeStream}. */
  changeStream<NewIn>(
    change: (stream: ChannelStream<In>) => ChannelStream<NewIn> | ReadableStream<NewIn>,
  ): WebSocketChannel<NewIn, Out>;
  /** Replaces this channel's sink. See {@linkcode StreamChannel.changeSink}. */
  changeSink<NewOut>(
    change: (sink: ChannelSink<Out>) => ChannelSink<NewOut> | WritableStream<NewOut>,
  ): WebSocketChannel<In, NewOut>;
  /** Returns this channel with other types. See {@linkcode StreamChannel.cast}. */
  cast<NewIn, NewOut = NewIn>(): WebSocketChannel<NewIn, NewOut>;
}
