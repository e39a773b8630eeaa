/**
 * Channels over `node:net` and `node:tls`, on Deno, Node and Bun: this package's own implementation
 * of RFC 6455, which can do everything that the platforms' own `WebSocket` can't.
 *
 * `WebSocketChannel.connect` chooses it where it is needed; here it can be asked for by name.
 *
 * @module
 */

export { NetWebSocketChannel, type NetWebSocketChannelStatic } from "./net_web_socket_channel.ts";

export {
  ConnectError,
  LimitError,
  ProtocolError,
  UnsupportedError,
  WebSocketChannelError,
} from "../web_socket/errors.ts";
export { WebSocketChannel, type WebSocketChannelStatic } from "../web_socket_channel.ts";
export type * from "../channel_types.ts";
