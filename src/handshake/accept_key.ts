/**
 * The key of the opening handshake: what a client sends, and what a server must answer to it.
 *
 * SHA-1 is written out here so that {@linkcode signKey} is synchronous on every platform. Nothing secret is hashed: the answer only shows that the server speaks WebSocket.
 *
 * @module
 */

/** RFC 6455 §1.3: the fixed identifier that is appended to the key. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** RFC 6455 §4.1: the base64 form of 16 bytes. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** How many random bytes make a key. RFC 6455 §4.1. */
export const NONCE_LENGTH = 16;

/**
 * The value of `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`.
 *
 * The key is taken as its code units, one byte each, and is not checked: see
 * {@linkcode isHandshakeKey}.
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
 * Whether a text can be a `Sec-WebSocket-Key`: the base64 form of 16 bytes.
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
 * The base64 form of bytes, padded.
 *
 * @param bytes The bytes to encode: few.
 * @returns Their base64 form.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc4648#section-4 RFC 4648 §4}
 */
export function encodeBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** One for all: nothing else runs while a digest is made, and a server makes one for each connection. */
const WORDS = new Int32Array(80);
const STATE = new Int32Array(5);
const DIGEST: number[] = [];

/** RFC 3174 §6.1: the state at the beginning. */
const INITIAL = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];

/** RFC 3174 §5: the constant of each 20 steps. */
const ADDED = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6] as const;

/**
 * The SHA-1 digest of a text whose code units are a byte each
 * ({@link https://www.rfc-editor.org/rfc/rfc3174#section-6.1 RFC 3174 §6.1}). For the opening handshake
 * only: SHA-1 protects nothing any more.
 *
 * @param text The bytes to hash.
 * @returns The 20 bytes of the digest, as code units as well.
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

/** RFC 3174 §4: behind the text a 1 bit, zeros, and the length in bits at the end of the last block. */
function byteOf(text: string, at: number, end: number): number {
  const { length } = text;
  if (at < length) return text.charCodeAt(at);
  if (at === length) return 0x80;
  return at < end - 4 ? 0 : (length << 3) >> (8 * (end - 1 - at));
}

/** RFC 3174 §6.1: one block of 16 words, which are expanded in place to 80. */
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

/** An element of an array whose bounds the caller keeps. */
function word(words: Int32Array, index: number): number {
  return words[index] as number;
}
