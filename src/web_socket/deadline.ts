import type { Clock } from "./clock.ts";

/** What a {@linkcode Deadline} waits for, and whom it tells. */
export interface DeadlineOptions {
  /** How long to wait, in milliseconds. */
  readonly ms: number;
  /** The time is up. Called once. */
  readonly onTime: () => void;
  /**
   * Called several times while the deadline runs, before it is decided whether the time is up.
   *
   * @param counted How many milliseconds have passed since the last call, without stalls.
   * @param stalled Whether this process has just stalled: what arrived meanwhile is still unread.
   */
  readonly onLook?: (counted: number, stalled: boolean) => void;
  /** Whether its timers let the process end. Default `false`. */
  readonly unref?: boolean;
  /** How much of the time has passed already, in milliseconds. Default 0. */
  readonly from?: number;
  /** Whether stalls count: then there is one part, and no more is waited for. Default `false`. */
  readonly isPlain?: boolean;
}

/** How many parts a deadline is divided into. */
const PARTS = 8;

/** The shortest part, and the shortest time in which input that has arrived can still be read. */
const MIN_PART = 10;

/**
 * A timer that doesn't blame a peer for a stall of this end: a blocked event loop, a stopped process,
 * a sleeping machine. All deadlines of this package are made of it.
 *
 * It waits in parts. A part that ends much too late means a stall, and only the part's own length
 * counts. When time is up but the last part was late, whatever has arrived meanwhile is still unread:
 * another part is waited for, so that the event loop can read it first.
 */
export class Deadline {
  readonly #clock: Clock;
  readonly #options: DeadlineOptions;
  /** Changes with {@linkcode limit}. */
  #ms: number;
  /** The time that counts so far. */
  #elapsed: number;
  /** When the part began, or {@linkcode restart} was called in it. */
  #countFrom = 0;
  #partFrom = 0;
  #due = 0;
  /** It has waited longer because the last part was late. */
  #graced = false;
  #cleared = false;
  #isRef: boolean;
  #timer: unknown;

  /**
   * Starts to wait.
   *
   * @param clock Where times come from.
   * @param options See {@linkcode DeadlineOptions}.
   */
  constructor(clock: Clock, options: DeadlineOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#ms = options.ms;
    this.#elapsed = options.from ?? 0;
    this.#isRef = options.unref !== true;
    this.#wait(this.#nextPart());
  }

  /** How long to wait, in milliseconds. A new value applies from the end of the running part. */
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

  /** How much time has passed that counts, in milliseconds. */
  get elapsed(): number {
    if (this.#timer === undefined) return this.#elapsed;
    return this.#elapsed + Math.max(Math.min(this.#clock.now(), this.#due) - this.#countFrom, 0);
  }

  /** Waits for the whole time again. */
  restart(): void {
    this.#elapsed = 0;
    this.#graced = false;
    this.#countFrom = this.#clock.now();
  }

  /** Stops it. */
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
