/** A first-in, first-out queue whose `shift` doesn't move what is behind it. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  /** How many values wait. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** The first value; ask only while `length` is above 0. */
  get first(): T {
    return this.#items[this.#head] as T;
  }

  /** The value behind `index` others; ask only below `length`. */
  at(index: number): T {
    return this.#items[this.#head + index] as T;
  }

  /** Puts a value at the end. */
  push(value: T): void {
    this.#items.push(value);
  }

  /** Takes the first value; call it only while `length` is above 0. */
  shift(): T {
    const value = this.#items[this.#head] as T;
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) this.clear();
    else if (this.#head >= 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return value;
  }

  /** Drops everything. */
  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}
