/**
 * Finds the frames in what a transport delivers, whatever the chunks.
 *
 * @module
 */

import { copyOf } from "../realm/bytes.ts";
import { ByteQueue } from "./byte_queue.ts";
import { decodeHeader, FrameHeader, MAX_HEADER_LENGTH } from "./frame.ts";
import { FRAME_COST, LARGEST_PIECE, type WorkBudget } from "./work_budget.ts";

/** What is told of frames, in order. A method may stop or pause the reader that calls it. */
export interface FrameHandler {
  /**
   * A header is in.
   *
   * @param header The header; it is filled again for the next frame.
   * @returns Whether the frame is legal. If not, the reader must be stopped before this returns.
   */
  onHeader(header: FrameHeader): boolean;

  /**
   * The frame's payload is in, in one piece.
   *
   * @param header The frame's header.
   * @param chunk Where the payload is; it belongs to the handler from `start` to `end`.
   * @param start Where the payload begins.
   * @param end Where it ends.
   */
  onFrame(header: FrameHeader, chunk: Uint8Array, start: number, end: number): void;

  /**
   * The frame's payload will come in parts.
   *
   * @param header The frame's header.
   */
  onBegin(header: FrameHeader): void;

  /**
   * A part of the payload is in, after {@linkcode onBegin}.
   *
   * @param header The frame's header.
   * @param chunk Where the part is; it may only be read.
   * @param start Where the part begins.
   * @param end Where it ends.
   * @param phase How many bytes of the payload came before.
   */
  onPart(header: FrameHeader, chunk: Uint8Array, start: number, end: number, phase: number): void;
}

const EMPTY = new Uint8Array(0);

/** Why nothing is read, as bits of a number. */
const PAUSED = 1;
const BUSY = 2;
const STOPPED = 4;

/**
 * Splits the input of a connection into frames: all frames of a chunk in one loop, synchronously,
 * as long as the budget lasts. Between chunks it keeps at most a part of a header; when it may not
 * read on, it keeps bytes. What a handler throws comes out of the call that led to it, and the bytes
 * behind that frame are kept for the next call.
 */
