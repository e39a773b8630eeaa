/**
 * Channels over the platform's own `WebSocket`, with no code that dials: the smallest way to have one
 * in a browser.
 *
 * `WebSocketChannel` is that of the main entry, but for `transport: "net"` and whatever else the
 * platform's `WebSocket` can't do, which fails with an `UnsupportedError`. `over` and `connectOver` load
 * what they need when one of them is first called, and don't compress.
 *
 * @module
 */

export { NativeWebSocketChannel } from "./native_web_socket_channel.ts";

export {
  ConnectError,
  LimitError,
  ProtocolError,
  UnsupportedError,
  WebSocketChannelError,
} from "../web_socket/errors.ts";
export { WebSocketChannel } from "../platform_web_socket_channel.ts";
export type { WebSocketChannelStatic } from "../web_socket_channel.ts";
export type * from "../channel_types.ts";
