/**
 * `WebSocketChannel` and `NativeWebSocketChannel` for pages: the smallest bundle. On npm this is the condition
 * `browser` of the main entry and of `./native`; from JSR, import it where your bundler knows of no condition.
 *
 * A page has nothing but its own `WebSocket`. What that can't do fails with an `UnsupportedError`. What
 * `over` and `connectOver` need is loaded when one of them is first called; they don't compress.
 *
 * @module
 */

export { NativeWebSocketChannel } from "./native_web_socket_channel.ts";
export { WebSocketChannel } from "../page_web_socket_channel.ts";
export {
  ConnectError,
  LimitError,
  ProtocolError,
  UnsupportedError,
  WebSocketChannelError,
} from "../web_socket/errors.ts";
export type { WebSocketChannelStatic } from "../web_socket_channel.ts";
export type {
  NativeWebSocketChannel as NativeWebSocketChannelInstance,
  NativeWebSocketChannelStatic,
} from "../native/native_web_socket_channel.ts";
export type * from "../channel_types.ts";
