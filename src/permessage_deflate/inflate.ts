/**
 * The decompressor of messages, over the platform's zlib.
 *
 * The window of earlier messages stands before a message as a stored block (RFC 1951 §3.2.4) and is
 * cut off the result: a preset dictionary would do the same, but not every platform heeds it.
 */

import { compact } from "../protocol/byte_queue.ts";
import { InflateError, type InflateEvents } from "../protocol/message_deflate.ts";
import { INFLATE_COST, INFLATED_BYTE_COST, type WorkBudget } from "../protocol/work_budget.ts";
import { SlidingWindow } from "./sliding_window.ts";

/** RFC 7692 §7.2.1: an empty stored block, aligned to a byte, ends a message and is not sent. */
export const TAIL_LENGTH: number = 4;

/**
 * What is put behind a message: the end that wasn't sent (RFC 7692 §7.2.2), and an empty final
 * block. A message that is cut short doesn't reach the latter, and so is noticed.
 */
export const END: Uint8Array = Uint8Array.of(0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff);

/** A stored block's header: one byte, the length, and the length's complement. */
const STORED_HEADER = 5;

const MAX_WINDOW = 1 << 15;

const EMPTY = new Uint8Array(0);

/** Room before a message for a window as a stored block. */
const ROOM = STORED_HEADER + MAX_WINDOW;

/** A larger scratch buffer is dropped after use. */
const KEPT_SCRATCH = 256 * 1024;

/**
 * How many DEFLATE streams (runs of blocks up to one with BFINAL=1) a message may be made of. Each
 * costs a call, so a peer must not have a million of them for two bytes each.
 */
export const MAX_STREAMS = 1000;

/** Input and output of a call that doesn't take long. */
const SHORT_INPUT: number = 64 * 1024;
const SHORT_OUTPUT: number = 1024 * 1024;

/** What making zlib's streaming object costs, beside what it does: it has buffers of its own. */
export const STREAM_COST: number = 8 * INFLATE_COST;

/** How much a streaming object gives at a time. */
export const PIECE: number = 128 * 1024;

/** The part of a streaming object of node:zlib that is used. */
export interface InflateStream {
  /** How much was read of what was written. */
  readonly bytesWritten: number;
  write(bytes: Uint8Array, onWritten?: () => void): unknown;
  end(bytes: Uint8Array): unknown;
  pause(): unknown;
  resume(): unknown;
  destroy(): unknown;
  on(event: "data", listener: (bytes: Uint8Array) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
}

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
  /** Decompresses in pieces. */
  createInflateRaw(options: object): InflateStream;
}

/** Work that goes on in a later turn of the event loop. */
export interface Task {
  run(): void;
}

/** What a decompressor needs of the turns of the event loop. */
export interface InflateTurns {
  /** What is left of this turn. */
  readonly budget: WorkBudget;
  /** Takes what some work has cost from the budget. */
  spend(cost: number): void;
  /** Runs a task in a later turn. */
  add(task: Task): void;
  /** Forgets a task. */
  delete(task: Task): void;
}

/** What decompresses, and where work goes on that is too much for one turn. */
export interface InflateMeans {
  readonly zlib: Zlib;
  readonly turns: InflateTurns;
}

/**
 * The decompressor of one direction of one connection. A message is decompressed in one call, unless
 * that could take long: then in pieces, by later turns of the event loop.
 */
export class Decompressor {
  readonly #means: InflateMeans;
  readonly #window: SlidingWindow | null;
  /** What takes long. */
  #inflation: { abandon(): void } | null = null;

  /**
   * Makes a decompressor.
   *
   * @param means What does the work.
   * @param bits The base-2 logarithm of the window in bytes, 8–15; `null` when none is kept.
   */
  constructor(means: InflateMeans, bits: number | null) {
    this.#means = means;
    this.#window = bits === null ? null : new SlidingWindow(1 << bits);
  }

  /** See {@linkcode MessageDeflate.decompress}. */
  decompress(
    payload: Uint8Array,
    maxLength: number,
    receiver: InflateEvents,
  ): Uint8Array | null {
    // An empty message is a single zero byte (RFC 7692 §7.2.3.6); be liberal with one without it.
    if (payload.length === 0) return new Uint8Array(0);
    const window = this.#window;
    const first = inflateShort(this.#means, payload, window, maxLength);
    if (first !== null && isOver(first.consumed, payload.length)) {
      window?.push(first.output);
      return first.output;
    }
    const inflation = this.#inflation = new LongInflation(this.#means, payload, {
      maxLength,
      receiver,
      window: window ?? new SlidingWindow(MAX_WINDOW),
    });
    inflation.run();
    return null;
  }

  /**
   * See {@linkcode MessageDeflate.inflateInParts}.
   *
   * @param create Creates what decompresses with a window.
   */
  inflateInParts<T extends { abandon(): void }>(
    create: (means: InflateMeans, window: SlidingWindow) => T,
  ): T {
    const inflation = create(this.#means, this.#window ?? new SlidingWindow(MAX_WINDOW));
    this.#inflation = inflation;
    return inflation;
  }

  /** See {@linkcode MessageDeflate.abandon}. */
  abandon(): void {
    this.#inflation?.abandon();
    this.#inflation = null;
  }
}

