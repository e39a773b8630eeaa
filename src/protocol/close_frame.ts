/**
 * The payload of a Close frame
 * ({@link https://www.rfc-editor.org/rfc/rfc6455#section-5.5.1 RFC 6455 §5.5.1}).
 *
 * @module
 */

import { isSendable, noStatusReceived } from "../../status.ts";
import { BAD_CLOSE_CODE, BAD_UTF8, type Failure, SHORT_CLOSE } from "./failure.ts";
import { MAX_CONTROL_PAYLOAD } from "./frame.ts";
import { decodeText } from "./utf8.ts";

/** What a Close frame says. */
export interface CloseFrame {
  /** The close code; 1005 when the frame holds none (RFC 6455 §7.1.5). */
  readonly code: number;
  /** The close reason; empty when the frame holds none. */
  readonly reason: string;
}

/** The most bytes of UTF-8 that a close reason may have. */
export const MAX_REASON_LENGTH: number = MAX_CONTROL_PAYLOAD - 2;

const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);
const NOTHING_SAID: CloseFrame = { code: noStatusReceived, reason: "" };

/** Tells apart the two results of {@linkcode decodeClose}. */
export type CloseOutcome =
  | { readonly close: CloseFrame; readonly failure: null }
  | { readonly close: null; readonly failure: Failure };

/**
 * Decodes the payload of a Close frame.
 *
 * @param payload The payload, unmasked.
 * @param isAnswer Whether it answers a Close. Some peers then send 1005, which stands for a Close without a code.
 * @returns What it says, or what the connection fails with.
 */
export function decodeClose(payload: Uint8Array, isAnswer = false): CloseOutcome {
  if (payload.length === 0) return { close: NOTHING_SAID, failure: null };
  if (payload.length === 1) return { close: null, failure: SHORT_CLOSE };
  const code = ((payload[0] as number) << 8) | (payload[1] as number);
  if (isAnswer && code === noStatusReceived) return { close: NOTHING_SAID, failure: null };
  // RFC 6455 §7.4: codes that are never sent, or that must not be defined, mean a broken peer.
  if (!isSendable(code)) return { close: null, failure: BAD_CLOSE_CODE };
  const reason = decodeText(payload, 2, payload.length);
  if (reason === null) return { close: null, failure: BAD_UTF8 };
  return { close: { code, reason }, failure: null };
}

/**
 * Encodes the payload of a Close frame.
 *
 * @param code The close code; left out for an empty payload.
 * @param reason The close reason; lone surrogates become U+FFFD.
 * @returns The payload.
 * @throws {RangeError} When the code may not be sent, the reason has more than 123 bytes of UTF-8, or
 * there is a reason without a code.
 */
export function encodeClose(code?: number, reason = ""): Uint8Array {
  if (code === undefined) {
    if (reason !== "") {
      throw new RangeError(`Encoding a Close failed, a reason needs a code: ${reason}`);
    }
    return EMPTY;
  }
  if (!isSendable(code)) {
    throw new RangeError(`Encoding a Close failed, the code may not be sent: ${code}`);
  }
  const text = encoder.encode(reason);
  if (text.length > MAX_REASON_LENGTH) {
    throw new RangeError(
      `Encoding a Close failed, the reason has more than ${MAX_REASON_LENGTH} bytes: ${text.length}`,
    );
  }
  const payload = new Uint8Array(2 + text.length);
  payload[0] = code >>> 8;
  payload[1] = code;
  payload.set(text, 2);
  return payload;
}
