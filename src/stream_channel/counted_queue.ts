/** A queue that counts bytes, and the sizes of values. */

import { bufferOf, byteLengthOf } from "../realm/bytes.ts";

/** The default high-water mark of each direction of a channel: 64 KiB. */
export const DEFAULT_HIGH_WATER_MARK: number = 64 * 1024;

/** The minimum size of a queued value, in bytes, so that the number of empty messages is limited, too. */
export const MIN_SIZE = 32;

/**
 * Returns the size, in bytes, of a message that this package has created: of text or bytes that no user code
 * has changed. A message in parts has no length and counts 32.
 */
export function sizeOfMessage(message: string | { readonly byteLength?: number }): number {
  const length = typeof message === "string" ? message.length : message.byteLength;
  return Math.max(length ?? MIN_SIZE, MIN_SIZE);
}

/** The size of an object whose content isn't counted, in bytes. */
const UNSEEN = 4096;

/**
 * Returns the size of a message of text or bytes: at least 32. An object counts 4 KiB, whatever its content:
 * `sizeOf` counts that, but takes more time and more code.
 */
export function sizeOfChunk(value: unknown): number {
  const length = typeof value === "string" ? value.length : byteLengthOf(value);
  return length === null ? UNSEEN : Math.max(length, MIN_SIZE);
}

/** Returns the size of a value, in bytes. It may stop counting at `enough`. */
export type SizeOf<T> = (value: T, enough: number) => number;

/** The minimum number of slots of a ring. Each value takes two. */
const MIN_SLOTS = 16;

/** The maximum number of slots of a ring that is kept for reuse. */
const MAX_SPARE_SLOTS = 2048;

/** The ring of an empty queue: most queues of a process are idle. */
const NO_RING: unknown[] = [];

/** A spare empty ring for any queue, so that bursts allocate nothing. */
let spare: unknown[] | null = null;

/** Keeps an empty ring for reuse. */
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

/** A first-in, first-out queue that counts bytes. It counts a value when the size is first read. */
export class CountedQueue<T> {
  readonly #sizeOf: SizeOf<T>;
  readonly #enough: number;
  /** Each value, followed by its size. The number of slots is a power of 2. */
  #ring = NO_RING;
  #head = 0;
  #length = 0;
  /**
   * The number of values, from the first, whose size was counted. The size is stored: the sender may change a
   * value afterwards, and removing the value must subtract the same size.
   */
  #counted = 0;
  #size = 0;

  /**
   * Creates an empty queue.
   *
   * @param sizeOf Returns the size of a value that is pushed without its size. Default: 0.
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

  /** The first value. Read it only while `length` is above 0. */
  get first(): T {
    return this.#ring[this.#head] as T;
  }

  /** The size of all values, in bytes. */
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

  /** Appends a value. */
  push(value: T): void {
    if (2 * this.#length === this.#ring.length) this.#grow();
    this.#ring[(this.#head + 2 * this.#length++) & (this.#ring.length - 1)] = value;
  }

  /** Appends a value whose size is known. */
  pushSized(value: T, size: number): void {
    // Sizes are counted in order, so those of all earlier values first.
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

  /** Removes and returns the first value. Call it only while `length` is above 0. */
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

  /** Drops all values, but keeps their size, because they were never passed on. */
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

// Sizes of values.

/** The size of an object without its content, and of a value whose size can't be determined. */
const UNKNOWN = 64;

/** The size of a number, or of another value without content, inside an object. */
const SCALAR = 8;

/**
 * Returns the size of a value towards a limit, in bytes. A string or bytes count their length, but at least
 * 32. For an object it is an estimate with all its content, and for anything else 64. It calls no getter.
 *
 * @param value The value.
 * @param enough The limit, at which counting stops. So counting an object of any size takes a limited time.
 */
export function sizeOf(value: unknown, enough: number = DEFAULT_HIGH_WATER_MARK): number {
  if (typeof value === "string") return Math.max(value.length, MIN_SIZE);
  if (typeof value === "bigint") return Math.max(sizeOfBigint(value), UNKNOWN);
  if (typeof value !== "object" || value === null) return UNKNOWN;
  const length = byteLengthOf(value);
  return length === null ? new Count(value, enough).total() : Math.max(length, MIN_SIZE);
}

/**
 * Returns the size of a structured clone. Unlike {@linkcode sizeOf}, it counts the whole buffer of a view,
 * which is cloned.
 */
export function sizeOfClone(value: unknown, enough: number): number {
  if (!ArrayBuffer.isView(value)) return sizeOf(value, enough);
  return Math.max(sizeOfBuffer(bufferOf(value)), MIN_SIZE);
}

type Getter<T> = (this: unknown) => T;

/** Returns the getter of a platform's class. It throws for other objects, and if there is no such class. */
function getterOf<T>(prototype: object | undefined, key: string): Getter<T> {
  const getter = prototype && Object.getOwnPropertyDescriptor(prototype, key)?.get;
  return getter ?? (() => {
    throw new TypeError(`There is no ${key}`);
  });
}

/** The platform's own methods, so that overriding ones aren't called. */
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

/** Up to this many objects, a linear search is faster than a `Set`. */
const FEW = 8;

/** Counts an object and its content. Each object and each buffer counts once. */
class Count {
  readonly #enough: number;
  /**
   * The objects in the order in which they were found. There is no recursion, because values may be nested
   * deeper than the call stack allows.
   */
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
        // A Proxy or a tag has thrown: the content can't be determined.
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

  /** Counts the value of a property, but not the result of a getter. */
  #property(object: object, key: PropertyKey): void {
    this.#add(Object.getOwnPropertyDescriptor(object, key)?.value);
  }

  /** Counts content that isn't in an object's properties. Its tag is only a hint, and may be wrong. */
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

/** Returns whether a method of the platform accepts the object: it throws for one of another kind. */
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
