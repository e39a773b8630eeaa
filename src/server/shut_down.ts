/** How a server is closed: the channels first, then the connections, then what the handlers still do. */

import { goingAway, isSendable } from "../../status.ts";
import { Deferred } from "../stream_channel/errors.ts";
import { type OptionKinds, readOptions } from "../stream_channel/options.ts";
import type { Clock } from "../web_socket/clock.ts";
import { Deadline } from "../web_socket/deadline.ts";
import { checkCloseArguments } from "../web_socket/web_socket_sink.ts";
import type { ServerCloseOptions } from "./attached_web_socket_server.ts";
import { type Connections, MAX_UNDER_WAY } from "./connections.ts";
import { type CloseArguments, ServerChannel } from "./server_channel.ts";
import type { SessionGuard } from "./session_guard.ts";

const CLOSE_KINDS: OptionKinds<ServerCloseOptions> = {
  code: "number",
  reason: "string",
  drainTimeout: "time",
};

/** The default of {@linkcode ServerCloseOptions.drainTimeout}, in milliseconds. */
const DEFAULT_DRAIN_TIMEOUT = 5_000;

/** The checked options of `close`. */
export type Farewell = CloseArguments & { readonly drainTimeout: number };

/**
 * Reads the options of `close`.
 *
 * @throws {RangeError | TypeError | SyntaxError} When the code or the reason can't be sent, or an option is malformed.
 */
export function readFarewell(options: ServerCloseOptions | undefined): Farewell {
  const read = readOptions(options, CLOSE_KINDS, { hint: ". Give { code }" });
  const { code = goingAway, reason, drainTimeout = DEFAULT_DRAIN_TIMEOUT } = read;
  checkCloseArguments(code, reason, isSendable);
  return { code, reason, drainTimeout };
}

/** Closes a channel of a server that is closing. */
export function dismiss(channel: ServerChannel, { drainTimeout, ...content }: Farewell): void {
  ServerChannel.drain(channel, content, drainTimeout);
}

/** What a server must end before it is closed. The sets are those that the server itself goes on to change. */
export interface ServerParts {
  readonly channels: ReadonlySet<ServerChannel>;
  readonly connecting: ReadonlySet<ServerChannel>;
  /** Connections that carry several channels, one after another. */
  readonly carriers: ReadonlySet<ServerChannel>;
  readonly connections: Connections;
  /** The sessions of HTTP/2. */
  readonly sessions: ReadonlyMap<object, SessionGuard>;
  /** The calls of the handler that have not returned. */
  readonly handled: ReadonlySet<Promise<void>>;
  /** Fulfils when the HTTP server has closed; `null` if that isn't the server's own. */
  readonly stopped: Promise<void> | null;
}

/**
 * Closes all channels of a server, and waits until nothing is left, but no longer than `drainTimeout`.
 *
 * @param parts What the server has.
 * @param farewell With which code, and how long to wait.
 * @param clock Measures the timeouts.
 */
export async function shutDown(
  parts: ServerParts,
  farewell: Farewell,
  clock: Clock,
): Promise<void> {
  const { connections, sessions, carriers } = parts;
  const { drainTimeout } = farewell;
  // This refuses the channels that are still connecting, with 503.
  const channels = [...parts.channels, ...parts.connecting];
  for (const channel of channels) dismiss(channel, farewell);
  connections.destroyIdle(true);
  for (const it of sessions.values()) it.close();
  const late = new Deferred();
  const onTime = (): void => {
    late.resolve();
    for (const it of allOf(parts)) it.terminate();
    for (const { socket } of connections) socket.destroy();
    for (const { session } of sessions.values()) session.destroy();
  };
  const deadline = new Deadline(clock, { ms: drainTimeout, onTime });
  const grace = new Deadline(clock, {
    ms: Math.min(MAX_UNDER_WAY, drainTimeout),
    onTime: () => connections.destroyIdle(false),
  });
  await Promise.all(channels.map((channel) => channel.closed));
  // A closed channel has closed its connection, unless its carrier had it.
  for (const it of carriers) dismiss(it, farewell);
  await Promise.all([...carriers].map((it) => it.closed));
  await parts.stopped;
  // More channels may have opened in the meantime.
  for (let left = allOf(parts); left.length > 0; left = allOf(parts)) {
    await Promise.all(left.map((it) => it.closed));
  }
  connections.stop();
  await Promise.race([Promise.all(parts.handled), late.promise]);
  grace.clear();
  deadline.clear();
}

/** All channels, including those that are connecting and those that carry others. */
function allOf({ channels, connecting, carriers }: ServerParts): ServerChannel[] {
  return [...channels, ...connecting, ...carriers];
}
