import { signKey } from "../handshake/accept_key.ts";
import type { FromOptions } from "../native/native_channel.ts";
import { NativeWebSocketChannel } from "../native/native_web_socket_channel.ts";
import type { WebSocketLike } from "../native/web_socket_like.ts";
import type { ChannelLike } from "../stream_channel/channel_like.ts";
import type { StreamChannel } from "../stream_channel/stream_channel.ts";
import type { Capabilities } from "./capabilities.ts";
import { connect } from "./connect.ts";
import type { ConnectOptions } from "./connect_options.ts";
import type { HandshakeResponse } from "./errors.ts";
import { handshake, type HandshakeOptions, over, type OverOptions } from "./over.ts";
import type { MessageInput, WebSocketSink } from "./web_socket_sink.ts";

/** A received message: text, or bytes. */
export type Message = string | Uint8Array;

/** Where a channel is in its life. */
export type ChannelState = "connecting" | "open" | "closing" | "closed";

/**
 * Who or what ended a channel:
 *
 * - `"local"`: this side: its own `close`, also when the peer's came at the same time, its
 *   `terminate`, an aborted attempt, an error added to the sink, a receive queue that was full;
 * - `"remote"`: the peer's Close frame;
 * - `"transport"`: a connection that couldn't be made, or was lost;
 * - `"timeout"`: connecting, closing or a ping took too long;
 * - `"protocol-error"`: the peer broke the protocol.
 */
export type CloseInitiator = "local" | "remote" | "transport" | "timeout" | "protocol-error";

/** The content of a Close frame. */
export interface CloseFrameContent {
  /** The close code; 1005 when the frame held none. */
  readonly code: number;
  /** The close reason; empty when the frame held none. */
  readonly reason: string;
}

/** How a channel ended: what {@linkcode WebSocketChannel.closed} gives. */
export interface CloseInfo {
  /** The peer's close code; 1005 when its Close held none, 1006 when there was none. RFC 6455 §7.1.5. */
  readonly code: number;
  /** The peer's close reason. */
  readonly reason: string;
  /**
   * Whether the closing handshake was completed (RFC 6455 §7.1.4): the transport took our Close, and
   * the peer's came.
   */
  readonly wasClean: boolean;
  /** Who or what ended the channel. */
  readonly initiator: CloseInitiator;
  /** The Close frame that this side sent; left out when the transport never took it. */
  readonly sent?: CloseFrameContent;
  /** The Close frame that the peer sent. */
  readonly received?: CloseFrameContent;
  /**
   * Why, where there was an error: for a failed connection the same object as `ready`'s. When messages
   * were dropped and nothing else went wrong, an error that says so.
   */
  readonly error?: unknown;
  /**
   * How many bytes of payload were added or broadcast and never handed to the transport; left out when
   * there were none. What `broadcast` has dropped before, by its option `slow`, is not counted.
   */
  readonly dropped?: number;
}

/**
 * A connection to a WebSocket peer: a {@linkcode StreamChannel} of messages that knows how it ended.
 *
 * To end it, close its sink (or use `await using`). It is over when the stream ends; `closed` then
 * tells why. No promise of it needs to be looked at: a failure that nobody handles ends no program.
 * Corresponds to Dart's `WebSocketChannel`.
 */
export interface WebSocketChannel extends StreamChannel<Message, MessageInput>, AsyncDisposable {
  /** What goes to the peer. Values added before the connection is open are sent, in order, once it is. */
  readonly sink: WebSocketSink;
  /**
   * Fulfils when the connection is open; rejects when it can't be opened, with the error that the
   * stream ends with as well: a {@linkcode ConnectError}, an {@linkcode UnsupportedError}, a
   * `TimeoutError`, an `AbortError` when the channel was closed meanwhile, or the reason of `signal`.
   */
  readonly ready: Promise<void>;
  /** Fulfils when the channel is over, however it ended. Never rejects. */
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
  /** What this channel's transport can do. */
  readonly capabilities: Capabilities;
  /**
   * Sends a Ping frame and waits for its Pong.
   *
   * @returns The round trip's time, in milliseconds. It rejects with an {@linkcode UnsupportedError}
   * where the transport can't, and with a {@linkcode WebSocketChannelError} when the channel ends first.
   * @throws {TypeError} When it is given an option: it takes none yet.
   */
  ping(): Promise<number>;
  /**
   * The time of the latest round trip that a ping measured, the keepalive's included, in
   * milliseconds; `null` before the first, and where the transport can't ping.
   */
  readonly latency: number | null;
  /** Ends the channel at once, without a closing handshake. */
  terminate(): void;
  /** Lets the connection keep the process alive again, where the platform has such a thing. */
  ref(): void;
  /** Lets the process end although the connection is open, where the platform has such a thing. */
  unref(): void;
}

