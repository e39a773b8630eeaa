import type { Clock } from "../web_socket/clock.ts";

/** The first and the longest delay between attempts to connect, in milliseconds. */
const FIRST_DELAY = 50;
const MAX_DELAY = 1000;

/** The delays between an engine's attempts to connect: each twice as long as the one before. */
export class Backoff {
  readonly #clock: Clock;
  #delay = FIRST_DELAY;
  #timer: unknown;
  /** Ends the present pause. */
  #resume: (() => void) | null = null;
  #isEnded = false;

  /** @param clock Where times come from. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An attempt has succeeded: the next delay is the first one again. */
  reset(): void {
    this.#delay = FIRST_DELAY;
  }

  /** Waits before the next attempt, or until the end. */
  async pause(): Promise<void> {
    if (this.#isEnded) return;
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
      this.#timer = this.#clock.setTimeout(resolve, this.#delay);
    });
    this.#delay = Math.min(2 * this.#delay, MAX_DELAY);
  }

  /** The engine has ended: nothing waits any more. */
  end(): void {
    this.#isEnded = true;
    this.#clock.clearTimeout(this.#timer);
    this.#resume?.();
  }
}
