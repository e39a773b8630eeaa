/**
 * WebSocket servers on Node, Deno and Bun: a server of its own, channels for any `node:http` server, for `Deno.serve`
 * and for `Bun.serve`, and broadcasts to many channels.
 *
 * @module
 */

export {
  acceptUpgrade,
  type AcceptUpgradeOptions,
  type UpgradeRequestMessage,
} from "./accept_upgrade.ts";
export {
  type BunServer,
  type BunServerSocket,
  type BunUpgradeResult,
  type BunWebSocket,
  bunWebSocket,
} from "./bun_web_socket.ts";
export type { PlatformUpgradeOptions, UpgradeResult } from "./platform_upgrade.ts";
export { upgradeWebSocket, type UpgradeWebSocketOptions } from "./upgrade_web_socket.ts";
export { broadcast, type BroadcastOptions, type SlowReceiverPolicy } from "./broadcast.ts";
export {
  type ConnectionLimitOptions,
  ConnectionLimits,
  type ConnectionRate,
} from "./connection_limits.ts";
export type { ErrorContext, ErrorHook } from "./error_hook.ts";
export type { ConnectionHandler } from "./handler.ts";
export { relay } from "./relay.ts";
export type { RefusalReason, RefusedHook, RefusedUpgrade } from "./error_hook.ts";
export type { HostPolicy } from "./hosts.ts";
export type { Flow } from "../web_socket/traffic.ts";
export type { ServerAddress, ServerTlsOptions } from "./http_server.ts";
export type { UpgradeSocket } from "./upgrade_socket.ts";
export type { RateExcess, RateLimitOptions } from "./rate_limit.ts";
export type { RequestHandler } from "./plain_request.ts";
export type {
  AdmissionOptions,
  CompressionPolicy,
  HeaderFields,
  OriginPolicy,
  RefusalInit,
  ServerOptions,
  VerifyResult,
} from "./server_options.ts";
export type { ServerRequest, ServerWebSocketChannel } from "./server_request.ts";
export type { SharedHttpServer } from "./shared_upgrades.ts";
export {
  type AttachedWebSocketServer,
  type AttachOptions,
  type BindOptions,
  type Http2BindOptions,
  type ServerCloseOptions,
  type ServerStats,
  WebSocketServer,
  type WebSocketServerStatic,
} from "./web_socket_server.ts";

export {
  ConnectError,
  LimitError,
  ProtocolError,
  UnsupportedError,
  WebSocketChannelError,
} from "../web_socket/errors.ts";
export { WebSocketChannel, type WebSocketChannelStatic } from "../web_socket_channel.ts";
export type * from "../channel_types.ts";
