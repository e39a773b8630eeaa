/**
 * Reconnecting channels for pages, over the page's own `WebSocket` only. The npm package selects it by the condition
 * `browser` of `./reconnecting`. With JSR, import it directly if your bundler doesn't support conditions.
 *
 * @module
 */

import { connect } from "../page/native_web_socket_channel.ts";
import { OwnReconnectingChannel } from "./own_reconnecting_channel.ts";
import type {
  ReconnectingChannel as ReconnectingChannelInstance,
  ReconnectingChannelStatic,
} from "./reconnecting_channel.ts";

/** Creates channels that reconnect automatically. */
export const ReconnectingChannel: ReconnectingChannelStatic = {
  connect: (target, options) => new OwnReconnectingChannel(target, options, { connect }),
};

/** A channel that reconnects automatically; {@linkcode ReconnectingChannelInstance} documents its members. */
export type ReconnectingChannel = ReconnectingChannelInstance;

export * from "./exports.ts";
