/**
 * Bytes that were received and can't be parsed yet.
 *
 * @module
 */

import { copyOf } from "../realm/bytes.ts";

/** Chunks below this size are joined: an object a chunk would cost more than its bytes. */
const JOIN_BELOW = 0x1000;

/** The most bytes a buffer of joined chunks has. */
const MAX_JOINED = 0x1_0000;

/**
 * A queue of bytes, in the chunks that arrived. What it holds on to is in proportion to the bytes in
 * it: small chunks are copied and joined, and so are those that are a small part of their buffer.
 */
export class ByteQueue {
  #chunks: Uint8Array[] = [];
  /** How many of `#chunks` are taken already. */
  #taken = 0;
  #size = 0;
  /** The buffer that small chunks are joined in, or an empty one; none of it is in `#chunks`. */
  #joined: Uint8Array = EMPTY;
  #joinedLength = 0;

  /** How many bytes are in the queue. */
  get size(): number {
    return this.#size;
  }

  /**
   * Puts a chunk at the end.
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
   * Puts back what was shifted and not used up.
   *
   * @param rest The chunk.
   * @param owned Whether the queue may keep it; otherwise it is copied.
   */
  unshift(rest: Uint8Array, owned: boolean): void {
    this.#size += rest.length;
    const chunk = owned ? compact(rest) : copyOf(rest);
    if (this.#taken > 0) this.#chunks[--this.#taken] = chunk;
    else this.#chunks.unshift(chunk);
  }

  /**
   * Takes the first chunk.
   *
   * @returns The chunk, which is the caller's from now on; an empty one when the queue is empty.
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

  /** Makes the joined chunks one of the queue's chunks. */
  #flushJoined(): void {
    if (this.#joinedLength === 0) return;
    this.#chunks.push(this.#joined.subarray(0, this.#joinedLength));
    this.#joined = EMPTY;
    this.#joinedLength = 0;
  }
}

const EMPTY = new Uint8Array(0);

/**
 * What to keep of a chunk.
 *
 * @param chunk The chunk.
 * @returns The chunk, or a copy when it is less than half of its buffer: a view of a small part would
 * keep all of the buffer alive.
 */
export function compact(chunk: Uint8Array): Uint8Array {
  return 2 * chunk.length < chunk.buffer.byteLength ? copyOf(chunk) : chunk;
}

/**
 * Joins chunks.
 *
 * @param chunks The chunks, in order.
 * @param size How many bytes they have together.
 * @returns All of them, in a buffer of their own.
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
