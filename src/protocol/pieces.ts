/**
 * Frames that aren't whole in one chunk, messages of several frames or pieces, and those that are being
 * decompressed. Other messages need none of this.
 *
 * @module
 */

import { compact } from "./byte_queue.ts";
import { allocateUninitialized } from "./allocate_uninitialized.ts";
import { BAD_UTF8, type Failure } from "./failure.ts";
import { FrameHeader, MAX_HEADER_LENGTH, RSV1, TEXT } from "./frame.ts";
import { applyMask } from "./mask.ts";
import { type InflateEvents, inflateFailure } from "./message_deflate.ts";
import {
  decodeInvalid,
  decodeWithin,
  type InvalidText,
  lastBoundary,
  Utf8Validator,
} from "./utf8.ts";
import { LARGEST_PIECE, type WorkBudget } from "./work_budget.ts";

/** The minimum capacity of the buffer of a message in pieces, in bytes. */
const MIN_ROOM = 0x400;

/** Up to this size a buffer grows by being copied: more would take too long at once. */
const MAX_GROWN: number = 4 * LARGEST_PIECE;

const EMPTY = new Uint8Array(0);

/**
 * The beginning of a header, when its frame's first chunk ends within it.
 *
 * @param before What was there before.
 * @param chunk The next bytes; no more are used than the longest header has.
 * @param at Where they begin.
 * @returns All that is there.
 */
export function joinHeader(before: Uint8Array, chunk: Uint8Array, at: number): Uint8Array {
  const part = chunk.subarray(at, at + MAX_HEADER_LENGTH - before.length);
  const head = new Uint8Array(before.length + part.length);
  head.set(before);
  head.set(part, before.length);
  return head;
}

/** Where the payload of a frame goes. */
export interface PayloadTarget {
  /**
   * Appends a piece of a frame's payload. See {@linkcode MessageInPieces.append}.
   */
  append(frame: FrameInPieces, chunk: Uint8Array, start: number, end: number): boolean;
}

/** A frame whose payload arrives in pieces. */
export class FrameInPieces extends FrameHeader {
  /** How many bytes of the payload are missing. */
  remaining: number;
  /** Where the payload goes; `null`: it is dropped. */
  target: PayloadTarget | null;

  /**
   * Begins with the payload.
   *
   * @param header The header, which is copied.
   * @param target Where the payload goes; `null` to drop it.
   */
  constructor(header: FrameHeader, target: PayloadTarget | null) {
    super();
    this.flags = header.flags;
    this.masked = header.masked;
    this.key = header.key;
    this.length = header.length;
    this.remaining = header.length;
    this.target = target;
  }

  /**
   * Takes the next piece of the payload, by copying it.
   *
   * @param chunk Where the piece is; it is only read.
   * @param start Where the piece begins.
   * @param end Where it ends.
   * @returns Whether the message, if it is text, is still UTF-8.
   */
  take(chunk: Uint8Array, start: number, end: number): boolean {
    try {
      return this.target === null || this.target.append(this, chunk, start, end);
    } finally {
      this.remaining -= end - start;
    }
  }
}

/** How a message is put together. */
export interface MessageOptions {
  /** The largest message allowed, in bytes. The caller checks that. */
  readonly maxSize: number;
  /** What decoding costs is taken from it. */
  readonly budget: WorkBudget;
  readonly invalidText: InvalidText;
}

/**
 * A message in the making. It is copied into a buffer that grows with what has arrived, never with
 * what a header announces. Text is checked piece by piece, and what is large is decoded as it
 * arrives.
 */
export class MessageInPieces {
  /** The first byte of its first frame. */
  readonly flags: number;
  readonly #options: MessageOptions;
  #validator: Utf8Validator | null = null;
  #buffer: Uint8Array = EMPTY;
  #size = 0;
  /** What of a large text is decoded, and how many bytes that were; they aren't in the buffer. */
  #text = "";
  #decoded = 0;

  /**
   * Begins with nothing.
   *
   * @param flags The first byte of its first frame.
   * @param options See {@linkcode MessageOptions}.
   */
  constructor(flags: number, options: MessageOptions) {
    this.flags = flags;
    this.#options = options;
  }

