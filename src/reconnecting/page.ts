/**
 * `./reconnecting` for pages: it has the page's own `WebSocket` only. On npm this is the condition `browser` of
 * `./reconnecting`; from JSR, import it where your bundler knows of no condition.
 *
 * @module
 */

import { connect } from "../page/native_web_socket_channel.ts";
import { OwnReconnectingChannel } from "./own_reconnecting_channel.ts";
import type {
  ReconnectingChannel as ReconnectingChannelInstance,
  ReconnectingChannelStatic,
} from "./reconnecting_channel.ts";

/** Makes channels that reconnect. */
export const ReconnectingChannel: ReconnectingChannelStatic = {
  connect: (target, options) => new OwnReconnectingChannel(target, options, { connect }),
};

/** A channel that reconnects: {@linkcode ReconnectingChannelInstance} has its members. */
export type ReconnectingChannel = ReconnectingChannelInstance;

export { isWorthRetrying as defaultRetry } from "./back_off.ts";
export type { ReconnectingChannelInstance, ReconnectingChannelStatic };
export type {
  HeartbeatOptions,
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
