/**
 * Frames and messages that arrive in pieces, and messages that are being decompressed. A message that is
 * whole in one chunk needs none of this.
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

/** Up to this size a buffer grows by copying. Copying more would block the event loop for too long. */
const MAX_GROWN: number = 4 * LARGEST_PIECE;

const EMPTY = new Uint8Array(0);

/**
 * Joins the pieces of a header that the end of a chunk has cut.
 *
 * @param before The bytes that arrived before.
 * @param chunk The next bytes. It uses at most as many as the longest header has.
 * @param at Where they begin in `chunk`.
 * @returns All bytes of the header so far.
 */
export function joinHeader(before: Uint8Array, chunk: Uint8Array, at: number): Uint8Array {
  const part = chunk.subarray(at, at + MAX_HEADER_LENGTH - before.length);
  const head = new Uint8Array(before.length + part.length);
  head.set(before);
  head.set(part, before.length);
  return head;
}

/** Receives the payload of a frame. */
export interface PayloadTarget {
  /** Appends a piece of a frame's payload, as {@linkcode MessageInPieces.append} does. */
  append(frame: FrameInPieces, chunk: Uint8Array, start: number, end: number): boolean;
}

/** A frame whose payload arrives in pieces. */
export class FrameInPieces extends FrameHeader {
  /** The number of payload bytes that have not arrived. */
  remaining: number;
  /** Receives the payload; `null` to drop it. */
  target: PayloadTarget | null;

  /**
   * Creates a frame of which only the header has arrived.
   *
   * @param header The header, which is copied.
   * @param target Receives the payload; `null` to drop it.
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
   * Copies the next piece of the payload to the target.
   *
   * @param chunk The chunk that has the piece. It is only read.
   * @param start Where the piece begins.
   * @param end Where it ends.
   * @returns `false` if the message is text and not valid UTF-8.
   */
  take(chunk: Uint8Array, start: number, end: number): boolean {
    try {
      return this.target === null || this.target.append(this, chunk, start, end);
    } finally {
      this.remaining -= end - start;
    }
  }
}

/** How a message is assembled. */
export interface MessageOptions {
  /** The limit of a message's size, in bytes. The caller enforces it. */
  readonly maxSize: number;
  /** The budget that decoding is charged to. */
  readonly budget: WorkBudget;
  readonly invalidText: InvalidText;
}

/**
 * A message that is still arriving. It is copied into a buffer that grows with the bytes that have arrived,
 * not with the length in a header. Text is validated piece by piece, and a large text is decoded as it
 * arrives.
 */
export class MessageInPieces {
  /** The first byte of its first frame. */
  readonly flags: number;
  readonly #options: MessageOptions;
  #validator: Utf8Validator | null = null;
  #buffer: Uint8Array = EMPTY;
  #size = 0;
  /**
   * The decoded beginning of a large text. `#decoded` is its length in bytes, which the buffer no longer has.
   */
  #text = "";
  #decoded = 0;

  /**
   * Creates a message without content.
   *
   * @param flags The first byte of its first frame.
   * @param options The limit, the budget, and what to do with invalid text.
   */
  constructor(flags: number, options: MessageOptions) {
    this.flags = flags;
    this.#options = options;
  }

  /** Whether the message is uncompressed text. */
  get #isText(): boolean {
    return (this.flags & 0x0f) === TEXT && (this.flags & RSV1) === 0;
  }

  /** Whether the message is text that is decoded as it arrives. Its bytes aren't kept. */
  get isText(): boolean {
    return this.#isText && this.#options.invalidText !== "bytes";
  }

  /** The number of bytes that have arrived. */
  get size(): number {
    return this.#decoded + this.#size;
  }

  /**
   * Appends a piece of a frame's payload.
   *
   * @param frame The frame that the piece belongs to.
   * @param chunk The chunk that has the piece.
   * @param start Where the piece begins.
   * @param end Where it ends.
   * @returns `false` if the message is text and not valid UTF-8.
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

  /** The decoded beginning of the text, and its length in bytes. */
  get decoded(): { readonly text: string; readonly size: number } {
    return { text: this.#text, size: this.#decoded };
  }

  /** The bytes that aren't decoded yet. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#size);
  }

  /**
   * Appends decompressed bytes.
   *
   * @param bytes The bytes.
   * @returns Whether there was room. A large message that isn't text first needs {@linkcode reserve}.
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
   * Makes room for the whole message.
   *
   * @param size Its size in bytes.
   */
  reserve(size: number): void {
    this.#moveTo(allocateUninitialized(size));
  }

  /**
   * Decodes the bytes from {@linkcode add} if the message is a large text.
   *
   * @returns `false` if they are not valid UTF-8.
   */
  decode(): boolean {
    return !this.isText || this.#decodeLarge();
  }

  /**
   * Ends the message.
   *
   * @returns The payload or the text; `null` if the text is not valid UTF-8.
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
   * Decodes text as soon as it is large: decoding everything at the end would block the event loop, and this
   * way its bytes needn't be kept.
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
   * Grows the buffer in proportion to its content, so that growing takes linear time. It allocates the whole
   * message once 1/32 of it has arrived and its length is known; before, twice the size. Text needs room only
   * for the bytes that aren't decoded yet.
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
 * Collects a message that is being decompressed. The pieces arrive during the call of the decompressor, or
 * after it.
 */
export class InflatingMessage implements InflateEvents {
  /** Whether the call has returned. Only then is the end reported. */
  isLate = false;
  /** The failure; `null` if the message is valid; `undefined` before the end. */
  outcome: Failure | null | undefined = undefined;

  /** `null` once the message is abandoned. */
  #message: MessageInPieces | null;
  readonly #report: (failure: Failure | null) => void;

  /**
   * Creates a collector for one message.
   *
   * @param message Receives the pieces.
   * @param report Called with a failure, or with `null` at the end of the message if {@linkcode isLate} is
   * set.
   */
  constructor(message: MessageInPieces, report: (failure: Failure | null) => void) {
    this.#message = message;
    this.#report = report;
  }

  /** Drops the message: nothing more is reported. */
  abandon(): void {
    this.#message = null;
  }

  /** Takes the next piece. A large message that isn't text is taken once its size is known. */
  onInflated(bytes: Uint8Array): boolean {
    const message = this.#message;
    if (message === null) return true;
    if (!message.add(bytes)) return false;
    if (!message.decode()) this.#report(BAD_UTF8);
    return true;
  }

  /** Makes room for the whole message. */
  onInflatedSize(size: number): void {
    this.#message?.reserve(size);
  }

  /** The decompressor has finished the message. */
  onInflateEnd(error: unknown): void {
    if (this.#message === null) return;
    this.#message = null;
    this.outcome = error === null ? null : inflateFailure(error);
    if (this.isLate) this.#report(this.outcome);
  }
}
