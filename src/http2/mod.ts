/**
 * WebSockets over HTTP/2 (RFC 8441), on Deno, Node and Bun: many channels share one connection, each on a stream of
 * its own. For clients {@linkcode Http2}, for servers of `node:http2` {@linkcode acceptStreams}, and for a
 * server of this package `WebSocketServer.bind` with the option `http2`.
 *
 * @module
 */

export { Http2, type Http2ConnectOptions, type Http2Static } from "./http2.ts";
export { Http2Pool, type Http2PoolOptions } from "./pool.ts";
export {
  acceptStream,
  type Http2RequestFields,
  type ServerHttp2Stream,
} from "../server/accept_stream.ts";
export { acceptStreams, type SharedHttp2Server } from "../server/accept_streams.ts";
export type { AcceptUpgradeOptions } from "../server/accept_upgrade.ts";
export type { Http2Fields, Http2Stream } from "../net/http2.ts";
export type { ConnectionLimitOptions, ConnectionRate } from "../server/connection_limits.ts";
export { ConnectionLimits } from "../server/connection_limits.ts";
export type {
  ErrorContext,
  ErrorHook,
  RefusalReason,
  RefusedHook,
  RefusedUpgrade,
} from "../server/error_hook.ts";
export type { ConnectionHandler } from "../server/handler.ts";
export type { HostPolicy } from "../server/hosts.ts";
export type { RateExcess, RateLimitOptions } from "../server/rate_limit.ts";
export type {
  AdmissionOptions,
  CompressionPolicy,
  HeaderFields,
  OriginPolicy,
  RefusalInit,
  ServerOptions,
  VerifyResult,
} from "../server/server_options.ts";
export type { ServerRequest, ServerWebSocketChannel } from "../server/server_request.ts";

export {
  ConnectError,
  LimitError,
  ProtocolError,
  UnsupportedError,
  WebSocketChannelError,
} from "../web_socket/errors.ts";
export type * from "../channel_types.ts";
