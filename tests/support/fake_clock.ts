/** A clock that stands still until a test moves it. */

import type { Clock } from "../../src/web_socket/clock.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that stands still until a test calls {@linkcode FakeClock.advance}. */
export class FakeClock implements Clock {
  #now: number;
  #timers: Set<Timer> = new Set();
  #set = 0;

  /** @param start What {@linkcode FakeClock.now} says at first, in milliseconds. */
  constructor(start = 0) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, ms: number): unknown {
    if (!(ms >= 0)) throw new RangeError(`A timeout must not be negative: ${ms}`);
    const timer: Timer = { at: this.#now + ms, order: this.#set++, callback };
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(handle: unknown): void {
    this.#timers.delete(handle as Timer);
  }

  /** How many callbacks wait: 0 once everything has cleaned up after itself. */
  get pending(): number {
    return this.#timers.size;
  }

  /** In how many milliseconds the next callback is due, or null if none waits. */
  get nextIn(): number | null {
    const first = this.#first();
    return first === undefined ? null : first.at - this.#now;
  }

  /**
   * Moves time on, and calls back what becomes due: in order of time, at its time, those of the same
   * time in the order they were set; also what the callbacks themselves set, if it is due by then.
   *
   * @param ms At least 0.
   * @throws What a callback throws; time then stands at that callback's.
   */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`Time doesn't go back: ${ms}`);
    const until = this.#now + ms;
    for (let timer = this.#first(); timer !== undefined; timer = this.#first()) {
      if (timer.at > until) break;
      this.#timers.delete(timer);
      this.#now = timer.at;
      timer.callback();
    }
    this.#now = until;
  }

  /**
   * Lets time jump as after a stall of the event loop: all that became due meanwhile is called back
   * late, when `now()` already has its new value.
   *
   * @param ms At least 0.
   */
  stall(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`Time doesn't go back: ${ms}`);
    this.#now += ms;
    for (let timer = this.#first(); timer !== undefined; timer = this.#first()) {
      if (timer.at > this.#now) break;
      this.#timers.delete(timer);
      timer.callback();
    }
  }

  #first(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (first === undefined || timer.at < first.at) first = timer;
      else if (timer.at === first.at && timer.order < first.order) first = timer;
    }
    return first;
  }
}
