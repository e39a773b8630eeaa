import type { Clock } from "../web_socket/clock.ts";
import { DEFAULT_CLOSE_TIMEOUT } from "../web_socket/options.ts";

const FIRST_LOOK = 1;
const LONGEST_WAIT = 32;

/** Polls a native socket for changes without an event. */
export class Polling {
  readonly #clock: Clock;
  readonly #stateInterval: number;
  #stateTimer: unknown;
  #amountTimer: unknown;

  /**
   * Creates an inactive poll.
   *
   * @param clock The clock for its timers.
   * @param stateInterval How often to check the state, in milliseconds.
   */
  constructor(clock: Clock, stateInterval: number = DEFAULT_CLOSE_TIMEOUT) {
    this.#clock = clock;
    this.#stateInterval = Math.max(stateInterval, LONGEST_WAIT);
  }

  /** Checks the socket's state regularly, until `look` returns `false`. */
  watchState(look: () => boolean): void {
    this.#stateTimer = this.#clock.setTimeout(() => {
      this.#stateTimer = undefined;
      if (look()) this.watchState(look);
    }, this.#stateInterval);
  }

  /** Checks the buffered amount, often at first, until `look` returns `false`. */
  watchAmount(look: () => boolean, wait: number = FIRST_LOOK): void {
    if (this.#amountTimer !== undefined) return;
    this.#amountTimer = this.#clock.setTimeout(() => {
      this.#amountTimer = undefined;
      if (look()) this.watchAmount(look, Math.min(wait * 2, LONGEST_WAIT));
    }, wait);
  }

  /** Stops polling. */
  stop(): void {
    if (this.#stateTimer !== undefined) this.#clock.clearTimeout(this.#stateTimer);
    if (this.#amountTimer !== undefined) this.#clock.clearTimeout(this.#amountTimer);
    this.#stateTimer = this.#amountTimer = undefined;
  }
}
