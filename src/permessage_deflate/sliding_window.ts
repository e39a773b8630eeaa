/** Shared by all empty windows. */
const EMPTY = new Uint8Array(0);

/**
 * The last bytes of one direction of a connection, to which later messages may refer.
 *
 * It grows with the bytes that are pushed, so an idle connection has an empty one.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.2.3.2 RFC 7692 §7.2.3.2}
 */
export class SlidingWindow {
  readonly #capacity: number;
  #buffer: Uint8Array = EMPTY;
  #length = 0;

  /**
   * Creates an empty window.
   *
   * @param capacity Its maximum size in bytes: 2^8–2^15.
   */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The number of bytes in the window. */
  get length(): number {
    return this.#length;
  }

  /**
   * Returns the last bytes that were pushed.
   *
   * @param count The maximum number of bytes.
   * @returns A view that the next {@linkcode push} overwrites.
   */
  last(count: number): Uint8Array {
    return this.#buffer.subarray(Math.max(0, this.#length - count), this.#length);
  }

  /**
   * Appends bytes, and drops the oldest if there is no room.
   *
   * @param bytes The bytes, which are copied.
   */
  push(bytes: Uint8Array): void {
    const kept = Math.min(this.#length, Math.max(0, this.#capacity - bytes.length));
    const added = Math.min(bytes.length, this.#capacity);
    this.#reserve(kept + added);
    if (kept < this.#length) this.#buffer.copyWithin(0, this.#length - kept, this.#length);
    this.#buffer.set(bytes.subarray(bytes.length - added), kept);
    this.#length = kept + added;
  }

  /** Drops all bytes. */
  clear(): void {
    this.#buffer = EMPTY;
    this.#length = 0;
  }

  #reserve(length: number): void {
    if (length <= this.#buffer.length) return;
    const size = Math.min(this.#capacity, Math.max(length, 2 * this.#buffer.length));
    const grown = new Uint8Array(size);
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}
