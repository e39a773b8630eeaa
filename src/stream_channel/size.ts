/** How much a value counts towards a limit on memory. */

import { bufferOf, byteLengthOf } from "../realm/bytes.ts";
import { DEFAULT_HIGH_WATER_MARK, MIN_SIZE } from "./counted_queue.ts";

/** What an object counts by itself, and a value whose size can't be told. */
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

// The platform's own: what a subclass or an object has in their place isn't called.
const mapKeys = Map.prototype.keys;
const mapValues = Map.prototype.values;
const setValues = Set.prototype.values;
const sharedSize = getterOf<number>(globalThis.SharedArrayBuffer?.prototype, "byteLength");
const blobSize = getterOf<number>(globalThis.Blob?.prototype, "size");
const toString = Object.prototype.toString;

function sizeOfBuffer(buffer: ArrayBufferLike): number {
  return byteLengthOf(buffer) ?? sharedSize.call(buffer);
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
        // A Proxy that throws, or a tag: what is inside can't be told.
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
    void (didIt(() => this.#each(mapKeys.call(map))) && this.#each(mapValues.call(map)) ||
      didIt(() => this.#each(setValues.call(object as Set<unknown>))) ||
      didIt(() => this.#size += sizeOfBuffer(object as ArrayBuffer)) ||
      didIt(() => this.#size += blobSize.call(object)));
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
    return toString.call(object).slice(8, -1);
  } catch {
    return "";
  }
}
