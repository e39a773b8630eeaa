import { ignore } from "../stream_channel/errors.ts";

type Waiter<T> = (result: IteratorResult<T, undefined>) => void;

/** Above this length, channels that have already closed are dropped from the queue. */
export const MAX_OVER = 1024;

/**
 * The queue of channels that a server's iterator yields. Leaving a loop over it ends only the loop; another loop may
 * continue.
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

  /** The number of queued values. */
  get size(): number {
    return this.#queued.size;
  }

  /** Adds a value. */
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

  /**
   * Handles the end of a channel. A long queue drops it, so that the queue stays bounded when nothing takes channels.
   */
  over(value: T): void {
    if (this.#queued.size > MAX_OVER) this.#queued.delete(value);
  }

  /** Takes the next value, as soon as there is one. */
  next(): Promise<IteratorResult<T, undefined>> {
    for (const value of this.#queued) {
      this.#queued.delete(value);
      this.#onTaken(value);
      return Promise.resolve({ value, done: false });
    }
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Ends the queue: drops the queued values, and ends the iterator for pending readers. */
  end(): void {
    this.#ended = true;
    this.#queued.clear();
    for (const waiter of this.#waiters.splice(0)) waiter({ value: undefined, done: true });
  }
}
