import { Fifo } from "./fifo.ts";

/** Values that wait, and how much they count in bytes. */
export class SizedQueue<T> {
  readonly #values: Fifo<T> = new Fifo<T>();
  readonly #sizeOf: (value: T) => number;
  #size = 0;

  /** @param sizeOf What a value counts, in bytes. */
  constructor(sizeOf: (value: T) => number) {
    this.#sizeOf = sizeOf;
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
    this.#values.push(value);
    this.#size += this.#sizeOf(value);
  }

  /** Takes the first value; call it only while `length` is above 0. */
  shift(): T {
    const value = this.#values.shift();
    // A value that its sender changed while it waited must not leave a remainder behind.
    this.#size = this.#values.length === 0 ? 0 : this.#size - this.#sizeOf(value);
    return value;
  }
}
