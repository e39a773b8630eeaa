import {
  abnormalClosure,
  badGateway,
  internalServerError,
  noStatusReceived,
} from "../../status.ts";
import { ignore } from "../stream_channel/errors.ts";
import type { WebSocketChannel } from "./web_socket_channel.ts";
import { closeUnasked } from "./web_socket_sink.ts";

type Closable = WebSocketChannel<unknown, never>;

/**
 * Closes one channel as the other has ended: with the same code and reason, behind what was sent to it. A connection
 * that was lost, or could not be opened, is 1014 to a server's client, and 1011 to a server.
 *
 * @param from The channel whose stream has ended. If this side has closed it, the code is known a little later.
 * @param to The channel to close. While it connects, that waits: closing now would give up the attempt.
 */
export function closeLike(from: Closable, to: Closable): void {
  const { closeCode, closeReason } = from;
  if (closeCode !== null) return closeAs(to, closeCode, closeReason ?? "");
  // This side has begun to close it: its peer's answer is still to come, but what was sent is known.
  from.closed.then(({ code, reason, sent = { code, reason } }) =>
    closeAs(to, sent.code, sent.reason)
  );
}

/** Closes a channel with the code and reason of another one's ending, if its transport can send them. */
export function closeAs(channel: Closable, code: number, reason: string): void {
  if (channel.state === "closing" || channel.state === "closed") return;
  // Closing now would give up the attempt, and what was sent to it.
  if (channel.state === "connecting") {
    return void channel.ready.then(() => closeAs(channel, code, reason), ignore);
  }
  const lost = "request" in channel ? badGateway : internalServerError;
  const isClosed = code !== noStatusReceived &&
    closeWith(channel, code === abnormalClosure ? [lost] : [code, reason]);
  // Its transport can't send that code; or a sink that isn't of this package is held by another caller.
  if (!isClosed && !closeWith(channel, [])) channel.terminate();
}

function closeWith({ sink }: Closable, content: [code?: number, reason?: string]): boolean {
  try {
    closeUnasked(sink, ...content);
    return true;
  } catch {
    return false;
  }
}