  /** Whether it is text that isn't compressed. */
  get #isText(): boolean {
    return (this.flags & 0x0f) === TEXT && (this.flags & RSV1) === 0;
  }

  /** Whether it is text that is decoded as it arrives: its bytes aren't asked for. */
  get isText(): boolean {
    return this.#isText && this.#options.invalidText !== "bytes";
  }

  /** How many bytes are there. */
  get size(): number {
    return this.#decoded + this.#size;
  }

  /**
   * Appends a piece of a frame's payload.
   *
   * @param frame The frame; the piece is the next one of it.
   * @param chunk Where the piece is.
   * @param start Where the piece begins.
   * @param end Where it ends.
   * @returns Whether the message, if it is text, is still UTF-8.
   */
  append(frame: FrameInPieces, chunk: Uint8Array, start: number, end: number): boolean {
    const at = this.#size;
    const size = at + end - start;
    if (size > this.#buffer.length) this.#grow(size, frame.fin ? at + frame.remaining : Infinity);
    this.#buffer.set(chunk.subarray(start, end), at);
    if (frame.masked) {
      applyMask(this.#buffer, at, size, frame.key, frame.length - frame.remaining);
    }
    this.#size = size;
    if (!this.isText) return true;
    if (this.#options.invalidText === "replace") return this.#decodeLarge();
    this.#validator ??= new Utf8Validator();
    return this.#validator.push(this.#buffer, at, size) && this.#decodeLarge();
  }

  /** What of it is decoded already, which is of so many bytes. */
  get decoded(): { readonly text: string; readonly size: number } {
    return { text: this.#text, size: this.#decoded };
  }

  /** The bytes that aren't decoded. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#size);
  }

  /**
   * Appends bytes that were decompressed.
   *
   * @param bytes The bytes.
   * @returns Whether there was room. What is large, and not text, gets room by {@linkcode reserve} only.
   */
  add(bytes: Uint8Array): boolean {
    const size = this.#size + bytes.length;
    if (size > this.#buffer.length) {
      if (size > MAX_GROWN && !this.isText) return false;
      this.#grow(size, Infinity);
    }
    this.#buffer.set(bytes, this.#size);
    this.#size = size;
    return true;
  }

  /**
   * Makes room for all of the message.
   *
   * @param size How many bytes it has.
   */
  reserve(size: number): void {
    this.#moveTo(allocateUninitialized(size));
  }

  /**
   * Decodes what was {@linkcode add}ed, if it is text and large.
   *
   * @returns Whether it is UTF-8.
   */
  decode(): boolean {
    return !this.isText || this.#decodeLarge();
  }

  /**
   * Ends the message.
   *
   * @returns The payload, or its text; `null` when that isn't UTF-8.
   */
  finish(): string | Uint8Array | null {
    if (!this.#isText) return compact(this.#buffer.subarray(0, this.#size));
    const last = this.#decode(this.#size);
    if (last === null) return null;
    return typeof last === "string" ? this.#text + last : compact(last);
  }

  #decode(end: number): string | Uint8Array | null {
    const { budget, invalidText } = this.#options;
    return decodeWithin(this.#buffer, 0, end, budget) ??
      decodeInvalid(this.#buffer.subarray(0, end), invalidText);
  }

  /**
   * Decodes text as soon as it is large: that is no work for a single turn, and its bytes needn't be
   * kept.
   */
  #decodeLarge(): boolean {
    const size = this.#size;
    if (size < LARGEST_PIECE) return true;
    const end = lastBoundary(this.#buffer, size);
    const text = this.#decode(end);
    if (text === null) return false;
    this.#text += text;
    this.#decoded += end;
    this.#buffer.copyWithin(0, end, size);
    this.#size = size - end;
    return true;
  }

  /**
   * Room in proportion to what is here, so that growing costs linear time: all of a message whose
   * end is in sight, when a thirty-second of it has arrived; till then, twice as much. Text needs room
   * for what isn't decoded yet.
   */
  #grow(size: number, expected: number): void {
    const isLargeText = this.isText && expected < Infinity;
    const needed = isLargeText ? Math.max(size, Math.min(expected, LARGEST_PIECE)) : expected;
    const twice = Math.min(2 * size, this.#options.maxSize);
    const grown = needed <= 32 * size
      ? allocateUninitialized(needed)
      : new Uint8Array(Math.max(twice, Math.min(needed, MIN_ROOM)));
    this.#moveTo(grown);
  }

  #moveTo(buffer: Uint8Array): void {
    buffer.set(this.#buffer.subarray(0, this.#size));
    this.#buffer = buffer;
  }
}

/**
 * Collects a message that is being decompressed, in pieces if that is a lot of work: they arrive during the
 * call to the decompressor, or after it.
 */
export class InflatingMessage implements InflateEvents {
  /** Whether the call has returned: from now on the end is reported. */
  isLate = false;
  /** What the connection fails with; `null` if all is well; `undefined` before the end. */
  outcome: Failure | null | undefined = undefined;

  /** `null`: it isn't wanted any more. */
  #message: MessageInPieces | null;
  readonly #report: (failure: Failure | null) => void;

  /**
   * Begins to collect.
   *
   * @param message Where the pieces go.
   * @param report Called with `null` when the message is whole, if that {@linkcode isLate}; or with
   * what the connection fails with.
   */
  constructor(message: MessageInPieces, report: (failure: Failure | null) => void) {
    this.#message = message;
    this.#report = report;
  }

  /** The message isn't wanted any more: nothing is reported. */
  abandon(): void {
    this.#message = null;
  }

  /** The next piece. What is large, and not text, is taken when the message's size is known. */
  onInflated(bytes: Uint8Array): boolean {
    const message = this.#message;
    if (message === null) return true;
    if (!message.add(bytes)) return false;
    if (!message.decode()) this.#report(BAD_UTF8);
    return true;
  }

  /** The size of the whole message. */
  onInflatedSize(size: number): void {
    this.#message?.reserve(size);
  }

  /** All of the message is decompressed. */
  onInflateEnd(error: unknown): void {
    if (this.#message === null) return;
    this.#message = null;
    this.outcome = error === null ? null : inflateFailure(error);
    if (this.isLate) this.#report(this.outcome);
  }
}
