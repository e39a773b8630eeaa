/**
 * How much work a peer may cause in one turn of the event loop.
 *
 * @module
 */

/**
 * What may still be done in this turn, in units of about a nanosecond: counted, not measured, so that
 * counting costs nothing. All connections of a process share one.
 */
export interface WorkBudget {
  /** How many units are left; the last piece of work may take it below 0. */
  left: number;
}

/** What a frame costs beside a unit for each byte of its payload. */
export const FRAME_COST = 250;

/** What a control frame costs beside that: answering a Ping, above all. */
export const CONTROL_COST = 1000;

/** What decoding a byte of text costs when it isn't ASCII, checking it included. */
export const TEXT_BYTE_COST = 6;

/** What a call of the platform's decompressor costs, and each byte that it gives. */
export const INFLATE_COST = 15_000;
export const INFLATED_BYTE_COST = 2;

/** The most bytes of a payload that are worked on at once. */
export const LARGEST_PIECE: number = 1024 * 1024;
