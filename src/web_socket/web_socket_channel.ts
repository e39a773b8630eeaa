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

/** A received message: text, or bytes. */
export type Message = string | Uint8Array;

/** Where a channel is in its life. */
export type ChannelState = "connecting" | "open" | "closing" | "closed";

/** Options of a method that waits. */
export interface WaitOptions {
  /** Ends the waiting when it aborts: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@linkcode WebSocketChannel.ping}. */
export interface PingOptions extends WaitOptions {
  /** The Ping's payload, which the Pong returns: 0–125 bytes. Default: four bytes, new ones each time. */
  readonly payload?: ArrayBuffer | ArrayBufferView | undefined;
}

/**
 * A connection to a WebSocket peer: a {@linkcode StreamChannel} of messages that knows how it ended.
 *
 * To end it, close its sink (or use `await using`). It has ended when the stream ends; `closed` then
 * reports why. You need not handle any of its promises: an unhandled rejection never ends the program.
 * {@linkcode transform} and the other methods of its kind return a WebSocket channel again, of the
 * same connection: only its messages differ.
 *
 * Corresponds to Dart's `WebSocketChannel`.
 *
 * @typeParam In What it gives: messages, unless it is transformed.
 * @typeParam Out What it takes.
 */
export interface WebSocketChannel<In = Message, Out = MessageInput>
  extends StreamChannel<In, Out>, AsyncDisposable {
  /** Outgoing messages. Values added before the connection is open are sent, in order, once it is. */
  readonly sink: WebSocketSink<Out>;
  /**
   * Fulfils when the connection is open; rejects when it can't be opened, with the error that the
   * stream ends with as well: a {@linkcode ConnectError}, an {@linkcode UnsupportedError}, a
   * `TimeoutError`, an `AbortError` when the channel was closed meanwhile, or the reason of `signal`.
   */
  readonly ready: Promise<void>;
  /**
   * Waits for {@linkcode ready} until a signal aborts. That ends only the waiting: to give up the attempt
   * too, call {@linkcode terminate}, or pass the signal to `connect`.
   *
   * @param options Its `signal` makes the promise reject with its reason.
   * @throws {TypeError} When an option is unknown, or of the wrong type.
   */
  whenReady(options?: WaitOptions): Promise<void>;
  /**
   * Fulfils as soon as either side has begun to close an open connection, or it is over without that.
   * Never rejects.
   */
  readonly closing: Promise<void>;
  /** Fulfils when the channel has ended, however it ended. Never rejects. */
  readonly closed: Promise<CloseInfo>;
  /**
   * The URL that it connects to, resolved, or that a client has asked this server for: without user info,
   * and with `…` in place of each value of the query, as they may be secrets. With `followRedirects`, where
   * they have led. Empty where no URL is known.
   */
  readonly url: string;
  /** Where the channel is in its life. */
  readonly state: ChannelState;
  /** The subprotocol that was agreed on; `null` while connecting, and when none was. */
  readonly protocol: string | null;
  /** The extensions in use, as in the header field `Sec-WebSocket-Extensions`; may be empty. */
  readonly extensions: string;
  /** The peer's close code (1005: none given, 1006: no Close frame); `null` until the channel ends. */
  readonly closeCode: number | null;
  /** The peer's close reason; `null` until the channel ends. */
  readonly closeReason: string | null;
  /** The server's answer to the opening handshake, where this package made it; else `null`. */
  readonly response: HandshakeResponse | null;
  /**
   * The addresses at both ends, the proxy, and what TLS agreed on, if this package can know it;
   * `null` while there is no connection. A client over `node:net` has it from the opening handshake on, also after
   * the end. A server's channel has it while it is open, and afterwards if it was read before; otherwise only the
   * address of the client is left. With the platform's `WebSocket`, and over a channel of bytes, it is `null`.
   */
  readonly connectionInfo: ConnectionInfo | null;
  /** What this channel's transport can do. */
  readonly capabilities: Capabilities;
  /**
   * Sends a Ping frame and waits for its Pong.
   *
   * @param options See {@linkcode PingOptions}.
   * @returns The round trip's time, in milliseconds. It rejects with an {@linkcode UnsupportedError}
   * where the transport can't, with a {@linkcode WebSocketChannelError} when the channel ends first or 128
   * pings are unanswered, and with the signal's reason.
   * @throws {TypeError} When an option is unknown, or of the wrong type.
   * @throws {RangeError} When the payload is longer than 125 bytes.
   */
  ping(options?: PingOptions): Promise<number>;
  /**
   * Sends an unsolicited Pong frame. RFC 6455 §5.5.3. Pings are answered without it, unless
   * `autoPong` is `false`.
   *
   * @param payload 0–125 bytes; left out: none.
   * @returns `false` when it was dropped: the connection isn't open.
   * @throws {UnsupportedError} Where the transport can't (capability `ping`).
   * @throws {TypeError} When the payload is no bytes.
   * @throws {RangeError} When it is longer than 125 bytes.
   */
  pong(payload?: ArrayBuffer | ArrayBufferView): boolean;
  /**
   * The time of the latest round trip that a ping measured, the keepalive's included, in
   * milliseconds; `null` before the first, and where the transport can't ping.
   */
  readonly latency: number | null;
  /** Ends the channel at once, without a closing handshake. */
  terminate(): void;
  /** Lets the connection keep the process alive again, where the platform has such a thing. */
  ref(): void;
  /** Lets the process end although the connection is open or being made, where the platform has such a thing. */
  unref(): void;
  /**
   * Connects this channel with another one, both ways: see {@linkcode StreamChannel.pipe}. Where the other one is a
   * WebSocket channel as well, its close code and reason pass on, as `relay` of `./server` passes them on: without a
   * code when there was none, 1014 or 1011 after a connection that was lost. A message that `streamLargerThan` delivers
   * in parts is sent on while it arrives; the other one must then be a WebSocket channel with the capability
   * `messageStreams`, whose sink isn't transformed.
   *
   * @param other A channel that takes what this one gives, and the other way round.
   * @returns A promise that fulfils when both directions have ended, or rejects with the first error.
   * @throws {DOMException} `InvalidStateError` when one of the two streams has a reader.
   * @throws {UnsupportedError} When one delivers messages in parts, and the other one can't send them so.
   * @throws {TypeError} When one delivers messages in parts, and the other one's sink takes none.
   */
  pipe(other: ChannelLike<Out | IncomingMessage, Exclude<In, IncomingMessage>>): Promise<void>;
  /** See {@linkcode StreamChannel.transform}. */
  transform<NewIn, NewOut>(
    transformer: ChannelTransformer<In, Out, NewIn, NewOut>,
  ): WebSocketChannel<NewIn, NewOut>;
  /** See {@linkcode StreamChannel.transformStream}. */
  transformStream<NewIn>(transform: MessageTransform<In, NewIn>): WebSocketChannel<NewIn, Out>;
  /** See {@linkcode StreamChannel.transformSink}. */
  transformSink<NewOut>(transform: MessageTransform<NewOut, Out>): WebSocketChannel<In, NewOut>;
  /** See {@linkcode StreamChannel.changeStream}. */
  changeStream<NewIn>(
    change: (stream: ChannelStream<In>) => ChannelStream<NewIn> | ReadableStream<NewIn>,
  ): WebSocketChannel<NewIn, Out>;
  /** See {@linkcode StreamChannel.changeSink}. */
  changeSink<NewOut>(
    change: (sink: ChannelSink<Out>) => ChannelSink<NewOut> | WritableStream<NewOut>,
  ): WebSocketChannel<In, NewOut>;
  /** See {@linkcode StreamChannel.cast}. */
  cast<NewIn, NewOut = NewIn>(): WebSocketChannel<NewIn, NewOut>;
}
