/**
 * The buffers that the connections of a process write their frames to, and that go round: what is
 * written and handed on leaves its memory, warm in the CPU's cache, to what comes next.
 *
 * @module
 */

/** The size of each of them, in bytes. */
export const SLAB_SIZE = 0x1_0000;

/** How many are kept that nobody uses: a megabyte of them. */
const MAX_SPARE = 16;

const EMPTY = new Uint8Array(0);

/** One such buffer. Connections set parts of it aside, one behind the other. */
export class Slab {
  /** Its memory. */
  readonly bytes: Uint8Array = new Uint8Array(SLAB_SIZE);
  /** Up to where it is set aside. */
  used = 0;
  /** How many parts are set aside, and not released. Those of a transport that keeps them stay. */
  parts = 0;

  /** The view that was made last. */
  #view: Uint8Array = EMPTY;
  #viewStart = 0;

  /**
   * A view of a part. Connections that write the same size by turns get the very same one, which
   * costs nothing.
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

  /** A part isn't needed any more. With the last one all of it is there again. */
  release(): void {
    if (--this.parts > 0) return;
    this.used = 0;
    if (this !== shared && spare.length < MAX_SPARE) spare.push(this);
  }
}

const spare: Slab[] = [];
/** The one in which connections set aside parts at present. */
let shared: Slab | null = null;

/**
 * Gives a buffer that nobody has set aside anything of.
 *
 * @returns The buffer.
 */
export function freshSlab(): Slab {
  return spare.pop() ?? new Slab();
}

/**
 * Gives the buffer that all connections share at present.
 *
 * @param room How many bytes must not be set aside yet: 0–65,536.
 * @returns The buffer.
 */
export function slabFor(room: number): Slab {
  if (shared === null || shared.used + room > SLAB_SIZE) shared = freshSlab();
  return shared;
}
