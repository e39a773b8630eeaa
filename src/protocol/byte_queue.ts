/**
 * A queue of received bytes that can't be decoded yet.
 *
 * @module
 */

import { copyOf } from "../realm/bytes.ts";

/** Chunks below this size are joined: a separate object for each would cost more than its bytes. */
const JOIN_BELOW = 0x1000;

/** The maximum size of a buffer of joined chunks, in bytes. */
const MAX_JOINED = 0x1_0000;

/**
 * A queue of bytes, in the chunks that arrived. Its memory is in proportion to the bytes in it: it copies and
 * joins small chunks, and copies chunks that are a small part of their buffer.
 */
export class ByteQueue {
  #chunks: Uint8Array[] = [];
  /** How many of `#chunks` the caller has taken. */
  #taken = 0;
  #size = 0;
  /** The buffer in which small chunks are joined, or an empty one. `#chunks` has no part of it. */
  #joined: Uint8Array = EMPTY;
  #joinedLength = 0;

  /** The number of bytes in the queue. */
  get size(): number {
    return this.#size;
  }

  /**
   * Appends a chunk.
   *
   * @param chunk The chunk.
   * @param owned Whether the queue may keep it; otherwise it is copied.
   */
  push(chunk: Uint8Array, owned: boolean): void {
    this.#size += chunk.length;
    if (chunk.length < JOIN_BELOW) return this.#join(chunk);
    this.#flushJoined();
    this.#chunks.push(owned ? compact(chunk) : copyOf(chunk));
  }

  /**
   * Puts the unused rest of a shifted chunk back at the front.
   *
   * @param rest The rest of the chunk.
   * @param owned Whether the queue may keep it; otherwise it is copied.
   */
  unshift(rest: Uint8Array, owned: boolean): void {
    this.#size += rest.length;
    const chunk = owned ? compact(rest) : copyOf(rest);
    if (this.#taken > 0) this.#chunks[--this.#taken] = chunk;
    else this.#chunks.unshift(chunk);
  }

  /**
   * Removes and returns the first chunk.
   *
   * @returns The chunk, which belongs to the caller; an empty one when the queue is empty.
   */
  shift(): Uint8Array {
    if (this.#taken === this.#chunks.length) this.#flushJoined();
    const chunk = this.#chunks[this.#taken];
    if (chunk === undefined) return EMPTY;
    this.#chunks[this.#taken++] = EMPTY;
    this.#size -= chunk.length;
    if (this.#taken === this.#chunks.length) {
      this.#chunks = [];
      this.#taken = 0;
    }
    return chunk;
  }

  #join(chunk: Uint8Array): void {
    const length = this.#joinedLength + chunk.length;
    if (length > MAX_JOINED) {
      this.#flushJoined();
      return this.#join(chunk);
    }
    if (length > this.#joined.length) {
      const grown = new Uint8Array(Math.min(MAX_JOINED, 2 * length));
      grown.set(this.#joined.subarray(0, this.#joinedLength));
      this.#joined = grown;
    }
    this.#joined.set(chunk, this.#joinedLength);
    this.#joinedLength = length;
  }

  /** Appends the joined bytes to the queue as one chunk. */
  #flushJoined(): void {
    if (this.#joinedLength === 0) return;
    this.#chunks.push(this.#joined.subarray(0, this.#joinedLength));
    this.#joined = EMPTY;
    this.#joinedLength = 0;
  }
}

const EMPTY = new Uint8Array(0);

/**
 * Returns a chunk in a form that may be kept for long.
 *
 * @param chunk The chunk.
 * @returns The chunk, or a copy if it is less than half of its buffer: a view of a small part keeps the whole
 * buffer alive.
 */
export function compact(chunk: Uint8Array): Uint8Array {
  return 2 * chunk.length < chunk.buffer.byteLength ? copyOf(chunk) : chunk;
}

/**
 * Joins chunks into one buffer.
 *
 * @param chunks The chunks, in order.
 * @param size Their total length in bytes.
 * @returns The joined bytes, in a buffer of their own.
 */
export function joined(chunks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
