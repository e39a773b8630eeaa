import { invalidState } from "../stream_channel/errors.ts";

const claimed = new WeakSet<object>();

/**
 * Marks a connection, or a request, as the one that an upgrade answers.
 *
 * @throws {DOMException} `InvalidStateError` when another call has answered it, or is about to.
 */
export function claim(upgraded: object): void {
  if (claimed.has(upgraded)) {
    throw invalidState("Cannot upgrade: this request is already being upgraded by another call");
  }
  claimed.add(upgraded);
}
