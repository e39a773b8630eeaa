/**
 * Makes messages of frames: joins fragments, decompresses, decodes text
 * ({@link https://www.rfc-editor.org/rfc/rfc6455#section-6.2 RFC 6455 §6.2}).
 *
 * @module
 */

import { bytesToFill } from "./bytes_to_fill.ts";
import { compact } from "./byte_queue.ts";
import { BAD_UTF8, type Failure, MESSAGE_TOO_BIG } from "./failure.ts";
import { checkHeader, CONTINUATION, type FrameHeader, RSV1, type Side, TEXT } from "./frame.ts";
import type { FrameHandler } from "./frame_reader.ts";
import { applyMask } from "./mask.ts";
import { inflateFailure, type InflateReceiver, type MessageDeflate } from "./message_deflate.ts";
import { decodeText, lastBoundary, Utf8Validator } from "./utf8.ts";
import { CONTROL_COST, LARGEST_PIECE, TEXT_BYTE_COST, type WorkBudget } from "./work_budget.ts";

/** What frames turned out to be. */
export interface MessageEvents {
  /** A whole message. */
  onMessage(message: string | Uint8Array): void;
  /** A whole control frame; its payload is the receiver's. */
  onControl(opcode: number, payload: Uint8Array): void;
  /** A rule was broken; the reader must be stopped before this returns. */
  onFailure(failure: Failure): void;
  /** A message is being decompressed in pieces: no frame may come until `onFinished`. */
  onUnfinished(): void;
  /** That message was handed over, has failed, or is dropped. */
  onFinished(): void;
}

/** What {@linkcode MessageAssembler} needs to know. */
export interface MessageAssemblerOptions {
  /** Whose frames these are not: the side that receives them. */
  readonly side: Side;
  /** The largest message allowed, in bytes, before and after decompressing. */
  readonly maxMessageSize: number;
  /** Compression, or `null` when none was agreed. */
  readonly deflate: MessageDeflate | null;
  /** What decoding costs is taken from it. */
  readonly budget: WorkBudget;
}

/** The least room that a message in parts gets, in bytes. */
const LEAST_ROOM = 0x400;

/** Up to this size a buffer grows by being copied: more would take too long at once. */
const MOST_GROWN: number = 4 * LARGEST_PIECE;

const EMPTY = new Uint8Array(0);

/**
 * Joins the frames of a connection to messages. A message that comes in one piece is a view of the
 * chunk it came in; one in many pieces is copied into a buffer that grows with what has arrived,
 * never with what a header announces. Text in pieces is checked piece by piece, and what is large is
 * decoded as it arrives.
 */
export class MessageAssembler implements FrameHandler, InflateReceiver {
  readonly #events: MessageEvents;
  readonly #maxSize: number;
  readonly #deflate: MessageDeflate | null;
  readonly #budget: WorkBudget;
  readonly #context: { masked: boolean; compressible: boolean; unfinished: boolean };

  /** The message in pieces: its first byte on the wire, its payload so far. */
  #flags = 0;
  #buffer: Uint8Array = EMPTY;
  #size = 0;
  /** What of a large text is decoded, and how many bytes that were; they aren't in the buffer. */
  #text = "";
  #decoded = 0;
  #validator: Utf8Validator | null = null;

  /** A control frame in pieces. It may come between the pieces of a message. */
  #control: Uint8Array = EMPTY;

  #dropping = false;
  /** The message is being decompressed. */
  #inflating = false;
  /** Frames are held back meanwhile, as that takes long. */
  #unfinished = false;
  /** How decompressing in pieces went that didn't take long. */
  #inflated: { readonly error: unknown } | null = null;

