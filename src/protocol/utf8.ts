/**
 * Validating UTF-8 as it arrives, and decoding it
 * ({@link https://www.rfc-editor.org/rfc/rfc6455#section-8.1 RFC 6455 §8.1}).
 *
 * @module
 */

import { TEXT_BYTE_COST, type WorkBudget } from "./work_budget.ts";

/** `ignoreBOM` keeps a BOM, which is part of the text. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const replacing = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * What to do with a text message that isn't valid UTF-8: `"fail"` fails the connection with 1007 (RFC 6455
 * §8.1); `"replace"` replaces invalid bytes with U+FFFD; `"bytes"` delivers the message's bytes.
 */
export type InvalidText = "fail" | "replace" | "bytes";

/** Up to this many bytes, a loop is faster than the platform's decoder. */
const SHORT = 32;

/**
 * ASCII is skipped by words after this many bytes of ASCII, if at least `WORDS_FROM` bytes follow. Creating
 * the view costs time, and text of mixed scripts would pay it for each character.
 */
const NEAR = 32;
const WORDS_FROM = 256;

/** The top bits of the four bytes of a word, in any byte order. */
const NOT_ASCII = 0x8080_8080 | 0;

/**
 * Decodes UTF-8.
 *
 * @param bytes The bytes, of which the text is a part.
 * @param start Where the text begins.
 * @param end Where it ends.
 * @returns The text, including a BOM; `null` if it is not valid UTF-8.
 */
export function decodeText(bytes: Uint8Array, start: number, end: number): string | null {
  if (end - start <= SHORT) {
    const text = decodeAscii(bytes, start, end);
    if (text !== null) return text;
  }
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    return null;
  }
}

/**
 * Decodes UTF-8, and charges the cost to a budget.
 *
 * @param bytes The bytes, of which the text is a part.
 * @param start Where the text begins.
 * @param end Where it ends.
 * @param budget The budget to charge.
 * @returns The text, including a BOM; `null` if it is not valid UTF-8.
 */
export function decodeWithin(
  bytes: Uint8Array,
  start: number,
  end: number,
  budget: WorkBudget,
): string | null {
  const size = end - start;
  const text = decodeText(bytes, start, end);
  // ASCII, which is decoded fast, has as many characters as bytes.
  budget.left -= text !== null && text.length === size ? size : TEXT_BYTE_COST * size;
  return text;
}

/**
 * Decodes text that isn't valid UTF-8, as the option `invalidText` asks for.
 *
 * @param bytes The bytes of the text.
 * @param invalidText What to do.
 * @returns The text, or the bytes themselves; `null` to fail the connection.
 */
export function decodeInvalid(
  bytes: Uint8Array,
  invalidText: InvalidText,
): string | Uint8Array | null {
  if (invalidText === "fail") return null;
  return invalidText === "bytes" ? bytes : replacing.decode(bytes);
}

/**
 * Returns where text can be cut so that both parts decode on their own.
 *
 * @param bytes The part of the text that has arrived.
 * @param end Where it ends.
 * @returns The last offset from `end - 3` to `end` at which a code point begins; `end` if there is none, as
 * in invalid UTF-8.
 */
export function lastBoundary(bytes: Uint8Array, end: number): number {
  for (let at = end - 1; at >= 0 && at >= end - 3; at--) {
    const byte = bytes[at] as number;
    // All bytes of a code point after the first are 80–BF.
    if (byte < 0x80) return end;
    if (byte >= 0xc0) return at;
  }
  return end;
}

/** Decodes ASCII, eight characters at a time; returns `null` for any other text. */
function decodeAscii(bytes: Uint8Array, start: number, end: number): string | null {
  let text = "";
  let i = start;
  for (; i + 8 <= end; i += 8) {
    const a = bytes[i] as number, b = bytes[i + 1] as number;
    const c = bytes[i + 2] as number, d = bytes[i + 3] as number;
    const e = bytes[i + 4] as number, f = bytes[i + 5] as number;
    const g = bytes[i + 6] as number, h = bytes[i + 7] as number;
    if ((a | b | c | d | e | f | g | h) > 0x7f) return null;
    text += String.fromCharCode(a, b, c, d, e, f, g, h);
  }
  for (; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte > 0x7f) return null;
    text += String.fromCharCode(byte);
  }
  return text;
}

/**
 * Validates UTF-8 that arrives in pieces. It fails at the first byte that can't be part of UTF-8, which may
 * be in the middle of a frame, a chunk or a code point.
 *
 * It is the decoder of the {@link https://encoding.spec.whatwg.org/#utf-8-decoder Encoding standard} without
 * its output: overlong forms, surrogates and code points above U+10FFFF are errors.
 */
export class Utf8Validator {
  /** The number of continuation bytes that the code point still needs. */
  #needed = 0;
  /** The range of the next continuation byte. */
  #lower = 0x80;
  #upper = 0xbf;

  /** Whether the pushed bytes end at the end of a code point. */
  get isComplete(): boolean {
    return this.#needed === 0;
  }

  /**
   * Validates the next bytes. Don't use the validator after it has returned `false`.
   *
   * @param bytes The bytes, part of which is validated.
   * @param start Where that part begins.
   * @param end Where it ends.
   * @returns Whether all bytes so far are the beginning of valid UTF-8.
   */
  push(bytes: Uint8Array, start: number, end: number): boolean {
    let i = start;
    while (i < end) {
      if (this.#needed === 0) {
        i = skipAscii(bytes, i, end);
        if (i < end && !this.#begin(bytes[i] as number)) return false;
      } else if (!this.#continue(bytes[i] as number)) return false;
      i++;
    }
    return true;
  }

  /** Takes the first byte of a code point that isn't ASCII. */
  #begin(byte: number): boolean {
    // 80–BF are continuation bytes; C0 and C1 would begin an overlong form.
    if (byte < 0xc2 || byte > 0xf4) return false;
    this.#needed = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    // The ranges exclude overlong forms of three and four bytes, surrogates, and code points above U+10FFFF.
    this.#lower = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    this.#upper = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
    return true;
  }

  #continue(byte: number): boolean {
    if (byte < this.#lower || byte > this.#upper) return false;
    this.#lower = 0x80;
    this.#upper = 0xbf;
    this.#needed--;
    return true;
  }
}

/** Returns the offset of the first byte that isn't ASCII, or `end`. */
function skipAscii(bytes: Uint8Array, start: number, end: number): number {
  const near = Math.min(end, start + NEAR);
  let i = start;
  while (i < near && (bytes[i] as number) < 0x80) i++;
  if (i < near) return i;
  if (end - i >= WORDS_FROM) i = skipWords(bytes, i, end);
  while (i < end && (bytes[i] as number) < 0x80) i++;
  return i;
}

/** Skips ASCII in groups of sixteen aligned bytes. */
function skipWords(bytes: Uint8Array, start: number, end: number): number {
  const head = (4 - ((bytes.byteOffset + start) & 3)) & 3;
  for (let i = start; i < start + head; i++) if ((bytes[i] as number) > 0x7f) return i;
  const at = start + head;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, (end - at) >>> 2);
  const last = words.length - 4;
  let i = 0;
  while (
    i <= last &&
    (((words[i] as number) | (words[i + 1] as number) | (words[i + 2] as number) |
        (words[i + 3] as number)) & NOT_ASCII) === 0
  ) i += 4;
  return at + (i << 2);
}
