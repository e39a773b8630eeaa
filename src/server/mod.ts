/**
 * The server's side of WebSocket, on Node, Deno and Bun: channels for a server of one's own, for any
 * `node:http` server, for `Deno.serve` and for `Bun.serve`; and one message to many of them.
 *
 * @module
 */

export {
  acceptUpgrade,
  type AcceptUpgradeOptions,
  type UpgradeRequestMessage,
} from "./accept_upgrade.ts";
export {
  type BunHandlers,
  type BunServer,
  type BunServerSocket,
  type BunUpgradeResult,
  type BunWebSocket,
  bunWebSocket,
} from "./bun_web_socket.ts";
export type { PlatformUpgradeOptions, UpgradeResult } from "./platform_upgrade.ts";
export { upgradeWebSocket, type UpgradeWebSocketOptions } from "./upgrade_web_socket.ts";
export { broadcast, type BroadcastOptions, type SlowReceiverPolicy } from "./broadcast.ts";
export type { ErrorContext, ErrorHook } from "./error_hook.ts";
export type { HostPolicy } from "./hosts.ts";
export type { ServerAddress, ServerTlsOptions } from "./http_server.ts";
export type { UpgradeSocket } from "./pending_upgrade.ts";
export type { RequestHandler } from "./plain_request.ts";
export type { ServerWebSocketChannel } from "./server_channel.ts";
export type {
  AdmissionOptions,
  CompressionPolicy,
  HeaderFields,
  OriginPolicy,
  RefusalInit,
  ServerOptions,
  VerifyResult,
} from "./server_options.ts";
export type { ServerRequest } from "./server_request.ts";
export {
  type BindOptions,
  type ServerCloseOptions,
  WebSocketServer,
  type WebSocketServerStatic,
} from "./web_socket_server.ts";

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
  ProtocolError,
  UnsupportedError,
  WebSocketChannelError,
} from "../web_socket/errors.ts";
export type { ProtocolOptions } from "../web_socket/protocol_options.ts";
export type {
  ChannelState,
  Message,
  WebSocketChannel as WebSocketChannelInstance,
} from "../web_socket/web_socket_channel.ts";
export type { CloseFrameContent, CloseInfo, CloseInitiator } from "../web_socket/close_info.ts";
export { WebSocketChannel, type WebSocketChannelStatic } from "../web_socket_channel.ts";
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
export type { ConnectOverOptions, OverOptions } from "../web_socket/over.ts";
export type { FromOptions } from "../native/native_channel.ts";
export type {
  NativeWebSocketChannel,
  NativeWebSocketChannelStatic,
} from "../native/native_web_socket_channel.ts";
export type { WebSocketEventLike, WebSocketLike } from "../native/web_socket_like.ts";
export type { Side } from "../protocol/frame.ts";
