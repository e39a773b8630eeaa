/**
 * WebSocket channels for Deno, Node, Bun and browsers: one {@linkcode WebSocketChannel} with a
 * stream of what comes, a sink for what goes, and an ending that is always told.
 *
 * ```ts
 * import { WebSocketChannel } from "@web-socket/channel";
 * import * as status from "@web-socket/channel/status";
 *
 * async function greet(url: string): Promise<string> {
 *   const channel = WebSocketChannel.connect(url);
 *   await channel.ready; // or it throws an error that says what failed
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

export type { Capabilities, Capability } from "./src/web_socket/capabilities.ts";
export type {
  ChannelOptions,
  ConnectDeadlineOptions,
  ConnectOptions,
  LookupAddress,
  LookupFunction,
  ReceiveQueueOptions,
} from "./src/web_socket/connect_options.ts";
export type {
  TlsArchive,
  TlsCertificate,
  TlsContextOptions,
  TlsData,
  TlsKey,
  TlsOptions,
  TlsVersion,
} from "./src/web_socket/tls_options.ts";
export type { CompressionOptions } from "./src/permessage_deflate/deflate_parameters.ts";
export {
  ConnectError,
  type ConnectErrorOptions,
  type ConnectPhase,
  type HandshakeResponse,
  ProtocolError,
  UnsupportedError,
  WebSocketChannelError,
} from "./src/web_socket/errors.ts";
export type { MessageInput, SendOptions, WebSocketSink } from "./src/web_socket/web_socket_sink.ts";
export type { ConnectOverOptions, OverOptions } from "./src/web_socket/over.ts";
export type { ProtocolOptions } from "./src/web_socket/protocol_options.ts";
export type { Side } from "./src/protocol/frame.ts";
export type {
  ChannelState,
  Message,
  WebSocketChannel as WebSocketChannelInstance,
} from "./src/web_socket/web_socket_channel.ts";
export type { CloseFrameContent, CloseInfo, CloseInitiator } from "./src/web_socket/close_info.ts";
export { WebSocketChannel, type WebSocketChannelStatic } from "./src/web_socket_channel.ts";
export type { AddStreamOptions, ChannelSink } from "./src/stream_channel/channel_sink.ts";
export type {
  ChannelStream,
  ListenOptions,
  StreamSubscription,
} from "./src/stream_channel/channel_stream.ts";
export type { StreamChannel, StreamChannelStatic } from "./src/stream_channel/stream_channel.ts";
export type { ChannelLike } from "./src/stream_channel/channel_like.ts";
export type {
  ChannelTransformer,
  MessageTransform,
  StreamTransformer,
  TransformHandlers,
  TransformStreamLike,
} from "./src/stream_channel/transformer.ts";
export type {
  NativeWebSocketChannel,
  NativeWebSocketChannelStatic,
} from "./src/native/native_web_socket_channel.ts";
export type { FromOptions } from "./src/native/native_channel.ts";
export type { WebSocketEventLike, WebSocketLike } from "./src/native/web_socket_like.ts";
