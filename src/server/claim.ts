import { invalidState } from "../stream_channel/errors.ts";

const claimed = new WeakSet<object>();

/**
 * Marks a connection, or a request, as the one that an upgrade answers.
 *
 * @throws {DOMException} `InvalidStateError` when another call has answered it, or is about to, and when the
 * connection is already read by something else.
 */
export function claim(upgraded: object): void {
  if (claimed.has(upgraded)) {
    throw invalidState("Cannot upgrade: this request is already being upgraded by another call");
  }
  if (isInUse(upgraded)) throw takenByAnother();
  claimed.add(upgraded);
}

/** Whether a connection has an owner, this package or another listener, or is over. */
export function isTaken(socket: object): boolean {
  return claimed.has(socket) || isInUse(socket) || (socket as Partial<Stream>).destroyed === true;
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
  const { destroyed } = upgraded as Partial<Stream>;
  if (destroyed === true) return false;
  return ["data", "readable"].some((event) =>
    ((upgraded as Partial<Stream>).listenerCount?.(event) ?? 0) > 0
  );
}
