/**
 * Compression per message (RFC 7692) as the protocol sees it: two synchronous functions that
 * another module creates, and what their failures mean on the wire.
 *
 * @module
 */

import { CORRUPT_COMPRESSION, type Failure, INFLATE_FAILED, MESSAGE_TOO_BIG } from "./failure.ts";

/** Why a payload could not be decompressed. */
export type InflateErrorReason = "too-big" | "corrupt";

/** Thrown by {@linkcode MessageDeflate.decompress} for what the peer sent. */
export class InflateError extends Error {
  /** The class's name. */
  override readonly name = "InflateError";
  /** `"too-big"` when the limit was reached, `"corrupt"` when the bytes aren't DEFLATE. */
  readonly reason: InflateErrorReason;

  /**
   * Makes the error.
   *
   * @param reason Why the payload could not be decompressed.
   * @param options The error that caused it, as `cause`.
   */
  constructor(reason: InflateErrorReason, options?: ErrorOptions) {
    const text = reason === "too-big" ? "larger than the limit" : "not DEFLATE";
    super(`Decompressing a message failed: ${text}`, options);
    this.reason = reason;
  }
}

/** Who gets a message that is decompressed in pieces. */
export interface InflateEvents {
  /**
   * The next piece.
   *
   * @param bytes The bytes; they are only valid during the call.
   * @returns Whether they were taken. If not, they come again after {@linkcode onInflatedSize}.
   */
  onInflated(bytes: Uint8Array): boolean;

  /**
   * How large the message is: called once a piece was not taken, when all is known to decompress.
   *
   * @param size Its bytes, with those that were taken before.
   */
  onInflatedSize(size: number): void;

  /**
   * That was all.
   *
   * @param error What {@linkcode MessageDeflate.decompress} would have thrown; `null` if all is well.
   */
  onInflateEnd(error: unknown): void;
}

/** Who gets a message whose payload is decompressed as it arrives. */
export interface InflatePartsEvents {
  /** The next bytes, which belong to the receiver. */
  onInflated(bytes: Uint8Array): void;
  /** All that was pushed is decompressed: push more. */
  onInflateMore(): void;
  /** That was all. `error`: as in {@linkcode InflateEvents.onInflateEnd}. */
  onInflateEnd(error: unknown): void;
}

/** Decompresses a message whose payload is given in pieces. */
export interface PartsInflater {
  /**
   * Takes the next piece of the payload. The receiver may be called from within.
   *
   * @param bytes The piece, which isn't written to.
   * @param isLast Whether it is the last one.
   */
  push(bytes: Uint8Array, isLast: boolean): void;
  /** Gives nothing more, except what is in flight. */
  pause(): void;
  /** Goes on. */
  resume(): void;
}

/**
 * The permessage-deflate of one connection, with the parameters that were agreed
 * ({@link https://www.rfc-editor.org/rfc/rfc7692#section-7 RFC 7692 §7}). Both directions of the
 * context (LZ77 sliding window) live in it, so it belongs to one connection and each payload must
 * be given to it once, in order.
 */
export interface MessageDeflate {
  /**
   * Compresses the payload of a message.
   *
   * @param payload The payload, text as UTF-8. It belongs to the caller of `send`: it must neither
   * be written to nor kept beyond the call (but for a copy of the window).
   * @returns The bytes for the frame, without the trailing `00 00 ff ff` (RFC 7692 §7.2.1), valid
   * until the next call; or `null` to send the message as it is, which leaves the context alone.
   */
  compress(payload: Uint8Array): Uint8Array | null;

  /**
   * Decompresses the payload of a message: at once, or in pieces if that is a lot of work. Then no
   * other payload is given to it until the receiver has all.
   *
   * @param payload The joined payloads of the message's frames, without the trailing
   * `00 00 ff ff`. It is neither written to nor kept longer than it takes.
   * @param maxLength The largest result allowed, in bytes. No more than this may ever be held.
   * @param receiver Gets the pieces.
   * @returns The message's bytes, which belong to the receiver of the message; or `null` when they
   * come in pieces, during this call or after it.
   * @throws {InflateError} When the result would be larger than `maxLength`, or the payload isn't
   * a sequence of DEFLATE blocks.
   */
  decompress(payload: Uint8Array, maxLength: number, receiver: InflateEvents): Uint8Array | null;

  /**
   * Decompresses a message as it arrives. No other payload is given to it until the receiver has all. Needed where
   * a protocol has `streamLargerThan`.
   *
   * @param maxLength The largest result allowed, in bytes.
   * @param receiver Gets what is decompressed.
   */
  inflateInParts?(maxLength: number, receiver: InflatePartsEvents): PartsInflater;

  /**
   * Compresses a fragment of a message that is sent in several, of which the last one is empty.
   *
   * @param payload The fragment, which isn't written to, nor kept but for a copy of the window.
   * @returns The bytes for the frame, valid until the next call; `null` for each fragment of a message that is
   * to be sent as it is. Left out: all are.
   */
  compressFragment?(payload: Uint8Array): Uint8Array | null;

  /** Gives up what is being decompressed, and all later messages. The receiver isn't called again. */
  abandon?(): void;

  /** Compresses for many connections at a time. Left out: such messages are sent as they are. */
  readonly shared?: SharedDeflate | undefined;
}

/**
 * The compression of messages that go to many connections: without reference to what a connection
 * sent before (RFC 7692 §7.2.1 asks for none), so that all of one kind send the same bytes.
 */
export interface SharedDeflate {
  /** Compressors with the same one give the same result for the same payload. */
  readonly kind: string;

  /**
   * Compresses the payload of a message by itself. It leaves the context alone.
   *
   * @param payload The payload, which isn't written to, nor kept.
   * @returns The bytes for the frame, without the trailing `00 00 ff ff`, valid until the next
   * call; or `null` to send the message as it is.
   */
  compress(payload: Uint8Array): Uint8Array | null;

  /** Such a message was sent: later ones must not refer to any before it (RFC 7692 §7.2.3.2). */
  onSent(): void;
}

/**
 * What the connection fails with when {@linkcode MessageDeflate.decompress} threw `error`.
 *
 * RFC 7692 §7.2.2 leaves open what an endpoint answers to bytes that don't decompress. RFC 6455
 * §7.4.1 has 1007 for data "not consistent with the type of the message", and 1009 for what is too
 * big to process; anything else that is thrown is a fault of this end, 1011.
 *
 * @param error What was thrown.
 * @returns The failure.
 */
export function inflateFailure(error: unknown): Failure {
  if (!(error instanceof InflateError)) return { ...INFLATE_FAILED, cause: error };
  return error.reason === "too-big" ? MESSAGE_TOO_BIG : CORRUPT_COMPRESSION;
}
