import { sizeOf } from "./size.ts";

const DEFAULT_LIMIT = 1024 * 1024;

/** What an id counts by itself, in bytes, however little came for it. */
const ENTRY_SIZE = 128;

/** What has come for one id. */
export interface Pending {
  /** Its messages, in order. */
  readonly values: unknown[];
  /** The peer has closed it. */
  closed: boolean;
  /** What it counts, in bytes. */
  size: number;
}

/** Messages for ids that nobody has attached to yet, up to a limit over all of them. */
export class PendingMessages {
  readonly #limit: number;
  readonly #pending = new Map<number, Pending>();
  #size = 0;

  /** @param limit How much may wait in all, in bytes. Default 1 MiB. */
  constructor(limit: number = DEFAULT_LIMIT) {
    this.#limit = limit;
  }

  /** How many ids wait. */
  get count(): number {
    return this.#pending.size;
  }

  /** What all ids count, in bytes. */
  get size(): number {
    return this.#size;
  }

  /**
   * Keeps a message, `[id, value]` or `[id]`.
   *
   * @returns Whether there was room. If not, all that waited for this id is dropped.
   */
  add(id: number, message: readonly unknown[]): boolean {
    const pending = this.#pending.get(id) ?? this.#create(id);
    if (message.length === 1) {
      pending.closed = true;
    } else if (!pending.closed) {
      pending.values.push(message[1]);
      this.#grow(pending, sizeOf(message[1], this.#limit));
    }
    if (this.#size <= this.#limit) return true;
    this.take(id);
    return false;
  }

  #create(id: number): Pending {
    const pending: Pending = { values: [], closed: false, size: 0 };
    this.#pending.set(id, pending);
    this.#grow(pending, ENTRY_SIZE);
    return pending;
  }

  #grow(pending: Pending, size: number): void {
    pending.size += size;
    this.#size += size;
  }

  /** Takes out what waits for an id. */
  take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    this.#size -= pending.size;
    return pending;
  }

  /** Drops everything. */
  clear(): void {
    this.#pending.clear();
    this.#size = 0;
  }
}
