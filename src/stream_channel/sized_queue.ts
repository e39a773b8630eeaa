import { Fifo } from "./fifo.ts";

/** How much a value counts, in bytes. Counting may stop at `enough`: see `sizeOf`. */
export type SizeOf<T> = (value: T, enough: number) => number;

/** Values that wait, and how much they count in bytes. A value is counted when the size is first read. */
export class SizedQueue<T> {
  readonly #values = new Fifo<T>();
  /** Of the first values: a value that its sender changes once it is counted must leave no remainder. */
  readonly #sizes = new Fifo<number>();
  readonly #sizeOf: SizeOf<T>;
  readonly #enough: number;
  #size = 0;

  /**
   * Makes an empty queue.
   *
   * @param sizeOf What a value counts.
   * @param enough The limit that the queue's size is compared with.
   */
  constructor(sizeOf: SizeOf<T>, enough: number) {
    this.#sizeOf = sizeOf;
    this.#enough = enough;
  }

  /** How many wait. */
  get length(): number {
    return this.#values.length;
  }

  /** What they count, in bytes. */
  get size(): number {
    while (this.#sizes.length < this.#values.length) {
      const size = this.#sizeOf(this.#values.at(this.#sizes.length), this.#enough);
      this.#sizes.push(size);
      this.#size += size;
    }
    return this.#size;
  }

  /** Puts a value at the end. */
  push(value: T): void {
    this.#values.push(value);
  }

  /** Takes the first value; call it only while `length` is above 0. */
  shift(): T {
    if (this.#sizes.length > 0) this.#size -= this.#sizes.shift();
    return this.#values.shift();
  }

  /** Drops all values. They stay in the size: they were never handed on. */
  drop(): void {
    this.#size = this.size;
    this.#values.clear();
    this.#sizes.clear();
  }
}
