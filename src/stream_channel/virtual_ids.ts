/** The ids without a virtual channel: those with pending messages, and closed ones. */

import { sizeOf } from "./counted_queue.ts";

const DEFAULT_LIMIT = 1024 * 1024;

/** The size that each id counts in addition to its messages, in bytes. */
const ENTRY_SIZE = 128;

/** The maximum number of ranges for each parity. Only a malicious peer causes more than a few. */
const MAX_RANGES = 4096;

/** The pending messages of one id. */
export interface Pending {
  /** Its messages, in order. */
  readonly values: unknown[];
  /** Whether the peer has closed the id. */
  closed: boolean;
  /** Its size in bytes. */
  size: number;
}

/** Pending messages for ids without a virtual channel, with one limit for all. */
export class PendingMessages {
  readonly #limit: number;
  readonly #pending = new Map<number, Pending>();
  #size = 0;

  /**
   * Creates an empty collection.
   *
   * @param limit The maximum size of all messages, in bytes. Default 1 MiB.
   */
  constructor(limit: number = DEFAULT_LIMIT) {
    this.#limit = limit;
  }

  /** The number of ids with pending messages. */
  get count(): number {
    return this.#pending.size;
  }

  /** The size of all ids, in bytes. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds a message, `[id, value]` or `[id]`.
   *
   * @returns Whether there was room. Otherwise all messages of this id are dropped.
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

  /** Removes and returns the messages of an id. */
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
 * The ids of closed virtual channels, stored as ranges. The ids of each side increase in steps of two, so
 * even many closed ids take little memory.
 */
export class ClosedIds {
  readonly #even = new Ranges();
  readonly #odd = new Ranges();

  /** The number of ranges. */
  get ranges(): number {
    return this.#even.length + this.#odd.length;
  }

  /** Returns whether an id was closed. */
  has(id: number): boolean {
    return this.#side(id).has(Math.floor(id / 2));
  }

  /** Returns the first id from `id` on, in steps of two, that was not closed. */
  next(id: number): number {
    return this.#side(id).next(Math.floor(id / 2)) * 2 + id % 2;
  }

  /** Adds a closed id. */
  add(id: number): void {
    this.#side(id).add(Math.floor(id / 2));
  }

  #side(id: number): Ranges {
    return id % 2 === 0 ? this.#even : this.#odd;
  }
}

/** A set of integers, stored as ascending ranges that don't touch each other. */
class Ranges {
  readonly #firsts: number[] = [];
  readonly #lasts: number[] = [];

  get length(): number {
    return this.#firsts.length;
  }

  has(value: number): boolean {
    return this.next(value) !== value;
  }

  /** Returns the first value from `value` on that is not in the set. */
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

  /** Returns the index of the last range that begins at `value` or before, or -1. */
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
    // The gaps are skipped ids, and the lowest ones are the oldest: they count as closed.
    if (this.#firsts.length > MAX_RANGES) this.#join(0);
  }

  /** Joins two ranges, and the gap between them, into one. */
  #join(left: number): void {
    this.#firsts.splice(left + 1, 1);
    this.#lasts.splice(left, 1);
  }
}