/** What {@linkcode WebSocketChannel}, the companion object, can do. */
export interface WebSocketChannelConstructors {
  /**
   * Connects to a server. Returns at once, with a channel that is still connecting.
   *
   * It uses the global `WebSocket` where that can do what the options ask for. What it can't do is
   * never ignored: `ready` and the stream then fail with an {@linkcode UnsupportedError}.
   *
   * @param url Where to: `ws:` or `wss:` (`http:` and `https:` are taken as those), relative where
   * there is a `location`, without a fragment.
   * @param options See {@linkcode ConnectOptions}.
   * @throws {SyntaxError} When the URL or a subprotocol is malformed.
   * @throws {TypeError} When another option is malformed.
   * @throws {RangeError} When a number is out of its range.
   *
   * @example
   * ```ts ignore
   * import { WebSocketChannel } from "@web-socket/channel";
   *
   * const channel = WebSocketChannel.connect("wss://example.com");
   * channel.stream.listen((message) => console.log(message));
   * channel.sink.add("hello");
   * ```
   */
  connect(url: string | URL, options?: ConnectOptions): WebSocketChannel;
  /**
   * Connects to a server, and waits until the connection is open.
   *
   * @param url As for {@linkcode connect}.
   * @param options As for {@linkcode connect}.
   * @returns The open channel; it rejects with what `ready` rejects with, or `connect` throws.
   */
  open(url: string | URL, options?: ConnectOptions): Promise<WebSocketChannel>;
  /**
   * Wraps a socket with the interface of the platform's `WebSocket`, of either side: the global one,
   * that of npm's `ws`, that of `Deno.upgradeWebSocket`; or a promise of one.
   *
   * The socket belongs to the channel from then on; its `binaryType` becomes `"arraybuffer"`. When
   * it is already closing, `ready` and the stream fail.
   *
   * @param socket The socket, in any state, or a promise of it.
   * @param options See {@linkcode FromOptions}.
   * @returns The channel; its `socket` is the wrapped one.
   * @throws {TypeError} When `socket` is neither a socket nor a promise.
   * @throws {SyntaxError} When a subprotocol is malformed.
   * @throws {RangeError} When a number is out of its range.
   */
  from(
    socket: WebSocketLike | PromiseLike<WebSocketLike>,
    options?: FromOptions,
  ): NativeWebSocketChannel;
  /**
   * Speaks RFC 6455 over a channel of bytes, on either side, when the opening handshake is done.
   * Corresponds to Dart's `WebSocketChannel(channel)`.
   *
   * The bytes belong to the channel from then on. Its own Close frame doesn't end the byte sink: it
   * is closed when the peer's Close has come, or `closeTimeout` is over, so that this works over
   * channels whose stream ends with their sink as well.
   *
   * @param bytes The bytes: any `{ stream, sink }` or `{ readable, writable }`.
   * @param options See {@linkcode OverOptions}; `side` is required.
   * @throws {SyntaxError} When `extensions` is malformed.
   * @throws {RangeError} When a number is out of its range.
   * @throws {UnsupportedError} When compression was agreed and the platform has no zlib.
   *
   * @example
   * ```ts
   * import { WebSocketChannel } from "@web-socket/channel";
   * import { channelPair } from "@web-socket/channel/stream-channel";
   *
   * const { local, foreign } = channelPair<Uint8Array>();
   * const client = WebSocketChannel.over(local, { side: "client" });
   * const server = WebSocketChannel.over(foreign, { side: "server" });
   * client.sink.add("hello");
   * console.log((await server.stream.next()).value); // hello
   * await client.sink.close();
   * ```
   */
  over(bytes: ChannelLike<Uint8Array, Uint8Array>, options: OverOptions): WebSocketChannel;
  /**
   * Speaks RFC 6455 over a channel of bytes as the client, doing the opening handshake first.
   *
   * @param bytes The bytes: any `{ stream, sink }` or `{ readable, writable }`.
   * @param url What to ask for; nothing is dialled.
   * @param options See {@linkcode HandshakeOptions}.
   * @throws {SyntaxError} When the URL or a subprotocol is malformed.
   * @throws {TypeError} When a header field is malformed.
   * @throws {RangeError} When a number is out of its range.
   */
  handshake(
    bytes: ChannelLike<Uint8Array, Uint8Array>,
    url: string | URL,
    options?: HandshakeOptions,
  ): WebSocketChannel;
  /**
   * The value of `Sec-WebSocket-Accept` that answers a key. RFC 6455 §4.2.2; Dart's
   * `WebSocketChannel.signKey`.
   *
   * @param key The value of `Sec-WebSocket-Key`.
   *
   * @example
   * ```ts
   * import { WebSocketChannel } from "@web-socket/channel";
   *
   * WebSocketChannel.signKey("dGhlIHNhbXBsZSBub25jZQ=="); // "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
   * ```
   */
  signKey(key: string): string;
}

/** Makes {@linkcode WebSocketChannel}s. */
export const WebSocketChannel: WebSocketChannelConstructors = {
  connect,
  async open(url, options) {
    const channel = connect(url, options);
    await channel.ready;
    return channel;
  },
  from: (socket, options) => NativeWebSocketChannel.from(socket, options),
  over: (bytes, options) => over(bytes, options),
  handshake: (bytes, url, options) => handshake(bytes, url, options),
  signKey,
};
