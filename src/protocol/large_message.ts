/**
 * Messages that are handed on in parts as they arrive, because they are larger than their owner wants to hold.
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

/** So many compressed bytes wait for the decompressor, and no more are read. */
const MAX_PENDING = 0x1_0000;

const EMPTY = new Uint8Array(0);

/** Who gets a message in parts. */
export interface LargeMessageEvents {
  /** A large message begins; its parts follow. */
  onLargeMessage(kind: "text" | "binary"): void;
  /**
   * The next part of its content.
   *
   * @param part Text, cut between two code points, or bytes; never empty.
   * @param size How many bytes of the message have arrived.
   */
  onPart(part: string | Uint8Array, size: number): void;
}

/** A copy of a piece of a frame's payload, unmasked. */
function unmasked(frame: FrameInPieces, chunk: Uint8Array, start: number, end: number): Uint8Array {
  const bytes = allocateUninitialized(end - start);
  bytes.set(chunk.subarray(start, end));
  if (frame.masked) applyMask(bytes, 0, bytes.length, frame.key, frame.length - frame.remaining);
  return bytes;
}

/** A message whose content is handed on in parts. */
export class LargeMessage {
  /** The first byte of its first frame. */
  readonly flags: number;
  /** How many bytes of it have arrived. */
  size = 0;
  readonly #options: MessageOptions;
  readonly #events: LargeMessageEvents;
  #isSkipped = false;
  /** The bytes of a code point that isn't whole. */
  #rest: Uint8Array = EMPTY;

  /**
   * Begins with nothing.
   *
   * @param flags The first byte of its first frame.
   * @param options See {@linkcode MessageOptions}.
   * @param events Gets the parts.
   */
  constructor(flags: number, options: MessageOptions, events: LargeMessageEvents) {
    this.flags = flags;
    this.#options = options;
    this.#events = events;
  }

  get #isText(): boolean {
    return (this.flags & 0x0f) === TEXT;
  }

  /** Reports that it begins. */
  begin(): void {
    this.#events.onLargeMessage(this.#isText ? "text" : "binary");
  }

  /** Hands on nothing any more, and goes on counting. */
  skip(): void {
    this.#isSkipped = true;
    this.#rest = EMPTY;
  }

  /**
   * Takes a piece of a frame's payload.
   *
   * @returns Whether the message, if it is text, is still UTF-8.
   */
  append(frame: FrameInPieces, chunk: Uint8Array, start: number, end: number): boolean {
    if (!this.#isSkipped) return this.add(unmasked(frame, chunk, start, end));
    this.size += end - start;
    return true;
  }

  /** Takes text that is decoded already, and how many bytes it had. */
  addText(text: string, size: number): void {
    this.size += size;
    if (size > 0) this.#hand(text);
  }

  /**
   * Takes bytes, which are its own from now on.
   *
   * @returns Whether the message, if it is text, is still UTF-8.
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
   * @returns Whether it is UTF-8, if it is text.
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

/** What a message that is decompressed in parts reports to the protocol. */
export interface InflatingLargeEvents {
  /** All that was given to it is decompressed. */
  onInflatedSoFar(): void;
  /** It ends: with bytes if it was small, with `null` if it was handed on in parts, or with what was thrown. */
  onInflatedAll(bytes: Uint8Array | null, error: unknown): void;
  /** It isn't UTF-8. */
  onInvalid(): void;
}

/** A compressed message that may be large: what it is decompressed to decides. */
export class InflatingLarge implements InflatePartsEvents {
  /** The first byte of its first frame. */
  readonly flags: number;
  /** How many compressed bytes of it have arrived. */
  size = 0;
  /** How much was given to it that isn't decompressed yet. */
  #pending = 0;
  #isEnded = false;
  /** Decompresses it; set by who creates it. */
  inflater: PartsInflater | null = null;
  readonly #largerThan: number;
  readonly #large: LargeMessage;
  readonly #events: InflatingLargeEvents;
  /** What is decompressed, until it is large; then `null`. */
  #kept: Uint8Array[] | null = [];
  #keptSize = 0;
  #isDropped = false;

  /**
   * Begins with nothing.
   *
   * @param large What it becomes if it is large.
   * @param largerThan How large a message is that isn't, at most, in bytes.
   * @param events See {@linkcode InflatingLargeEvents}.
   */
  constructor(large: LargeMessage, largerThan: number, events: InflatingLargeEvents) {
    this.flags = large.flags;
    this.#large = large;
    this.#largerThan = largerThan;
    this.#events = events;
  }

  /** Hands on nothing any more. It is still decompressed: later messages may refer to it. */
  skip(): void {
    this.#large.skip();
  }

  /** It isn't wanted any more: nothing is reported. */
  abandon(): void {
    this.#isDropped = true;
  }

  /** Whether it has so much to do that no more is to be read. */
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
    // The last part's listener may have ended the connection.
    if (this.#isDropped) return;
    this.#isDropped = true;
    if (!isValid) this.#events.onInvalid();
    else this.#events.onInflatedAll(this.#kept && joined(this.#kept, this.#keptSize), error);
  }
}
