/** A number, or a range of which the seed chooses one: both ends included. */
export type NumberOrRange = number | readonly [min: number, max: number];

/** Numbers that look random and are the same for the same seed (mulberry32). Not fit for secrets. */
export class SeededRandom {
  #state: number;

  /** @param seed A whole number; its lower 32 bits count. */
  constructor(seed: number) {
    if (!Number.isInteger(seed)) {
      throw new RangeError(`Cannot make random numbers: the seed must be a whole number: ${seed}`);
    }
    this.#state = seed >>> 0;
  }

  /** The next number: at least 0, less than 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    const state = this.#state;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** A whole number of a range; a number that isn't a range is itself. */
  choose(range: NumberOrRange): number {
    if (typeof range === "number") return range;
    const [min, max] = range;
    return min + Math.floor(this.fraction() * (max - min + 1));
  }
}

/**
 * Checks a number or range.
 *
 * @param name What it is called in the message.
 * @param range What to check.
 * @param least The least that it may be.
 * @throws {RangeError} When it is less, or the range is upside down.
 */
export function checkRange(name: string, range: NumberOrRange | undefined, least: number): void {
  if (range === undefined) return;
  const [min, max] = typeof range === "number" ? [range, range] : range;
  if (min >= least && max >= min) return;
  throw new RangeError(`Cannot make a pair: ${name} must be at least ${least}, got ${range}`);
}
