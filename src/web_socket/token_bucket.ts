/** How much of something there may be in a time. */
export interface Rate {
  /** How much: at once, and within `per` from then on. */
  readonly limit: number;
  /** The time, in milliseconds. */
  readonly per: number;
}

/** A sum of refills may be off by that much: no whole token. */
const ROUNDING = 1e-6;

/**
 * A token bucket: it holds `limit` tokens at first, and is refilled evenly, by `limit` within `per`. So
 * after a pause of `per` as much as `limit` may come at once, and within any `per` no more than twice that.
 */
export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #at: number;

  /**
   * Creates a full one.
   *
   * @param rate How much there may be.
   * @param now The time, in milliseconds.
   */
  constructor(rate: Rate, now: number) {
    this.#rate = rate;
    this.#tokens = rate.limit;
    this.#at = now;
  }

  /**
   * Takes tokens, whether or not there are enough: what is missing is a debt.
   *
   * @param amount How many.
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
   * @param amount How many.
   * @param now The time, in milliseconds.
   * @returns Whether there were enough.
   */
  take(amount: number, now: number): boolean {
    this.#refill(now);
    if (this.#tokens - amount < -ROUNDING) return false;
    this.#tokens -= amount;
    return true;
  }

  /** How many tokens are missing. */
  get debt(): number {
    return Math.max(-this.#tokens, 0);
  }

  /** Forgets the debt. */
  forgive(): void {
    this.#tokens = Math.max(this.#tokens, 0);
  }

  /**
   * How long until there are tokens again.
   *
   * @param now The time, in milliseconds.
   * @param amount How many; 0: until nothing is owed.
   * @returns The time to wait, in milliseconds: 0 if there are enough.
   */
  wait(now: number, amount: number): number {
    this.#refill(now);
    const { limit, per } = this.#rate;
    const missing = amount - this.#tokens;
    return missing > ROUNDING ? missing * per / limit : 0;
  }

  /** Whether it holds as many as at first: it needn't be kept. */
  isFull(now: number): boolean {
    this.#refill(now);
    return this.#tokens >= this.#rate.limit;
  }

  #refill(now: number): void {
    const { limit, per } = this.#rate;
    // A clock that is set back refills nothing.
    const passed = Math.max(now - this.#at, 0);
    this.#tokens = Math.min(this.#tokens + passed * limit / per, limit);
    this.#at = now;
  }
}
