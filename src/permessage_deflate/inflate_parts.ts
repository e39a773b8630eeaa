/** Decompression of a message while it arrives, in bounded memory. */

import { joined } from "../protocol/byte_queue.ts";
import type { InflatePartsEvents, PartsInflater } from "../protocol/message_deflate.ts";
import { InflateError } from "../protocol/message_deflate.ts";
import { INFLATED_BYTE_COST } from "../protocol/work_budget.ts";
import {
  END,
  inflateError,
  type InflateMeans,
  inflateShort,
  type InflateStream,
  isOver,
  MAX_STREAMS,
  PIECE,
  storedBlock,
  STREAM_COST,
  type Task,
} from "./inflate.ts";
import type { SlidingWindow } from "./sliding_window.ts";

const EMPTY = new Uint8Array(0);

/** Options of an {@linkcode InflationInParts}. */
export interface InflationInPartsOptions {
  /** The limit of the result, in bytes. */
  readonly maxLength: number;
  readonly receiver: InflatePartsEvents;
  /** The window, to which later messages may refer. */
  readonly window: SlidingWindow;
}

/**
 * A message that is decompressed as it arrives. A short message that is pushed at once takes one call.
 * Otherwise zlib gets one piece after the other, each when it has finished the one before. It is then at most
 * a few buffers ahead.
 */
export class InflationInParts implements PartsInflater, Task {
  readonly #means: InflateMeans;
  readonly #options: InflationInPartsOptions;
  /** The pushed pieces that zlib doesn't have; `END` is the last one. */
  #pieces: Uint8Array[] = [];
  /** The piece that zlib has taken last. */
  #piece: Uint8Array = EMPTY;
  #isWorking = false;
  #isPaused = false;
  #isOver = false;
  /** zlib's stream, and the number of payload bytes it took before `#piece`. */
  #stream: InflateStream | null = null;
  #written = 0;
  /**
   * The length of the window's stored block, and how many of the window's bytes are still to be cut off the
   * output.
   */
  #before = 0;
  #past = 0;
  #streams = 0;
  #length = 0;

  /**
   * Creates a message without content.
   *
   * @param means The platform's zlib and the turns.
   * @param options The limit, the receiver and the window.
   */
  constructor(means: InflateMeans, options: InflationInPartsOptions) {
    this.#means = means;
    this.#options = options;
  }

  push(bytes: Uint8Array, isLast: boolean): void {
    if (isLast && this.#streams === 0 && this.#pieces.length === 0 && this.#inflateAtOnce(bytes)) {
      return;
    }
    if (bytes.length > 0) this.#pieces.push(bytes);
    if (isLast) this.#pieces.push(END);
    this.run();
  }

  pause(): void {
    this.#isPaused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.run();
  }

