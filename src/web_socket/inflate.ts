/**
 * The decompressor of messages, over the platform's zlib.
 *
 * The window of earlier messages stands before a message as a stored block (RFC 1951 §3.2.4) and is
 * cut off the result: a preset dictionary would do the same, but not every platform heeds it.
 */

import { compact, joined } from "../protocol/byte_queue.ts";
import { InflateError } from "../protocol/permessage_deflate.ts";
import { SlidingWindow } from "./sliding_window.ts";

/** RFC 7692 §7.2.1: an empty stored block, aligned to a byte, ends a message and is not sent. */
export const TAIL_LENGTH: number = 4;

/**
 * What is put behind a message: the end that wasn't sent (RFC 7692 §7.2.2), and an empty final
 * block. A message that is cut short doesn't reach the latter, and so is noticed.
 */
const END = Uint8Array.of(0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff);

/** A stored block's header: one byte, the length, and the length's complement. */
const STORED_HEADER = 5;

const MAX_WINDOW = 1 << 15;

/** Room before a message for a window as a stored block. */
const ROOM = STORED_HEADER + MAX_WINDOW;

/** A larger scratch buffer is dropped after use. */
const KEPT_SCRATCH = 256 * 1024;

/**
 * How many DEFLATE streams (runs of blocks up to one with BFINAL=1) a message may be made of. Each
 * costs a call, so a peer must not have a million of them for two bytes each.
 */
const MAX_STREAMS = 1000;

/** zlib takes no larger limit on some platforms. */
const MAX_OUTPUT = 2 ** 31 - 1;

/** The part of node:zlib that is used. */
export interface Zlib {
  /** The constants. */
  readonly constants: { readonly Z_SYNC_FLUSH: number };
  /** Compresses. */
  deflateRawSync(bytes: Uint8Array, options: object): Uint8Array;
  /** Decompresses; `engine.bytesWritten` is how much was read. `options` must have `info: true`. */
  inflateRawSync(
    bytes: Uint8Array,
    options: object,
  ): { readonly buffer: Uint8Array; readonly engine: { readonly bytesWritten: number } };
}

/** The decompressor of one direction of one connection. */
export class Decompressor {
  readonly #zlib: Zlib;
  readonly #window: SlidingWindow | null;

  /**
   * Makes a decompressor.
   *
   * @param found The platform's zlib.
   * @param bits The base-2 logarithm of the window in bytes, 8–15; `null` when none is kept.
   */
  constructor(found: Zlib, bits: number | null) {
    this.#zlib = found;
    this.#window = bits === null ? null : new SlidingWindow(1 << bits);
  }

  /**
   * Decompresses the payload of a message.
   *
   * @param payload The payload, without the end that isn't sent.
   * @param maxLength The largest result allowed, in bytes.
   * @returns The message's bytes.
   * @throws {InflateError} When the result would be larger, or the payload isn't DEFLATE.
   */
  decompress(payload: Uint8Array, maxLength: number): Uint8Array {
    // An empty message is a single zero byte (RFC 7692 §7.2.3.6); be liberal with one without it.
    if (payload.length === 0) return new Uint8Array(0);
    const input = prepare(payload);
    const end = ROOM + payload.length;
    const first = this.#inflate(input, ROOM, this.#window, maxLength);
    this.#window?.push(first.output);
    if (isOver(first.consumed, end, input.length)) return first.output;
    return this.#inflateRest(input, first, maxLength);
  }

  /**
   * RFC 7692 §7.2.3.4: blocks may follow one with BFINAL=1. For zlib that is another stream, so the
   * rest is given to it as such. The window goes on, whether or not the other end still uses it.
   */
  #inflateRest(input: Uint8Array, first: Inflated, maxLength: number): Uint8Array {
    const parts = [first.output];
    const window = this.#window ?? new SlidingWindow(MAX_WINDOW);
    if (this.#window === null) window.push(first.output);
    const end = input.length - END.length;
    let total = first.output.length;
    let { consumed } = first;
    while (!isOver(consumed, end, input.length)) {
      if (parts.length === MAX_STREAMS) throw new InflateError("corrupt");
      const next = this.#inflate(input, consumed, window, maxLength - total);
      window.push(next.output);
      parts.push(next.output);
      total += next.output.length;
      consumed = next.consumed;
    }
    return joined(parts, total);
  }

