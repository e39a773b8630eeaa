/** What is known of times, in milliseconds: exact to 1 %, in bounded memory. */
export class Statistics {
  /** How many times. */
  count = 0;
  /** The shortest one; `Infinity` when there is none. */
  min: number = Infinity;
  /** The longest one; 0 when there is none. */
  max = 0;
  #sum = 0;
  #squares = 0;
  /** How many times were of about so many microseconds: the index is a logarithm. */
  readonly #buckets: number[] = [];

  /** Adds a time. */
  add(ms: number): void {
    this.count++;
    this.#sum += ms;
    this.#squares += ms * ms;
    if (ms < this.min) this.min = ms;
    if (ms > this.max) this.max = ms;
    const index = Math.round(Math.log(Math.max(ms * 1000, 1)) / STEP);
    this.#buckets[index] = (this.#buckets[index] ?? 0) + 1;
  }

  /** The mean; 0 of nothing. */
  get mean(): number {
    return this.count === 0 ? 0 : this.#sum / this.count;
  }

  /** The standard deviation; 0 of nothing. */
  get deviation(): number {
    const { mean } = this;
    return this.count === 0 ? 0 : Math.sqrt(Math.max(this.#squares / this.count - mean * mean, 0));
  }

  /**
   * The time that a part of the times doesn't exceed; 0 of nothing.
   *
   * @param part From 0 to 1: 0.5 is the median.
   */
  quantile(part: number): number {
    const wanted = Math.max(Math.ceil(part * this.count), 1);
    let seen = 0;
    // A list with holes: `for in` goes through what is there.
    for (const key in this.#buckets) {
      seen += this.#buckets[key] ?? 0;
      if (seen >= wanted) {
        const ms = Math.exp(Number(key) * STEP) / 1000;
        return Math.min(Math.max(ms, this.min), this.max);
      }
    }
    return 0;
  }
}

/** The logarithm of 1.01. */
const STEP: number = Math.log(1.01);

/** A time for people, in milliseconds. */
export function msText(ms: number): string {
  const digits = ms >= 100 ? 0 : ms >= 10 ? 1 : ms >= 1 ? 2 : 3;
  return `${ms.toFixed(digits)} ms`;
}

/** A time for programs: microseconds are as exact as it gets. */
export function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
