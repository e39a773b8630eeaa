/**
 * The interface between the protocol and a compressor (RFC 7692). Another module implements it.
 *
 * @module
 */

import { CORRUPT_COMPRESSION, type Failure, INFLATE_FAILED, MESSAGE_TOO_BIG } from "./failure.ts";

/** Why the decompressor rejected a payload. */
export type InflateErrorReason = "too-big" | "corrupt";

/** The peer's payload can't be decompressed. {@linkcode MessageDeflate.decompress} throws it. */
export class InflateError extends Error {
  /** The name of the error: `"InflateError"`. */
  override readonly name = "InflateError";
  /** `"too-big"` if the result exceeds the limit, `"corrupt"` if the bytes aren't DEFLATE. */
  readonly reason: InflateErrorReason;

  /**
   * Creates an error whose message says why.
   *
   * @param reason Why the payload can't be decompressed.
   * @param options Its `cause`, where there is one.
   */
  constructor(reason: InflateErrorReason, options?: ErrorOptions) {
    const text = reason === "too-big"
      ? "it is larger than the limit"
      : "its payload is not DEFLATE";
    super(`Cannot decompress a message: ${text}`, options);
    this.reason = reason;
  }
}

/** Receives a message that is decompressed in pieces. */
export interface InflateEvents {
  /**
   * The next piece is decompressed.
   *
   * @param bytes The bytes; they are only valid during the call.
   * @returns Whether the receiver has taken them. Otherwise it gets them again after
   * {@linkcode onInflatedSize}.
   */
  onInflated(bytes: Uint8Array): boolean;

  /**
   * The size of the whole message is known. Called only after the receiver did not take a piece.
   *
   * @param size The size in bytes, including the pieces taken before.
   */
  onInflatedSize(size: number): void;

  /**
   * The message has ended.
   *
   * @param error `null`, or the error that {@linkcode MessageDeflate.decompress} would have thrown.
   */
  onInflateEnd(error: unknown): void;
}

/** Receives a message whose payload is decompressed as it arrives. */
export interface InflatePartsEvents {
  /** The next bytes are decompressed. They belong to the receiver. */
  onInflated(bytes: Uint8Array): void;
  /** All pushed bytes are decompressed: push more. */
  onInflateMore(): void;
  /** The message has ended. `error` is as in {@linkcode InflateEvents.onInflateEnd}. */
  onInflateEnd(error: unknown): void;
}

/** Decompresses a message whose payload arrives in pieces. */
export interface PartsInflater {
  /**
   * Takes the next piece of the payload. It may call the receiver before it returns.
   *
   * @param bytes The piece, which is only read.
   * @param isLast Whether it is the last one.
   */
  push(bytes: Uint8Array, isLast: boolean): void;
  /** Stops delivering, except for bytes that are in flight. */
  pause(): void;
  /** Continues to deliver. */
  resume(): void;
}

/**
 * The compressor and decompressor of one connection, with the agreed parameters of permessage-deflate
 * ({@link https://www.rfc-editor.org/rfc/rfc7692#section-7 RFC 7692 §7}). It holds the context (LZ77 sliding
 * window) of both directions. So it belongs to one connection, which must pass it each payload once, in
 * order.
 */
export interface MessageDeflate {
  /**
   * Compresses the payload of a message.
   *
   * @param payload The payload; text as UTF-8. It belongs to the user: the compressor must not write to it,
   * and must not keep it after the call, apart from a copy of the window.
   * @returns The frame's payload without the trailing `00 00 ff ff` (RFC 7692 §7.2.1), valid until the next
   * call. `null` to send the message uncompressed; the context is then unchanged.
   */
  compress(payload: Uint8Array): Uint8Array | null;

  /**
   * Decompresses the payload of a message: at once, or in pieces if that is much work. In that case the
   * caller must not pass another payload until the receiver has the whole message.
   *
   * @param payload The joined payloads of the message's frames, without the trailing `00 00 ff ff`. The
   * decompressor only reads it, and drops it as soon as it can.
   * @param maxLength The limit of the result, in bytes. The decompressor never holds more than this.
   * @param receiver Receives the pieces.
   * @returns The message's bytes, which belong to the caller. `null` if the receiver gets them in pieces,
   * during this call or after it.
   * @throws {InflateError} If the result would be larger than `maxLength`, or the payload isn't a sequence of
   * DEFLATE blocks.
   */
  decompress(payload: Uint8Array, maxLength: number, receiver: InflateEvents): Uint8Array | null;

  /**
   * Decompresses a message as it arrives. The caller must not pass another payload until the receiver has the
   * whole message. The option `streamLargerThan` needs it.
   *
   * @param maxLength The limit of the result, in bytes.
   * @param receiver Receives the decompressed bytes.
   */
  inflateInParts?(maxLength: number, receiver: InflatePartsEvents): PartsInflater;

  /**
   * Compresses a fragment of a message that is sent in several fragments. The last fragment is empty. Without
   * this method, such messages are sent uncompressed.
   *
   * @param payload The fragment, which is only read, and not kept apart from a copy of the window.
   * @returns The frame's payload, valid until the next call. `null` for all fragments of a message that is
   * sent uncompressed.
   */
  compressFragment?(payload: Uint8Array): Uint8Array | null;

  /** Stops decompressing, for this and all later messages. The receiver gets no more calls. */
  abandon?(): void;

  /** Compresses messages for many connections at once. Without it, such messages are sent uncompressed. */
  readonly shared?: SharedDeflate | undefined;
}

/**
 * Compresses messages that are sent to many connections. The result doesn't refer to earlier messages of a
 * connection (RFC 7692 §7.2.1 allows that), so all compressors of one kind produce the same bytes.
 */
export interface SharedDeflate {
  /** Compressors of the same kind return the same bytes for the same payload. */
  readonly kind: string;

  /**
   * Compresses the payload of a message without using or changing the context.
   *
   * @param payload The payload, which is only read and not kept.
   * @returns The frame's payload without the trailing `00 00 ff ff`, valid until the next call. `null` to
   * send the message uncompressed.
   */
  compress(payload: Uint8Array): Uint8Array | null;

  /**
   * A message compressed this way was sent: later messages must not refer to any before it (RFC 7692
   * §7.2.3.2).
   */
  onSent(): void;
}

/**
 * Returns the failure of a connection for an error that {@linkcode MessageDeflate.decompress} threw.
 *
 * RFC 7692 §7.2.2 doesn't say which close code answers invalid compressed data. RFC 6455 §7.4.1 has 1007 for
 * data "not consistent with the type of the message", and 1009 for a message that is too big. Any other error
 * is a fault of this side: 1011.
 *
 * @param error The error.
 * @returns The failure.
 */
export function inflateFailure(error: unknown): Failure {
  if (!(error instanceof InflateError)) return { ...INFLATE_FAILED, cause: error };
  return error.reason === "too-big" ? MESSAGE_TOO_BIG : CORRUPT_COMPRESSION;
}
