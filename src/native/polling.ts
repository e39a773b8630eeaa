import type { Clock } from "../web_socket/clock.ts";
import { DEFAULT_CLOSE_TIMEOUT } from "../web_socket/options.ts";

const FIRST_LOOK = 1;
const LONGEST_WAIT = 32;

/** Notices by looking, again and again, what a native socket has no event for. */
export class Polling {
  readonly #clock: Clock;
  readonly #stateInterval: number;
  #stateTimer: unknown;
  #amountTimer: unknown;

  /**
   * Creates a poll that does not look for anything yet.
   *
   * @param clock Where times come from.
   * @param stateInterval How often to look at the state, in milliseconds.
   */
  constructor(clock: Clock, stateInterval: number = DEFAULT_CLOSE_TIMEOUT) {
    this.#clock = clock;
    this.#stateInterval = Math.max(stateInterval, LONGEST_WAIT);
  }

  /** Looks at the socket's state now and then, until `look` gives `false`. */
  watchState(look: () => boolean): void {
    this.#stateTimer = this.#clock.setTimeout(() => {
      this.#stateTimer = undefined;
      if (look()) this.watchState(look);
    }, this.#stateInterval);
  }

  /** Looks at the buffered amount, often at first, until `look` gives `false`. */
  watchAmount(look: () => boolean, wait: number = FIRST_LOOK): void {
    if (this.#amountTimer !== undefined) return;
    this.#amountTimer = this.#clock.setTimeout(() => {
      this.#amountTimer = undefined;
      if (look()) this.watchAmount(look, Math.min(wait * 2, LONGEST_WAIT));
    }, wait);
  }

  /** Looks no more. */
  stop(): void {
    if (this.#stateTimer !== undefined) this.#clock.clearTimeout(this.#stateTimer);
    if (this.#amountTimer !== undefined) this.#clock.clearTimeout(this.#amountTimer);
    this.#stateTimer = this.#amountTimer = undefined;
  }
}
