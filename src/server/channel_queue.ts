import { ignore } from "../stream_channel/errors.ts";

type Waiter<T> = (result: IteratorResult<T, undefined>) => void;

/** Above this length, channels that have already closed are dropped from the queue. */
export const MAX_OVER = 1024;

/**
 * What has arrived and was not taken, as an async iterator. Leaving a loop over it ends only the
 * loop: another may go on.
 */
export class ChannelQueue<T> implements AsyncIterator<T, undefined> {
  readonly #queued: Set<T> = new Set<T>();
  readonly #onTaken: (value: T) => void;
  #waiters: Waiter<T>[] = [];
  #ended = false;

  /** @param onTaken Called with each value, right before the queue returns it. */
  constructor(onTaken: (value: T) => void = ignore) {
    this.#onTaken = onTaken;
  }

  /** How many wait to be taken. */
  get size(): number {
    return this.#queued.size;
  }

  /** Adds one. */
  push(value: T): void {
    if (this.#ended) return;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      this.#queued.add(value);
      return;
    }
    this.#onTaken(value);
    waiter({ value, done: false });
  }

  /** One has ended: if channels are not taken, the queue doesn't grow without a limit. */
  over(value: T): void {
    if (this.#queued.size > MAX_OVER) this.#queued.delete(value);
  }

  /** Takes one, as soon as there is one. */
  next(): Promise<IteratorResult<T, undefined>> {
    for (const value of this.#queued) {
      this.#queued.delete(value);
      this.#onTaken(value);
      return Promise.resolve({ value, done: false });
    }
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Nothing more comes: waiting readers are notified, and what is queued is dropped. */
  end(): void {
    this.#ended = true;
    this.#queued.clear();
    for (const waiter of this.#waiters.splice(0)) waiter({ value: undefined, done: true });
  }
}
