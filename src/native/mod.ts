/**
 * Channels over the platform's own `WebSocket`, and nothing else: the smallest way to have one in a
 * browser.
 *
 * @module
 */

export type { FromOptions } from "./native_channel.ts";
export {
  NativeWebSocketChannel,
  type NativeWebSocketChannelStatic,
} from "./native_web_socket_channel.ts";
export type { WebSocketEventLike, WebSocketLike } from "./web_socket_like.ts";

export type { Capabilities, Capability } from "../web_socket/capabilities.ts";
export type {
  ChannelOptions,
  ConnectDeadlineOptions,
  ConnectOptions,
  LookupAddress,
  LookupFunction,
  ReceiveQueueOptions,
} from "../web_socket/connect_options.ts";
export type {
  TlsArchive,
  TlsCertificate,
  TlsContextOptions,
  TlsData,
  TlsKey,
  TlsOptions,
  TlsVersion,
} from "../web_socket/tls_options.ts";
export type { CompressionOptions } from "../permessage_deflate/deflate_parameters.ts";
export {
  ConnectError,
  type ConnectErrorOptions,
  type ConnectPhase,
  type HandshakeResponse,
  UnsupportedError,
  WebSocketChannelError,
} from "../web_socket/errors.ts";
export type { ChannelState, Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
export type { CloseFrameContent, CloseInfo, CloseInitiator } from "../web_socket/close_info.ts";
export type { MessageInput, SendOptions, WebSocketSink } from "../web_socket/web_socket_sink.ts";
export type { ChannelLike } from "../stream_channel/channel_like.ts";
export type { AddStreamOptions, ChannelSink } from "../stream_channel/channel_sink.ts";
export type {
  ChannelStream,
  ListenOptions,
  StreamSubscription,
} from "../stream_channel/channel_stream.ts";
export type { StreamChannel, StreamChannelStatic } from "../stream_channel/stream_channel.ts";
export type {
  ChannelTransformer,
  MessageTransform,
  StreamTransformer,
  TransformHandlers,
  TransformStreamLike,
} from "../stream_channel/transformer.ts";
