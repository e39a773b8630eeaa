/** The ids that no virtual channel is attached to: those with messages that wait, and closed ones. */

import { sizeOf } from "./counted_queue.ts";

const DEFAULT_LIMIT = 1024 * 1024;

/** What an id counts by itself, in bytes, however little came for it. */
const ENTRY_SIZE = 128;

/** How many ranges are kept for each parity. More than a few only come of a peer's ill will. */
const MAX_RANGES = 4096;

/** What has arrived for one id. */
export interface Pending {
  /** Its messages, in order. */
  readonly values: unknown[];
  /** The peer has closed it. */
  closed: boolean;
  /** What it counts, in bytes. */
  size: number;
}

/** Messages for ids without a virtual channel, up to a limit for all of them together. */
export class PendingMessages {
  readonly #limit: number;
  readonly #pending = new Map<number, Pending>();
  #size = 0;

  /** @param limit How much may wait in all, in bytes. Default 1 MiB. */
  constructor(limit: number = DEFAULT_LIMIT) {
    this.#limit = limit;
  }

  /** How many ids wait. */
  get count(): number {
    return this.#pending.size;
  }

  /** What all ids count, in bytes. */
  get size(): number {
    return this.#size;
  }

  /**
   * Keeps a message, `[id, value]` or `[id]`.
   *
   * @returns Whether there was room. If not, all that waited for this id is dropped.
   */
  add(id: number, message: readonly unknown[]): boolean {
    const pending = this.#pending.get(id) ?? this.#create(id);
    if (message.length === 1) {
      pending.closed = true;
    } else if (!pending.closed) {
      pending.values.push(message[1]);
      this.#grow(pending, sizeOf(message[1], this.#limit));
    }
    if (this.#size <= this.#limit) return true;
    this.take(id);
    return false;
  }

  #create(id: number): Pending {
    const pending: Pending = { values: [], closed: false, size: 0 };
    this.#pending.set(id, pending);
    this.#grow(pending, ENTRY_SIZE);
    return pending;
  }

  #grow(pending: Pending, size: number): void {
    pending.size += size;
    this.#size += size;
  }

  /** Takes out what waits for an id. */
  take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    this.#size -= pending.size;
    return pending;
  }

  /** Drops everything. */
  clear(): void {
    this.#pending.clear();
    this.#size = 0;
  }
}

/**
 * The ids of virtual channels that were closed, kept as ranges: the ids of each side go up in steps
 * of two, so however many were closed, they take little more room than those still open.
 */
export class ClosedIds {
  readonly #even = new Ranges();
  readonly #odd = new Ranges();

  /** How many ranges are kept. */
  get ranges(): number {
    return this.#even.length + this.#odd.length;
  }

  /** Whether an id was closed. */
  has(id: number): boolean {
    return this.#side(id).has(Math.floor(id / 2));
  }

  /** The first id from `id` on, in steps of two, that was not closed. */
  next(id: number): number {
    return this.#side(id).next(Math.floor(id / 2)) * 2 + id % 2;
  }

  /** Remembers that an id was closed. */
  add(id: number): void {
    this.#side(id).add(Math.floor(id / 2));
  }

  #side(id: number): Ranges {
    return id % 2 === 0 ? this.#even : this.#odd;
  }
}

/** A set of integers as ranges in rising order, none next to another. */
class Ranges {
  readonly #firsts: number[] = [];
  readonly #lasts: number[] = [];

  get length(): number {
    return this.#firsts.length;
  }

  has(value: number): boolean {
    return this.next(value) !== value;
  }

  /** The first value from `value` on that is not in the set. */
  next(value: number): number {
    const last = this.#lasts[this.#find(value)] ?? -1;
    return value <= last ? last + 1 : value;
  }

  add(value: number): void {
    if (this.has(value)) return;
    const left = this.#find(value);
    const joinsLeft = left >= 0 && this.#lasts[left] === value - 1;
    const joinsRight = this.#firsts[left + 1] === value + 1;
    if (joinsLeft && joinsRight) this.#join(left);
    else if (joinsLeft) this.#lasts[left] = value;
    else if (joinsRight) this.#firsts[left + 1] = value;
    else this.#insert(left + 1, value);
  }

  /** The last range that begins at `value` or before, or -1. */
  #find(value: number): number {
    let low = 0;
    let high = this.#firsts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#firsts[middle] ?? Infinity) <= value) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #insert(index: number, value: number): void {
    this.#firsts.splice(index, 0, value);
    this.#lasts.splice(index, 0, value);
    // The gaps are ids that were skipped, the lowest ones long ago: they count as closed then.
    if (this.#firsts.length > MAX_RANGES) this.#join(0);
  }

  /** Joins two ranges, and what is between them, to one range. */
  #join(left: number): void {
    this.#firsts.splice(left + 1, 1);
    this.#lasts.splice(left, 1);
  }
}