/** One DEFLATE stream, inflated. */
export interface Inflated {
  readonly output: Uint8Array;
  /** How much was read of the payload and the {@linkcode END} behind it. */
  readonly consumed: number;
}

/**
 * Inflates the first stream of a payload in one call.
 *
 * @returns It, or `null` when the input or the output is too long for that.
 */
export function inflateShort(
  { zlib, turns }: InflateMeans,
  payload: Uint8Array,
  window: SlidingWindow | null,
  maxLength: number,
): Inflated | null {
  if (payload.length > SHORT_INPUT) return null;
  const past = window === null ? 0 : window.length;
  const most = Math.min(maxLength, SHORT_OUTPUT);
  const input = prepare(payload);
  const from = window === null || past === 0 ? ROOM : writeStored(input, window);
  const estimate = Math.max(1024, Math.min(4 * payload.length, 64 * 1024));
  turns.spend(INFLATE_COST + past);
  let result: ReturnType<Zlib["inflateRawSync"]>;
  try {
    result = zlib.inflateRawSync(input.subarray(from), {
      info: true,
      maxOutputLength: Math.max(past + most, 1),
      chunkSize: chunkSize(past + estimate),
    });
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== "ERR_BUFFER_TOO_LARGE") throw inflateError(cause);
    return tooLong(turns, most, maxLength);
  }
  const { buffer, engine } = result;
  const length = buffer.length - past;
  // A limit of 0 is none to zlib.
  if (length > most) return tooLong(turns, most, maxLength);
  turns.spend(INFLATED_BYTE_COST * length);
  const output = compact(new Uint8Array(buffer.buffer, buffer.byteOffset + past, length));
  return { output, consumed: engine.bytesWritten - (ROOM - from) };
}

/** The output is longer than what one call may give. */
function tooLong(turns: InflateTurns, most: number, maxLength: number): null {
  turns.spend(INFLATED_BYTE_COST * most);
  if (most < maxLength) return null;
  throw new InflateError("too-big");
}

/** What a failure of zlib's means. */
export function inflateError(cause: unknown): unknown {
  const { code } = cause as { code?: unknown };
  const isCorrupt = code === "Z_DATA_ERROR" || code === "Z_BUF_ERROR";
  return isCorrupt ? new InflateError("corrupt", { cause }) : cause;
}

/** What a {@linkcode LongInflation} needs to know. */
interface LongInflationOptions {
  readonly maxLength: number;
  readonly receiver: InflateEvents;
  readonly window: SlidingWindow;
}

/**
 * A message that takes long to decompress: one that is large, or one of many streams.
 *
 * RFC 7692 §7.2.3.4: blocks may follow one with BFINAL=1. For zlib that is another stream, so the rest
 * is given to it as such. The window goes on, whether or not the other end still uses it.
 */
class LongInflation implements Task {
  readonly #means: InflateMeans;
  readonly #options: LongInflationOptions;
  #payload: Uint8Array;
  /** How much of the payload is inflated, in how many streams, to how many bytes. */
  #at = 0;
  #streams = 0;
  #length = 0;
  /** What the receiver has taken. It takes no more before it knows how much there will be. */
  #taken = 0;
  #isCounting = false;
  /** The window at the beginning. */
  readonly #before: Uint8Array;
  /** What inflates a stream that is long itself, and how much of what it gives is the window. */
  #stream: InflateStream | null = null;
  #past = 0;
  /** How it has ended; the error is `null` if all is well. */
  #outcome: { readonly error: unknown } | null = null;

  constructor(means: InflateMeans, payload: Uint8Array, options: LongInflationOptions) {
    this.#means = means;
    this.#payload = payload;
    this.#options = options;
    this.#before = new Uint8Array(options.window.last(MAX_WINDOW));
  }

  /** Goes on until the budget of this turn is spent. */
  run(): void {
    const { turns } = this.#means;
    this.#do(() => {
      while (this.#isHere && turns.budget.left > 0) this.#next();
    });
    if (this.#isHere) turns.add(this);
    else if (turns.budget.left > 0) this.#stream?.resume();
  }

