/** Decompressing whatever its length: what takes long comes in pieces, by later turns. */

import type { InflateEvents } from "../../src/protocol/message_deflate.ts";
import { joined } from "./bytes.ts";

/** What decompresses: a `MessageDeflate`, or a part of one. */
export interface Inflater {
  decompress(payload: Uint8Array, maxLength: number, receiver: InflateEvents): Uint8Array | null;
}

/** The payload, decompressed. Rejects with what would have been thrown, or told. */
export function inflate(
  inflater: Inflater,
  payload: Uint8Array,
  maxLength: number,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const pieces: Uint8Array[] = [];
    const whole = inflater.decompress(payload, maxLength, {
      onInflated: (bytes) => pieces.push(bytes.slice()) > 0,
      onInflatedSize: () => reject(new Error("All was taken, so the size need not be asked for")),
      onInflateEnd: (error) => error === null ? resolve(joined(pieces)) : reject(error),
    });
    if (whole !== null) resolve(whole);
  });
}
