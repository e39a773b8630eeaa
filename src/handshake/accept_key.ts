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

/** How many bytes of chance make a key. RFC 6455 §4.1. */
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
  const text = key + GUID;
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return encodeBase64(sha1(bytes));
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

/**
 * The SHA-1 digest of bytes.
 *
 * For the opening handshake only: SHA-1 protects nothing any more.
 *
 * @param bytes The bytes to hash, fewer than 2^32.
 * @returns The 20 bytes of the digest.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc3174#section-6.1 RFC 3174 §6.1}
 */
export function sha1(bytes: Uint8Array): Uint8Array {
  const padded = pad(bytes);
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
  for (let offset = 0; offset < padded.byteLength; offset += 64) {
    for (let i = 0; i < 16; i++) WORDS[i] = padded.getInt32(offset + 4 * i);
    hashBlock(WORDS, state);
  }
  const digest = new DataView(new ArrayBuffer(20));
  for (let i = 0; i < 5; i++) digest.setInt32(4 * i, word(state, i));
  return new Uint8Array(digest.buffer);
}

/** One for all: nothing else runs while a digest is made. */
const WORDS = new Int32Array(80);

/** RFC 3174 §4: a 1 bit, zeros, and the length in bits, up to a multiple of 64 bytes. */
function pad(bytes: Uint8Array): DataView {
  const { length } = bytes;
  const padded = new Uint8Array((length + 9 + 63) & ~63);
  padded.set(bytes);
  padded[length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(length / 0x20000000));
  view.setUint32(padded.length - 4, length << 3);
  return view;
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
