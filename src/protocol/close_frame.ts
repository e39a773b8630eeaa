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

/** The content of a Close frame. */
export interface CloseFrame {
  /** The close code; 1005 if the frame has none (RFC 6455 §7.1.5). */
  readonly code: number;
  /** The close reason; empty if the frame has none. */
  readonly reason: string;
}

/** The maximum length of a close reason, in bytes of UTF-8. */
export const MAX_REASON_LENGTH: number = MAX_CONTROL_PAYLOAD - 2;

const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);
const NOTHING_SAID: CloseFrame = { code: noStatusReceived, reason: "" };

/** The result of {@linkcode decodeClose}: a Close, or the failure of an invalid one. */
export type CloseOutcome =
  | { readonly close: CloseFrame; readonly failure: null }
  | { readonly close: null; readonly failure: Failure };

/**
 * Decodes the payload of a Close frame.
 *
 * @param payload The payload, unmasked.
 * @param isAnswer Whether it answers a Close. Some peers then send 1005, which means that the Close they
 * received had no code.
 * @returns The Close, or the failure that ends the connection.
 */
export function decodeClose(payload: Uint8Array, isAnswer = false): CloseOutcome {
  if (payload.length === 0) return { close: NOTHING_SAID, failure: null };
  if (payload.length === 1) return { close: null, failure: SHORT_CLOSE };
  const code = ((payload[0] as number) << 8) | (payload[1] as number);
  if (isAnswer && code === noStatusReceived) return { close: NOTHING_SAID, failure: null };
  // RFC 6455 §7.4: a peer that sends a code which must not be sent or defined is broken.
  if (!isSendable(code)) return { close: null, failure: BAD_CLOSE_CODE };
  const reason = decodeText(payload, 2, payload.length);
  if (reason === null) return { close: null, failure: BAD_UTF8 };
  return { close: { code, reason }, failure: null };
}

/**
 * Encodes the payload of a Close frame.
 *
 * @param code The close code. Without it the payload is empty.
 * @param reason The close reason; lone surrogates become U+FFFD.
 * @returns The payload.
 * @throws {RangeError} If the code must not be sent, the reason has more than 123 bytes of UTF-8, or there is
 * a reason without a code.
 */
export function encodeClose(code?: number, reason = ""): Uint8Array {
  if (code === undefined) {
    if (reason !== "") {
      throw new RangeError("Cannot encode the Close: a reason needs a code");
    }
    return EMPTY;
  }
  if (!isSendable(code)) {
    throw new RangeError(
      `Cannot encode the Close: the code must be one that can be sent, got ${code}`,
    );
  }
  const text = encoder.encode(reason);
  if (text.length > MAX_REASON_LENGTH) {
    throw new RangeError(
      `Cannot encode the Close: the reason must have at most ${MAX_REASON_LENGTH} bytes, got ${text.length}`,
    );
  }
  const payload = new Uint8Array(2 + text.length);
  payload[0] = code >>> 8;
  payload[1] = code;
  payload.set(text, 2);
  return payload;
}