  /** Whether it is open and zlib does not work on it. */
  get #isHere(): boolean {
    return this.#outcome === null && this.#stream === null;
  }

  /** Gives it up: its result is no longer wanted. */
  abandon(): void {
    this.#outcome ??= { error: null };
    this.#payload = EMPTY;
    this.#means.turns.delete(this);
    this.#stream?.destroy();
    this.#stream = null;
  }

  /** Does something, and tells if that was the end. */
  #do(step: () => void): void {
    if (this.#outcome !== null) return;
    try {
      step();
    } catch (error) {
      this.#outcome = { error };
    }
    if (this.#outcome === null) return;
    this.abandon();
    this.#options.receiver.onInflateEnd(this.#outcome.error);
  }

  #next(): void {
    if (this.#streams++ === MAX_STREAMS) throw new InflateError("corrupt");
    const { window, maxLength } = this.#options;
    const rest = this.#payload.subarray(this.#at);
    const short = inflateShort(this.#means, rest, window, maxLength - this.#length);
    if (short === null) return this.#begin(rest);
    this.#take(short.output);
    this.#endStream(short.consumed);
  }

  /** Inflates a long stream in pieces. */
  #begin(rest: Uint8Array): void {
    const { zlib, turns } = this.#means;
    const { window } = this.#options;
    const stream = this.#stream = zlib.createInflateRaw({ chunkSize: PIECE });
    const before = window.length === 0 ? EMPTY : storedBlock(window);
    this.#past = window.length;
    stream.on("data", (bytes) => this.#onData(stream, bytes));
    stream.on("end", () => this.#onEnd(stream, before.length));
    stream.on("error", (error) => this.#onError(stream, error));
    turns.spend(STREAM_COST);
    if (before.length > 0) stream.write(before);
    stream.write(rest);
    stream.end(END);
  }

  #onData(stream: InflateStream, bytes: Uint8Array): void {
    if (stream !== this.#stream) return;
    const { turns } = this.#means;
    const past = Math.min(this.#past, bytes.length);
    this.#past -= past;
    turns.spend(INFLATED_BYTE_COST * bytes.length);
    this.#do(() => this.#take(bytes.subarray(past)));
    if (this.#outcome !== null || turns.budget.left > 0) return;
    stream.pause();
    turns.add(this);
  }

  #onEnd(stream: InflateStream, before: number): void {
    if (stream !== this.#stream) return;
    this.#stream = null;
    const consumed = stream.bytesWritten - before;
    stream.destroy();
    this.#do(() => this.#endStream(consumed));
    this.run();
  }

  #onError(stream: InflateStream, error: unknown): void {
    if (stream !== this.#stream) return;
    this.#do(() => {
      throw inflateError(error);
    });
  }

  /** Some more of the message. */
  #take(output: Uint8Array): void {
    const { maxLength, receiver, window } = this.#options;
    const known = this.#taken - this.#length;
    this.#length += output.length;
    if (this.#length > maxLength) throw new InflateError("too-big");
    window.push(output);
    if (this.#isCounting || known >= output.length) return;
    const bytes = known === 0 ? output : output.subarray(known);
    if (receiver.onInflated(bytes)) this.#taken = this.#length;
    else this.#isCounting = true;
  }

  #endStream(consumed: number): void {
    this.#at += consumed;
    if (!isOver(this.#at, this.#payload.length)) return;
    if (this.#isCounting) this.#beginAgain();
    else this.#outcome ??= { error: null };
  }

  /**
   * The receiver can have a buffer of the right size now, instead of one that grows: inflating twice
   * costs less than copying, which can't be done in pieces, and no memory.
   */
  #beginAgain(): void {
    const { receiver, window } = this.#options;
    receiver.onInflatedSize(this.#length);
    this.#isCounting = false;
    this.#at = this.#streams = this.#length = 0;
    window.clear();
    window.push(this.#before);
  }
}

/**
 * Whether a stream that ended at `consumed` was the message's last: all of {@linkcode END} was
 * needed, or none of it as the message ends with BFINAL=1, or all but END's own final block.
 */
export function isOver(consumed: number, length: number): boolean {
  const beyond = consumed - length;
  if (beyond === 0 || beyond === TAIL_LENGTH || beyond === END.length) return true;
  if (beyond > 0) throw new InflateError("corrupt");
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
 * Writes the window as a stored block before a message.
 *
 * @returns Where the block begins.
 */
function writeStored(input: Uint8Array, window: SlidingWindow): number {
  const { length } = window;
  const from = ROOM - length - STORED_HEADER;
  input[from] = 0;
  input[from + 1] = length;
  input[from + 2] = length >> 8;
  input[from + 3] = ~length;
  input[from + 4] = ~length >> 8;
  input.set(window.last(length), from + STORED_HEADER);
  return from;
}

/** The window as a stored block. */
export function storedBlock(window: SlidingWindow): Uint8Array {
  const block = new Uint8Array(ROOM);
  return block.subarray(writeStored(block, window));
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
