import { checkOption } from "../stream_channel/options.ts";
import { systemClock } from "../web_socket/clock.ts";
import { type ConnectRequest, parseConnect } from "../web_socket/connect_request.ts";
import type { ConnectOptions, FromOptions } from "../web_socket/options.ts";
import { readConnectOptions } from "../web_socket/read_options.ts";
import type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import { firstUnsupported } from "./native_capabilities.ts";
import { unsupported } from "./missing.ts";
import { NativeChannel } from "./native_channel.ts";
import type { SocketChannel } from "./socket_channel.ts";
import type { WebSocketLike } from "./web_socket_like.ts";

/**
 * A channel over the platform's own `WebSocket`, or any socket with its interface. Corresponds to
 * Dart's `HtmlWebSocketChannel` and `IOWebSocketChannel`.
 */
export interface NativeWebSocketChannel extends WebSocketChannel {
  /** The wrapped socket, for members that only it has; `null` until its promise fulfils. */
  readonly socket: WebSocketLike | null;
}

/** The type of the companion object {@linkcode NativeWebSocketChannel}, which creates channels. */
export interface NativeWebSocketChannelStatic {
  /**
   * Connects with the global `WebSocket`. If it doesn't support an option, `ready` and the stream fail with an
   * `UnsupportedError`.
   *
   * @param url The URL, as for `WebSocketChannel.connect`.
   * @param options The options of `WebSocketChannel.connect`, except `transport: "net"`.
   * @throws {SyntaxError | TypeError | RangeError} When an argument is malformed.
   */
  connect(url: string | URL, options?: ConnectOptions): NativeWebSocketChannel;
  /**
   * Wraps a socket. See `WebSocketChannel.from`.
   *
   * @param socket The socket, in any state, or a promise of it.
   * @param options See {@linkcode FromOptions}.
   * @throws {TypeError} When `socket` is neither a socket nor a promise.
   * @throws {SyntaxError} When a subprotocol is malformed.
   * @throws {RangeError} When a number is out of its range.
   */
  from(
    socket: WebSocketLike | PromiseLike<WebSocketLike>,
    options?: FromOptions,
  ): NativeWebSocketChannel;
}

/** Creates channels over the platform's own `WebSocket`. */
export const NativeWebSocketChannel: NativeWebSocketChannelStatic = {
  connect(url, given) {
    const options = readConnectOptions(given);
    if (options.transport === "net") checkOption("transport", "net", '"auto"|"native"');
    return connectNative(parseConnect(url, options), options);
  },
  from: (socket, options) => NativeChannel.from(socket, options),
};

/** Connects with the global `WebSocket`; the channel fails if that doesn't support the options. */
export function connectNative(request: ConnectRequest, options: ConnectOptions): SocketChannel {
  const missing = firstUnsupported(options, request);
  if (missing === null) return NativeChannel.connect(request, options, systemClock);
  return failedNative(unsupported(missing, options), request);
}

/** Creates a failed channel without trying to connect. */
export function failedNative(error: unknown, { url }: ConnectRequest): SocketChannel {
  return NativeChannel.failed(error, { url, clock: systemClock });
}
