/**
 * The amount of work that a peer may cause in one turn of the event loop.
 *
 * @module
 */

/**
 * The remaining work of this turn, in units of about a nanosecond. The work is estimated, not measured, so
 * counting costs nothing. All connections of a process share one budget.
 */
export interface WorkBudget {
  /** The number of remaining units. The last piece of work may take it below 0. */
  left: number;
}

/** The cost of a frame, in addition to one unit for each byte of its payload. */
export const FRAME_COST = 250;

/** The additional cost of a control frame: mainly that of answering a Ping. */
export const CONTROL_COST = 1000;

/** The cost of validating and decoding a byte of text that isn't ASCII. */
export const TEXT_BYTE_COST = 6;

/** The cost of a call of the platform's decompressor. Each byte of the result adds `INFLATED_BYTE_COST`. */
export const INFLATE_COST = 15_000;
export const INFLATED_BYTE_COST = 2;

/** The maximum number of payload bytes that are processed in one step. */
export const LARGEST_PIECE: number = 1024 * 1024;
