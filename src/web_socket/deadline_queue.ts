import type { Clock } from "./clock.ts";
import { Deadline } from "./deadline.ts";

/** What a {@linkcode DeadlineQueue} times. It holds the queue's own notes: an object less for each. */
export interface Timed {
  /** When it was added, in whole milliseconds of the queue's own time. */
  since: number;
  /** The one that was added before it. */
  previous: Timed | null;
  /** The one that was added behind it. */
  next: Timed | null;
  /** Its time is up. It is no longer in the queue. */
  onTime(): void;
}

/** How long a {@linkcode DeadlineQueue} waits, and how. */
export interface DeadlineQueueOptions {
  /** How long each waits, in milliseconds. */
  readonly ms: number;
  /** See {@linkcode DeadlineOptions.unref}. */
  readonly unref?: boolean;
  /** See {@linkcode DeadlineOptions.isPlain}. */
  readonly isPlain?: boolean;
}

/**
 * Deadlines of the same length for many: the first that began is the first to end, so one
 * {@linkcode Deadline} serves all of them, and a list whose links are in its members.
 */
export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #options: DeadlineQueueOptions;
  #first: Timed | null = null;
  #last: Timed | null = null;
  /** Ends when the first one's time is up. */
  #deadline: Deadline | null = null;
  /** The queue's time when that deadline's was 0, or now if there is none: it goes on while there are deadlines. */
  #origin = 0;
  #isEnding = false;

  /**
   * Makes an empty queue.
   *
   * @param clock Where times come from.
   * @param options See {@linkcode DeadlineQueueOptions}.
   */
  constructor(clock: Clock, options: DeadlineQueueOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  get #now(): number {
    return this.#origin + (this.#deadline === null ? 0 : this.#deadline.elapsed);
  }

  /** Starts to time one that isn't in the queue. */
  add(timed: Timed): void {
    timed.since = Math.ceil(this.#now);
    timed.previous = this.#last;
    if (this.#last === null) this.#first = timed;
    else this.#last.next = timed;
    this.#last = timed;
    if (this.#deadline === null && !this.#isEnding) this.#wait();
  }

  /**
   * Stops timing one; nothing happens if it isn't in the queue. The timer runs on, for those that come next: see
   * {@linkcode stop}.
   */
  delete(timed: Timed): void {
    const { previous, next } = timed;
    if (previous === null && this.#first !== timed) return;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    timed.previous = timed.next = null;
  }

  /** Leaves no timer: to be called when nothing comes any more for long, and the queue is empty. */
  stop(): void {
    this.#origin = this.#now;
    this.#deadline?.clear();
    this.#deadline = null;
  }

  #wait(): void {
    const first = this.#first;
    if (first === null) return;
    const from = this.#now - first.since;
    this.#origin = first.since;
    this.#deadline = new Deadline(this.#clock, {
      ...this.#options,
      from,
      onTime: () => this.#onTime(),
    });
  }

  /** The time of the one that was first is up, unless it was deleted, and perhaps that of others. */
  #onTime(): void {
    this.stop();
    const { ms } = this.#options;
    this.#isEnding = true;
    try {
      for (let it = this.#first; it !== null && it.since + ms <= this.#origin; it = this.#first) {
        this.delete(it);
        it.onTime();
      }
    } finally {
      this.#isEnding = false;
      this.#wait();
    }
  }
}
