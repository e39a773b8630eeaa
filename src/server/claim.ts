import { isWired, markWired } from "../net/socket_wire.ts";
import { invalidState } from "../stream_channel/errors.ts";

const claimed = new WeakSet<object>();

/**
 * Marks a request as answered by an upgrade.
 *
 * @throws {DOMException} `InvalidStateError` when another call has claimed it, or something else already reads the
 * connection.
 */
export function claim(request: object): void {
  if (claimed.has(request)) throw claimedBefore();
  if (isInUse(request)) throw takenByAnother();
  claimed.add(request);
}

/** Marks a connection as taken by an upgrade; throws as {@linkcode claim} does. */
export function claimSocket(socket: object): void {
  if (isWired(socket)) throw claimedBefore();
  if (isInUse(socket)) throw takenByAnother();
  markWired(socket);
}

function claimedBefore(): DOMException {
  return invalidState("Cannot upgrade: this request is already being upgraded by another call");
}

/** Whether the connection is taken, by this package or another listener, or has ended. */
export function isTaken(socket: object): boolean {
  return isWired(socket) || isInUse(socket) || (socket as Partial<Stream>).destroyed === true;
}

/** Creates the error for an upgrade that another listener has taken. */
export function takenByAnother(): DOMException {
  return invalidState(
    "Cannot upgrade: another listener of the server's upgrade event has taken the connection",
  );
}

/** The part of a connection that this module uses; a `Request` has none of it. */
interface Stream {
  readonly destroyed: boolean;
  listenerCount(event: string): number;
}

/** Whether something already reads the connection. After an `upgrade` event nothing does. */
function isInUse(upgraded: object): boolean {
  const stream = upgraded as Partial<Stream>;
  if (stream.destroyed === true || stream.listenerCount === undefined) return false;
  return stream.listenerCount("data") > 0 || stream.listenerCount("readable") > 0;
}
