/**
 * WebSocket servers on Node, Deno and Bun: a server of its own, channels for any `node:http` server, for `Deno.serve`
 * and for `Bun.serve`, and broadcasts to many channels.
 *
 * @module
 */

export { acceptUpgrade, type UpgradeRequestMessage } from "./accept_upgrade.ts";
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
export { relay } from "./relay.ts";
export type { Flow } from "../web_socket/traffic.ts";
export type { ServerAddress, ServerTlsOptions } from "./http_server.ts";
export type { UpgradeSocket } from "./upgrade_socket.ts";
export type { RequestHandler } from "./plain_request.ts";
export type { SharedHttpServer } from "./shared_upgrades.ts";
export type {
  AttachedWebSocketServer,
  ServerCloseOptions,
  ServerStats,
} from "./attached_web_socket_server.ts";
export type { AttachOptions, BindOptions, Http2BindOptions } from "./bind_options.ts";
export { WebSocketServer, type WebSocketServerStatic } from "./web_socket_server.ts";

export { WebSocketChannel, type WebSocketChannelStatic } from "../web_socket_channel.ts";
export * from "./entry_types.ts";
export type * from "../channel_types.ts";
