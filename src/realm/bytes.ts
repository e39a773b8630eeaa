/**
 * Bytes as they are in memory, whatever object holds them: of another realm, of a subclass, with
 * properties of its own. Nothing here calls code of the user's.
 *
 * @module
 */

type Getter<T> = (this: unknown) => T;

/** The getter of a builtin prototype; what overrides it in a subclass or an object is not asked. */
function getterOf<T>(prototype: object, key: PropertyKey): Getter<T> | undefined {
  return Object.getOwnPropertyDescriptor(prototype, key)?.get as Getter<T> | undefined;
}

const TYPED_ARRAY: object = Object.getPrototypeOf(Uint8Array.prototype);

const typedKind = getterOf<string | undefined>(TYPED_ARRAY, Symbol.toStringTag) as Getter<
  string | undefined
>;
const typedLength = getterOf(TYPED_ARRAY, "length") as Getter<number>;
const typedBuffer = getterOf(TYPED_ARRAY, "buffer") as Getter<ArrayBufferLike>;
const typedOffset = getterOf(TYPED_ARRAY, "byteOffset") as Getter<number>;
const typedSize = getterOf(TYPED_ARRAY, "byteLength") as Getter<number>;
const typedCopyWithin = Uint8Array.prototype.copyWithin;
const viewBuffer = getterOf(DataView.prototype, "buffer") as Getter<ArrayBufferLike>;
const viewOffset = getterOf(DataView.prototype, "byteOffset") as Getter<number>;
const viewSize = getterOf(DataView.prototype, "byteLength") as Getter<number>;
const bufferSize = getterOf(ArrayBuffer.prototype, "byteLength") as Getter<number>;
/** Left out where the platform has no resizable buffers. */
const isResizable = getterOf<boolean>(ArrayBuffer.prototype, "resizable");

/** Up to this many bytes, a loop copies as fast as the platform does, and never more than asked for. */
export const SMALL = 32;

/** Whether `value` is an `ArrayBuffer`. A `SharedArrayBuffer` is none. */
export function isArrayBuffer(value: unknown): value is ArrayBuffer {
  if (typeof value !== "object" || value === null) return false;
  try {
    // Most objects are none: throwing for each of them would take long.
    if (!("byteLength" in value)) return false;
    bufferSize.call(value);
    return true;
  } catch {
    return false;
  }
}

/** Whether an `ArrayBuffer` can be resized. */
export function canResize(buffer: ArrayBuffer): boolean {
  return isResizable?.call(buffer) === true;
}

/** Whether `value` is an `ArrayBuffer` or a view of a buffer. */
export function isBinary(value: unknown): value is ArrayBuffer | ArrayBufferView {
  return ArrayBuffer.isView(value) || isArrayBuffer(value);
}

/**
 * How many bytes `value` holds.
 *
 * @returns `null` when it is neither an `ArrayBuffer` nor a view; 0 when its bytes are gone.
 */
export function byteLengthOf(value: unknown): number | null {
  if (!ArrayBuffer.isView(value)) return isArrayBuffer(value) ? bufferSize.call(value) : null;
  try {
    if (!hasSeenDataView || typedKind.call(value) !== undefined) return typedSize.call(value);
  } catch {
    hasSeenDataView = true;
  }
  try {
    return viewSize.call(value);
  } catch {
    return 0;
  }
}

/** Asking a view what it is takes longer than asking for its size, and most programs have no DataView. */
let hasSeenDataView = false;

/** The whole buffer that a view is of. */
export function bufferOf(view: ArrayBufferView): ArrayBufferLike {
  return typedKind.call(view) !== undefined ? typedBuffer.call(view) : viewBuffer.call(view);
}

/** The true length of a `Uint8Array`. */
export function lengthOf(bytes: Uint8Array): number {
  return typedLength.call(bytes);
}

