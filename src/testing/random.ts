/** A number, or a range from which the seed chooses a number. Both ends are included. */
export type NumberOrRange = number | readonly [min: number, max: number];

/**
 * A random number generator that gives the same numbers for the same seed (mulberry32). It is not safe for
 * secrets.
 */
export class SeededRandom {
  #state: number;

  /**
   * Creates a generator.
   *
   * @param seed An integer, of which the lower 32 bits are used.
   */
  constructor(seed: number) {
    if (!Number.isInteger(seed)) {
      throw new RangeError(`Cannot create a pair: seed must be an integer, got ${seed}`);
    }
    this.#state = seed >>> 0;
  }

  /** Returns the next number: at least 0 and less than 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    const state = this.#state;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** Returns an integer from a range, or the number itself. */
  choose(range: NumberOrRange): number {
    if (typeof range === "number") return range;
    const [min, max] = range;
    return min + Math.floor(this.fraction() * (max - min + 1));
  }
}

/**
 * Checks a number or range.
 *
 * @param name The option's name, for the error.
 * @param range The number or range.
 * @param least The minimum.
 * @throws {RangeError} If it is less, or the range has a maximum below its minimum.
 */
export function checkRange(name: string, range: NumberOrRange | undefined, least: number): void {
  if (range === undefined) return;
  const [min, max] = typeof range === "number" ? [range, range] : range;
  if (min >= least && max >= min) return;
  throw new RangeError(`Cannot create a pair: ${name} must be at least ${least}, got ${range}`);
}
