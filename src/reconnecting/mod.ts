/**
 * A connection that stays: a channel that reconnects, with back-off, while the application goes on using it.
 *
 * @example
 * ```ts ignore
 * import { ReconnectingChannel } from "@web-socket/channel/reconnecting";
 *
 * const channel = ReconnectingChannel.connect("wss://example.com/feed", {
 *   onState: (state) => console.log(state.name),
 * });
 * channel.sink.add("hello"); // sent now, or as soon as there is a connection
 * for await (const message of channel.stream) console.log(message); // of all connections, in order
 * ```
 *
 * @module
 */

import { connectAnyhow } from "./connect_anyhow.ts";
import { OwnReconnectingChannel } from "./own_reconnecting_channel.ts";
import type {
  ReconnectingChannel as ReconnectingChannelInstance,
  ReconnectingChannelStatic,
} from "./reconnecting_channel.ts";

/** Makes channels that reconnect. */
export const ReconnectingChannel: ReconnectingChannelStatic = {
  connect: (target, options) =>
    new OwnReconnectingChannel(target, options, { connect: connectAnyhow }),
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
