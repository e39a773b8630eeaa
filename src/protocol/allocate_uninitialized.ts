/**
 * Allocation of memory that is not filled with zeros first.
 *
 * @module
 */

/** Below this size, in bytes, filling with zeros costs nothing. */
const SMALL = 0x1000;

interface NodeBuffers {
  allocUnsafeSlow(size: number): Uint8Array<ArrayBuffer>;
}

const { Buffer: buffers } = globalThis as { Buffer?: NodeBuffers };

/**
 * Allocates bytes that the caller must overwrite completely. Their content is undefined where the platform
 * can skip filling them with zeros.
 *
 * @param length The number of bytes.
 * @returns The bytes, in a buffer of their own.
 */
export function allocateUninitialized(length: number): Uint8Array<ArrayBuffer> {
  if (buffers === undefined || length < SMALL) return new Uint8Array(length);
  return new Uint8Array(buffers.allocUnsafeSlow(length).buffer);
}
