/** Bytes as cases write them. Nothing here is shared with the implementation that may be checked. */

import { builtinModule } from "../realm/builtin_module.ts";

const ENCODER = new TextEncoder();

/** The UTF-8 bytes of a text. */
export function utf8(text: string): Uint8Array {
  return ENCODER.encode(text);
}

/** The bytes that a text writes in hexadecimal; blanks don't count. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/\s/g, "");
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

/** One array of all bytes. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1 && parts[0] !== undefined) return parts[0];
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Whether two arrays hold the same bytes. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  // Messages of 16 MiB are compared: the runtime does it in a fraction of the time of a loop.
  return a.length === b.length &&
    builtinModule<BufferModule>("buffer")?.Buffer.compare(a, b) === 0;
}

interface BufferModule {
  readonly Buffer: { compare(a: Uint8Array, b: Uint8Array): number };
}

/** Bytes that look random and are the same for the same seed (xorshift32): no compressor finds repetitions. */
export function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed * 0x9e3779b9 | 1;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

/** Printable ASCII bytes that look random. */
export function asciiNoise(length: number, seed = 1): Uint8Array {
  const bytes = noise(length, seed);
  for (let i = 0; i < length; i++) bytes[i] = 33 + (bytes[i] ?? 0) % 94;
  return bytes;
}

/** `length` times the same byte. */
export function filled(length: number, byte = 0x2a): Uint8Array {
  return new Uint8Array(length).fill(byte);
}

const SHOWN = 24;

/** Bytes for a reader: printable ASCII in quotes, others in hexadecimal; both shortened. */
export function shown(bytes: Uint8Array): string {
  if (bytes.length === 0) return "empty";
  const head = bytes.subarray(0, SHOWN);
  const isText = head.every((byte) => byte >= 0x20 && byte < 0x7f);
  const text = isText
    ? JSON.stringify(String.fromCharCode(...head))
    : Array.from(head, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return bytes.length > SHOWN ? `${text}… (${size(bytes.length)})` : text;
}

const UNITS: readonly (readonly [bytes: number, name: string])[] = [[1 << 20, "MiB"], [
  1024,
  "KiB",
]];

/** A size: `"125 bytes"`, `"16 MiB"`. */
export function size(bytes: number): string {
  for (const [unit, name] of UNITS) {
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit} ${name}`;
  }
  return bytes === 1 ? "1 byte" : `${bytes} bytes`;
}

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether bytes are UTF-8. */
export function isUtf8(bytes: Uint8Array): boolean {
  try {
    DECODER.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
