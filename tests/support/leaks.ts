/** Counts objects that should have been released, on Deno, Node and Bun. */

import { delay } from "@std/async";
import { readdirSync } from "node:fs";
import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: (() => void) | undefined;

function collector(): () => void {
  const { Bun } = globalThis as { Bun?: { gc(sync: boolean): void } };
  if (Bun !== undefined) return () => Bun.gc(true);
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}

/** Collects garbage, including objects that a turn of the event loop still referenced. */
export async function collectGarbage(): Promise<void> {
  collect ??= collector();
  for (let i = 0; i < 3; i++) {
    await delay(0);
    collect();
  }
}

/** The size of the used heap, in bytes. */
export function heapSize(): number {
  return process.memoryUsage().heapUsed;
}

/** The number of open files and sockets of the process; `null` if the system does not report it. */
export function openHandles(): number | null {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return null;
  }
}

/** Watches objects by weak references. */
export class Watched {
  #references: WeakRef<object>[] = [];

  /** Watches an object. */
  add(object: object): void {
    this.#references.push(new WeakRef(object));
  }

  /** The number of watched objects that still exist. */
  get alive(): number {
    return this.#references.filter((it) => it.deref() !== undefined).length;
  }

  /** Stops watching, which releases the memory of the references. */
  clear(): void {
    this.#references = [];
  }
}

/** A signal that never aborts and counts its listeners. */
export class CountingSignal extends EventTarget {
  readonly aborted = false;
  readonly reason = undefined;
  readonly onabort = null;
  /** The number of listeners that were added and not removed. */
  listeners = 0;
  /** The number of listeners that were added in total. */
  added = 0;

  override addEventListener(...args: Parameters<EventTarget["addEventListener"]>): void {
    this.listeners++;
    this.added++;
    super.addEventListener(...args);
  }

  override removeEventListener(...args: Parameters<EventTarget["removeEventListener"]>): void {
    this.listeners--;
    super.removeEventListener(...args);
  }

  throwIfAborted(): void {}
}
