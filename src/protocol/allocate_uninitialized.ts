/**
 * Memory that is about to be overwritten.
 *
 * @module
 */

/** Below this size the platform's zeros cost nothing. */
const SMALL = 0x1000;

interface NodeBuffers {
  allocUnsafeSlow(size: number): Uint8Array<ArrayBuffer>;
}

const { Buffer: buffers } = globalThis as { Buffer?: NodeBuffers };

/**
 * Allocates bytes that the caller overwrites completely. Where the platform can, they aren't filled with zeros first.
 *
 * @param length How many bytes.
 * @returns The bytes, in a buffer of their own, with unknown content.
 */
export function allocateUninitialized(length: number): Uint8Array<ArrayBuffer> {
  if (buffers === undefined || length < SMALL) return new Uint8Array(length);
  return new Uint8Array(buffers.allocUnsafeSlow(length).buffer);
}
