/**
 * The public types of channels. Every entry with channels exports all of them.
 *
 * @module
 */

export type { Side } from "./protocol/frame.ts";
export type { InvalidText } from "./protocol/utf8.ts";
export type {
  ClientCompressionOptions,
  CompressionOptions,
} from "./permessage_deflate/compression_options.ts";
export type { ChannelLike } from "./stream_channel/channel_like.ts";
export type { AddStreamOptions, ChannelSink } from "./stream_channel/channel_sink.ts";
export type {
  ChannelStream,
  ListenOptions,
  StreamSubscription,
} from "./stream_channel/channel_stream.ts";
export type {
  MessageTransform,
  StreamTransformer,
  TransformHandlers,
} from "./stream_channel/relay.ts";
export type {
  ChannelTransformer,
  StreamChannel,
  StreamChannelStatic,
} from "./stream_channel/stream_channel.ts";
export type { Capabilities, Capability } from "./web_socket/capabilities.ts";
export type { CloseFrameContent, CloseInfo, CloseInitiator } from "./web_socket/close_info.ts";
export type { ConnectionInfo, TlsInfo } from "./web_socket/connection_info.ts";
export type {
  ChannelOptions,
  ConnectDeadlineOptions,
  ConnectOptions,
  ConnectOverOptions,
  ControlFrameOptions,
  FromOptions,
  LookupAddress,
  LookupFunction,
  OverOptions,
  ProtocolOptions,
  ProxyOptions,
  ReceiveQueueOptions,
  Redirect,
  RedirectChange,
  RedirectDecision,
  StreamedOptions,
} from "./web_socket/options.ts";
export type { ConnectPhase, HandshakeResponse, RefusedResponse } from "./web_socket/errors.ts";
export type {
  TlsArchive,
  TlsCertificate,
  TlsContextOptions,
  TlsData,
  TlsKey,
  TlsOptions,
  TlsVersion,
} from "./web_socket/tls_options.ts";
export type {
  ChannelState,
  Message,
  PingOptions,
  WaitOptions,
  WebSocketChannel as WebSocketChannelInstance,
} from "./web_socket/web_socket_channel.ts";
export type { IncomingMessage, IncomingMessageOf } from "./web_socket/incoming_message.ts";
export type {
  AddMessageOptions,
  MessageInput,
  MessageSource,
  SendOptions,
  SinkWaitOptions,
  WebSocketSink,
} from "./web_socket/web_socket_sink.ts";
export type {
  NativeWebSocketChannel,
  NativeWebSocketChannelStatic,
} from "./native/native_web_socket_channel.ts";
export type { WebSocketLike } from "./native/web_socket_like.ts";
