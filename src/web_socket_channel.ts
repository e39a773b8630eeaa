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

/** The functions of the object {@linkcode WebSocketChannel}. */
export interface WebSocketChannelStatic {
  /**
   * Connects to a server. It returns at once, with a channel that is still connecting.
   *
   * It uses the global `WebSocket` if that supports the options and is not Node's own; otherwise this
   * package's own transport. If neither supports an option, `ready` and the stream fail with an
   * {@linkcode UnsupportedError}: an option is never ignored.
   *
   * @param url The URL: `ws:` or `wss:` (`http:` and `https:` are converted to these), without a fragment. It
   * may be relative if there is a `location`.
   * @param options How to connect.
   * @throws {SyntaxError} If the URL or a subprotocol is malformed.
   * @throws {TypeError} If another option is malformed.
   * @throws {RangeError} If a number is out of its range.
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
  /** Connects to a server, as the other {@linkcode connect}. Every message is delivered whole. */
  connect(url: string | URL, options?: ConnectOptions): WebSocketChannelInstance;
  /**
   * Connects to a server, and waits until the connection is open.
   *
   * @param url The URL, as for {@linkcode connect}.
   * @param options How to connect, as for {@linkcode connect}.
   * @returns The open channel. The promise rejects with the error of `ready`. If an argument is malformed, it
   * rejects with the `SyntaxError`, `TypeError` or `RangeError` that `connect` throws.
   */
  open(
    url: string | URL,
    options: ConnectOptions & StreamedOptions,
  ): Promise<WebSocketChannelInstance<Message | IncomingMessage>>;
  /** Connects to a server and waits, as the other {@linkcode open}. Every message is delivered whole. */
  open(url: string | URL, options?: ConnectOptions): Promise<WebSocketChannelInstance>;
  /**
   * Wraps a socket with the interface of `WebSocket`, of a client or a server: the global one, one of npm's
   * `ws` or of `Deno.upgradeWebSocket`; or a promise of one.
   *
   * The socket then belongs to the channel, and its `binaryType` becomes `"arraybuffer"`. If it is already
   * closing, `ready` and the stream fail.
   *
   * @param socket The socket, in any state, or a promise of it.
   * @param options Timeouts, sizes and the offered subprotocols.
   * @returns The channel, whose `socket` is the wrapped one.
   * @throws {TypeError} If `socket` is neither a socket nor a promise.
   * @throws {SyntaxError} If a subprotocol is malformed.
   * @throws {RangeError} If a number is out of its range.
   */
  from(
    socket: WebSocketLike | PromiseLike<WebSocketLike>,
    options?: FromOptions,
  ): NativeWebSocketChannel;
  /**
   * Creates a WebSocket channel over a channel of bytes whose opening handshake is done, for either side.
   * Corresponds to Dart's `WebSocketChannel(channel)`.
   *
   * The bytes then belong to the channel, so their stream must have no reader. If you had a reader, release
   * it and pass `{ readable, writable }`. The byte sink is not closed after this side's Close frame, but when
   * the peer's Close has arrived or `closeTimeout` has passed. So this also works with channels whose stream
   * ends with their sink.
   *
   * @param bytes The channel of bytes: any `{ stream, sink }` or `{ readable, writable }`.
   * @param options The side, which is required, the agreement, and options of the channel.
   * @throws {SyntaxError} If `extensions` is malformed.
   * @throws {RangeError} If a number is out of its range.
   * @throws {UnsupportedError} If compression was agreed and the platform has no zlib.
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
  /** Creates a channel over bytes, as the other {@linkcode over}. Every message is delivered whole. */
  over(bytes: ChannelLike<Uint8Array, Uint8Array>, options: OverOptions): WebSocketChannelInstance;
  /**
   * Creates a client's WebSocket channel over a channel of bytes, and does the opening handshake first. For
   * the server's side use `acceptUpgrade`, or do the handshake yourself and call {@linkcode over}.
   *
   * @param bytes The channel of bytes: any `{ stream, sink }` or `{ readable, writable }`.
   * @param url The URL of the request. No connection is opened to it.
   * @param options The request, and options of the channel.
   * @throws {SyntaxError} If the URL or a subprotocol is malformed.
   * @throws {TypeError} If a header field is malformed.
   * @throws {RangeError} If a number is out of its range.
   */
  connectOver(
    bytes: ChannelLike<Uint8Array, Uint8Array>,
    url: string | URL,
    options: ConnectOverOptions & StreamedOptions,
  ): WebSocketChannelInstance<Message | IncomingMessage>;
  /**
   * Creates a client's channel over bytes, as the other {@linkcode connectOver}. Every message is delivered
   * whole.
   */
  connectOver(
    bytes: ChannelLike<Uint8Array, Uint8Array>,
    url: string | URL,
    options?: ConnectOverOptions,
  ): WebSocketChannelInstance;
  /**
   * Returns the value of `Sec-WebSocket-Accept` that answers a key. RFC 6455 §4.2.2; Dart's
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

/** Creates {@linkcode WebSocketChannel}s. */
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
 * A connection to a WebSocket peer: a stream of incoming messages, a sink for outgoing ones, and a `closed`
 * promise that reports how the connection ended. {@linkcode WebSocketChannelInstance} has its members.
 *
 * @typeParam In The type of received messages.
 * @typeParam Out The type of outgoing messages.
 */
export type WebSocketChannel<In = Message, Out = MessageInput> = WebSocketChannelInstance<In, Out>;
