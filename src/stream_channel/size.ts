import { byteLengthOf } from "../realm/bytes.ts";

/** The default high-water mark, in bytes, of each direction of a channel: 64 KiB. */
export const DEFAULT_HIGH_WATER_MARK: number = 64 * 1024;

/** What a value counts at least while it waits, so that empty messages can't pile up for nothing. */
const LEAST = 32;

/** What a value counts whose size can't be told. */
const UNKNOWN = 64;

/**
 * What `value` counts towards a high-water mark, in bytes: the length of a string or of bytes (at
 * least 32), 64 for anything else.
 */
export function sizeOf(value: unknown): number {
  if (typeof value === "string") return Math.max(value.length, LEAST);
  const length = byteLengthOf(value);
  return length === null ? UNKNOWN : Math.max(length, LEAST);
}

/** How many values inside a document are looked at: a cycle must not be followed for ever. */
const MOST_VALUES = 100_000;

/**
 * About how many bytes a JSON document takes, with all that is in it: for what waits without having
 * been asked for. At least what {@linkcode sizeOf} gives.
 */
export function sizeOfDocument(value: unknown): number {
  let size = sizeOf(value);
  if (size !== UNKNOWN || !isContainer(value)) return size;
  // A stack of its own: a peer may nest deeper than calls can.
  const containers: object[] = [value];
  for (let seen = 0; containers.length > 0 && seen < MOST_VALUES;) {
    const container = containers.pop();
    for (const [key, item] of Object.entries(container ?? {})) {
      size += key.length + (isContainer(item) ? UNKNOWN : sizeOfScalar(item));
      if (isContainer(item)) containers.push(item);
      if (++seen >= MOST_VALUES) break;
    }
  }
  return size;
}

function sizeOfScalar(value: unknown): number {
  return typeof value === "string" ? value.length + 8 : 8;
}

function isContainer(value: unknown): value is object {
  return typeof value === "object" && value !== null && !ArrayBuffer.isView(value);
}
