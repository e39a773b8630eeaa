/** The same for all windows that hold nothing. */
const EMPTY = new Uint8Array(0);

/**
 * The last bytes of one direction of a connection, which later messages may refer back to.
 *
 * It grows with what passes through, so that a connection that is agreed but idle holds nothing.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.2.3.2 RFC 7692 §7.2.3.2}
 */
export class SlidingWindow {
  readonly #capacity: number;
  #buffer: Uint8Array = EMPTY;
  #length = 0;

  /**
   * Makes an empty window.
   *
   * @param capacity How many bytes it holds at most: 2^8–2^15.
   */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** How many bytes it holds. */
  get length(): number {
    return this.#length;
  }

  /**
   * The last bytes that passed through.
   *
   * @param count How many at most.
   * @returns A view that the next {@linkcode push} overwrites.
   */
  last(count: number): Uint8Array {
    return this.#buffer.subarray(Math.max(0, this.#length - count), this.#length);
  }

  /**
   * Lets bytes pass through: the oldest leave where there is no room.
   *
   * @param bytes The bytes; those that are kept are copied.
   */
  push(bytes: Uint8Array): void {
    const kept = Math.min(this.#length, Math.max(0, this.#capacity - bytes.length));
    const added = Math.min(bytes.length, this.#capacity);
    this.#reserve(kept + added);
    if (kept < this.#length) this.#buffer.copyWithin(0, this.#length - kept, this.#length);
    this.#buffer.set(bytes.subarray(bytes.length - added), kept);
    this.#length = kept + added;
  }

  /** Forgets everything. */
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
