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
  /** The wrapped socket, to reach what only it has; `null` while there is only the promise of it. */
  readonly socket: WebSocketLike | null;
}

/** What {@linkcode NativeWebSocketChannel}, the companion object, can do. */
export interface NativeWebSocketChannelStatic {
  /**
   * Connects with the global `WebSocket`. What the options ask for and it can't do makes `ready` and
   * the stream fail with an `UnsupportedError`.
   *
   * @param url As for `WebSocketChannel.connect`.
   * @param options As for `WebSocketChannel.connect`, but for the `transport` `"net"`.
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

/** Makes {@linkcode NativeWebSocketChannel}s. */
export const NativeWebSocketChannel: NativeWebSocketChannelStatic = {
  connect(url, given) {
    const options = readConnectOptions(given);
    if (options.transport === "net") checkOption("transport", "net", '"auto"|"native"');
    return connectNative(parseConnect(url, options), options);
  },
  from: (socket, options) => NativeChannel.from(socket, options),
};

/** Connects with the global `WebSocket`; the channel fails if that can't do what the options ask for. */
export function connectNative(request: ConnectRequest, options: ConnectOptions): SocketChannel {
  const missing = firstUnsupported(options, request);
  if (missing === null) return NativeChannel.connect(request, options, systemClock);
  return failedNative(unsupported(missing, options), request);
}

/** A channel that isn't available: nothing is tried. */
export function failedNative(error: unknown, { url }: ConnectRequest): SocketChannel {
  return NativeChannel.failed(error, { url, clock: systemClock });
}
