import type { Kept, Pool } from "./session.ts";

/** Counts the bytes that all sessions of one `Sessions` keep. A message that sessions share counts once. */
export class BufferPool implements Pool {
  /** The maximum number of bytes that they may keep. */
  readonly limit: number;
  readonly #shares: Map<object, number> = new Map<object, number>();
  readonly #waiting: Set<() => void> = new Set<() => void>();
  #size = 0;

  /** @param limit The maximum number of bytes that they may keep. */
  constructor(limit: number) {
    this.limit = limit;
  }

  /** The number of bytes that are kept. */
  get size(): number {
    return this.#size;
  }

  /** Whether the limit is reached. */
  get isFull(): boolean {
    return this.#size >= this.limit;
  }

  /** Counts a message that a session keeps. */
  keep({ wire, size }: Kept): void {
    if (typeof wire === "object" && "frame" in wire) {
      const shares = this.#shares.get(wire) ?? 0;
      this.#shares.set(wire, shares + 1);
      if (shares > 0) return;
    }
    this.add(size);
  }

  /** Stops counting a message that a session no longer keeps. */
  release({ wire, size }: Kept): void {
    const shares = this.#shares.get(wire as object);
    if (shares !== undefined && shares > 1) this.#shares.set(wire as object, shares - 1);
    else {
      if (shares !== undefined) this.#shares.delete(wire as object);
      this.add(-size);
    }
  }

  /** Changes the number of kept bytes by `size`, which may be negative. */
  add(size: number): void {
    const wasFull = this.isFull;
    this.#size += size;
    if (!wasFull || this.isFull || this.#waiting.size === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const onRoom of waiting) onRoom();
  }

  /** Calls `onRoom` once when there is room again. Registering the same function twice has no effect. */
  wait(onRoom: () => void): void {
    this.#waiting.add(onRoom);
  }

  /** Cancels {@linkcode wait}. */
  forget(onRoom: () => void): void {
    this.#waiting.delete(onRoom);
  }
}
