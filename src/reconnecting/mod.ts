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

export * from "./exports.ts";
