/**
 * Encoded frames that wait to be taken, in as few chunks as possible.
 *
 * @module
 */

import { freshSlab, type Slab, SLAB_SIZE, slabFor } from "./slab.ts";

/** The most bytes that a connection sets aside beyond what it needs at the moment. */
const MAX_AHEAD = 0x4000;

/** Less room than this isn't worth a chunk: it is left. */
const LEAST_ROOM = 0x400;

const EMPTY = new Uint8Array(0);

/** What a chunk of the output lies in. */
interface Part {
  /** `null`: a buffer that doesn't go round. */
  readonly slab: Slab | null;
  readonly length: number;
}

/**
 * The output of one connection. Bytes are written straight into a part of a buffer that all
 * connections share; when everything was taken, and given back, the connection holds no buffer.
 */
export class WriteBuffer {
  /** Whether what is taken is given back. */
  readonly #recycles: boolean;
  #chunks: Uint8Array[] | null = null;
  /** What was finished, and not given back: taken or not. */
  #parts: Part[] | null = null;
  /** How many bytes were taken, and not given back. */
  #lent = 0;
  #slab: Slab | null = null;
  /** The part of `#slab` that is this connection's; it is written up to `#end`. */
  #start = 0;
  #end = 0;
  #limit = 0;
  #size = 0;

  /**
   * Makes an empty output.
   *
   * @param recycles Whether {@linkcode giveBack} will be called.
   */
  constructor(recycles = false) {
    this.#recycles = recycles;
  }

  /** How many bytes were written and not taken. */
  get size(): number {
    return this.#size;
  }

  /** Where to write, after {@linkcode reserve}. */
  get buffer(): Uint8Array {
    return this.#slab === null ? EMPTY : this.#slab.bytes;
  }

  /** Where in {@linkcode buffer} the next byte goes, after {@linkcode reserve}. */
  get end(): number {
    return this.#end;
  }

  /**
   * Makes room behind what was written.
   *
   * @param length How many bytes are needed at most: 0–65,536.
   */
  reserve(length: number): void {
    const end = this.#end + length;
    if (end <= this.#limit) return;
    const slab = this.#slab;
    if (slab !== null && this.#limit === slab.used && end <= SLAB_SIZE) {
      this.#limit = slab.used = end;
    } else {
      this.#finishPart();
      this.#beginPart(length);
    }
  }

  /**
   * Makes room for as much as goes into one chunk.
   *
   * @param length How many bytes there are: 1 or more.
   * @returns How many of them there is room for.
   */
  reserveSome(length: number): number {
    const slab = this.#slab;
    const left = slab === null
      ? 0
      : (this.#limit === slab.used ? SLAB_SIZE : this.#limit) - this.#end;
    const some = Math.min(length, left < LEAST_ROOM ? SLAB_SIZE : left);
    this.reserve(some);
    return some;
  }

  /**
   * Counts what was written as output.
   *
   * @param end Where in {@linkcode buffer} it ends; within what was reserved.
   */
  commit(end: number): void {
    this.#size += end - this.#end;
    this.#end = end;
  }

  /**
   * Adds a chunk of its own behind what was written.
   *
   * @param chunk The chunk, which isn't the caller's any more.
   */
  append(chunk: Uint8Array): void {
    this.#finishPart();
    this.#add(null, chunk);
    this.#size += chunk.length;
  }

  /**
   * Takes everything.
   *
   * @returns The chunks in order. They are the caller's until they are given back, if ever, and not
   * written to till then.
   */
  take(): Uint8Array[] {
    this.#finishPart();
    const chunks = this.#chunks ?? [];
    this.#chunks = null;
    if (this.#recycles) this.#lent += this.#size;
    this.#size = 0;
    return chunks;
  }

  /**
   * Gives back what was taken: it will be written to again.
   *
   * @param kept How many bytes of it, the last ones, are still needed.
   */
  giveBack(kept: number): void {
    const parts = this.#parts;
    if (parts === null) return;
    let count = 0;
    for (const { slab, length } of parts) {
      if (this.#lent - length < kept || this.#lent === 0) break;
      this.#lent -= length;
      slab?.release();
      count++;
    }
    if (count === parts.length) this.#parts = null;
    else if (count > 0) parts.splice(0, count);
  }

  #finishPart(): void {
    const slab = this.#slab;
    if (slab === null) return;
    // Nobody has set aside anything behind this part: what isn't needed of it is the next one's.
    if (this.#limit === slab.used) slab.used = this.#end;
    if (this.#end > this.#start) this.#add(slab, slab.bytes.subarray(this.#start, this.#end));
    else slab.release();
    this.#slab = null;
    this.#start = this.#end = this.#limit = 0;
  }

  #add(slab: Slab | null, chunk: Uint8Array): void {
    (this.#chunks ??= []).push(chunk);
    if (!this.#recycles) return;
    (this.#parts ??= []).push({ slab, length: chunk.length });
  }

  /**
   * Begins another part. Where connections write by turns a part that holds just one frame would
   * make a chunk a frame, so later parts are as large as all before. Where the output isn't taken,
   * a buffer of its own keeps a slow connection from holding on to the parts of fast ones.
   */
  #beginPart(length: number): void {
    const alone = this.#size >= SLAB_SIZE;
    const room = alone ? SLAB_SIZE : Math.max(length, Math.min(this.#size, MAX_AHEAD));
    const slab = alone ? freshSlab() : slabFor(room);
    this.#slab = slab;
    this.#start = this.#end = slab.used;
    this.#limit = slab.used = slab.used + room;
    slab.parts++;
  }
}
