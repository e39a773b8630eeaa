/**
 * Encodes messages and control frames, each as one frame, straight into a write buffer
 * ({@link https://www.rfc-editor.org/rfc/rfc6455#section-6.1 RFC 6455 §6.1}).
 *
 * @module
 */

import { encodeHeader, encodeKey, headerLength, MAX_HEADER_LENGTH } from "./frame.ts";
import { applyMask, copyMasked, type MaskingKeySource, rotate } from "./mask.ts";
import { SLAB_SIZE } from "./slab.ts";
import { lengthOf, plainBytes, SMALL } from "../realm/bytes.ts";
import { WriteBuffer } from "./write_buffer.ts";

/** Payloads from this size on are written in parts, and frames from this size on aren't copied. */
const LARGE = 0x4000;

/** Text that needs more room than a buffer has gets one of its own. */
const LARGE_TEXT = SLAB_SIZE - MAX_HEADER_LENGTH;

/** Up to this many UTF-16 code units a loop is faster than a call into the platform's encoder. */
const SHORT = 48;

const encoder = new TextEncoder();

/** The sending half of a connection. A payload is copied exactly once, and masked on the way. */
export class FrameWriter {
  readonly #keys: MaskingKeySource | null;
  readonly #output: WriteBuffer;

  /**
   * Makes the sending half of a connection.
   *
   * @param keys The source of masking keys, or `null` where frames aren't masked: RFC 6455 §5.1, a
   * client masks all frames and a server none.
   * @param recycles Whether {@linkcode giveBack} will be called.
   */
  constructor(keys: MaskingKeySource | null, recycles: boolean) {
    this.#keys = keys;
    this.#output = new WriteBuffer(recycles);
  }

  /** How many bytes were encoded and not taken. */
  get size(): number {
    return this.#output.size;
  }

  /**
   * How long a frame is.
   *
   * @param payload The frame's payload.
   * @returns The frame's length in bytes, header included.
   */
  sizeOf(payload: Uint8Array): number {
    return headerLength(payload.length, this.#keys !== null) + payload.length;
  }

  /**
   * Takes everything that was encoded.
   *
   * @returns The chunks in order. They are the caller's until they are given back.
   */
  take(): Uint8Array[] {
    return this.#output.take();
  }

  /**
   * Gives back what was taken: it will be written to again.
   *
   * @param kept How many bytes of it, the last ones, are still needed.
   */
  giveBack(kept: number): void {
    this.#output.giveBack(kept);
  }

  /**
   * Encodes a frame.
   *
   * @param flags The first byte: FIN, RSV1–3 and the opcode.
   * @param payload The payload, as `bytesOf` gives it; it is read before this returns and not kept.
   */
  write(flags: number, payload: Uint8Array): void {
    // Taken once: what the header says is what is written.
    const length = lengthOf(payload);
    if (length >= LARGE) return this.#writeLarge(flags, plainBytes(payload));
    const output = this.#output;
    output.reserve(MAX_HEADER_LENGTH + length);
    output.commit(this.#encode(output.buffer, output.end, flags, payload, length));
  }

  /**
   * Encodes a frame of text.
   *
   * @param flags The first byte: FIN, RSV1–3 and the opcode.
   * @param text The payload; lone surrogates become U+FFFD.
   * @returns The length of the payload in bytes.
   */
  writeText(flags: number, text: string): number {
    // A UTF-16 code unit becomes three bytes at most.
    if (3 * text.length > LARGE_TEXT) return this.#writeLargeText(flags, text);
    const output = this.#output;
    output.reserve(MAX_HEADER_LENGTH + 3 * text.length);
    const { buffer, end } = output;
    const shortest = end + headerLength(text.length, this.#keys !== null);
    let length = text.length;
    if (length > SHORT || !writeAscii(text, buffer, shortest)) {
      const room = buffer.subarray(shortest, shortest + 3 * text.length);
      length = encoder.encodeInto(text, room).written;
    }
    output.commit(this.#encodeAround(buffer, end, flags, shortest, length));
    return length;
  }

  /**
   * Writes a frame that is encoded already, as it goes out on this side.
   *
   * @param frame The frame. A large one is not copied, and must never be written to.
   */
  writeEncoded(frame: Uint8Array): void {
    const output = this.#output;
    if (frame.length >= LARGE) return output.append(frame);
    output.reserve(frame.length);
    output.buffer.set(frame, output.end);
    output.commit(output.end + frame.length);
  }

  #encode(
    buffer: Uint8Array,
    start: number,
    flags: number,
    payload: Uint8Array,
    length: number,
  ): number {
    const keys = this.#keys;
    const at = encodeHeader(buffer, start, flags, length, keys !== null);
    if (keys === null) {
      if (length > SMALL) buffer.set(payload, at);
      else for (let i = 0; i < length; i++) buffer[at + i] = payload[i] as number;
      return at + length;
    }
    const key = keys();
    const payloadAt = encodeKey(buffer, at, key);
    copyMasked(payload, length, buffer, payloadAt, key);
    return payloadAt + length;
  }

  /**
   * Puts a header before a payload that is in the buffer already, and masks the payload. The
   * payload is moved if the header is longer than the room left for it.
   */
  #encodeAround(
    buffer: Uint8Array,
    start: number,
    flags: number,
    payloadAt: number,
    length: number,
  ): number {
    const keys = this.#keys;
    const at = start + headerLength(length, keys !== null);
    if (at > payloadAt) buffer.copyWithin(at, payloadAt, payloadAt + length);
    const keyAt = encodeHeader(buffer, start, flags, length, keys !== null);
    if (keys !== null) {
      const key = keys();
      encodeKey(buffer, keyAt, key);
      applyMask(buffer, at, at + length, key, 0);
    }
    return at + length;
  }

  /** Nothing here can throw between the header and the payload's last byte: `payload` is plain. */
  #writeLarge(flags: number, payload: Uint8Array): void {
    const keys = this.#keys;
    const output = this.#output;
    output.reserve(MAX_HEADER_LENGTH);
    const at = encodeHeader(output.buffer, output.end, flags, payload.length, keys !== null);
    const key = keys === null ? 0 : keys();
    output.commit(keys === null ? at : encodeKey(output.buffer, at, key));
    for (let from = 0; from < payload.length;) {
      const length = output.reserveSome(payload.length - from);
      const part = payload.subarray(from, from + length);
      if (keys === null) output.buffer.set(part, output.end);
      else copyMasked(part, length, output.buffer, output.end, rotate(key, from));
      output.commit(output.end + length);
      from += length;
    }
  }

  /** Text is encoded into room for ASCII first: what doesn't fit tells how much more is needed. */
  #writeLargeText(flags: number, text: string): number {
    const payloadAt = MAX_HEADER_LENGTH + 2;
    let buffer = new Uint8Array(payloadAt + text.length);
    let { read, written } = encoder.encodeInto(text, buffer.subarray(payloadAt));
    if (read < text.length) {
      const grown = new Uint8Array(payloadAt + written + 3 * (text.length - read));
      grown.set(buffer.subarray(0, payloadAt + written));
      buffer = grown;
      const rest = encoder.encodeInto(text.slice(read), buffer.subarray(payloadAt + written));
      written += rest.written;
    }
    const start = payloadAt - headerLength(written, this.#keys !== null);
    const end = this.#encodeAround(buffer, start, flags, payloadAt, written);
    this.#output.append(buffer.subarray(start, end));
    return written;
  }
}

/** Writes `text` if it is ASCII; otherwise what was written means nothing. */
function writeAscii(text: string, buffer: Uint8Array, at: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return false;
    buffer[at + i] = unit;
  }
  return true;
}