/** How many elements an array has whose elements are of one byte; 0 if it is empty, or no such array. */
export function countBytes(value: unknown): number {
  if (!ArrayBuffer.isView(value)) return 0;
  try {
    const length = typedLength.call(value);
    return length === typedSize.call(value) ? length : 0;
  } catch {
    return 0;
  }
}

/**
 * Bytes that can be copied at once: not copied themselves. Only {@linkcode lengthOf}, their elements,
 * each of them modulo 256, and what the platform does with them can be relied on; their properties and
 * methods may be the user's. If their memory is shared, another thread can make them longer meanwhile.
 *
 * @param value The bytes.
 * @returns An array of bytes: the very same if it is one.
 * @throws {TypeError} When the bytes are gone.
 */
export function bytesOf(value: ArrayBuffer | ArrayBufferView): Uint8Array {
  return countBytes(value) > 0 ? value as Uint8Array : viewOf(value, false);
}

/**
 * Bytes as a plain `Uint8Array` of this realm and of constant length: a view, or a copy where the
 * buffer is shared or can be resized.
 *
 * @param value The bytes.
 * @throws {TypeError} When the bytes are gone, or `value` is nothing of the kind.
 */
export function plainBytes(value: ArrayBuffer | ArrayBufferView): Uint8Array {
  return viewOf(value, true);
}

/**
 * Bytes in a buffer of their own.
 *
 * @param value The bytes.
 * @throws {TypeError} When the bytes are gone, or `value` is nothing of the kind.
 */
export function copyOf(value: ArrayBuffer | ArrayBufferView): Uint8Array<ArrayBuffer> {
  // Not `slice()`: it asks for the species, and copies nothing where the bytes are Node's `Buffer`.
  return new Uint8Array(viewOf(value, false, true));
}

/**
 * Bytes that are all of their buffer: themselves, or else a copy.
 *
 * @param bytes The bytes.
 * @throws {TypeError} When the bytes are gone.
 */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  return typedSize.call(bytes) === typedBuffer.call(bytes).byteLength ? bytes : copyOf(bytes);
}

function viewOf(
  value: ArrayBuffer | ArrayBufferView,
  isConstant: boolean,
  isCopied = false,
): Uint8Array {
  const { buffer, offset, size } = boundsOf(value);
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(buffer, offset, size);
  } catch {
    throw gone();
  }
  if (isCopied) return bytes;
  const isFixed = !isShared(buffer) && !(isConstant && canResize(buffer as ArrayBuffer));
  return isFixed ? bytes : new Uint8Array(bytes);
}

interface Bounds {
  readonly buffer: ArrayBufferLike;
  readonly offset: number;
  readonly size: number;
}

function boundsOf(value: unknown): Bounds {
  if (typedKind.call(value) !== undefined) {
    const size = typedSize.call(value);
    if (size === 0) checkPresent(value);
    return { buffer: typedBuffer.call(value), offset: typedOffset.call(value), size };
  }
  if (!ArrayBuffer.isView(value)) {
    return { buffer: value as ArrayBuffer, offset: 0, size: bufferSize.call(value) };
  }
  try {
    const size = viewSize.call(value);
    return { buffer: viewBuffer.call(value), offset: viewOffset.call(value), size };
  } catch {
    throw gone();
  }
}

/**
 * An array whose buffer is detached, or too small by now, has the length 0; its methods throw. This one
 * does nothing to an empty array, and, unlike `values`, Bun's compiler doesn't leave it out.
 */
function checkPresent(value: unknown): void {
  try {
    typedCopyWithin.call(value as Uint8Array, 0, 0);
  } catch {
    throw gone();
  }
}

function gone(): TypeError {
  return new TypeError(
    "Cannot read the bytes: their buffer is detached or has become too small for them",
  );
}

function isShared(buffer: ArrayBufferLike): boolean {
  try {
    bufferSize.call(buffer);
    return false;
  } catch {
    return true;
  }
}
