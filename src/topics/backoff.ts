import { Deferred } from "../stream_channel/errors.ts";
import type { Clock } from "../web_socket/clock.ts";

/** The first and the longest delay between attempts to connect, in milliseconds. */
const FIRST_DELAY = 50;
const MAX_DELAY = 1000;

/** The delays between an engine's attempts to connect: each twice as long as the one before. */
export class Backoff {
  readonly #clock: Clock;
  readonly #ended = new Deferred();
  #delay = FIRST_DELAY;

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
    let timer: unknown;
    const passed = new Promise<void>((resolve) => {
      timer = this.#clock.setTimeout(resolve, this.#delay);
    });
    this.#delay = Math.min(2 * this.#delay, MAX_DELAY);
    await Promise.race([passed, this.#ended.promise]);
    this.#clock.clearTimeout(timer);
  }

  /** Nothing waits from now on. */
  end(): void {
    this.#ended.resolve();
  }
}