export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #ownsChunks: boolean;
  readonly #budget: WorkBudget;
  readonly #header: FrameHeader = new FrameHeader();
  /** Made when something has to wait. */
  #input: ByteQueue | null = null;

  /** A header that came in parts. */
  #head: Uint8Array = EMPTY;
  #headLength = 0;

  /** How many bytes are missing of the payload of the frame that `#header` describes. */
  #remaining = 0;

  /** How much of the chunk in hand is read. */
  #at = 0;
  #reading = false;
  /** What of `PAUSED`, `BUSY` and `STOPPED` is so. */
  #halted = 0;

  /**
   * Makes the reader of a connection.
   *
   * @param handler What is told of frames.
   * @param ownsChunks Whether chunks given to {@linkcode receive} may be written to and kept.
   * @param budget What reading costs is taken from it; when none is left, nothing is read.
   */
  constructor(handler: FrameHandler, ownsChunks: boolean, budget: WorkBudget) {
    this.#handler = handler;
    this.#ownsChunks = ownsChunks;
    this.#budget = budget;
  }

  /** How many bytes were received and not read. */
  get pending(): number {
    return this.#input === null ? 0 : this.#input.size;
  }

  /** Whether input is left unread although the reader isn't paused. */
  get isBehind(): boolean {
    return (this.#halted & BUSY) !== 0 || (this.#halted === 0 && this.pending > 0);
  }

  /** Whether {@linkcode stop} was called. */
  get isStopped(): boolean {
    return (this.#halted & STOPPED) !== 0;
  }

  /** Whether it waits for a message to be whole: see {@linkcode block}. */
  get isBusy(): boolean {
    return (this.#halted & BUSY) !== 0;
  }

  /**
   * Reads a chunk, and all that waited before it. Called from within a handler it only queues the
   * chunk, for the call that is under way to read it.
   *
   * @param chunk The bytes, however many: a plain `Uint8Array`, no `Buffer` of Node's.
   */
  receive(chunk: Uint8Array): void {
    if (this.isStopped) return;
    const mayRead = !this.#reading && this.#halted === 0 && this.#budget.left > 0;
    if (mayRead && this.#input === null) this.#read(chunk, this.#ownsChunks);
    else (this.#input ??= new ByteQueue()).push(chunk, this.#ownsChunks);
    this.proceed();
  }

  /** Stops reading behind the frame in hand, if any. */
  pause(): void {
    this.#halted |= PAUSED;
  }

  /** Goes on reading, synchronously unless called from within a handler. */
  resume(): void {
    this.#halted &= ~PAUSED;
    this.proceed();
  }

  /** Nothing is read until {@linkcode unblock}: the message of the frame in hand isn't whole yet. */
  block(): void {
    this.#halted |= BUSY;
  }

  /** The message is whole, or dropped. {@linkcode proceed} goes on. */
  unblock(): void {
    this.#halted &= ~BUSY;
  }

  /** Stops for good and drops what waits. */
  stop(): void {
    this.#halted = STOPPED;
    this.#input = null;
  }

  /** Reads what waits, as far as it may. */
  proceed(): void {
    while (!this.#reading && this.#halted === 0 && this.#input !== null) {
      if (this.#input.size === 0) this.#input = null;
      else if (this.#budget.left > 0) this.#read(this.#input.shift(), true);
      else return;
    }
  }

  #mayReadOn(chunk: Uint8Array): boolean {
    return this.#at < chunk.length && this.#halted === 0 && this.#budget.left > 0;
  }

  #read(chunk: Uint8Array, owned: boolean): void {
    let bytes = chunk;
    let mine = owned;
    this.#reading = true;
    this.#at = 0;
    try {
      while (this.#remaining > 0 && this.#mayReadOn(bytes)) this.#continuePayload(bytes);
      if (!mine && this.#at < bytes.length) {
        bytes = copyOf(bytes.subarray(this.#at));
        mine = true;
        this.#at = 0;
      }
      if (this.#headLength > 0) this.#continueHeader(bytes);
      while (this.#mayReadOn(bytes)) this.#next(bytes);
    } finally {
      this.#reading = false;
      if (this.#at < bytes.length && !this.isStopped) {
        (this.#input ??= new ByteQueue()).unshift(bytes.subarray(this.#at), mine);
      }
    }
  }

  #next(chunk: Uint8Array): void {
    if (this.#remaining > 0) return this.#continuePayload(chunk);
    const size = decodeHeader(chunk, this.#at, chunk.length, this.#header);
    if (size > 0) return this.#startFrame(chunk, this.#at + size);
    this.#head = new Uint8Array(MAX_HEADER_LENGTH);
    this.#head.set(chunk.subarray(this.#at));
    this.#headLength = chunk.length - this.#at;
    this.#at = chunk.length;
  }

  /** The longest header has as many bytes as `#head`, so a header that isn't whole takes all. */
  #continueHeader(chunk: Uint8Array): void {
    const before = this.#headLength;
    const part = chunk.subarray(0, MAX_HEADER_LENGTH - before);
    this.#head.set(part, before);
    const size = decodeHeader(this.#head, 0, before + part.length, this.#header);
    if (size === 0) {
      this.#headLength += part.length;
      this.#at = chunk.length;
      return;
    }
    this.#head = EMPTY;
    this.#headLength = 0;
    this.#startFrame(chunk, size - before);
  }

  /** A frame that is there whole is handed over whole, unless it is too large for one piece of work. */
  #startFrame(chunk: Uint8Array, start: number): void {
    const header = this.#header;
    this.#at = start;
    this.#budget.left -= FRAME_COST;
    if (!this.#handler.onHeader(header)) return;
    const { length } = header;
    const end = start + length;
    if (end <= chunk.length && length <= LARGEST_PIECE) {
      this.#at = end;
      this.#budget.left -= length;
      this.#handler.onFrame(header, chunk, start, end);
      return;
    }
    this.#remaining = length;
    this.#handler.onBegin(header);
    this.#continuePayload(chunk);
  }

  #continuePayload(chunk: Uint8Array): void {
    const start = this.#at;
    const phase = this.#header.length - this.#remaining;
    const size = Math.min(this.#remaining, chunk.length - start, LARGEST_PIECE);
    this.#remaining -= size;
    this.#at = start + size;
    this.#budget.left -= size;
    this.#handler.onPart(this.#header, chunk, start, start + size, phase);
  }
}
