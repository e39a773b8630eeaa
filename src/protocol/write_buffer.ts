/**
 * Encoded frames that wait to be taken, in as few chunks as possible.
 *
 * @module
 */

/** The size of the buffers that all connections write their frames to. */
const SLAB = 0x1_0000;

/** The most bytes that a connection sets aside beyond what it needs at the moment. */
const MAX_AHEAD = 0x4000;

const EMPTY = new Uint8Array(0);

/**
 * The buffer that connections write to, one behind the other, each into parts of its own; used up,
 * it is replaced. No byte of it is written twice, so what was taken may be kept as long as need be.
 */
let slab: Uint8Array = new Uint8Array(0);
let slabUsed = 0;

/**
 * The output of one connection. Bytes are written straight into a part of a buffer that all
 * connections share; when everything was taken the connection holds no buffer.
 */
export class WriteBuffer {
  #chunks: Uint8Array[] = [];
  #buffer: Uint8Array = EMPTY;
  /** The part of `#buffer` that is this connection's; it is written up to `#end`. */
  #start = 0;
  #end = 0;
  #limit = 0;
  #size = 0;

  /** How many bytes were written and not taken. */
  get size(): number {
    return this.#size;
  }

  /** Where to write, after {@linkcode reserve}. */
  get buffer(): Uint8Array {
    return this.#buffer;
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
    if (this.#atSlabsEnd && end <= SLAB) {
      this.#limit = slabUsed = end;
    } else {
      this.#finishPart();
      this.#beginPart(length);
    }
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
    this.#start = this.#end;
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  /**
   * Takes everything.
   *
   * @returns The chunks in order. They are the caller's, and never written to again.
   */
  take(): Uint8Array[] {
    this.#finishPart();
    const chunks = this.#chunks;
    this.#chunks = [];
    if (this.#atSlabsEnd) slabUsed = this.#end;
    this.#buffer = EMPTY;
    this.#start =
      this.#end =
      this.#limit =
      this.#size =
        0;
    return chunks;
  }

  /** Whether nobody else has set aside anything behind this connection's part. */
  get #atSlabsEnd(): boolean {
    return this.#buffer === slab && this.#limit === slabUsed;
  }

  #finishPart(): void {
    if (this.#end > this.#start) this.#chunks.push(this.#buffer.subarray(this.#start, this.#end));
  }

  /**
   * Begins another part. Where connections write by turns a part that holds just one frame would
   * make a chunk a frame, so later parts are as large as all before. Where the output isn't taken,
   * a buffer of its own keeps a slow connection from holding on to the parts of fast ones.
   */
  #beginPart(length: number): void {
    if (this.#size >= SLAB) {
      this.#buffer = new Uint8Array(SLAB);
      this.#start = this.#end = 0;
      this.#limit = SLAB;
      return;
    }
    const room = Math.max(length, Math.min(this.#size, MAX_AHEAD));
    if (slabUsed + room > slab.length) {
      slab = new Uint8Array(SLAB);
      slabUsed = 0;
    }
    this.#buffer = slab;
    this.#start = this.#end = slabUsed;
    this.#limit = slabUsed = slabUsed + room;
  }
}
