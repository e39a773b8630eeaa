/**
 * Channels over `node:net` and `node:tls`, on Deno, Node and Bun. They use this package's own implementation of RFC
 * 6455, which supports every option.
 *
 * `WebSocketChannel.connect` chooses this transport automatically when it is needed; this entry always uses it.
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