  /** Inflates one stream that begins at `start`, with the window written before it. */
  #inflate(
    input: Uint8Array,
    start: number,
    window: SlidingWindow | null,
    maxLength: number,
  ): Inflated {
    const past = window === null ? 0 : window.length;
    const from = window === null || past === 0 ? start : writeStored(input, start, window);
    const source = input.subarray(from);
    const estimate = Math.min(4 * (input.length - start), 64 * 1024);
    const result = this.#run(source, {
      info: true,
      maxOutputLength: Math.min(Math.max(past + maxLength, 1), MAX_OUTPUT),
      chunkSize: chunkSize(past + Math.max(estimate, 1024)),
    });
    const { buffer } = result;
    if (buffer.length - past > maxLength) throw new InflateError("too-big");
    const output = compact(
      new Uint8Array(buffer.buffer, buffer.byteOffset + past, buffer.length - past),
    );
    return { output, consumed: from + result.engine.bytesWritten };
  }

  #run(source: Uint8Array, options: object): ReturnType<Zlib["inflateRawSync"]> {
    try {
      return this.#zlib.inflateRawSync(source, options);
    } catch (cause) {
      const { code } = cause as { code?: unknown };
      if (code === "ERR_BUFFER_TOO_LARGE") throw new InflateError("too-big", { cause });
      if (code === "Z_DATA_ERROR" || code === "Z_BUF_ERROR") {
        throw new InflateError("corrupt", { cause });
      }
      throw cause;
    }
  }
}

/** One DEFLATE stream, inflated. */
interface Inflated {
  readonly output: Uint8Array;
  /** The index in the input behind the stream. */
  readonly consumed: number;
}

/**
 * Whether a stream that ended at `consumed` was the message's last: all of {@linkcode END} was
 * needed, or none of it as the message ends with BFINAL=1, or all but END's own final block.
 */
function isOver(consumed: number, end: number, length: number): boolean {
  if (consumed === length || consumed === end || consumed === end + TAIL_LENGTH) return true;
  if (consumed > end) throw new InflateError("corrupt");
  return false;
}

let scratch = new Uint8Array(0);

/** The message with room before it and {@linkcode END} behind it; valid until the next call. */
function prepare(payload: Uint8Array): Uint8Array {
  const length = ROOM + payload.length + END.length;
  let buffer = scratch;
  if (buffer.length < length) {
    buffer = new Uint8Array(Math.max(length, 2 * ROOM));
    if (buffer.length <= KEPT_SCRATCH) scratch = buffer;
  }
  buffer.set(payload, ROOM);
  buffer.set(END, ROOM + payload.length);
  return buffer.subarray(0, length);
}

/**
 * Writes the window as a stored block that ends at `start`, over what has been read before.
 *
 * @returns Where the block begins.
 */
function writeStored(input: Uint8Array, start: number, window: SlidingWindow): number {
  const { length } = window;
  const from = start - length - STORED_HEADER;
  input[from] = 0;
  input[from + 1] = length;
  input[from + 2] = length >> 8;
  input[from + 3] = ~length;
  input[from + 4] = ~length >> 8;
  input.set(window.last(length), from + STORED_HEADER);
  return from;
}

/**
 * The size of zlib's buffers for output.
 *
 * @param expected How many bytes are expected.
 * @returns That, but zlib takes no less than 64 bytes, and beyond 128 KiB one grows too large.
 */
export function chunkSize(expected: number): number {
  return Math.min(Math.max(expected, 64), 128 * 1024);
}
