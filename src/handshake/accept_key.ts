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

/**
 * The SHA-1 digest of a text whose code units are a byte each
 * ({@link https://www.rfc-editor.org/rfc/rfc3174#section-6.1 RFC 3174 §6.1}). For the opening handshake
 * only: SHA-1 protects nothing any more.
 *
 * @param text The bytes to hash.
 * @returns The 20 bytes of the digest, as code units as well.
 */
export function sha1(text: string): string {
  const { length } = text;
  STATE[0] = 0x67452301;
  STATE[1] = 0xefcdab89;
  STATE[2] = 0x98badcfe;
  STATE[3] = 0x10325476;
  STATE[4] = 0xc3d2e1f0;
  // RFC 3174 §4: behind the text a 1 bit, zeros, and the length in bits at the end of the last block.
  const blocks = (length + 9 + 63) >>> 6;
  for (let block = 0; block < blocks; block++) {
    for (let i = 0; i < 16; i++) WORDS[i] = wordOf(text, 64 * block + 4 * i);
    if (block === blocks - 1) {
      WORDS[14] = Math.floor(length / 0x20000000);
      WORDS[15] = length << 3;
    }
    hashBlock(WORDS, STATE);
  }
  let digest = "";
  for (let i = 0; i < 20; i++) digest += String.fromCharCode(byte(STATE, i));
  return digest;
}

/** Four bytes of a text and of the 1 bit behind it. */
function wordOf(text: string, at: number): number {
  let word = 0;
  for (let i = at; i < at + 4; i++) {
    const unit = i < text.length ? text.charCodeAt(i) & 0xff : i === text.length ? 0x80 : 0;
    word = (word << 8) | unit;
  }
  return word;
}

/** A byte of a digest. */
function byte(state: Int32Array, index: number): number {
  return (word(state, index >> 2) >>> (24 - 8 * (index & 3))) & 0xff;
}

/** RFC 3174 §6.1: one block of 16 words, which are expanded in place to 80. */
function hashBlock(words: Int32Array, state: Int32Array): void {
  for (let t = 16; t < 80; t++) {
    words[t] = rotate(
      word(words, t - 3) ^ word(words, t - 8) ^ word(words, t - 14) ^ word(words, t - 16),
      1,
    );
  }
  let a = word(state, 0), b = word(state, 1), c = word(state, 2), d = word(state, 3);
  let e = word(state, 4);
  for (let t = 0; t < 80; t++) {
    const next = (rotate(a, 5) + mix(t, b, c, d) + e + word(words, t)) | 0;
    e = d;
    d = c;
    c = rotate(b, 30);
    b = a;
    a = next;
  }
  state[0] = word(state, 0) + a;
  state[1] = word(state, 1) + b;
  state[2] = word(state, 2) + c;
  state[3] = word(state, 3) + d;
  state[4] = word(state, 4) + e;
}

/** RFC 3174 §5: the function and the constant of step `t`, added up, modulo 2^32. */
function mix(t: number, b: number, c: number, d: number): number {
  if (t < 20) return (((b & c) | (~b & d)) + 0x5a827999) | 0;
  if (t < 40) return ((b ^ c ^ d) + 0x6ed9eba1) | 0;
  if (t < 60) return (((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc) | 0;
  return ((b ^ c ^ d) + 0xca62c1d6) | 0;
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** An element of an array whose bounds the caller keeps. */
function word(words: Int32Array, index: number): number {
  return words[index] as number;
}
