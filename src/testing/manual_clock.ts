import type { Clock } from "../web_socket/clock.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * A clock that stands still until a test moves it: pass it as the option `clock`, and test timeouts without
 * waiting for them.
 *
 * @example
 * ```ts
 * import { ManualClock, webSocketChannelPair } from "@web-socket/channel/testing";
 *
 * const clock = new ManualClock();
 * const { client, server } = webSocketChannelPair({ clock, closeTimeout: 1000 });
 * server.stream.listen(() => {}).pause();
 * client.terminate();
 * clock.advance(1000);
 * console.log((await server.closed).initiator); // transport
 * ```
 */
export class ManualClock implements Clock {
  #now: number;
  #wall: number;
  readonly #timers: Set<Timer> = new Set();
  #set = 0;

  /**
   * Creates a clock that stands still.
   *
   * @param start What {@linkcode ManualClock.now} and {@linkcode ManualClock.wall} say at first, in milliseconds.
   */
  constructor(start = 0) {
    this.#now = this.#wall = start;
  }

  /** The time, in milliseconds: it only ever goes forward, and stands still while the machine sleeps. */
  now(): number {
    return this.#now;
  }

  /** The time of day, in milliseconds since 1970: it goes on while the machine sleeps. */
  wall(): number {
    return this.#wall;
  }

  /**
   * Sets a timer.
   *
   * @throws {RangeError} When `ms` is negative or no number.
   */
  setTimeout(callback: () => void, ms: number): unknown {
    if (!(ms >= 0)) throw new RangeError(`Cannot set a timer: ms must be at least 0, got ${ms}`);
    const timer: Timer = { at: this.#now + ms, order: this.#set++, callback };
    this.#timers.add(timer);
    return timer;
  }

  /** Clears a timer. */
  clearTimeout(handle: unknown): void {
    this.#timers.delete(handle as Timer);
  }

  /** The number of timers that are set: 0 once everything has cleaned up after itself. */
  get pending(): number {
    return this.#timers.size;
  }

  /** In how many milliseconds the next timer is due; `null` if none is set. */
  get nextIn(): number | null {
    const first = this.#first();
    return first === undefined ? null : first.at - this.#now;
  }

  /**
   * Moves time on and calls back what becomes due: in order of time, each at its own time, those of the same
   * time in the order in which they were set. Timers that the callbacks set are included.
   *
   * @param ms How far, in milliseconds; at least 0.
   * @throws {RangeError} When `ms` is negative or no number. An error of a callback passes through; time then
   * stands at that callback's.
   */
  advance(ms: number): void {
    checkStep(ms);
    const until = this.#now + ms;
    for (let timer = this.#first(); timer !== undefined; timer = this.#first()) {
      if (timer.at > until) break;
      this.#timers.delete(timer);
      this.#moveTo(timer.at);
      timer.callback();
    }
    this.#moveTo(until);
  }

  /**
   * Lets time jump, as when the event loop was blocked or the process was stopped: what became due meanwhile is
   * called back late, when `now()` already has its new value.
   *
   * @param ms How far, in milliseconds; at least 0.
   * @throws {RangeError} When `ms` is negative or no number.
   */
  stall(ms: number): void {
    checkStep(ms);
    this.#moveTo(this.#now + ms);
    for (let timer = this.#first(); timer !== undefined; timer = this.#first()) {
      if (timer.at > this.#now) break;
      this.#timers.delete(timer);
      timer.callback();
    }
  }

  /**
   * Lets the machine sleep: only {@linkcode ManualClock.wall} goes on. No timer becomes due.
   *
   * @param ms How long, in milliseconds; at least 0.
   * @throws {RangeError} When `ms` is negative or no number.
   */
  sleep(ms: number): void {
    checkStep(ms);
    this.#wall += ms;
  }

  #moveTo(now: number): void {
    this.#wall += now - this.#now;
    this.#now = now;
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

function checkStep(ms: number): void {
  if (!(ms >= 0)) throw new RangeError(`Cannot move the clock: ms must be at least 0, got ${ms}`);
}
