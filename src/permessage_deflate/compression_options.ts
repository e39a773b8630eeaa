/** Options for compressing messages with permessage-deflate. RFC 7692 §7. */
export interface CompressionOptions {
  /**
   * Whether the server starts each message with an empty window, which takes less memory and compresses less.
   * Default: as the peer asks, otherwise the server keeps its window.
   */
  readonly serverNoContextTakeover?: boolean;
  /**
   * Whether the client starts each message with an empty window, which takes less memory and compresses less.
   * Default: as the peer asks, otherwise the client keeps its window.
   */
  readonly clientNoContextTakeover?: boolean;
  /** The base-2 logarithm of the maximum size of the server's window in bytes, 8–15. Default 15. */
  readonly serverMaxWindowBits?: number;
  /** The base-2 logarithm of the maximum size of the client's window in bytes, 8–15. Default 15. */
  readonly clientMaxWindowBits?: number;
  /** Smaller messages are sent uncompressed, in bytes. Default 1024. */
  readonly threshold?: number;
  /** zlib's level, from 0 (none) to 9 (small and slow), or -1 for zlib's default. Default -1. */
  readonly level?: number;
}

/** A client's options for compressing messages. RFC 7692 §7. */
export interface ClientCompressionOptions extends CompressionOptions {
  /**
   * `"bare"` offers compression without parameters, for servers that reject `client_max_window_bits`. Nothing
   * is then requested of the server, but the client's own settings still apply. Default: the offer has all
   * parameters that apply.
   */
  readonly offer?: "bare";
}

/** The base-2 logarithm of the largest window. */
export const MAX_BITS = 15;

/**
 * Checks a user's options.
 *
 * @param options The options.
 * @throws {RangeError} If window bits are not 8–15, a level is not -1–9, a threshold is negative, or one of
 * them is not an integer.
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
    `Cannot use the option compression.${name}: it must be an integer from ${min} to ${max}, got ${value}`,
  );
}
