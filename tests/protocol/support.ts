/** Protocols that record their events. */

import { Protocol } from "../../src/protocol/protocol.ts";
import type { ProtocolOptions } from "../../src/protocol/protocol_events.ts";
import type { Side } from "../../src/protocol/frame.ts";
import { hex, joined } from "../support/bytes.ts";
import { KEY_NUMBER } from "../support/frames.ts";

/** One entry for each event: `text …`, `binary <hex>`, `ping <hex>`, `close 1000 …`. */
export type Log = string[];

export interface Recorded {
  protocol: Protocol;
  log: Log;
  /** A callback for each message. */
  onMessage: (message: string | Uint8Array) => void;
  /** Takes all the output so far, in hexadecimal. */
  sent(): string;
}

export function describe(message: string | Uint8Array): string {
  return typeof message === "string" ? `text ${message}` : `binary ${hex(message)}`;
}

export function record(side: Side, options: Partial<ProtocolOptions> = {}): Recorded {
  const log: Log = [];
  const base = { side, maskingKeys: () => KEY_NUMBER, maxMessageSize: 1 << 24 };
  const protocol = new Protocol({ ...base, ...options }, {
    onMessage(message) {
      log.push(describe(message));
      recorded.onMessage(message);
    },
    onPing: (payload) => log.push(`ping ${hex(payload)}`),
    onPong: (payload) => log.push(`pong ${hex(payload)}`),
    onClose: (code, reason) => log.push(`close ${code} ${reason}`),
    onFailure: ({ code, reason }) => log.push(`failure ${code} ${reason}`),
    onOutput: () => log.push("output"),
    onUnblocked: () => log.push("unblocked"),
  });
  const recorded: Recorded = {
    protocol,
    log,
    onMessage: () => {},
    sent: () => hex(joined(protocol.output.takeAll())),
  };
  return recorded;
}

/** Returns the events, except those about output. */
export function told(recorded: Recorded): Log {
  return recorded.log.filter((entry) => entry !== "output");
}

/** Yields the whole bytes, single bytes, and every split in two. */
export function* splits(bytes: Uint8Array): Generator<Uint8Array[]> {
  yield [bytes];
  yield Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
  // In long frames: every position in the header and near the end, and a few in the middle.
  for (let at = 1; at < bytes.length; at++) {
    if (at > 40 && at < bytes.length - 8 && at % 4093 !== 0) continue;
    yield [bytes.subarray(0, at), bytes.subarray(at)];
  }
}
