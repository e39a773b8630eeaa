/** What waits for its reader, and what it counts towards a limit on memory. */

import { bufferOf, byteLengthOf } from "../realm/bytes.ts";

/** The default high-water mark, in bytes, of each direction of a channel: 64 KiB. */
export const DEFAULT_HIGH_WATER_MARK: number = 64 * 1024;

/** What a value counts at least while it waits, so that empty messages can't pile up for nothing. */
export const MIN_SIZE = 32;

/** What text or bytes count that this package created, and no user has seen yet; a message in parts has no length. */
export function sizeOfMessage(message: string | { readonly byteLength?: number }): number {
  const length = typeof message === "string" ? message.length : message.byteLength;
  return Math.max(length ?? MIN_SIZE, MIN_SIZE);
}

/** What an object counts whose content isn't looked at. */
const UNSEEN = 4096;

/**
 * What a message of bytes or text counts, whatever created it: at least 32. An object counts 4 KiB, whatever is in it:
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

// What a value counts.

/** What an object counts by itself, and a value whose size can't be determined. */
const UNKNOWN = 64;

/** What a number, or any other value without content, counts inside an object. */
const SCALAR = 8;

/**
 * What `value` counts towards a limit, in bytes: the length of a string or of bytes (at least 32);
 * about what is in an object, with all that is inside it; 64 for anything else. It calls no getter.
 *
 * @param value The value.
 * @param enough Counting may stop there: no more matters than that the limit is reached. An object of
 * any size takes only so long to count.
 */
export function sizeOf(value: unknown, enough: number = DEFAULT_HIGH_WATER_MARK): number {
  if (typeof value === "string") return Math.max(value.length, MIN_SIZE);
  if (typeof value === "bigint") return Math.max(sizeOfBigint(value), UNKNOWN);
  if (typeof value !== "object" || value === null) return UNKNOWN;
  const length = byteLengthOf(value);
  return length === null ? new Count(value, enough).total() : Math.max(length, MIN_SIZE);
}

/** As {@linkcode sizeOf}, for what is cloned structurally: a clone of a view has all of its buffer. */
export function sizeOfClone(value: unknown, enough: number): number {
  if (!ArrayBuffer.isView(value)) return sizeOf(value, enough);
  return Math.max(sizeOfBuffer(bufferOf(value)), MIN_SIZE);
}

type Getter<T> = (this: unknown) => T;

/** The getter of a class of the platform's; it throws for another object, and where there is no such class. */
function getterOf<T>(prototype: object | undefined, key: string): Getter<T> {
  const getter = prototype && Object.getOwnPropertyDescriptor(prototype, key)?.get;
  return getter ?? (() => {
    throw new TypeError(`There is no ${key}`);
  });
}

/** The platform's own: what a subclass or an object has in their place isn't called. */
const own = /* @__PURE__ */ ((): OwnMethods => ({
  mapKeys: Map.prototype.keys,
  mapValues: Map.prototype.values,
  setValues: Set.prototype.values,
  sharedSize: getterOf<number>(globalThis.SharedArrayBuffer?.prototype, "byteLength"),
  blobSize: getterOf<number>(globalThis.Blob?.prototype, "size"),
}))();

interface OwnMethods {
  readonly mapKeys: Map<unknown, unknown>["keys"];
  readonly mapValues: Map<unknown, unknown>["values"];
  readonly setValues: Set<unknown>["values"];
  readonly sharedSize: Getter<number>;
  readonly blobSize: Getter<number>;
}

function sizeOfBuffer(buffer: ArrayBufferLike): number {
  return byteLengthOf(buffer) ?? own.sharedSize.call(buffer);
}

function sizeOfBigint(value: bigint): number {
  if (BigInt.asIntN(64, value) === value) return SCALAR;
  return Math.ceil(value.toString(16).length / 2);
}

/** Up to so many objects are searched one by one: a `Set` costs more than that. */
const FEW = 8;

