/** What is wished for the compression of messages. RFC 7692 §7. */
export interface CompressionOptions {
  /**
   * Whether the server starts each message with an empty window: less memory, less compression.
   * Left out: the other end's wish decides, and else the window is kept.
   */
  readonly serverNoContextTakeover?: boolean;
  /**
   * Whether the client starts each message with an empty window: less memory, less compression.
   * Left out: the other end's wish decides, and else the window is kept.
   */
  readonly clientNoContextTakeover?: boolean;
  /** The base-2 logarithm of the server's window in bytes at most, 8–15. Default 15. */
  readonly serverMaxWindowBits?: number;
  /** The base-2 logarithm of the client's window in bytes at most, 8–15. Default 15. */
  readonly clientMaxWindowBits?: number;
  /** Messages of fewer bytes are sent uncompressed. Default 1024. */
  readonly threshold?: number;
  /** zlib's level, from 0 (none) to 9 (small and slow), or -1 for zlib's default. Default -1. */
  readonly level?: number;
}

/** What a client wishes for the compression of messages. RFC 7692 §7. */
export interface ClientCompressionOptions extends CompressionOptions {
  /**
   * `"bare"`: the offer has no parameter, for servers that refuse `client_max_window_bits`. Nothing can be asked
   * of the server then; the client's own settings hold all the same. Left out: the offer has all that applies.
   */
  readonly offer?: "bare";
}

/** The base-2 logarithm of the largest window. */
export const MAX_BITS = 15;

/**
 * Checks a user's wishes.
 *
 * @param options The wishes.
 * @throws {RangeError} When window bits are not 8–15, a level not -1–9, or a threshold is negative;
 * none may be fractional.
 */
export function checkCompressionOptions(options: CompressionOptions): void {
  checkInteger("serverMaxWindowBits", options.serverMaxWindowBits, [8, MAX_BITS]);
  checkInteger("clientMaxWindowBits", options.clientMaxWindowBits, [8, MAX_BITS]);
  checkInteger("level", options.level, [-1, 9]);
  checkInteger("threshold", options.threshold, [0, Number.MAX_SAFE_INTEGER]);
}

function checkInteger(
  name: string,
  value: number | undefined,
  [min, max]: readonly [number, number],
): void {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return;
  throw new RangeError(
    `Cannot use the option compression.${name}: it must be an integer of ${min}–${max}, got ${value}`,
  );
}
