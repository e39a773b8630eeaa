/**
 * WebSocket channels for Deno, Node, Bun and browsers: one {@linkcode WebSocketChannel} with a
 * stream of incoming messages, a sink for outgoing ones, and a `closed` promise that always reports how
 * the connection ended.
 *
 * ```ts
 * import { WebSocketChannel } from "@web-socket/channel";
 * import * as status from "@web-socket/channel/status";
 *
 * async function greet(url: string): Promise<string> {
 *   const channel = WebSocketChannel.connect(url);
 *   await channel.ready; // throws if the connection failed, and says why
 *   channel.sink.add("hello");
 *   const { value } = await channel.stream.next();
 *   await channel.sink.close(status.normalClosure);
 *   return String(value);
 * }
 * ```
 *
 * Anything that can be said of two-way streams in general, from JSON to many channels over one
 * connection, is in `@web-socket/channel/stream-channel`; the close codes are in
 * `@web-socket/channel/status`.
 *
 * @module
 */

export {
  ConnectError,
  LimitError,
  ProtocolError,
  UnsupportedError,
  WebSocketChannelError,
} from "./src/web_socket/errors.ts";
export { WebSocketChannel, type WebSocketChannelStatic } from "./src/web_socket_channel.ts";
export type * from "./src/channel_types.ts";
