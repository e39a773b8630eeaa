/**
 * Reading bytes as they are in memory, from any object: of another realm, of a subclass, with overridden
 * properties. No function here calls user code.
 *
 * @module
 */

type Getter<T> = (this: unknown) => T;

/** Returns the getter of a builtin prototype, so that overriding ones aren't called. */
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
/** `undefined` if the platform has no resizable buffers. */
const isResizable = getterOf<boolean>(ArrayBuffer.prototype, "resizable");

/** Up to this many bytes, a loop copies as fast as the platform, and never more bytes than intended. */
export const SMALL = 32;

/** Returns whether a value is an `ArrayBuffer`. A `SharedArrayBuffer` is not. */
export function isArrayBuffer(value: unknown): value is ArrayBuffer {
  if (typeof value !== "object" || value === null) return false;
  try {
    // Most objects are not buffers, and throwing for each of them would be slow.
    if (!("byteLength" in value)) return false;
    bufferSize.call(value);
    return true;
  } catch {
    return false;
  }
}

/** Returns whether an `ArrayBuffer` can be resized. */
export function canResize(buffer: ArrayBuffer): boolean {
  return isResizable?.call(buffer) === true;
}

/** Returns whether a value is an `ArrayBuffer` or a view of a buffer. */
export function isBinary(value: unknown): value is ArrayBuffer | ArrayBufferView {
  return ArrayBuffer.isView(value) || isArrayBuffer(value);
}

/**
 * Returns the length of a value in bytes.
 *
 * @returns The length; `null` if it is neither an `ArrayBuffer` nor a view; 0 if its buffer is detached.
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

/** Checking the kind of a view takes longer than reading its size, and most programs have no DataView. */
let hasSeenDataView = false;

/** Returns the whole buffer of a view. */
export function bufferOf(view: ArrayBufferView): ArrayBufferLike {
  return typedKind.call(view) !== undefined ? typedBuffer.call(view) : viewBuffer.call(view);
}

/** Returns the true length of a `Uint8Array`. */
export function lengthOf(bytes: Uint8Array): number {
  return typedLength.call(bytes);
}

/** Returns the number of elements of an array of bytes; 0 if it is empty, or not such an array. */
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
 * Returns bytes that can be copied at once, without copying them. Their properties and methods may be the
 * user's. So the caller can rely only on {@linkcode lengthOf}, on the elements, each modulo 256, and on what
 * the platform does with them. If their memory is shared, another thread can lengthen them meanwhile.
 *
 * @param value The bytes.
 * @returns An array of bytes: the same object if it is one.
 * @throws {TypeError} If the buffer is detached or too small.
 */
export function bytesOf(value: ArrayBuffer | ArrayBufferView): Uint8Array {
  return countBytes(value) > 0 ? value as Uint8Array : viewOf(value, false);
}

/**
 * Returns bytes as a plain `Uint8Array` of this realm and of constant length: a view, or a copy if the buffer
 * is shared or resizable.
 *
 * @param value The bytes.
 * @throws {TypeError} If the buffer is detached or too small, or `value` isn't bytes.
 */
export function plainBytes(value: ArrayBuffer | ArrayBufferView): Uint8Array {
  return viewOf(value, true);
}

/**
 * Copies bytes to a buffer of their own.
 *
 * @param value The bytes.
 * @throws {TypeError} If the buffer is detached or too small, or `value` isn't bytes.
 */
export function copyOf(value: ArrayBuffer | ArrayBufferView): Uint8Array<ArrayBuffer> {
  // Not `slice()`: it uses the species, and copies nothing from a `Buffer` of Node.
  return new Uint8Array(viewOf(value, false, true));
}

/**
 * Returns bytes that fill their whole buffer: the same object, or a copy.
 *
 * @param bytes The bytes.
 * @throws {TypeError} If the buffer is detached or too small.
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
 * Throws if an empty array's buffer is detached or too small: it then has the length 0, and its methods
 * throw. This method does nothing else to an empty array, and, unlike `values`, Bun's compiler doesn't remove
 * the call.
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
