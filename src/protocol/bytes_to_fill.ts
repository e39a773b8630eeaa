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
 * Makes room that is filled to its last byte before anybody else sees it: where the platform can,
 * it isn't filled with zeros first.
 *
 * @param length How many bytes.
 * @returns The bytes, in a buffer of their own. What they are isn't known.
 */
export function bytesToFill(length: number): Uint8Array<ArrayBuffer> {
  if (buffers === undefined || length < SMALL) return new Uint8Array(length);
  return new Uint8Array(buffers.allocUnsafeSlow(length).buffer);
}
