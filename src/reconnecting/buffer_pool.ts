import type { Kept, Pool } from "./session.ts";

/** The bytes that all sessions of one `Sessions` keep. What sessions share counts once. */
export class BufferPool implements Pool {
  /** How many bytes they may keep. */
  readonly limit: number;
  readonly #shares: Map<object, number> = new Map<object, number>();
  readonly #waiting: Set<() => void> = new Set<() => void>();
  #size = 0;

  /** @param limit How many bytes they may keep. */
  constructor(limit: number) {
    this.limit = limit;
  }

  /** How many bytes are kept. */
  get size(): number {
    return this.#size;
  }

  /** Whether nothing more should be kept. */
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

  /** A session keeps the message no more. */
  release({ wire, size }: Kept): void {
    const shares = this.#shares.get(wire as object);
    if (shares !== undefined && shares > 1) this.#shares.set(wire as object, shares - 1);
    else {
      if (shares !== undefined) this.#shares.delete(wire as object);
      this.add(-size);
    }
  }

  /** Counts bytes that come or, below 0, go. */
  add(size: number): void {
    const wasFull = this.isFull;
    this.#size += size;
    if (!wasFull || this.isFull || this.#waiting.size === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const onRoom of waiting) onRoom();
  }

  /** Calls `onRoom` once, when there is room again. The same function waits once only. */
  wait(onRoom: () => void): void {
    this.#waiting.add(onRoom);
  }

  /** Calls it no more. */
  forget(onRoom: () => void): void {
    this.#waiting.delete(onRoom);
  }
}
