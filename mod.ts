/**
 * WebSocket channels for Deno, Node, Bun and browsers: one {@linkcode WebSocketChannel} with a stream of
 * incoming messages, a sink for outgoing ones, and a `closed` promise that always reports how the connection
 * ended.
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
 * `@web-socket/channel/stream-channel` has everything for two-way streams in general, such as JSON and
 * many channels over one connection. `@web-socket/channel/status` has the close codes.
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