  /** Continues until the budget of this turn is used up. */
  run(): void {
    const { turns } = this.#means;
    if (this.#isPaused || this.#isOver) return;
    if (turns.budget.left <= 0) return turns.add(this);
    this.#stream?.resume();
    this.#runStep(() => this.#next());
  }

  /** Stops: the result is no longer needed. */
  abandon(): void {
    this.#isOver = true;
    this.#pieces = [];
    this.#means.turns.delete(this);
    this.#stream?.destroy();
    this.#stream = null;
  }

  #runStep(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#end(error);
    }
  }

  #end(error: unknown): void {
    if (this.#isOver) return;
    this.abandon();
    this.#options.receiver.onInflateEnd(error);
  }

  /**
   * Decompresses a short message in one call.
   *
   * @returns Whether it was short.
   */
  #inflateAtOnce(bytes: Uint8Array): boolean {
    const { window, maxLength } = this.#options;
    try {
      if (bytes.length > 0) {
        const short = inflateShort(this.#means, bytes, window, maxLength);
        if (short === null || !isOver(short.consumed, bytes.length)) return false;
        this.#take(short.output);
      }
      this.#end(null);
    } catch (error) {
      this.#end(error);
    }
    return true;
  }

  #next(): void {
    if (this.#isWorking) return;
    if (this.#pieces.length === 0) return;
    const piece = this.#takePiece();
    const stream = this.#stream ?? this.#begin();
    this.#written += this.#piece.length;
    this.#piece = piece;
    this.#isWorking = true;
    if (piece === END) stream.end(END);
    else stream.write(piece, () => this.#onWritten(stream));
  }

  /** Returns the end, or all pieces before it, joined: a call for each small piece would take longer. */
  #takePiece(): Uint8Array {
    const pieces = this.#pieces;
    const hasEnd = pieces.at(-1) === END;
    if (pieces.length > (hasEnd ? 2 : 1)) {
      const content = hasEnd ? pieces.slice(0, -1) : pieces;
      const size = content.reduce((sum, it) => sum + it.length, 0);
      this.#pieces = hasEnd ? [END] : [];
      return joined(content, size);
    }
    return pieces.shift() ?? END;
  }

  #begin(): InflateStream {
    if (this.#streams++ === MAX_STREAMS) throw new InflateError("corrupt");
    const { zlib, turns } = this.#means;
    const { window } = this.#options;
    const stream = this.#stream = zlib.createInflateRaw({ chunkSize: PIECE });
    const before = window.length === 0 ? EMPTY : storedBlock(window);
    this.#before = before.length;
    this.#past = window.length;
    this.#written = 0;
    this.#piece = EMPTY;
    stream.on("data", (bytes) => this.#onData(stream, bytes));
    stream.on("end", () => this.#onEnd(stream));
    stream.on("error", (error) => this.#onError(stream, error));
    turns.spend(STREAM_COST);
    if (before.length > 0) stream.write(before);
    return stream;
  }

  #onWritten(stream: InflateStream): void {
    if (stream !== this.#stream) return;
    // Otherwise the stream has ended within the piece, and `#onEnd` follows.
    if (this.#consumed(stream) < this.#written + this.#piece.length) return;
    this.#isWorking = false;
    this.#continue();
  }

  #continue(): void {
    if (this.#pieces.length > 0) this.run();
    else this.#options.receiver.onInflateMore();
  }

  /** Returns how many bytes of the payload and of `END` this stream has read. */
  #consumed(stream: InflateStream): number {
    return stream.bytesWritten - this.#before;
  }

  #onData(stream: InflateStream, bytes: Uint8Array): void {
    if (stream !== this.#stream) return;
    const { turns } = this.#means;
    const past = Math.min(this.#past, bytes.length);
    this.#past -= past;
    turns.spend(INFLATED_BYTE_COST * bytes.length);
    this.#runStep(() => this.#take(bytes.subarray(past)));
    if (this.#isOver || this.#isPaused || turns.budget.left > 0) return;
    stream.pause();
    turns.add(this);
  }

  #take(output: Uint8Array): void {
    const { maxLength, receiver, window } = this.#options;
    this.#length += output.length;
    if (this.#length > maxLength) throw new InflateError("too-big");
    window.push(output);
    if (output.length > 0) receiver.onInflated(output);
  }

  /** RFC 7692 §7.2.3.4: blocks may follow one with BFINAL=1. zlib takes them for another stream. */
  #onEnd(stream: InflateStream): void {
    if (stream !== this.#stream) return;
    const consumed = this.#consumed(stream);
    stream.destroy();
    this.#stream = null;
    this.#isWorking = false;
    this.#runStep(() => {
      if (this.#piece === END) {
        if (isOver(consumed, this.#written)) return this.#end(null);
        throw new InflateError("corrupt");
      }
      const rest = this.#piece.subarray(consumed - this.#written);
      if (rest.length > 0) this.#pieces.unshift(rest);
      this.#continue();
    });
  }

  #onError(stream: InflateStream, error: unknown): void {
    if (stream === this.#stream) this.#end(inflateError(error));
  }
}
