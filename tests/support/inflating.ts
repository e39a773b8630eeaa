/** Decompresses payloads of any length: a long one takes several turns of the event loop. */

import type { InflateEvents } from "../../src/protocol/message_deflate.ts";
import { joined } from "./bytes.ts";

/** A decompressor: a `MessageDeflate`, or a part of one. */
export interface Inflater {
  decompress(payload: Uint8Array, maxLength: number, receiver: InflateEvents): Uint8Array | null;
}

/** Decompresses a payload. Rejects with the error that decompression throws or reports. */
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
