export { isWorthRetrying as defaultRetry } from "./back_off.ts";
export type {
  HeartbeatOptions,
  ReconnectingChannel as ReconnectingChannelInstance,
  ReconnectingChannelStatic,
  ReconnectingOptions,
  Target,
  TargetAddress,
  TargetContext,
  TargetOptions,
} from "./reconnecting_channel.ts";
export type { Line, LineEvents, LineOpening, LineOptions, LineRest, Resumption } from "./line.ts";
export type {
  ClosedState,
  ClosingState,
  ConnectingState,
  OpenState,
  PausedState,
  ReconnectingCloseInfo,
  ReconnectingState,
  ResetState,
  WaitingState,
} from "./state.ts";
export { resumption } from "./resumption.ts";
export {
  type SessionIdentity,
  Sessions,
  type SessionsCloseOptions,
  type SessionsOptions,
} from "./sessions.ts";
export type { ConnectionHandler } from "../server/handler.ts";
export type { ServerRequest, ServerWebSocketChannel } from "../server/server_request.ts";

export {
  ConnectError,
  LimitError,
  ProtocolError,
  QueueFullError,
  UnsupportedError,
  WebSocketChannelError,
} from "../web_socket/errors.ts";
export type { Clock } from "../web_socket/clock.ts";
export type * from "../channel_types.ts";
