/**
 * Messages that are delivered in parts as they arrive, because they are larger than `streamLargerThan`.
 *
 * @module
 */

import { compact, joined } from "./byte_queue.ts";
import { allocateUninitialized } from "./allocate_uninitialized.ts";
import { TEXT } from "./frame.ts";
import { applyMask } from "./mask.ts";
import type { InflatePartsEvents, PartsInflater } from "./message_deflate.ts";
import type { FrameInPieces, MessageOptions } from "./pieces.ts";
import { decodeInvalid, decodeWithin, lastBoundary } from "./utf8.ts";

/** With this many compressed bytes pending for the decompressor, reading stops. */
const MAX_PENDING = 0x1_0000;

const EMPTY = new Uint8Array(0);

/** Receives a message in parts. */
export interface LargeMessageEvents {
  /** A large message begins; its parts follow. */
  onLargeMessage(kind: "text" | "binary"): void;
  /**
   * The next part of its content has arrived.
   *
   * @param part Text, cut between two code points, or bytes; never empty.
   * @param size How many bytes of the message have arrived.
   */
  onPart(part: string | Uint8Array, size: number): void;
}

/** Copies and unmasks a piece of a frame's payload. */
function unmasked(frame: FrameInPieces, chunk: Uint8Array, start: number, end: number): Uint8Array {
  const bytes = allocateUninitialized(end - start);
  bytes.set(chunk.subarray(start, end));
  if (frame.masked) applyMask(bytes, 0, bytes.length, frame.key, frame.length - frame.remaining);
  return bytes;
}

/** A message whose content is delivered in parts. */
export class LargeMessage {
  /** The first byte of its first frame. */
  readonly flags: number;
  /** How many bytes of it have arrived. */
  size = 0;
  readonly #options: MessageOptions;
  readonly #events: LargeMessageEvents;
  #isSkipped = false;
  /** The bytes of an incomplete code point at the end. */
  #rest: Uint8Array = EMPTY;

  /**
   * Creates a message without content.
   *
   * @param flags The first byte of its first frame.
   * @param options The limit, the budget, and what to do with invalid text.
   * @param events Receives the parts.
   */
  constructor(flags: number, options: MessageOptions, events: LargeMessageEvents) {
    this.flags = flags;
    this.#options = options;
    this.#events = events;
  }

  get #isText(): boolean {
    return (this.flags & 0x0f) === TEXT;
  }

  /** Reports the start of the message. */
  begin(): void {
    this.#events.onLargeMessage(this.#isText ? "text" : "binary");
  }

  /** Delivers no more parts, but keeps counting bytes. */
  skip(): void {
    this.#isSkipped = true;
    this.#rest = EMPTY;
  }

  /**
   * Takes a piece of a frame's payload.
   *
   * @returns `false` if the message is text and not valid UTF-8.
   */
  append(frame: FrameInPieces, chunk: Uint8Array, start: number, end: number): boolean {
    if (!this.#isSkipped) return this.add(unmasked(frame, chunk, start, end));
    this.size += end - start;
    return true;
  }

  /** Takes text that is already decoded; `size` is its length in bytes of UTF-8. */
  addText(text: string, size: number): void {
    this.size += size;
    if (size > 0) this.#hand(text);
  }

  /**
   * Takes bytes, which belong to the message from now on.
   *
   * @returns `false` if the message is text and not valid UTF-8.
   */
  add(bytes: Uint8Array): boolean {
    this.size += bytes.length;
    if (this.#isSkipped || bytes.length === 0) return true;
    if (!this.#isText) {
      this.#hand(bytes);
      return true;
    }
    const rest = this.#rest;
    const all = rest.length === 0 ? bytes : joined([rest, bytes], rest.length + bytes.length);
    const end = lastBoundary(all, all.length);
    this.#rest = all.slice(end);
    return this.#decode(all, end);
  }

  /**
   * Ends the message.
   *
   * @returns `false` if the message is text and not valid UTF-8.
   */
  finish(): boolean {
    return this.#decode(this.#rest, this.#rest.length);
  }

  #decode(bytes: Uint8Array, end: number): boolean {
    if (end === 0) return true;
    const { budget, invalidText } = this.#options;
    const text = decodeWithin(bytes, 0, end, budget) ??
      decodeInvalid(bytes.subarray(0, end), invalidText);
    if (text !== null) this.#hand(text);
    return text !== null;
  }

  #hand(part: string | Uint8Array): void {
    if (!this.#isSkipped) this.#events.onPart(part, this.size);
  }
}

