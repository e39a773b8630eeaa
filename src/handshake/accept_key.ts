/**
 * The key of the opening handshake, and the value with which a server answers it.
 *
 * SHA-1 is implemented here so that {@linkcode signKey} is synchronous on every platform. Nothing secret is
 * hashed: the value only proves that the server speaks WebSocket.
 *
 * @module
 */

/** RFC 6455 §1.3: the fixed identifier that is appended to the key. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** RFC 6455 §4.1: the base64 form of 16 bytes. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** The number of random bytes in a key. RFC 6455 §4.1. */
export const NONCE_LENGTH = 16;

/**
 * Returns the value of `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`.
 *
 * Each code unit of the key counts as one byte. The key is not checked: see {@linkcode isHandshakeKey}.
 *
 * @param key The value of `Sec-WebSocket-Key`.
 * @returns base64 of the SHA-1 of the key and the protocol's fixed identifier.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2 RFC 6455 §4.2.2}
 */
export function signKey(key: string): string {
  return btoa(sha1(key + GUID));
}

/**
 * Returns whether a text can be a `Sec-WebSocket-Key`: the base64 form of 16 bytes.
 *
 * @param key The value of the header field.
 * @returns Whether it has the right form.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1 RFC 6455 §4.2.1}
 */
export function isHandshakeKey(key: string): boolean {
  return KEY.test(key);
}

/**
 * Encodes bytes as base64, with padding.
 *
 * @param bytes The bytes: at most a few thousand.
 * @returns Their base64 form.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc4648#section-4 RFC 4648 §4}
 */
export function encodeBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** Shared by all calls: a digest is computed synchronously, and a server needs one for each connection. */
const WORDS = new Int32Array(80);
const STATE = new Int32Array(5);
const DIGEST: number[] = [];

/** RFC 3174 §6.1: the initial state. */
const INITIAL = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];

/** RFC 3174 §5: the constants, each for 20 steps. */
const ADDED = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6] as const;

/**
 * Computes the SHA-1 digest of a text whose code units are a byte each
 * ({@link https://www.rfc-editor.org/rfc/rfc3174#section-6.1 RFC 3174 §6.1}). Use it for the opening
 * handshake only: SHA-1 is not secure.
 *
 * @param text The bytes to hash.
 * @returns The 20 bytes of the digest, as code units.
 */
export function sha1(text: string): string {
  STATE.set(INITIAL);
  const end = ((text.length + 72) >>> 6) * 64;
  for (let start = 0; start < end; start += 64) {
    for (let i = 0; i < 64; i++) {
      WORDS[i >> 2] = (word(WORDS, i >> 2) << 8) | (byteOf(text, start + i, end) & 0xff);
    }
    hashBlock();
  }
  for (let i = 0; i < 20; i++) {
    DIGEST[i] = (word(STATE, i >> 2) >> (24 - 8 * (i & 3))) & 0xff;
  }
  return String.fromCharCode(...DIGEST);
}

/** RFC 3174 §4: a 1 bit and zeros follow the text, and the last block ends with the length in bits. */
function byteOf(text: string, at: number, end: number): number {
  const { length } = text;
  if (at < length) return text.charCodeAt(at);
  if (at === length) return 0x80;
  return at < end - 4 ? 0 : (length << 3) >> (8 * (end - 1 - at));
}

/** RFC 3174 §6.1: hashes one block of 16 words, which are expanded in place to 80. */
function hashBlock(): void {
  let a = word(STATE, 0), b = word(STATE, 1), c = word(STATE, 2), d = word(STATE, 3);
  let e = word(STATE, 4);
  for (let t = 0; t < 80; t++) {
    if (t > 15) {
      const mixed = word(WORDS, t - 3) ^ word(WORDS, t - 8) ^ word(WORDS, t - 14);
      WORDS[t] = rotate(mixed ^ word(WORDS, t - 16), 1);
    }
    const part = (t / 20) | 0;
    const mixed = part === 0
      ? (b & c) | (~b & d)
      : part === 2
      ? (b & c) | (b & d) | (c & d)
      : b ^ c ^ d;
    const next = rotate(a, 5) + mixed + e + word(WORDS, t) + (ADDED[part] as number);
    e = d;
    d = c;
    c = rotate(b, 30);
    b = a;
    a = next | 0;
  }
  const added = [a, b, c, d, e];
  for (let i = 0; i < 5; i++) STATE[i] = word(STATE, i) + (added[i] as number);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** Returns an element of an array. The caller keeps to its bounds. */
function word(words: Int32Array, index: number): number {
  return words[index] as number;
}
