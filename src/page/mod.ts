/**
 * `WebSocketChannel` and `NativeWebSocketChannel` for pages, as the smallest bundle. The npm package selects it by the
 * condition `browser` of the main entry and of `./native`. With JSR, import it directly if your bundler doesn't support
 * conditions.
 *
 * It uses the page's own `WebSocket`. Options that this doesn't support fail with an `UnsupportedError`. The code of
 * `over` and `connectOver` is loaded at the first call; they don't compress.
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
