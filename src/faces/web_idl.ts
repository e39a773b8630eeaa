/**
 * Converts arguments and exposes class members as Web IDL says, for what these classes need.
 *
 * @module
 */

import { bufferOf, canResize, isArrayBuffer } from "../realm/bytes.ts";
import { builtinOf } from "../realm/kinds.ts";

/** Throws when a call has too few arguments. */
export function checkArguments(what: string, needed: number, given: number): void {
  if (given >= needed) return;
  throw new TypeError(`Cannot ${what}: ${needed} argument is required, got ${given}`);
}

/** Converts a value to Web IDL's `DOMString`; throws for a symbol. */
export function toText(value: unknown): string {
  return `${value as string}`;
}

/** Converts a value to Web IDL's `[Clamp] unsigned short`; keeps `undefined`. */
export function clampedShort(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  // Unary plus throws for a symbol and a BigInt.
  const number = Math.min(Math.max(+(value as number), 0), 0xffff);
  if (Number.isNaN(number)) return 0;
  const floor = Math.floor(number);
  const rest = number - floor;
  // Halves are rounded to the even neighbour.
  return rest < 0.5 || rest === 0.5 && floor % 2 === 0 ? floor : floor + 1;
}

/** Converts a value to Web IDL's `[EnforceRange] unsigned short`; keeps `undefined`. */
export function enforcedShort(value: unknown, name: string): number | undefined {
  if (value === undefined) return undefined;
  const number = Math.trunc(+(value as number)) + 0;
  if (number >= 0 && number <= 0xffff) return number;
  throw new TypeError(
    `Cannot use the option ${name}: it must be from 0 to 65535, got ${+(value as number)}`,
  );
}

/** Reads a Web IDL dictionary: an object, or nothing. */
export function dictionary(value: unknown): Record<string, unknown> {
  if (value === undefined || value === null) return {};
  if (typeof value === "object" || typeof value === "function") {
    return value as Record<string, unknown>;
  }
  throw new TypeError(`Cannot use the options: they must be an object, got ${typeof value}`);
}

/** Converts a value to Web IDL's `sequence<DOMString>`; `undefined` becomes an empty list. */
export function textSequence(value: unknown, name: string): string[] {
  if (value === undefined) return [];
  const isObject = typeof value === "object" && value !== null || typeof value === "function";
  if (!isObject || !(Symbol.iterator in value)) {
    throw new TypeError(`Cannot use the option ${name}: it must be a list, got ${typeof value}`);
  }
  return Array.from(value as Iterable<unknown>, toText);
}

/** Converts a value to Web IDL's `(DOMString or sequence<DOMString>)`, as a list; `undefined` becomes an empty list. */
export function textOrSequence(value: unknown, name: string): string[] {
  if (value === undefined) return [];
  const isObject = typeof value === "object" && value !== null || typeof value === "function";
  const method = isObject ? (value as { [Symbol.iterator]?: unknown })[Symbol.iterator] : undefined;
  if (method === undefined || method === null) return [toText(value)];
  return textSequence(value, name);
}

/**
 * Reads Web IDL's `BufferSource`.
 *
 * @param value Any value.
 * @param action The action for the error's text, such as `"send"`.
 * @returns The bytes; `null` when the value is no `BufferSource`.
 * @throws {TypeError} When the buffer is shared or resizable.
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
    `Cannot ${action}: the buffer of the bytes is shared or resizable. Use a copy`,
  );
}

function isShared(value: unknown): boolean {
  return typeof value === "object" && value !== null && builtinOf(value) === "SharedArrayBuffer";
}

/** Whether a value is a `Blob` of any realm. */
export function isBlob(value: unknown): value is Blob {
  if (typeof value !== "object" || value === null) return false;
  return /^\[object (?:Blob|File)\]$/.test(Object.prototype.toString.call(value)) &&
    typeof (value as Partial<Blob>).arrayBuffer === "function";
}

/** Makes the members of a class enumerable and sets its name, as Web IDL says of an interface. */
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

/** Defines constants on a class and its prototype, as Web IDL says. */
export function exposeConstants(
  made: { readonly prototype: object },
  constants: Readonly<Record<string, number>>,
): void {
  for (const [name, value] of Object.entries(constants)) {
    Object.defineProperty(made, name, { value, enumerable: true });
    Object.defineProperty(made.prototype, name, { value, enumerable: true });
  }
}
