import type { Clock } from "../web_socket/clock.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * A clock that moves only when a test moves it. Pass it as the option `clock`, and test timeouts without
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
   * Creates a clock.
   *
   * @param start The first value of {@linkcode ManualClock.now} and {@linkcode ManualClock.wall}, in
   * milliseconds.
   */
  constructor(start = 0) {
    this.#now = this.#wall = start;
  }

  /** Returns the time, in milliseconds. It never goes back, and stops while the machine sleeps. */
  now(): number {
    return this.#now;
  }

  /** Returns the time of day, in milliseconds since 1970. It continues while the machine sleeps. */
  wall(): number {
    return this.#wall;
  }

  /**
   * Sets a timer.
   *
   * @throws {RangeError} If `ms` is negative or not a number.
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

  /** The number of timers that are set. It is 0 once all code has cleared its timers. */
  get pending(): number {
    return this.#timers.size;
  }

  /** The milliseconds until the next timer is due; `null` if none is set. */
  get nextIn(): number | null {
    const first = this.#first();
    return first === undefined ? null : first.at - this.#now;
  }

  /**
   * Moves the time forward and runs the timers that become due, including those that the callbacks set. They
   * run in order of time, each at its own time. Timers with equal times run in the order in which they were
   * set.
   *
   * @param ms The milliseconds, at least 0.
   * @throws {RangeError} If `ms` is negative or not a number. It also throws the error of a callback; the
   * time is then that of the callback.
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
   * Makes the time jump, as when the event loop was blocked or the process was stopped. Timers that became
   * due meanwhile run late, when `now()` already has its new value.
   *
   * @param ms The milliseconds, at least 0.
   * @throws {RangeError} If `ms` is negative or not a number.
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
   * Simulates a sleep of the machine: only {@linkcode ManualClock.wall} moves, and no timer becomes due.
   *
   * @param ms The milliseconds, at least 0.
   * @throws {RangeError} If `ms` is negative or not a number.
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