/** Receives the progress of a message that is decompressed in parts. */
export interface InflatingLargeEvents {
  /** All compressed bytes so far are decompressed. */
  onInflatedSoFar(): void;
  /**
   * The message has ended.
   *
   * @param bytes The whole message if it was small, `null` if it was delivered in parts.
   * @param error What the decompressor has thrown, or `null`.
   */
  onInflatedAll(bytes: Uint8Array | null, error: unknown): void;
  /** The message is text and not valid UTF-8. */
  onInvalid(): void;
}

/** A compressed message that is delivered whole or in parts, depending on its decompressed size. */
export class InflatingLarge implements InflatePartsEvents {
  /** The first byte of its first frame. */
  readonly flags: number;
  /** How many compressed bytes of it have arrived. */
  size = 0;
  /** The number of bytes that are not decompressed yet. */
  #pending = 0;
  #isEnded = false;
  /** Decompresses the message. The creator sets it. */
  inflater: PartsInflater | null = null;
  readonly #largerThan: number;
  readonly #large: LargeMessage;
  readonly #events: InflatingLargeEvents;
  /** The decompressed bytes, or `null` once the message is large. */
  #kept: Uint8Array[] | null = [];
  #keptSize = 0;
  #isDropped = false;

  /**
   * Creates a message without content.
   *
   * @param large Delivers the parts if the message is large.
   * @param largerThan A message with more bytes than this is large.
   * @param events Receives the progress.
   */
  constructor(large: LargeMessage, largerThan: number, events: InflatingLargeEvents) {
    this.flags = large.flags;
    this.#large = large;
    this.#largerThan = largerThan;
    this.#events = events;
  }

  /** Delivers no more parts. The message is still decompressed: later messages may refer to it. */
  skip(): void {
    this.#large.skip();
  }

  /** Drops the message: no event follows. */
  abandon(): void {
    this.#isDropped = true;
  }

  /** Whether so much is pending that the protocol must stop reading. */
  get isBusy(): boolean {
    return this.#isEnded || this.#pending >= MAX_PENDING;
  }

  /** Takes a piece of a frame's payload. */
  append(frame: FrameInPieces, chunk: Uint8Array, start: number, end: number): boolean {
    this.push(unmasked(frame, chunk, start, end), false);
    return true;
  }

  /** Takes compressed bytes. */
  push(bytes: Uint8Array, isLast: boolean): void {
    this.size += bytes.length;
    if (bytes.length === 0 && !isLast) return;
    this.#pending += bytes.length;
    this.#isEnded ||= isLast;
    this.inflater?.push(bytes, isLast);
  }

  onInflated(bytes: Uint8Array): void {
    if (this.#isDropped) return;
    const kept = this.#kept;
    if (kept !== null) {
      this.#keptSize += bytes.length;
      kept.push(compact(bytes));
      if (this.#keptSize > this.#largerThan) this.#becomeLarge(kept);
    } else if (!this.#large.add(compact(bytes))) this.#events.onInvalid();
  }

  #becomeLarge(kept: Uint8Array[]): void {
    this.#kept = null;
    this.#large.begin();
    for (const bytes of kept) {
      if (this.#isDropped || this.#large.add(bytes)) continue;
      return this.#events.onInvalid();
    }
  }

  onInflateMore(): void {
    this.#pending = 0;
    if (!this.#isDropped) this.#events.onInflatedSoFar();
  }

  onInflateEnd(error: unknown): void {
    if (this.#isDropped) return;
    const isValid = this.#kept !== null || error !== null || this.#large.finish();
    // The listener of the last part may have ended the connection.
    if (this.#isDropped) return;
    this.#isDropped = true;
    if (!isValid) this.#events.onInvalid();
    else this.#events.onInflatedAll(this.#kept && joined(this.#kept, this.#keptSize), error);
  }
}
