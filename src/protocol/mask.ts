/**
 * Masking ({@link https://www.rfc-editor.org/rfc/rfc6455#section-5.3 RFC 6455 §5.3}): a payload is XORed with
 * a 32-bit key. The same function masks and unmasks.
 *
 * @module
 */

/**
 * Returns the masking key of the next frame: any 32-bit integer. RFC 6455 §5.3: each frame needs a fresh key
 * from a strong source of entropy, because it "needs to be unpredictable".
 */
export type MaskingKeySource = () => number;

/** Below this many bytes, a loop over bytes is faster than one over 32-bit words. */
const WORDS_FROM = 48;

/** Views of larger buffers aren't kept, because a view keeps its whole buffer alive. */
const MAX_KEPT = 0x2_0000;

/** A payload is copied and masked in blocks of this many bytes, which stay in the CPU's cache. */
const BLOCK = 0x4000;

/** The bytes of a key, which `keyWord` reads as a word in this machine's byte order. */
const keyBytes = new Uint8Array(4);
const keyWord = new Int32Array(keyBytes.buffer);

/**
 * The words of the bytes that were masked last. A chunk has many frames, and creating a view for each would
 * cost more than masking it.
 */
let lastBytes: Uint8Array | null = null;
let lastWords: Int32Array = new Int32Array(0);
/** The offset of the first word in those bytes: 0–3. */
let lastStart = 0;

/**
 * Rotates a key by whole bytes, so that it applies to a later part of the payload.
 *
 * @param key The masking key.
 * @param phase How many bytes of the payload precede that part.
 * @returns The key for that part.
 */
export function rotate(key: number, phase: number): number {
  const shift = (phase & 3) << 3;
  return (key << shift) | (key >>> (32 - shift));
}

/**
 * Masks or unmasks bytes in place.
 *
 * @param bytes The bytes, part of which is changed.
 * @param start Where that part begins.
 * @param end Where it ends.
 * @param key The masking key as a big-endian number.
 * @param phase How many bytes of the same payload precede `start`.
 */
export function applyMask(
  bytes: Uint8Array,
  start: number,
  end: number,
  key: number,
  phase: number,
): void {
  const rotated = rotate(key, phase);
  if (end - start < WORDS_FROM) maskBytes(bytes, start, end, rotated);
  else maskWords(bytes, start, end, rotated);
}

function maskBytes(bytes: Uint8Array, start: number, end: number, key: number): void {
  let word = key;
  for (let i = start; i < end; i++) {
    word = (word << 8) | (word >>> 24);
    bytes[i] = (bytes[i] as number) ^ word;
  }
}

function maskWords(bytes: Uint8Array, start: number, end: number, key: number): void {
  const words = bytes === lastBytes ? lastWords : wordsOf(bytes);
  const head = (lastStart - start) & 3;
  maskBytes(bytes, start, start + head, key);
  const rotated = rotate(key, head);
  keyBytes[0] = rotated >>> 24;
  keyBytes[1] = rotated >>> 16;
  keyBytes[2] = rotated >>> 8;
  keyBytes[3] = rotated;
  const first = (start + head - lastStart) >>> 2;
  const count = (end - start - head) >>> 2;
  xorWords(words, first, first + count, keyWord[0] as number);
  maskBytes(bytes, start + head + (count << 2), end, rotated);
}

function wordsOf(bytes: Uint8Array): Int32Array {
  const { buffer, byteOffset, length } = bytes;
  const start = -byteOffset & 3;
  const words = new Int32Array(buffer, byteOffset + start, (length - start) >>> 2);
  const kept = buffer.byteLength <= MAX_KEPT;
  lastBytes = kept ? bytes : null;
  if (kept) lastWords = words;
  lastStart = start;
  return words;
}

/** The hot loop. It masks eight words in each turn, because V8 doesn't unroll loops. */
function xorWords(words: Int32Array, first: number, end: number, key: number): void {
  const unrolled = end - ((end - first) & 7);
  let i = first;
  for (; i < unrolled; i += 8) {
    words[i] = (words[i] as number) ^ key;
    words[i + 1] = (words[i + 1] as number) ^ key;
    words[i + 2] = (words[i + 2] as number) ^ key;
    words[i + 3] = (words[i + 3] as number) ^ key;
    words[i + 4] = (words[i + 4] as number) ^ key;
    words[i + 5] = (words[i + 5] as number) ^ key;
    words[i + 6] = (words[i + 6] as number) ^ key;
    words[i + 7] = (words[i + 7] as number) ^ key;
  }
  for (; i < end; i++) words[i] = (words[i] as number) ^ key;
}

/**
 * Copies a payload and masks the copy. It reads each byte of the source once, in shared memory too, and never
 * writes to it.
 *
 * @param source The payload. Above 16 KiB it must be a plain `Uint8Array`.
 * @param length Its length in bytes.
 * @param target Receives the copy. There must be room for it.
 * @param at Where in `target` the copy begins.
 * @param key The masking key as a big-endian number.
 */
export function copyMasked(
  source: Uint8Array,
  length: number,
  target: Uint8Array,
  at: number,
  key: number,
): void {
  if (length < WORDS_FROM) {
    let word = key;
    for (let i = 0; i < length; i++) {
      word = (word << 8) | (word >>> 24);
      target[at + i] = (source[i] as number) ^ word;
    }
  } else if (length <= BLOCK) {
    target.set(source, at);
    maskWords(target, at, at + length, key);
  } else {
    copyBlocks(source, target, at, key);
  }
}

function copyBlocks(source: Uint8Array, target: Uint8Array, at: number, key: number): void {
  for (let from = 0; from < source.length; from += BLOCK) {
    const block = source.subarray(from, from + BLOCK);
    target.set(block, at + from);
    applyMask(target, at + from, at + from + block.length, key, 0);
  }
}
