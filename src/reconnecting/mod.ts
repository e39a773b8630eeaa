/**
 * A channel that reconnects automatically, with back-off, while the application keeps using it.
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

/** Creates channels that reconnect automatically. */
export const ReconnectingChannel: ReconnectingChannelStatic = {
  connect: (target, options) =>
    new OwnReconnectingChannel(target, options, { connect: connectAnyhow }),
};

/** A channel that reconnects automatically; {@linkcode ReconnectingChannelInstance} documents its members. */
export type ReconnectingChannel = ReconnectingChannelInstance;

export * from "./exports.ts";
