/**
 * What Web IDL does with the arguments of a method and with the members of a class, where these classes
 * need it.
 *
 * @module
 */

import { bufferOf, canResize, isArrayBuffer } from "../realm/bytes.ts";
import { builtinOf } from "../realm/kinds.ts";

/** The error of a call with too few arguments. */
export function checkArguments(what: string, needed: number, given: number): void {
  if (given >= needed) return;
  throw new TypeError(`Cannot ${what}: it needs ${needed} argument, got ${given}`);
}

/** A string, as Web IDL makes one of any value: a symbol throws. */
export function toText(value: unknown): string {
  return `${value as string}`;
}

/** Web IDL's `[Clamp] unsigned short`; `undefined` stays. */
export function clampedShort(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  // The unary plus throws for a symbol and a BigInt.
  const number = Math.min(Math.max(+(value as number), 0), 0xffff);
  if (Number.isNaN(number)) return 0;
  const floor = Math.floor(number);
  const rest = number - floor;
  // Halves go to the even neighbour.
  return rest < 0.5 || rest === 0.5 && floor % 2 === 0 ? floor : floor + 1;
}

/** Web IDL's `[EnforceRange] unsigned short`; `undefined` stays. */
export function enforcedShort(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined;
  const number = Math.trunc(+(value as number)) + 0;
  if (number >= 0 && number <= 0xffff) return number;
  throw new TypeError(
    `Cannot use the option ${name}: it must be from 0 to 65535, got ${+(value as number)}`,
  );
}

/** A dictionary: an object, or nothing. */
export function dictionary(value: unknown): Record<string, unknown> {
  if (value === undefined || value === null) return {};
  if (typeof value === "object" || typeof value === "function") {
    return value as Record<string, unknown>;
  }
  throw new TypeError(`Cannot use the options: they must be an object, got ${typeof value}`);
}

/** Web IDL's `sequence<DOMString>`; `undefined`: an empty one. */
export function textSequence(value: unknown, name: string): string[] {
  if (value === undefined) return [];
  const isObject = typeof value === "object" && value !== null || typeof value === "function";
  if (!isObject || !(Symbol.iterator in value)) {
    throw new TypeError(`Cannot use the option ${name}: it must be a list, got ${typeof value}`);
  }
  return Array.from(value as Iterable<unknown>, toText);
}

/** Web IDL's `(DOMString or sequence<DOMString>)`; `undefined`: an empty list. */
export function textOrSequence(value: unknown, name: string): string[] {
  if (value === undefined) return [];
  const isObject = typeof value === "object" && value !== null || typeof value === "function";
  const method = isObject ? (value as { [Symbol.iterator]?: unknown })[Symbol.iterator] : undefined;
  if (method === undefined || method === null) return [toText(value)];
  return textSequence(value, name);
}

/**
 * Web IDL's `BufferSource`.
 *
 * @param value Any value.
 * @param action What is done with it, for the error.
 * @returns The bytes; `null` when it is none.
 * @throws {TypeError} When the bytes are in memory that is shared, or can be resized.
 */
export function bufferSource(
  value: unknown,
  action: string,
): ArrayBuffer | ArrayBufferView | null {
  const isView = ArrayBuffer.isView(value);
  const isBuffer = isView || isArrayBuffer(value) || isShared(value);
  if (!isBuffer) return null;
  const buffer: unknown = isView ? bufferOf(value) : value;
  if (isArrayBuffer(buffer) && !canResize(buffer)) return value as ArrayBuffer;
  throw new TypeError(
    `Cannot ${action}: the bytes are in a buffer that is shared or can be resized. Use a copy`,
  );
}

function isShared(value: unknown): boolean {
  return typeof value === "object" && value !== null && builtinOf(value) === "SharedArrayBuffer";
}

/** Whether a value is a `Blob`, of whichever realm. */
export function isBlob(value: unknown): value is Blob {
  if (typeof value !== "object" || value === null) return false;
  return /^\[object (?:Blob|File)\]$/.test(Object.prototype.toString.call(value)) &&
    typeof (value as Partial<Blob>).arrayBuffer === "function";
}

/** Web IDL: the members of an interface can be enumerated, its class's name is that of the interface. */
export function expose(
  made: { readonly prototype: object },
  name: string,
  members: readonly string[],
): void {
  const { prototype } = made;
  for (const member of members) {
    const property = Object.getOwnPropertyDescriptor(prototype, member);
    Object.defineProperty(prototype, member, { ...property, enumerable: true });
  }
  Object.defineProperty(made, "name", { value: name, configurable: true });
  Object.defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true });
}

/** Web IDL: constants are there on the class and on its prototype, and stay. */
export function exposeConstants(
  made: { readonly prototype: object },
  constants: Readonly<Record<string, number>>,
): void {
  for (const [name, value] of Object.entries(constants)) {
    Object.defineProperty(made, name, { value, enumerable: true });
    Object.defineProperty(made.prototype, name, { value, enumerable: true });
  }
}
