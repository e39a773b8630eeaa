import type { Clock } from "./clock.ts";
import { Deadline } from "./deadline.ts";

/** A member of a {@linkcode DeadlineQueue}. It has the queue's own fields, which saves an object for each. */
export interface Timed {
  /** When it was added, in whole milliseconds of the queue's time. */
  since: number;
  /** The member that was added before it. */
  previous: Timed | null;
  /** The member that was added after it. */
  next: Timed | null;
  /** Called when its time is up. It is no longer in the queue. */
  onTime(): void;
}

/** Options of a {@linkcode DeadlineQueue}. */
export interface DeadlineQueueOptions {
  /** The time of each deadline, in milliseconds. */
  readonly ms: number;
  /** Whether the timer lets the process end, as in {@linkcode DeadlineOptions.unref}. */
  readonly unref?: boolean;
  /** Whether stalls count, as in {@linkcode DeadlineOptions.isPlain}. */
  readonly isPlain?: boolean;
}

/**
 * Many deadlines of the same length. The first to start is the first to end, so one {@linkcode Deadline} and
 * a linked list of the members are enough.
 */
export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #options: DeadlineQueueOptions;
  #first: Timed | null = null;
  #last: Timed | null = null;
  /** The deadline of the first member. */
  #deadline: Deadline | null = null;
  /**
   * The queue's time when that deadline started, or now if there is none. The queue's time runs while there
   * are deadlines.
   */
  #origin = 0;
  #isEnding = false;

  /**
   * Creates an empty queue.
   *
   * @param clock The source of times.
   * @param options The time of all deadlines.
   */
  constructor(clock: Clock, options: DeadlineQueueOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  get #now(): number {
    return this.#origin + (this.#deadline === null ? 0 : this.#deadline.elapsed);
  }

  /** Adds a member that isn't in the queue. */
  add(timed: Timed): void {
    timed.since = Math.ceil(this.#now);
    timed.previous = this.#last;
    if (this.#last === null) this.#first = timed;
    else this.#last.next = timed;
    this.#last = timed;
    if (this.#deadline === null && !this.#isEnding) this.#wait();
  }

  /**
   * Removes a member, if it is in the queue. The timer keeps running for later members: see {@linkcode stop}.
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

  /** Clears the timer. Call it when the queue is empty and no member will follow for long. */
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

  /** Called when the time of the first member is up, unless it was deleted. Others may be due, too. */
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
