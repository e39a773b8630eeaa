import type { Resumption } from "./line.ts";
import { ResumeLine } from "./resume_line.ts";

/**
 * Resumes the session on each new connection, so that every message arrives once and in order, both ways, as long as
 * the session lives: what the option `resume` of a `ReconnectingChannel` takes. The server needs its half, `Sessions`,
 * or another implementation of `resume.v1`; with a server that has neither, the channel works without it.
 *
 * A message arrives once at the *stream* of the other side. What a handler does with it is not undone when the handler or
 * its process crashes.
 *
 * @returns A value for one or several channels: each has a session of its own.
 *
 * @example
 * ```ts ignore
 * import { ReconnectingChannel, resumption } from "@web-socket/channel/reconnecting";
 *
 * const channel = ReconnectingChannel.connect("wss://example.com/feed", { resume: resumption() });
 * channel.sink.add("arrives once, whatever happens to the connection");
 * await channel.sink.flush(); // the server has received it
 * ```
 */
export function resumption(): Resumption {
  return { createLine: (events, options) => new ResumeLine(events, options) };
}
