import { Fifo } from "./fifo.ts";

/** How much a value counts, in bytes. Counting may stop at `enough`: see `sizeOf`. */
export type SizeOf<T> = (value: T, enough: number) => number;

/** Values that wait, and how much they count in bytes. */
export class SizedQueue<T> {
  readonly #values = new Fifo<T>();
  /** A value that its sender changes while it waits must not leave a remainder behind. */
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
    return this.#size;
  }

  /** Puts a value at the end. */
  push(value: T): void {
    const size = this.#sizeOf(value, this.#enough);
    this.#values.push(value);
    this.#sizes.push(size);
    this.#size += size;
  }

  /** Takes the first value; call it only while `length` is above 0. */
  shift(): T {
    this.#size -= this.#sizes.shift();
    return this.#values.shift();
  }

  /** Drops all values. They stay in the size: they were never handed on. */
  drop(): void {
    this.#values.clear();
    this.#sizes.clear();
  }
}
