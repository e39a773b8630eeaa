/** RFC 1951, read strictly: it tells how far back a stream reaches, which zlib doesn't. */

import { TABLES } from "./deflater.ts";

/** A stream that breaks RFC 1951 or what was agreed on. */
export class InflateError extends Error {}

const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const TAIL = Uint8Array.of(0, 0, 0xff, 0xff);
const MAX_WINDOW = 32_768;

/** A canonical Huffman code: how many codes have each length, and the symbols in their order. */
interface Code {
  readonly counts: Uint16Array;
  readonly symbols: Uint16Array;
}

function codeOf(lengths: readonly number[]): Code {
  const counts = new Uint16Array(16);
  for (const length of lengths) counts[length]!++;
  const offsets = new Uint16Array(16);
  for (let i = 1; i < 15; i++) offsets[i + 1] = (offsets[i] ?? 0) + (counts[i] ?? 0);
  const symbols = new Uint16Array(lengths.length);
  for (const [symbol, length] of lengths.entries()) {
    if (length !== 0) symbols[offsets[length]!++] = symbol;
  }
  counts[0] = 0;
  return { counts, symbols };
}

const range = (length: number, value: number): number[] => new Array(length).fill(value);
const FIXED = codeOf([...range(144, 8), ...range(112, 9), ...range(24, 7), ...range(8, 8)]);
const FIXED_DISTANCES = codeOf(range(30, 5));

/** Decompresses the messages of one direction. */
export class Inflater {
  readonly #window: number;
  readonly #keepsContext: boolean;
  readonly #limit: number;
  #in: Uint8Array = new Uint8Array();
  #at = 0;
  #bits = 0;
  #count = 0;
  /** The last messages, up to the largest window, and the one that is decompressed. */
  #out: Uint8Array = new Uint8Array(4 * MAX_WINDOW);
  #length = 0;
  /** The farthest that any message so far has reached back. */
  farthest = 0;

  /**
   * @param bits The base-2 logarithm of the window: 8–15.
   * @param keepsContext Whether a message may refer to the ones before.
   * @param limit The largest message, in bytes.
   */
  constructor(bits: number, keepsContext: boolean, limit: number) {
    this.#window = 1 << bits;
    this.#limit = limit + 4 * MAX_WINDOW;
    this.#keepsContext = keepsContext;
  }

  /** RFC 7692 §7.2.2: decompresses a message. @throws {InflateError} */
  message(payload: Uint8Array): Uint8Array {
    this.#in = new Uint8Array(payload.length + TAIL.length);
    this.#in.set(payload);
    this.#in.set(TAIL, payload.length);
    [this.#at, this.#bits, this.#count] = [0, 0, 0];
    this.#forget();
    const start = this.#length;
    while (this.#at < this.#in.length || this.#count > 7) this.#block();
    return this.#out.slice(start, this.#length);
  }

  #forget(): void {
    if (!this.#keepsContext) this.#length = 0;
    if (this.#length < 3 * MAX_WINDOW) return;
    this.#out.copyWithin(0, this.#length - MAX_WINDOW, this.#length);
    this.#length = MAX_WINDOW;
  }

  #block(): void {
    const isFinal = this.#number(1) === 1;
    const type = this.#number(2);
    if (type === 0) this.#stored();
    else if (type === 1) this.#coded(FIXED, FIXED_DISTANCES);
    else if (type === 2) this.#dynamic();
    else throw new InflateError("a block of the reserved type 3");
    // RFC 7692 §7.2.3.4: what follows a final block begins at a byte.
    if (isFinal) [this.#bits, this.#count] = [0, 0];
  }

  #number(bits: number): number {
    while (this.#count < bits) {
      const byte = this.#in[this.#at++];
      if (byte === undefined) throw new InflateError("a stream that ends inside a block");
      this.#bits |= byte << this.#count;
      this.#count += 8;
    }
    const value = this.#bits & (1 << bits) - 1;
    this.#bits >>>= bits;
    this.#count -= bits;
    return value;
  }

  #symbol({ counts, symbols }: Code): number {
    let [code, first, index] = [0, 0, 0];
    for (let length = 1; length < 16; length++) {
      code |= this.#number(1);
      const count = counts[length] ?? 0;
      if (code - count < first) return symbols[index + code - first] ?? 0;
      index += count;
      first = first + count << 1;
      code <<= 1;
    }
    throw new InflateError("a code that isn't in the table");
  }

  #stored(): void {
    this.#at -= this.#count >> 3;
    [this.#bits, this.#count] = [0, 0];
    const length = this.#number(16);
    if (this.#number(16) !== (~length & 0xffff)) {
      throw new InflateError("a stored block whose lengths contradict each other");
    }
    if (this.#at + length > this.#in.length) {
      throw new InflateError("a stored block without its end");
    }
    this.#room(length);
    this.#out.set(this.#in.subarray(this.#at, this.#at + length), this.#length);
    this.#length += length;
    this.#at += length;
  }

  #dynamic(): void {
    const literals = this.#number(5) + 257;
    const distances = this.#number(5) + 1;
    const lengths = range(19, 0);
    for (let i = 0, count = this.#number(4) + 4; i < count; i++) {
      lengths[ORDER[i] ?? 0] = this.#number(3);
    }
    const code = codeOf(lengths);
    const all: number[] = [];
    while (all.length < literals + distances) {
      const symbol = this.#symbol(code);
      if (symbol < 16) all.push(symbol);
      else if (symbol === 16) all.push(...range(this.#number(2) + 3, all.at(-1) ?? 0));
      else all.push(...range(symbol === 17 ? this.#number(3) + 3 : this.#number(7) + 11, 0));
    }
    this.#coded(codeOf(all.slice(0, literals)), codeOf(all.slice(literals)));
  }

  #coded(literals: Code, distances: Code): void {
    for (;;) {
      const symbol = this.#symbol(literals);
      if (symbol === 256) return;
      if (symbol < 256) {
        this.#room(1);
        this.#out[this.#length++] = symbol;
        continue;
      }
      const l = symbol - 257;
      const length = (TABLES.lengths[l] ?? 0) + this.#number(TABLES.lengthBits[l] ?? 0);
      const d = this.#symbol(distances);
      this.#copy(length, (TABLES.distances[d] ?? 0) + this.#number(TABLES.distanceBits[d] ?? 0));
    }
  }

  #copy(length: number, distance: number): void {
    if (distance > this.#length) throw new InflateError("a reference to before the first byte");
    if (distance > this.#window) {
      throw new InflateError(
        `a reference ${distance} bytes back, with a window of ${this.#window}`,
      );
    }
    this.farthest = Math.max(this.farthest, distance);
    this.#room(length);
    for (let i = 0; i < length; i++, this.#length++) {
      this.#out[this.#length] = this.#out[this.#length - distance]!;
    }
  }

  #room(length: number): void {
    if (this.#length + length <= this.#out.length) return;
    if (this.#length + length > this.#limit) throw new InflateError("too many bytes");
    const larger = new Uint8Array(2 * (this.#length + length));
    larger.set(this.#out.subarray(0, this.#length));
    this.#out = larger;
  }
}
