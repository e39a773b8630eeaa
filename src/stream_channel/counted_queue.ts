import { byteLengthOf } from "../realm/bytes.ts";

/** The default high-water mark, in bytes, of each direction of a channel: 64 KiB. */
export const DEFAULT_HIGH_WATER_MARK: number = 64 * 1024;

/** What a value counts at least while it waits, so that empty messages can't pile up for nothing. */
export const MIN_SIZE = 32;

/** What text or bytes count that this package created, and no user has seen yet. */
export function sizeOfMessage(message: string | Uint8Array): number {
  return Math.max(typeof message === "string" ? message.length : message.byteLength, MIN_SIZE);
}

/** What an object counts whose content isn't looked at. */
const UNSEEN = 4096;

/**
 * What a message of bytes or text counts, whoever created it: at least 32. An object counts 4 KiB, whatever is in it:
 * `sizeOf` looks into it, which takes more time and more code.
 */
export function sizeOfChunk(value: unknown): number {
  const length = typeof value === "string" ? value.length : byteLengthOf(value);
  return length === null ? UNSEEN : Math.max(length, MIN_SIZE);
}

/** What a value counts, in bytes. Counting may stop at `enough`. */
export type SizeOf<T> = (value: T, enough: number) => number;

/** The fewest slots of a ring, two for each value. */
const MIN_SLOTS = 16;

/** The maximum number of slots of a ring that is kept for reuse. */
const MAX_SPARE_SLOTS = 2048;

/** An empty queue has no ring: most queues of a process are idle. */
const NO_RING: unknown[] = [];

/** One empty ring, of whichever queue: bursts allocate nothing. */
let spare: unknown[] | null = null;

/** Puts away a ring without values. */
function putAway(ring: unknown[]): void {
  if (ring.length <= MAX_SPARE_SLOTS && ring.length > (spare?.length ?? 0)) spare = ring;
}

function newRing(minSlots: number): unknown[] {
  const ring = spare;
  if (ring === null || ring.length < minSlots) {
    return new Array<unknown>(Math.max(minSlots, MIN_SLOTS));
  }
  spare = null;
  return ring;
}

/** A first-in, first-out queue that counts bytes. A value is counted when the size is first read. */
export class CountedQueue<T> {
  readonly #sizeOf: SizeOf<T>;
  readonly #enough: number;
  /** Each value, with its size behind it. The number of slots is a power of 2. */
  #ring = NO_RING;
  #head = 0;
  #length = 0;
  /**
   * So many of the first values have a size, which stays: a value that its sender changes once it is
   * counted must leave no remainder.
   */
  #counted = 0;
  #size = 0;

  /**
   * Creates an empty queue.
   *
   * @param sizeOf What a value counts that is pushed without its size. Left out: 0.
   * @param enough The limit that the queue's size is compared with.
   */
  constructor(sizeOf: SizeOf<T> = () => 0, enough: number = DEFAULT_HIGH_WATER_MARK) {
    this.#sizeOf = sizeOf;
    this.#enough = enough;
  }

  /** The number of values. */
  get length(): number {
    return this.#length;
  }

  /** The first value; ask only while `length` is above 0. */
  get first(): T {
    return this.#ring[this.#head] as T;
  }

  /** What they count, in bytes. */
  get size(): number {
    while (this.#counted < this.#length) this.#count();
    return this.#size;
  }

  #count(): void {
    const slot = (this.#head + 2 * this.#counted++) & (this.#ring.length - 1);
    const size = this.#sizeOf(this.#ring[slot] as T, this.#enough);
    this.#ring[slot + 1] = size;
    this.#size += size;
  }

  /** Puts a value at the end. */
  push(value: T): void {
    if (2 * this.#length === this.#ring.length) this.#grow();
    this.#ring[(this.#head + 2 * this.#length++) & (this.#ring.length - 1)] = value;
  }

  /** Puts a value at the end of which is known what it counts. */
  pushSized(value: T, size: number): void {
    // In their order: those before it are counted first.
    const before = this.size;
    this.push(value);
    const slot = (this.#head + 2 * this.#counted++) & (this.#ring.length - 1);
    this.#ring[slot + 1] = size;
    this.#size = before + size;
  }

  #grow(): void {
    const slots = this.#ring.length;
    const ring = newRing(2 * slots);
    for (let i = 0; i < slots; i++) ring[i] = this.#ring[(this.#head + i) & (slots - 1)];
    this.#ring = ring;
    this.#head = 0;
  }

  /** Takes the first value; call it only while `length` is above 0. */
  shift(): T {
    const ring = this.#ring;
    const head = this.#head;
    const value = ring[head] as T;
    ring[head] = undefined;
    if (this.#counted > 0) {
      this.#counted--;
      this.#size -= ring[head + 1] as number;
    }
    this.#head = (head + 2) & (ring.length - 1);
    if (--this.#length === 0) {
      putAway(ring);
      this.#ring = NO_RING;
      this.#head = 0;
    }
    return value;
  }

  /** Drops all values. They stay in the size: they were never handed on. */
  drop(): void {
    const { size } = this;
    this.clear();
    this.#size = size;
  }

  /** Drops all values. */
  clear(): void {
    this.#ring = NO_RING;
    this.#head = 0;
    this.#length = 0;
    this.#counted = 0;
    this.#size = 0;
  }
}
