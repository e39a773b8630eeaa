import { connect } from "./connect.ts";
import { observePeer, observeRequest } from "./diagnostics/observed.ts";
import { systemClock } from "./web_socket/clock.ts";
import type { Side } from "./protocol/frame.ts";
import type { ConnectRequest } from "./web_socket/connect_request.ts";
import type { ConnectionEvents, ObservedRequest } from "./web_socket/connection_events.ts";
import { signKey } from "./handshake/accept_key.ts";
import type {
  ConnectOptions,
  ConnectOverOptions,
  FromOptions,
  OverOptions,
  StreamedOptions,
} from "./web_socket/options.ts";
import { NativeWebSocketChannel } from "./native/native_web_socket_channel.ts";
import type { WebSocketLike } from "./native/web_socket_like.ts";
import type { ChannelLike } from "./stream_channel/channel_like.ts";
import { connectOver, over } from "./web_socket/over.ts";
import type { IncomingMessage } from "./web_socket/incoming_message.ts";
import type {
  Message,
  WebSocketChannel as WebSocketChannelInstance,
} from "./web_socket/web_socket_channel.ts";
import type { MessageInput } from "./web_socket/web_socket_sink.ts";

/** What {@linkcode WebSocketChannel}, the companion object, can do. */
export interface WebSocketChannelStatic {
  /**
   * Connects to a server. Returns at once, with a channel that is still connecting.
   *
   * It uses the global `WebSocket` where that can do what the options ask for and is not Node's own;
   * otherwise this package's own implementation. What neither can do is never ignored: `ready` and the
   * stream then fail with an {@linkcode UnsupportedError}.
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
  connect(
    url: string | URL,
    options: ConnectOptions & StreamedOptions,
  ): WebSocketChannelInstance<Message | IncomingMessage>;
  /** As the other {@linkcode connect}; every message is whole. */
  connect(url: string | URL, options?: ConnectOptions): WebSocketChannelInstance;
  /**
   * Connects to a server, and waits until the connection is open.
   *
   * @param url As for {@linkcode connect}.
   * @param options As for {@linkcode connect}.
   * @returns The open channel. It rejects with what `ready` rejects with, and with what `connect`
   * throws: a `SyntaxError`, `TypeError` or `RangeError` when an argument is malformed.
   */
  open(
    url: string | URL,
    options: ConnectOptions & StreamedOptions,
  ): Promise<WebSocketChannelInstance<Message | IncomingMessage>>;
  /** As the other {@linkcode open}; every message is whole. */
  open(url: string | URL, options?: ConnectOptions): Promise<WebSocketChannelInstance>;
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
   * The bytes belong to the channel from then on: their stream must have no reader yet. Release a
   * reader that you had, and pass `{ readable, writable }`. Its own Close frame doesn't end the byte sink: it
   * is closed when the peer's Close has arrived, or `closeTimeout` has passed, so that this works over
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
  over(
    bytes: ChannelLike<Uint8Array, Uint8Array>,
    options: OverOptions & StreamedOptions,
  ): WebSocketChannelInstance<Message | IncomingMessage>;
  /** As the other {@linkcode over}; every message is whole. */
  over(bytes: ChannelLike<Uint8Array, Uint8Array>, options: OverOptions): WebSocketChannelInstance;
  /**
   * Speaks RFC 6455 over a channel of bytes as the client, doing the opening handshake first. For the
   * server's side use `acceptUpgrade`, or do the handshake yourself and call {@linkcode over}.
   *
   * @param bytes The bytes: any `{ stream, sink }` or `{ readable, writable }`.
   * @param url What to ask for; nothing is dialled.
   * @param options See {@linkcode ConnectOverOptions}.
   * @throws {SyntaxError} When the URL or a subprotocol is malformed.
   * @throws {TypeError} When a header field is malformed.
   * @throws {RangeError} When a number is out of its range.
   */
  connectOver(
    bytes: ChannelLike<Uint8Array, Uint8Array>,
    url: string | URL,
    options: ConnectOverOptions & StreamedOptions,
  ): WebSocketChannelInstance<Message | IncomingMessage>;
  /** As the other {@linkcode connectOver}; every message is whole. */
  connectOver(
    bytes: ChannelLike<Uint8Array, Uint8Array>,
    url: string | URL,
    options?: ConnectOverOptions,
  ): WebSocketChannelInstance;
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

const observeBytes = (side: Side): ConnectionEvents | null =>
  observePeer({ side, transport: "bytes", url: () => "" }, systemClock);

const observeOver = (request: ConnectRequest): ObservedRequest =>
  observeRequest(request, "bytes", systemClock);

/** Makes {@linkcode WebSocketChannel}s. */
export const WebSocketChannel: WebSocketChannelStatic = {
  connect: connect as WebSocketChannelStatic["connect"],
  async open(url: string | URL, options?: ConnectOptions) {
    const channel = connect(url, options);
    await channel.ready;
    return channel as WebSocketChannelInstance<Message & IncomingMessage>;
  },
  from: (socket, options) => NativeWebSocketChannel.from(socket, options),
  over:
    ((bytes, options) => over(bytes, options, systemClock, observeBytes)) as WebSocketChannelStatic[
      "over"
    ],
  connectOver:
    ((bytes, url, options) =>
      connectOver(bytes, url, options, systemClock, observeOver)) as WebSocketChannelStatic[
        "connectOver"
      ],
  signKey,
};

/**
 * A connection to a WebSocket peer: a stream of incoming messages, a sink for outgoing ones, and a
 * `closed` promise that reports how the connection ended. {@linkcode WebSocketChannelInstance} has its
 * members.
 *
 * @typeParam In What it gives: messages, unless it is transformed.
 * @typeParam Out What it takes.
 */
export type WebSocketChannel<In = Message, Out = MessageInput> = WebSocketChannelInstance<In, Out>;
