/** RFC 1951 by hand: streams whose blocks, matches and distances a case chooses itself. */

import { concat } from "./bytes.ts";

/** A byte, or a copy of `length` bytes (3–258) from `distance` bytes before (1–32,768). */
export type Token = number | { readonly length: number; readonly distance: number };

const LENGTH_BASES = [
  ...[3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115],
  ...[131, 163, 195, 227, 258],
];
const LENGTH_BITS = [
  ...[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0],
];
const DISTANCE_BASES = [
  ...[1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537],
  ...[2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577],
];
const DISTANCE_BITS = [
  ...[0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12],
  ...[13, 13],
];

/** The tables of RFC 1951 §3.2.5. */
export const TABLES: Readonly<
  Record<"lengths" | "lengthBits" | "distances" | "distanceBits", readonly number[]>
> = {
  lengths: LENGTH_BASES,
  lengthBits: LENGTH_BITS,
  distances: DISTANCE_BASES,
  distanceBits: DISTANCE_BITS,
};

/** Writes bits, the least significant first (RFC 1951 §3.1.1). */
export class BitWriter {
  readonly #bytes: number[] = [];
  #bits = 0;
  #count = 0;

  /** Numbers: the least significant bit first. */
  number(value: number, bits: number): this {
    this.#bits |= value << this.#count;
    this.#count += bits;
    while (this.#count >= 8) {
      this.#bytes.push(this.#bits & 255);
      this.#bits >>>= 8;
      this.#count -= 8;
    }
    return this;
  }

  /** Huffman codes: the most significant bit first. */
  code(value: number, bits: number): this {
    for (let i = bits - 1; i >= 0; i--) this.number(value >> i & 1, 1);
    return this;
  }

  /** Fills the byte. */
  align(): this {
    return this.#count === 0 ? this : this.number(0, 8 - this.#count);
  }

  /** The bytes so far; the last one filled with zeros. */
  bytes(): Uint8Array {
    return Uint8Array.from(this.align().#bytes);
  }
}

/** One literal or length of the fixed code (RFC 1951 §3.2.6). */
function fixed(out: BitWriter, symbol: number): void {
  if (symbol < 144) out.code(0x30 + symbol, 8);
  else if (symbol < 256) out.code(0x190 + symbol - 144, 9);
  else if (symbol < 280) out.code(symbol - 256, 7);
  else out.code(0xc0 + symbol - 280, 8);
}

function put(out: BitWriter, token: Token): void {
  if (typeof token === "number") return fixed(out, token);
  const { length, distance } = token;
  const l = LENGTH_BASES.findLastIndex((base) => base <= length);
  fixed(out, 257 + l);
  out.number(length - (LENGTH_BASES[l] ?? 0), LENGTH_BITS[l] ?? 0);
  const d = DISTANCE_BASES.findLastIndex((base) => base <= distance);
  out.code(d, 5).number(distance - (DISTANCE_BASES[d] ?? 0), DISTANCE_BITS[d] ?? 0);
}

/** A block of the fixed code. */
export function fixedBlock(out: BitWriter, tokens: Iterable<Token>, isFinal = false): BitWriter {
  out.number(isFinal ? 1 : 0, 1).number(1, 2);
  for (const token of tokens) put(out, token);
  fixed(out, 256);
  return out;
}

/** The message of one block, ended as RFC 7692 §7.2.1 says: an empty stored block without its last 4 bytes. */
export function deflated(tokens: Iterable<Token>): Uint8Array {
  return fixedBlock(new BitWriter(), tokens).number(0, 3).bytes();
}

/** Stored blocks (RFC 1951 §3.2.4): not compressed; ended in the same way. */
export function stored(bytes: Uint8Array, length = 0xffff): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += length) {
    const part = bytes.subarray(at, at + length);
    const n = part.length;
    parts.push(Uint8Array.of(0, n & 255, n >> 8, ~n & 255, ~n >> 8 & 255), part);
  }
  return concat([...parts, Uint8Array.of(0)]);
}

/** The tokens of the same byte, many times: the smallest bomb. */
export function* repeated(byte: number, count: number): Generator<Token> {
  yield byte;
  let left = count - 1;
  for (; left >= 261; left -= 258) yield { length: 258, distance: 1 };
  if (left > 258) {
    yield { length: left - 3, distance: 1 };
    left = 3;
  }
  if (left >= 3) yield { length: left, distance: 1 };
  else for (; left > 0; left--) yield byte;
}

/** The tokens of a copy of `length` bytes from `distance` bytes before. */
export function* copied(length: number, distance: number): Generator<Token> {
  for (let left = length; left > 0;) {
    const now = left > 258 && left < 261 ? left - 3 : Math.min(left, 258);
    yield { length: now, distance };
    left -= now;
  }
}
