import type { Resumption } from "./line.ts";
import { ResumeLine } from "./resume_line.ts";

/**
 * Creates the value of the option `resume` of a `ReconnectingChannel`: it resumes the session on each new connection.
 * Every message then arrives once and in order, in both directions, while the session lives. The server needs
 * `Sessions`, or another implementation of `resume.v1`. With any other server, the channel works without resumption.
 *
 * A message arrives once at the *stream* of the peer. A crash of the handler or its process does not undo what it did
 * with the message.
 *
 * @returns A value for one or several channels; each has its own session.
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
