/**
 * What all entries with a way into a server export: the options and what they are called with.
 *
 * @module
 */

export type { AcceptUpgradeOptions } from "./accept_upgrade.ts";
export {
  type ConnectionLimitOptions,
  ConnectionLimits,
  type ConnectionRate,
} from "./connection_limits.ts";
export type {
  ErrorContext,
  ErrorHook,
  RefusalReason,
  RefusedHook,
  RefusedUpgrade,
} from "./error_hook.ts";
export type { ConnectionHandler } from "./handler.ts";
export type { HostPolicy } from "./hosts.ts";
export type { RateExcess, RateLimitOptions } from "./rate_limit.ts";
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
export {
  ConnectError,
  LimitError,
  ProtocolError,
  UnsupportedError,
  WebSocketChannelError,
} from "../web_socket/errors.ts";
