/**
 * The decompressor of messages, based on the platform's zlib.
 *
 * The window of earlier messages is put before a message as a stored block (RFC 1951 §3.2.4), and cut off the
 * result. A preset dictionary would do the same, but not every platform supports it.
 */

import { compact } from "../protocol/byte_queue.ts";
import { InflateError, type InflateEvents } from "../protocol/message_deflate.ts";
import { INFLATE_COST, INFLATED_BYTE_COST, type WorkBudget } from "../protocol/work_budget.ts";
import { SlidingWindow } from "./sliding_window.ts";

/** RFC 7692 §7.2.1: the length of the empty stored block that ends a message and is not sent, in bytes. */
export const TAIL_LENGTH: number = 4;

/**
 * Appended to a message: the end that wasn't sent (RFC 7692 §7.2.2), and an empty final block. A truncated
 * message doesn't reach that block, and so is detected.
 */
export const END: Uint8Array = Uint8Array.of(0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff);

/** The length of a stored block's header: one byte, the length, and its complement. */
const STORED_HEADER = 5;

const MAX_WINDOW = 1 << 15;

const EMPTY = new Uint8Array(0);

/** The room before a message for the window as a stored block. */
const ROOM = STORED_HEADER + MAX_WINDOW;

/** The maximum size of a scratch buffer that is kept, in bytes. */
const KEPT_SCRATCH = 256 * 1024;

/**
 * The maximum number of DEFLATE streams (runs of blocks up to one with BFINAL=1) in a message. Each needs a
 * call, so a peer must not send a million of two bytes each.
 */
export const MAX_STREAMS = 1000;

/** The maximum input and output of a synchronous call, in bytes. */
const SHORT_INPUT: number = 64 * 1024;
const SHORT_OUTPUT: number = 1024 * 1024;

/** The cost of creating zlib's streaming object, which allocates buffers of its own. */
export const STREAM_COST: number = 8 * INFLATE_COST;

/** The size of a streaming object's pieces, in bytes. */
export const PIECE: number = 128 * 1024;

/** The members of a streaming object of `node:zlib` that are used here. */
export interface InflateStream {
  /** The number of input bytes that zlib has read. */
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

/** The members of `node:zlib` that are used here. */
export interface Zlib {
  /** The flush constants. */
  readonly constants: { readonly Z_SYNC_FLUSH: number };
  /** Compresses bytes. */
  deflateRawSync(bytes: Uint8Array, options: object): Uint8Array;
  /**
   * Decompresses bytes. `options` must have `info: true`; `engine.bytesWritten` is the number of bytes read.
   */
  inflateRawSync(
    bytes: Uint8Array,
    options: object,
  ): { readonly buffer: Uint8Array; readonly engine: { readonly bytesWritten: number } };
  /** Creates an object that decompresses in pieces. */
  createInflateRaw(options: object): InflateStream;
}

/** Work that continues in a later turn of the event loop. */
export interface Task {
  run(): void;
}

/** Schedules a decompressor's work over turns of the event loop. */
export interface InflateTurns {
  /** The remaining budget of this turn. */
  readonly budget: WorkBudget;
  /** Subtracts the cost of some work from the budget. */
  spend(cost: number): void;
  /** Runs a task in a later turn. */
  add(task: Task): void;
  /** Cancels a task. */
  delete(task: Task): void;
}

/** The platform's zlib, and the turns in which work continues. */
export interface InflateMeans {
  readonly zlib: Zlib;
  readonly turns: InflateTurns;
}

/**
 * The decompressor of one direction of a connection. It decompresses a message in one call, or in pieces in
 * later turns of the event loop if that could take long.
 */
export class Decompressor {
  readonly #means: InflateMeans;
  readonly #window: SlidingWindow | null;
  /** A message that is decompressed in pieces. */
  #inflation: { abandon(): void } | null = null;

  /**
   * Creates a decompressor.
   *
   * @param means The platform's zlib and the turns.
   * @param bits The base-2 logarithm of the window in bytes, 8–15; `null` to keep no window.
   */
  constructor(means: InflateMeans, bits: number | null) {
    this.#means = means;
    this.#window = bits === null ? null : new SlidingWindow(1 << bits);
  }

