/** Protocols without a socket, and where their messages end up. */

import type { Side } from "../../src/protocol/frame.ts";
import { Protocol } from "../../src/protocol/protocol.ts";
import type { ProtocolEvents } from "../../src/protocol/protocol_events.ts";
import { randomMaskingKeys } from "../../src/web_socket/masking_keys.ts";

let received = 0;

/** A listener that can't be optimised away. */
export function count(message: { readonly length: number }): void {
  received += message.length >= 0 ? 1 : 0;
}

/**
 * How many have arrived, ever.
 *
 * @param before How many there were; given together with `expected`.
 * @param expected How many should have arrived since.
 * @returns With `expected`: that number.
 * @throws {Error} When others came: a contender that loses messages would be fast.
 */
export function arrived(before?: number, expected?: number): number {
  if (before === undefined || expected === undefined) return received;
  if (received - before === expected) return expected;
  throw new Error(`${received - before} messages arrived instead of ${expected}`);
}

/** Lets the event loop turn until something is so; most of the time it is at once. */
export async function turns(isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 100_000 && !isSo(); i++) {
    await (i < 10 ? Promise.resolve() : new Promise((resolve) => setImmediate(resolve)));
  }
}

/** A payload of so many bytes. */
export function payloadOf(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => i * 31 + 7);
}

/** One side's protocol, whose messages are counted. */
export function protocol(side: Side): Protocol {
  const nothing = (): void => {};
  const events: ProtocolEvents = {
    onMessage: count,
    onPong: nothing,
    onClose: nothing,
    onFailure: ({ code, reason }) => {
      throw new Error(`The connection failed: ${code} ${reason}`);
    },
    onOutput: nothing,
  };
  return new Protocol(
    { side, maskingKeys: randomMaskingKeys, maxMessageSize: 2 ** 30, ownsChunks: true },
    events,
  );
}
