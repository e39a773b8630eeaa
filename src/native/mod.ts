/**
 * Channels over the platform's own `WebSocket`, and nothing else: the smallest way to have one in a
 * browser.
 *
 * @module
 */

export { NativeWebSocketChannel } from "./native_web_socket_channel.ts";

export { ConnectError, UnsupportedError, WebSocketChannelError } from "../web_socket/errors.ts";
export type { WebSocketChannel } from "../web_socket/web_socket_channel.ts";
export type * from "../channel_types.ts";