  /** Implements {@linkcode MessageDeflate.decompress}. */
  decompress(
    payload: Uint8Array,
    maxLength: number,
    receiver: InflateEvents,
  ): Uint8Array | null {
    // An empty message is a single zero byte (RFC 7692 §7.2.3.6). Accept one without it, too.
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
   * Implements {@linkcode MessageDeflate.inflateInParts}.
   *
   * @param create Creates the object that decompresses with a window.
   */
  inflateInParts<T extends { abandon(): void }>(
    create: (means: InflateMeans, window: SlidingWindow) => T,
  ): T {
    const inflation = create(this.#means, this.#window ?? new SlidingWindow(MAX_WINDOW));
    this.#inflation = inflation;
    return inflation;
  }

  /** Implements {@linkcode MessageDeflate.abandon}. */
  abandon(): void {
    this.#inflation?.abandon();
    this.#inflation = null;
  }
}

/** A decompressed DEFLATE stream. */
export interface Inflated {
  readonly output: Uint8Array;
  /** The number of bytes read, of the payload and the {@linkcode END} after it. */
  readonly consumed: number;
}

/**
 * Decompresses the first stream of a payload in one call.
 *
 * @returns The stream, or `null` if its input or output is too long for one call.
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
  // zlib takes a limit of 0 for none.
  if (length > most) return tooLong(turns, most, maxLength);
  turns.spend(INFLATED_BYTE_COST * length);
  const output = compact(new Uint8Array(buffer.buffer, buffer.byteOffset + past, length));
  return { output, consumed: engine.bytesWritten - (ROOM - from) };
}

/** Returns `null` if the output is too long for one call, and throws if it exceeds the limit. */
function tooLong(turns: InflateTurns, most: number, maxLength: number): null {
  turns.spend(INFLATED_BYTE_COST * most);
  if (most < maxLength) return null;
  throw new InflateError("too-big");
}

/** Converts an error of zlib. */
export function inflateError(cause: unknown): unknown {
  const { code } = cause as { code?: unknown };
  const isCorrupt = code === "Z_DATA_ERROR" || code === "Z_BUF_ERROR";
  return isCorrupt ? new InflateError("corrupt", { cause }) : cause;
}

/** Options of a {@linkcode LongInflation}. */
interface LongInflationOptions {
  readonly maxLength: number;
  readonly receiver: InflateEvents;
  readonly window: SlidingWindow;
}

/**
 * A message that takes long to decompress, because it is large or has many streams.
 *
 * RFC 7692 §7.2.3.4: blocks may follow one with BFINAL=1. zlib takes them for another stream, so they are
 * passed to it separately. The window continues, whether or not the peer still uses it.
 */
class LongInflation implements Task {
  readonly #means: InflateMeans;
  readonly #options: LongInflationOptions;
  #payload: Uint8Array;
  /** How many bytes of the payload are decompressed, in how many streams, to how many bytes. */
  #at = 0;
  #streams = 0;
  #length = 0;
  /** The number of bytes that the receiver has taken. It takes no more until it knows the total. */
  #taken = 0;
  #isCounting = false;
  /** The window at the start. */
  readonly #before: Uint8Array;
  /** Decompresses a long stream. The next `#past` bytes of its output belong to the window. */
  #stream: InflateStream | null = null;
  #past = 0;
  /** How it has ended: with an error, or with `null`. */
  #outcome: { readonly error: unknown } | null = null;

  constructor(means: InflateMeans, payload: Uint8Array, options: LongInflationOptions) {
    this.#means = means;
    this.#payload = payload;
    this.#options = options;
    this.#before = new Uint8Array(options.window.last(MAX_WINDOW));
  }

  /** Continues until the budget of this turn is used up. */
  run(): void {
    const { turns } = this.#means;
    this.#runStep(() => {
      while (this.#isHere && turns.budget.left > 0) this.#next();
    });
    if (this.#isHere) turns.add(this);
    else if (turns.budget.left > 0) this.#stream?.resume();
  }

  /** Whether it has not ended and zlib is not busy with it. */
  get #isHere(): boolean {
    return this.#outcome === null && this.#stream === null;
  }

  /** Stops: the result is no longer needed. */
  abandon(): void {
    this.#outcome ??= { error: null };
    this.#payload = EMPTY;
    this.#means.turns.delete(this);
    this.#stream?.destroy();
    this.#stream = null;
  }

  /** Runs a step, and reports the end if that was the last one. */
  #runStep(step: () => void): void {
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

  /** Decompresses a long stream in pieces. */
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
    this.#runStep(() => this.#take(bytes.subarray(past)));
    if (this.#outcome !== null || turns.budget.left > 0) return;
    stream.pause();
    turns.add(this);
  }

  #onEnd(stream: InflateStream, before: number): void {
    if (stream !== this.#stream) return;
    this.#stream = null;
    const consumed = stream.bytesWritten - before;
    stream.destroy();
    this.#runStep(() => this.#endStream(consumed));
    this.run();
  }

  #onError(stream: InflateStream, error: unknown): void {
    if (stream !== this.#stream) return;
    this.#runStep(() => {
      throw inflateError(error);
    });
  }

  /** Takes the next bytes of the message. */
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
   * Starts again, now that the receiver can allocate a buffer of the right size. Decompressing twice costs
   * less than copying to a growing buffer, which can't be done in pieces, and needs no memory.
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
 * Returns whether a stream that ended at `consumed` was the message's last. It has read all of
 * {@linkcode END}, or none of it if the message ends with BFINAL=1, or all but END's final block.
 */
export function isOver(consumed: number, length: number): boolean {
  const beyond = consumed - length;
  if (beyond === 0 || beyond === TAIL_LENGTH || beyond === END.length) return true;
  if (beyond > 0) throw new InflateError("corrupt");
  return false;
}

let scratch = new Uint8Array(0);

/** Returns the message with room before it and {@linkcode END} after it. It is valid until the next call. */
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
 * @returns The offset of the block.
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

/** Returns the window as a stored block. */
export function storedBlock(window: SlidingWindow): Uint8Array {
  const block = new Uint8Array(ROOM);
  return block.subarray(writeStored(block, window));
}

/**
 * Returns a size for zlib's output buffers.
 *
 * @param expected The expected number of bytes.
 * @returns That number, limited to zlib's minimum of 64 bytes and to 128 KiB.
 */
export function chunkSize(expected: number): number {
  return Math.min(Math.max(expected, 64), 128 * 1024);
}