  /**
   * Makes the receiving half of a connection's messages.
   *
   * @param options What to know.
   * @param events What is told, synchronously.
   */
  constructor(options: MessageAssemblerOptions, events: MessageEvents) {
    this.#events = events;
    this.#maxSize = options.maxMessageSize;
    this.#deflate = options.deflate;
    this.#budget = options.budget;
    this.#context = {
      masked: options.side === "server",
      compressible: options.deflate !== null,
      unfinished: false,
    };
  }

  /** From now on messages are dropped, unlooked at; frames are still checked. */
  drop(): void {
    this.#dropping = true;
    this.#reset();
    if (!this.#inflating) return;
    this.#deflate?.abandon?.();
    this.#endInflating();
  }

  /**
   * Checks a header by the rules for frames and by the limit for messages.
   *
   * @param header The header.
   * @returns Whether the frame is legal; if not, the failure has been told.
   */
  onHeader(header: FrameHeader): boolean {
    const failure = checkHeader(header, this.#context) ?? this.#checkSize(header);
    if (failure !== null) {
      this.#events.onFailure(failure);
      return false;
    }
    if (!header.isControl) this.#context.unfinished = !header.fin;
    return true;
  }

  /**
   * Takes a frame that is there in one piece: a message of one frame becomes a view of the chunk.
   *
   * @param header The frame's header.
   * @param chunk Where the payload is; it is unmasked in place.
   * @param start Where the payload begins.
   * @param end Where it ends.
   */
  onFrame(header: FrameHeader, chunk: Uint8Array, start: number, end: number): void {
    if (header.isControl || this.#dropping || !header.fin || header.opcode === CONTINUATION) {
      this.onBegin(header);
      this.onPart(header, chunk, start, end, 0);
      return;
    }
    if (header.masked) applyMask(chunk, start, end, header.key, 0);
    this.#deliver(header.flags, chunk, start, end);
  }

  /**
   * Makes ready for a frame that comes in parts.
   *
   * @param header The frame's header.
   */
  onBegin(header: FrameHeader): void {
    if (header.isControl) {
      this.#control = new Uint8Array(header.length);
    } else if (header.opcode !== CONTINUATION && !this.#dropping) {
      this.#flags = header.flags;
      const checked = header.opcode === TEXT && (header.flags & RSV1) === 0;
      this.#validator = checked ? new Utf8Validator() : null;
    }
  }

  /**
   * Takes a part of a frame's payload, by copying it.
   *
   * @param header The frame's header.
   * @param chunk Where the part is; it is only read.
   * @param start Where the part begins.
   * @param end Where it ends.
   * @param phase How many bytes of the payload came before.
   */
  onPart(
    header: FrameHeader,
    chunk: Uint8Array,
    start: number,
    end: number,
    phase: number,
  ): void {
    const last = phase + end - start === header.length;
    if (header.isControl) {
      copyUnmasked(header, chunk, start, end, phase, this.#control, phase);
      if (last) this.#finishControl(header.opcode);
    } else if (!this.#dropping) {
      if (!this.#append(header, chunk, start, end, phase)) this.#events.onFailure(BAD_UTF8);
      else if (last && header.fin) this.#finish();
    }
  }

  /**
   * RFC 6455 §10.4: the limit is for the message. What would be dropped may have any length that
   * can be counted; what can't be counted is too big for everybody.
   */
  #checkSize(header: FrameHeader): Failure | null {
    if (header.isControl) return null;
    const max = this.#dropping ? Number.MAX_SAFE_INTEGER : this.#maxSize;
    return this.#decoded + this.#size + header.length > max ? MESSAGE_TOO_BIG : null;
  }

  #append(
    header: FrameHeader,
    chunk: Uint8Array,
    start: number,
    end: number,
    phase: number,
  ): boolean {
    const at = this.#size;
    const size = at + end - start;
    if (size > this.#buffer.length) {
      this.#grow(size, header.fin ? at + header.length - phase : Infinity);
    }
    copyUnmasked(header, chunk, start, end, phase, this.#buffer, at);
    this.#size = size;
    if (this.#validator === null) return true;
    return this.#validator.push(this.#buffer, at, size) && this.#decodeLarge();
  }

  /**
   * Decodes text as soon as it is large: that is no work for a single turn, and its bytes needn't be
   * kept.
   *
   * @returns Whether it is UTF-8.
   */
  #decodeLarge(): boolean {
    const size = this.#size;
    if (size < LARGEST_PIECE) return true;
    const end = lastBoundary(this.#buffer, size);
    const text = this.#decode(this.#buffer, 0, end);
    if (text === null) return false;
    this.#text += text;
    this.#decoded += end;
    this.#buffer.copyWithin(0, end, size);
    this.#size = size - end;
    return true;
  }

  /** ASCII, which is decoded fast, has as many characters as bytes. */
  #decode(bytes: Uint8Array, start: number, end: number): string | null {
    const size = end - start;
    const text = decodeText(bytes, start, end);
    this.#budget.left -= text?.length === size ? size : TEXT_BYTE_COST * size;
    return text;
  }

  /**
   * Room in proportion to what is here, so that growing costs linear time: all of a message whose
   * end is in sight, when a sixteenth of it has arrived; till then, twice as much. Text needs room
   * for what isn't decoded yet.
   */
  #grow(size: number, expected: number): void {
    const isLargeText = this.#validator !== null && expected < Infinity;
    const needed = isLargeText ? Math.max(size, Math.min(expected, LARGEST_PIECE)) : expected;
    const twice = Math.min(2 * size, this.#maxSize);
    const grown = needed <= 16 * size
      ? bytesToFill(needed)
      : new Uint8Array(Math.max(twice, Math.min(needed, LEAST_ROOM)));
    this.#moveTo(grown);
  }

  #moveTo(buffer: Uint8Array): void {
    buffer.set(this.#buffer.subarray(0, this.#size));
    this.#buffer = buffer;
  }

  #finishControl(opcode: number): void {
    const payload = this.#control;
    this.#control = EMPTY;
    this.#budget.left -= CONTROL_COST;
    this.#events.onControl(opcode, payload);
  }

  #finish(): void {
    const flags = this.#flags;
    const before = this.#text;
    const payload = compact(this.#buffer.subarray(0, this.#size));
    this.#reset();
    if (before === "") this.#deliver(flags, payload, 0, payload.length);
    else this.#deliverText(before, payload, 0, payload.length);
  }

  #reset(): void {
    this.#buffer = EMPTY;
    this.#size = 0;
    this.#validator = null;
    this.#text = "";
    this.#decoded = 0;
  }

  #deliver(flags: number, bytes: Uint8Array, start: number, end: number): void {
    const deflate = (flags & RSV1) === 0 ? null : this.#deflate;
    if (deflate !== null) return this.#deliverCompressed(deflate, flags, bytes, start, end);
    if ((flags & 0x0f) !== TEXT) return this.#events.onMessage(bytes.subarray(start, end));
    this.#deliverText("", bytes, start, end);
  }

  #deliverText(before: string, bytes: Uint8Array, start: number, end: number): void {
    const text = this.#decode(bytes, start, end);
    if (text === null) this.#events.onFailure(BAD_UTF8);
    else this.#events.onMessage(before + text);
  }

  #deliverCompressed(
    deflate: MessageDeflate,
    flags: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    let payload: Uint8Array | null;
    this.#flags = flags & ~RSV1;
    this.#inflating = true;
    try {
      payload = deflate.decompress(bytes.subarray(start, end), this.#maxSize, this);
    } catch (error) {
      this.#inflating = false;
      this.#events.onFailure(inflateFailure(error));
      return;
    }
    const inflated = this.#inflated;
    if (payload !== null) {
      this.#inflating = false;
      this.#deliver(this.#flags, payload, 0, payload.length);
    } else if (inflated !== null) {
      this.#inflated = null;
      this.#finishInflating(inflated.error);
    } else if (this.#inflating) {
      this.#unfinished = true;
      this.#events.onUnfinished();
    }
  }

  // What the decompressor tells.

  /** The next piece of a message is decompressed. What is large is taken when all its size is known. */
  onInflated(bytes: Uint8Array): boolean {
    if (!this.#inflating) return true;
    const size = this.#size + bytes.length;
    const isText = (this.#flags & 0x0f) === TEXT;
    if (size > this.#buffer.length) {
      if (size > MOST_GROWN && !isText) return false;
      this.#grow(size, Infinity);
    }
    this.#buffer.set(bytes, this.#size);
    this.#size = size;
    if (isText && !this.#decodeLarge()) this.#events.onFailure(BAD_UTF8);
    return true;
  }

  /** All the size of a message that is being decompressed. */
  onInflatedSize(size: number): void {
    if (this.#inflating) this.#moveTo(bytesToFill(size));
  }

  /** All of a message is decompressed. */
  onInflateEnd(error: unknown): void {
    if (!this.#inflating) return;
    if (this.#unfinished) this.#finishInflating(error);
    else this.#inflated = { error };
  }

  #finishInflating(error: unknown): void {
    try {
      if (error === null) this.#finish();
      else this.#events.onFailure(inflateFailure(error));
    } finally {
      this.#endInflating();
    }
  }

  #endInflating(): void {
    this.#inflating = false;
    if (!this.#unfinished) return;
    this.#unfinished = false;
    this.#events.onFinished();
  }
}

/** Copies a part of a frame's payload, unmasked, and leaves the chunk as it is. */
function copyUnmasked(
  header: FrameHeader,
  chunk: Uint8Array,
  start: number,
  end: number,
  phase: number,
  target: Uint8Array,
  at: number,
): void {
  target.set(chunk.subarray(start, end), at);
  if (header.masked) applyMask(target, at, at + end - start, header.key, phase);
}
