/**
 * Pooled buffers to which all connections of a process write their frames. A frame reuses the memory of
 * frames sent before, while it is in the CPU's cache. Only transports that release a view of a slab may get
 * one.
 *
 * @module
 */

/** The size of a slab, in bytes. */
export const SLAB_SIZE = 0x1_0000;

/** The maximum number of unused slabs that are kept: 1 MiB. */
const MAX_SPARE = 16;

const EMPTY = new Uint8Array(0);

/** A pooled buffer. Connections reserve parts of it, one after the other. */
export class Slab {
  /** The memory. */
  readonly bytes: Uint8Array = new Uint8Array(SLAB_SIZE);
  /** The end of the last reserved part. */
  used = 0;
  /** The number of parts that are reserved and not released. */
  parts = 0;

  /** The view that was created last. */
  #view: Uint8Array = EMPTY;
  #viewStart = 0;

  /**
   * Returns a view of a part. Connections that alternately write the same size get the same object, so
   * nothing is allocated.
   *
   * @param start Where the part begins.
   * @param end Where it ends.
   */
  view(start: number, end: number): Uint8Array {
    if (this.#viewStart !== start || this.#view.length !== end - start) {
      this.#view = this.bytes.subarray(start, end);
      this.#viewStart = start;
    }
    return this.#view;
  }

  /** Releases a part. After the last one, the whole slab can be written again. */
  release(): void {
    if (--this.parts > 0) return;
    this.used = 0;
    if (this !== shared && spare.length < MAX_SPARE) spare.push(this);
  }
}

const spare: Slab[] = [];
/** The slab in which connections reserve parts at present. */
let shared: Slab | null = null;

/**
 * Takes a slab without reserved parts from the pool, or allocates one.
 *
 * @returns The slab.
 */
export function freshSlab(): Slab {
  return spare.pop() ?? new Slab();
}

/**
 * Returns the slab that all connections share at present.
 *
 * @param room The number of bytes that must be free: 0–65,536.
 * @returns The slab.
 */
export function slabFor(room: number): Slab {
  if (shared === null || shared.used + room > SLAB_SIZE) shared = freshSlab();
  return shared;
}
