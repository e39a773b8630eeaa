/**
 * Masking ({@link https://www.rfc-editor.org/rfc/rfc6455#section-5.3 RFC 6455 §5.3}): a payload
 * XORed with a 32-bit key. The same function masks and unmasks.
 *
 * @module
 */

/**
 * Gives the masking key of the next frame: any 32-bit integer. RFC 6455 §5.3: it "needs to be
 * unpredictable", so it must come from a strong source of entropy, and be a fresh one a frame.
 */
export type MaskingKeySource = () => number;

/** Below this many bytes a plain loop is faster than finding the words among them. */
const WORDS_FROM = 48;

/** Views of larger buffers aren't kept: a view keeps its whole buffer alive. */
const MAX_KEPT = 0x2_0000;

/** Copy and mask go through a payload in blocks of this many bytes, that stay in the CPU's cache. */
const BLOCK = 0x4000;

/** The four bytes of a key as a word in this machine's byte order, whichever it is. */
const keyBytes = new Uint8Array(4);
const keyWord = new Int32Array(keyBytes.buffer);

/**
 * The words of the bytes that were masked last. A chunk has many frames, and a view for each would
 * cost more than the masking itself.
 */
let lastBytes: Uint8Array | null = null;
let lastWords: Int32Array = new Int32Array(0);
/** Where in those bytes the first word begins: 0–3. */
let lastStart = 0;

/**
 * Gives the key as it applies further into the payload: rotated by whole bytes.
 *
 * @param key The masking key.
 * @param phase How many bytes of the payload come before.
 * @returns The key for what follows.
 */
export function rotate(key: number, phase: number): number {
  const shift = (phase & 3) << 3;
  return (key << shift) | (key >>> (32 - shift));
}

/**
 * Masks or unmasks bytes in place.
 *
 * @param bytes What to change.
 * @param start Where the bytes to change begin.
 * @param end Where they end.
 * @param key The masking key, its first byte on the wire the most significant.
 * @param phase How many bytes of the same payload lie before `start`.
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

/** The hot loop: eight words a turn, because V8 doesn't unroll it. */
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
 * Copies a payload and masks the copy. The source is only read, each byte once, whatever its kind
 * of memory.
 *
 * @param source The payload; of more than 16 KiB only a plain one.
 * @param length Its length.
 * @param target Where the copy goes; there must be room.
 * @param at Where in `target` it begins.
 * @param key The masking key, its first byte on the wire the most significant.
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
