import { isWired, markWired } from "../net/socket_wire.ts";
import { invalidState } from "../stream_channel/errors.ts";

const claimed = new WeakSet<object>();

/**
 * Marks a request as one that an upgrade answers.
 *
 * @throws {DOMException} `InvalidStateError` when another call has answered it, or is about to, and when the
 * connection is already read by something else.
 */
export function claim(request: object): void {
  if (claimed.has(request)) throw claimedBefore();
  if (isInUse(request)) throw takenByAnother();
  claimed.add(request);
}

/** As {@linkcode claim}, a connection. */
export function claimSocket(socket: object): void {
  if (isWired(socket)) throw claimedBefore();
  if (isInUse(socket)) throw takenByAnother();
  markWired(socket);
}

function claimedBefore(): DOMException {
  return invalidState("Cannot upgrade: this request is already being upgraded by another call");
}

/** Whether a connection has an owner, this package or another listener, or has ended. */
export function isTaken(socket: object): boolean {
  return isWired(socket) || isInUse(socket) || (socket as Partial<Stream>).destroyed === true;
}

/** The error of an upgrade that another listener has taken. */
export function takenByAnother(): DOMException {
  return invalidState(
    "Cannot upgrade: another listener of the server's upgrade event has taken the connection",
  );
}

/** What is used of a connection; a `Request` has none of it. */
interface Stream {
  readonly destroyed: boolean;
  listenerCount(event: string): number;
}

/** Whether a connection is read. An `upgrade` event gives one that isn't. */
function isInUse(upgraded: object): boolean {
  const stream = upgraded as Partial<Stream>;
  if (stream.destroyed === true || stream.listenerCount === undefined) return false;
  return stream.listenerCount("data") > 0 || stream.listenerCount("readable") > 0;
}
