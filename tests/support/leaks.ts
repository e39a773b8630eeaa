/** Counts what is left of objects that should be released, on Deno, Node and Bun. */

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

/** Collects what has no reference, also what a turn of the event loop still held. */
export async function collectGarbage(): Promise<void> {
  collect ??= collector();
  for (let i = 0; i < 3; i++) {
    await delay(0);
    collect();
  }
}

/** How many bytes the heap holds. */
export function heapSize(): number {
  return process.memoryUsage().heapUsed;
}

/** How many files and sockets the process has open; `null` where the system does not report it. */
export function openHandles(): number | null {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return null;
  }
}

/** Objects, watched without being held. */
export class Watched {
  #references: WeakRef<object>[] = [];

  /** Watches an object. */
  add(object: object): void {
    this.#references.push(new WeakRef(object));
  }

  /** How many of them are still there. */
  get alive(): number {
    return this.#references.filter((it) => it.deref() !== undefined).length;
  }

  /** Watches none of them any more: watching takes memory, too. */
  clear(): void {
    this.#references = [];
  }
}

/** A signal that never aborts and knows how many listeners it has. */
export class CountingSignal extends EventTarget {
  readonly aborted = false;
  readonly reason = undefined;
  readonly onabort = null;
  /** How many listeners were added and not removed. */
  listeners = 0;
  /** How many listeners were ever added. */
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
