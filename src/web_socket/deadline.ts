import type { Clock } from "./clock.ts";

/** Options of a {@linkcode Deadline}. */
export interface DeadlineOptions {
  /** The time to wait, in milliseconds. */
  readonly ms: number;
  /** Called once when the time is up. */
  readonly onTime: () => void;
  /**
   * Called several times while the deadline runs, each time before it checks whether the time is up.
   *
   * @param counted The milliseconds since the last call, without stalls.
   * @param stalled Whether this process has just stalled, so that bytes which arrived meanwhile are still
   * unread.
   */
  readonly onLook?: (counted: number, stalled: boolean) => void;
  /** Whether its timers let the process end. Default `false`. */
  readonly unref?: boolean;
  /** The time that has already passed, in milliseconds. Default 0. */
  readonly from?: number;
  /** Whether stalls count. The deadline then has a single part and no extension. Default `false`. */
  readonly isPlain?: boolean;
}

/** The number of parts of a deadline. */
const PARTS = 8;

/**
 * The minimum length of a part, in milliseconds. It is also the minimum time for reading input that has
 * arrived.
 */
const MIN_PART = 10;

/**
 * A timer that doesn't blame the peer for a stall of this side: a blocked event loop, a stopped process, a
 * sleeping machine. All timeouts of this package use it.
 *
 * It waits in parts. A part that ends much too late means a stall, and counts with its planned length only.
 * If the last part was late, bytes that arrived meanwhile are still unread. So it waits for one more part, in
 * which the event loop can read them.
 */
export class Deadline {
  readonly #clock: Clock;
  readonly #options: DeadlineOptions;
  /** The time to wait, which {@linkcode limit} changes. */
  #ms: number;
  /** The counted time so far. */
  #elapsed: number;
  /** The start of the part, or the last {@linkcode restart} in it. */
  #countFrom = 0;
  #partFrom = 0;
  #due = 0;
  /** Whether it has waited longer because the last part was late. */
  #graced = false;
  #cleared = false;
  #isRef: boolean;
  #timer: unknown;

  /**
   * Starts the timer.
   *
   * @param clock The source of times.
   * @param options The time and the callback.
   */
  constructor(clock: Clock, options: DeadlineOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#ms = options.ms;
    this.#elapsed = options.from ?? 0;
    this.#isRef = options.unref !== true;
    this.#wait(this.#nextPart());
  }

  /** Sets the time to wait, in milliseconds. A new value applies from the end of the current part. */
  set limit(ms: number) {
    this.#ms = ms;
  }

  /** Whether its timers keep the process alive. */
  set isRef(isRef: boolean) {
    this.#isRef = isRef;
    if (this.#timer === undefined) return;
    if (isRef) this.#clock.ref?.(this.#timer);
    else this.#clock.unref?.(this.#timer);
  }

  /** The counted time so far, in milliseconds. */
  get elapsed(): number {
    if (this.#timer === undefined) return this.#elapsed;
    return this.#elapsed + Math.max(Math.min(this.#clock.now(), this.#due) - this.#countFrom, 0);
  }

  /** Starts the whole time again. */
  restart(): void {
    this.#elapsed = 0;
    this.#graced = false;
    this.#countFrom = this.#clock.now();
  }

  /** Stops the timer. */
  clear(): void {
    this.#cleared = true;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #nextPart(): number {
    const left = Math.max(this.#ms - this.#elapsed, 0);
    if (this.#options.isPlain) return left;
    return Math.min(left, Math.max(this.#ms / PARTS, MIN_PART));
  }

  #wait(ms: number): void {
    const now = this.#clock.now();
    this.#partFrom = this.#countFrom = now;
    this.#due = now + ms;
    this.#timer = this.#clock.setTimeout(() => this.#onPart(), ms);
    if (!this.#isRef) this.#clock.unref?.(this.#timer);
  }

  #onPart(): void {
    const now = this.#clock.now();
    const late = now - this.#due;
    const { isPlain = false } = this.#options;
    const stalled = !isPlain && late > Math.max(MIN_PART, this.#ms / 10);
    const until = stalled ? this.#due : now;
    this.#timer = undefined;
    this.#elapsed += Math.max(until - this.#countFrom, 0);
    this.#options.onLook?.(until - this.#partFrom, stalled);
    if (this.#cleared) return;
    if (this.#elapsed < this.#ms) return this.#wait(this.#nextPart());
    if (stalled || late >= 1 && !this.#graced && !isPlain) {
      this.#graced = true;
      return this.#wait(Math.max(Math.min(late, this.#ms), MIN_PART));
    }
    this.#cleared = true;
    this.#options.onTime();
  }
}
