/** How many ranges are kept for each parity. More than a few only come of a peer's ill will. */
const MAX_RANGES = 4096;

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

  /** Makes one range of two, and of what is between them. */
  #join(left: number): void {
    this.#firsts.splice(left + 1, 1);
    this.#lasts.splice(left, 1);
  }
}
