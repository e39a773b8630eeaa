/** A limit for a period of time. */
export interface Rate {
  /** The amount that is allowed at once, and in each `per` after that. */
  readonly limit: number;
  /** The period, in milliseconds. */
  readonly per: number;
}

/** The rounding error of a sum of refills, which is less than a token. */
const ROUNDING = 1e-6;

/**
 * A token bucket. It has `limit` tokens at first, and is refilled evenly, by `limit` in each `per`. So
 * `limit` is allowed at once after a pause of `per`, and at most twice that within any `per`.
 */
export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #at: number;

  /**
   * Creates a full bucket.
   *
   * @param rate The limit and the period.
   * @param now The time, in milliseconds.
   */
  constructor(rate: Rate, now: number) {
    this.#rate = rate;
    this.#tokens = rate.limit;
    this.#at = now;
  }

  /**
   * Takes tokens, even if there are not enough. Missing ones are a debt.
   *
   * @param amount The number of tokens.
   * @param now The time, in milliseconds.
   * @returns Whether there were enough.
   */
  spend(amount: number, now: number): boolean {
    this.#refill(now);
    this.#tokens -= amount;
    return this.#tokens >= -ROUNDING;
  }

  /**
   * Takes tokens if there are enough.
   *
   * @param amount The number of tokens.
   * @param now The time, in milliseconds.
   * @returns Whether there were enough.
   */
  take(amount: number, now: number): boolean {
    this.#refill(now);
    if (this.#tokens - amount < -ROUNDING) return false;
    this.#tokens -= amount;
    return true;
  }

  /** The number of missing tokens. */
  get debt(): number {
    return Math.max(-this.#tokens, 0);
  }

  /** Cancels the debt. */
  forgive(): void {
    this.#tokens = Math.max(this.#tokens, 0);
  }

  /**
   * Returns the time until there are enough tokens.
   *
   * @param now The time, in milliseconds.
   * @param amount The number of tokens; 0 to wait until there is no debt.
   * @returns The time in milliseconds; 0 if there are enough.
   */
  wait(now: number, amount: number): number {
    this.#refill(now);
    const { limit, per } = this.#rate;
    const missing = amount - this.#tokens;
    return missing > ROUNDING ? missing * per / limit : 0;
  }

  /** Returns whether the bucket is full, so that it needn't be kept. */
  isFull(now: number): boolean {
    this.#refill(now);
    return this.#tokens >= this.#rate.limit;
  }

  #refill(now: number): void {
    const { limit, per } = this.#rate;
    // If the clock was set back, nothing is refilled.
    const passed = Math.max(now - this.#at, 0);
    this.#tokens = Math.min(this.#tokens + passed * limit / per, limit);
    this.#at = now;
  }
}
