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
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    return Math.max(value.byteLength, LEAST);
  }
  return UNKNOWN;
}
