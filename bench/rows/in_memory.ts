/** Protocols without a socket, and the receiver of their messages. */

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
 * The total number of received messages.
 *
 * @param before The earlier total; only together with `expected`.
 * @param expected The number of messages that should have arrived since then.
 * @returns The total, or `expected` if it is set.
 * @throws {Error} When another number arrived: a contender that loses messages would seem fast.
 */
export function arrived(before?: number, expected?: number): number {
  if (before === undefined || expected === undefined) return received;
  if (received - before === expected) return expected;
  throw new Error(`${received - before} messages arrived instead of ${expected}`);
}

/** Waits for turns of the event loop until a condition holds, which is mostly true at once. */
export async function turns(isSo: () => boolean): Promise<void> {
  for (let i = 0; i < 100_000 && !isSo(); i++) {
    await (i < 10 ? Promise.resolve() : new Promise((resolve) => setImmediate(resolve)));
  }
}

/** A payload of this many bytes. */
export function payloadOf(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => i * 31 + 7);
}

/** The protocol of one side. It counts its messages. */
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
