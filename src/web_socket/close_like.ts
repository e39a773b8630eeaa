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
 * Closes one channel as the other has ended: with the same code and reason, after all messages sent to it. If
 * the other connection was lost or could not be opened, a server's client gets 1014, and a server gets 1011.
 *
 * @param from The channel whose stream has ended. If this side has closed it, its code is known a little
 * later.
 * @param to The channel to close. While it is connecting, this waits: closing would abandon the attempt.
 */
export function closeLike(from: Closable, to: Closable): void {
  const { closeCode, closeReason } = from;
  if (closeCode !== null) return closeAs(to, closeCode, closeReason ?? "");
  // This side has started to close it. The peer's answer is pending, but the sent code is known.
  from.closed.then(({ code, reason, sent = { code, reason } }) =>
    closeAs(to, sent.code, sent.reason)
  );
}

/** Closes a channel with the code and reason of another one, if its transport can send them. */
export function closeAs(channel: Closable, code: number, reason: string): void {
  if (channel.state === "closing" || channel.state === "closed") return;
  // Closing now would abandon the attempt, and the messages sent to it.
  if (channel.state === "connecting") {
    return void channel.ready.then(() => closeAs(channel, code, reason), ignore);
  }
  const lost = "request" in channel ? badGateway : internalServerError;
  const isClosed = code !== noStatusReceived &&
    closeWith(channel, code === abnormalClosure ? [lost] : [code, reason]);
  // The transport can't send that code, or another caller's addStream holds a foreign sink.
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