/** One count of an object and what is inside: each object, and each buffer, counts once. */
class Count {
  readonly #enough: number;
  /** In the order in which they were found. No recursion: values may be nested deeper than calls can. */
  readonly #objects: object[];
  #seen: Set<unknown> | null = null;
  #size = UNKNOWN;

  constructor(root: object, enough: number) {
    this.#objects = [root];
    this.#enough = enough;
  }

  total(): number {
    for (let i = 0; i < this.#objects.length && !this.#isEnough; i++) {
      try {
        this.#look(this.#objects[i] as object);
      } catch {
        // A Proxy that throws, or a tag: what is inside can't be determined.
      }
    }
    return this.#size;
  }

  get #isEnough(): boolean {
    return this.#size >= this.#enough;
  }

  #add(value: unknown): void {
    if (typeof value === "string") this.#size += SCALAR + value.length;
    else if (typeof value === "bigint") this.#size += sizeOfBigint(value);
    else if (typeof value !== "object" || value === null) this.#size += SCALAR;
    else this.#addObject(value);
  }

  #addObject(object: object): void {
    if (this.#isSeen(object)) {
      this.#size += SCALAR;
      return;
    }
    this.#seen?.add(object);
    this.#size += UNKNOWN;
    this.#objects.push(object);
  }

  #isSeen(object: object): boolean {
    if (this.#seen !== null) return this.#seen.has(object);
    if (this.#objects.length < FEW) return this.#objects.includes(object);
    return this.#seenSet().has(object);
  }

  #seenSet(): Set<unknown> {
    return this.#seen ??= new Set(this.#objects);
  }

  #look(object: object): void {
    if (ArrayBuffer.isView(object)) return this.#addBuffer(bufferOf(object));
    if (Array.isArray(object)) return this.#items(object);
    if (Object.getPrototypeOf(object) !== Object.prototype) this.#content(object, tagOf(object));
    this.#properties(object);
  }

  #addBuffer(buffer: ArrayBufferLike): void {
    const seen = this.#seenSet();
    if (seen.has(buffer)) return;
    seen.add(buffer);
    this.#size += sizeOfBuffer(buffer);
  }

  #items(array: readonly unknown[]): void {
    const { length } = array;
    for (let i = 0; i < length && !this.#isEnough; i++) this.#property(array, i);
  }

  #properties(object: object): void {
    for (const key of Object.keys(object)) {
      if (this.#isEnough) return;
      this.#size += key.length;
      this.#property(object, key);
    }
  }

  /** A value that only a getter has isn't there yet. */
  #property(object: object, key: PropertyKey): void {
    this.#add(Object.getOwnPropertyDescriptor(object, key)?.value);
  }

  /** What an object holds that isn't in its properties. Its tag is a hint: it may lie. */
  #content(object: object, tag: string): void {
    if (tag === "Object" || tag === "Date" || tag === "RegExp") return;
    if (tag === "Error") {
      for (const key of ["message", "stack", "cause"]) this.#property(object, key);
      return;
    }
    const map = object as Map<unknown, unknown>;
    void (didIt(() => this.#each(own.mapKeys.call(map))) && this.#each(own.mapValues.call(map)) ||
      didIt(() => this.#each(own.setValues.call(object as Set<unknown>))) ||
      didIt(() => this.#size += sizeOfBuffer(object as ArrayBuffer)) ||
      didIt(() => this.#size += own.blobSize.call(object)));
  }

  #each(items: Iterable<unknown>): true {
    for (const item of items) {
      if (this.#isEnough) break;
      this.#add(item);
    }
    return true;
  }
}

/** Whether a function of the platform's took the object: it throws for one of another kind. */
function didIt(count: () => void): boolean {
  try {
    count();
    return true;
  } catch {
    return false;
  }
}

function tagOf(object: object): string {
  try {
    return Object.prototype.toString.call(object).slice(8, -1);
  } catch {
    return "";
  }
}
