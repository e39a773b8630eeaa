/** Bytes whose objects report wrong values, and objects that only look like bytes. */

import type { Random } from "./random.ts";

/** A value that a test adds, and the bytes that must arrive. */
export interface HostileBytes {
  readonly name: string;
  readonly value: Uint8Array;
  readonly expected: Uint8Array;
}

type Make = (bytes: Uint8Array<ArrayBuffer>) => unknown;

function withProperty(key: PropertyKey, property: PropertyDescriptor): Make {
  return (bytes) => Object.defineProperty(bytes, key, { configurable: true, ...property });
}

function failing(): never {
  throw new Error("Code of the user's was called");
}

/** A subclass whose prototype has these members. */
function withMembers(members: PropertyDescriptorMap): Make {
  return (bytes) => {
    class Hostile extends Uint8Array {}
    Object.defineProperties(Hostile.prototype, members);
    return new Hostile(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

function withSpecies(species: unknown): Make {
  return (bytes) => {
    class Hostile extends Uint8Array {}
    Object.defineProperty(Hostile, Symbol.species, {
      get: () => typeof species === "function" ? species : failing(),
    });
    return new Hostile(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

let calls = 0;

/** Views and buffers that can be sent: each holds exactly its own bytes. */
const MAKERS: Record<string, Make> = {
  "a plain Uint8Array": (bytes) => bytes,
  "a length that is too large": withMembers({ length: { get: () => 3 * 1024 * 1024 } }),
  "a length that is too small": withMembers({ length: { get: () => 1 } }),
  "a length of 0": withProperty("length", { value: 0 }),
  "a length that changes": withProperty("length", { get: () => calls++ % 5000 }),
  "a length that throws": withProperty("length", { get: failing }),
  "a length that is no number": withProperty("length", { value: NaN }),
  "a subarray that throws": withMembers({ subarray: { value: failing } }),
  "a subarray of something else": withMembers({ subarray: { value: () => new Uint8Array(7) } }),
  "a species that throws": withSpecies(null),
  "a species with other elements": withSpecies(Float64Array),
  "a species that is too large": withSpecies(
    class extends Uint8Array {
      constructor() {
        super(100_000);
      }
    },
  ),
  "a constructor that throws": withProperty("constructor", { get: failing }),
  "methods that throw": withMembers({
    set: { value: failing },
    slice: { value: failing },
    [Symbol.iterator]: { value: failing },
    at: { value: failing },
  }),
  "bounds that lie": withMembers({
    buffer: { get: () => new ArrayBuffer(8) },
    byteOffset: { get: () => 3 },
    byteLength: { get: () => 5 },
  }),
  "a fake tag": withProperty(Symbol.toStringTag, { value: "ArrayBuffer" }),
  "no prototype": (bytes) => Object.setPrototypeOf(bytes, null),
  "an array's prototype": (bytes) => Object.setPrototypeOf(bytes, Array.prototype),
  "Node's Buffer": (bytes) =>
    (globalThis as { Buffer?: { from(bytes: Uint8Array): unknown } }).Buffer?.from(bytes) ?? bytes,
  "an Int8Array": (bytes) => new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  "an Int16Array that claims to be of bytes": (bytes) => {
    if (bytes.byteLength % 2 !== 0 || bytes.byteOffset % 2 !== 0) return bytes;
    const view = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
    return Object.setPrototypeOf(view, Uint8Array.prototype);
  },
  "a DataView that lies": (bytes) =>
    Object.defineProperties(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), {
      byteLength: { get: failing },
      buffer: { value: new ArrayBuffer(1) },
      byteOffset: { value: 99 },
    }),
  "an ArrayBuffer that lies": (bytes) =>
    Object.defineProperties(bytes.slice().buffer, {
      byteLength: { value: 2 },
      slice: { value: failing },
      constructor: { get: failing },
      [Symbol.toStringTag]: { value: "Blob" },
    }),
  "a view of a buffer that can be resized": (bytes) => {
    const buffer = resizable(bytes.length + 10);
    const view = new Uint8Array(buffer, 5, bytes.length);
    view.set(bytes);
    return view;
  },
  "a view that follows its buffer": (bytes) => {
    const buffer = resizable(bytes.length + 5);
    const view = new Uint8Array(buffer, 5);
    view.set(bytes);
    return view;
  },
  "a buffer that can be resized": (bytes) => {
    const buffer = resizable(bytes.length);
    new Uint8Array(buffer).set(bytes);
    return buffer;
  },
  "a view of shared memory": (bytes) => {
    if (typeof SharedArrayBuffer === "undefined") return bytes;
    const view = new Uint8Array(new SharedArrayBuffer(bytes.length + 3), 3);
    view.set(bytes);
    return view;
  },
};

function resizable(byteLength: number): ArrayBuffer {
  const options = { maxByteLength: 2 * byteLength };
  return new (ArrayBuffer as new (length: number, options: object) => ArrayBuffer)(
    byteLength,
    options,
  );
}

/** The kinds of bytes that {@linkcode hostileBytes} makes. */
export const HOSTILE_KINDS: readonly string[] = Object.keys(MAKERS);

/** Bytes of a kind. */
export function hostileBytes(name: string, expected: Uint8Array): HostileBytes {
  const room = new Uint8Array(expected.length + 8);
  // The view is in the middle of its buffer.
  const bytes = room.subarray(4, 4 + expected.length);
  bytes.set(expected);
  const make = MAKERS[name];
  if (make === undefined) throw new RangeError(`No such kind: ${name}`);
  return { name, value: make(bytes) as Uint8Array, expected };
}

/** Random bytes of a random kind: 1 byte to 1 MiB, small ones as often as large ones. */
export function randomHostileBytes(random: Random): HostileBytes {
  const size = Math.floor(2 ** (20 * random.fraction()));
  const first = random.integer(0, 255);
  const step = random.integer(1, 255);
  const expected = new Uint8Array(size);
  for (let i = 0; i < size; i++) expected[i] = first + i * step + (i >> 8);
  return hostileBytes(random.pick(HOSTILE_KINDS), expected);
}

function detached(buffer: ArrayBuffer): void {
  structuredClone(buffer, { transfer: [buffer] });
}

/** Values without bytes to send, despite their members. Each call returns new ones. */
export function withoutBytes(): [name: string, value: Uint8Array][] {
  const view = new Uint8Array(100);
  const buffer = new ArrayBuffer(100);
  const dataView = new DataView(new ArrayBuffer(100));
  for (const it of [view.buffer, buffer, dataView.buffer]) detached(it);
  const shrinking = resizable(100) as ArrayBuffer & { resize(length: number): void };
  const outOfBounds = new Uint8Array(shrinking, 50, 50);
  shrinking.resize(60);
  const all: Record<string, unknown> = {
    "a detached view": view,
    "a detached buffer": buffer,
    "a detached DataView": dataView,
    "a view beyond the end of its buffer": outOfBounds,
    "an object with an ArrayBuffer's tag": { [Symbol.toStringTag]: "ArrayBuffer", byteLength: 3 },
    "an object with a Uint8Array's tag": { [Symbol.toStringTag]: "Uint8Array", length: 3 },
    "a Proxy of bytes": new Proxy(new Uint8Array(3), {}),
    "an object with a Uint8Array's prototype": Object.create(Uint8Array.prototype),
    "a has trap that throws": new Proxy({}, { has: failing }),
  };
  return Object.entries(all) as [string, Uint8Array][];
}
