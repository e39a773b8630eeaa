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

export * from "./exports.ts";
