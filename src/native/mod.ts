/**
 * Channels over the platform's own `WebSocket`, and nothing else: the smallest way to have one in a
 * browser.
 *
 * @module
 */

export type { FromOptions } from "./native_channel.ts";
export {
  NativeWebSocketChannel,
  type NativeWebSocketChannelConstructors,
} from "./native_web_socket_channel.ts";
export type { WebSocketEventLike, WebSocketLike } from "./web_socket_like.ts";
