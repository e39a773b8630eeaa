/**
 * Channels over the platform's own `WebSocket`, without code for `node:net`: the smallest bundle for browsers.
 *
 * `WebSocketChannel` is that of the main entry, except that `transport: "net"`, and everything else that the platform's
 * `WebSocket` doesn't support, fails with an `UnsupportedError`. `over` and `connectOver` load their code at the first
 * call, and don't compress.
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
