/** Collects uncaught errors on Deno, Node, Bun and in browsers. */

import { delay } from "@std/async";

interface ProcessLike {
  readonly versions: { readonly deno?: string; readonly bun?: string };
  readonly env: Record<string, string | undefined>;
  listeners(event: string): ((...args: unknown[]) => void)[];
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  removeListener(event: string, listener: (...args: unknown[]) => void): unknown;
}

/**
 * Whether an unhandled rejection can be collected. Under `bun test` it always fails the test, with
 * listeners or without. Errors thrown from microtasks can be collected there.
 */
export const collectsRejections: boolean = !isBunTest();

const PROCESS_EVENTS = ["uncaughtException", "unhandledRejection"] as const;

/**
 * Runs a body and collects its unhandled rejections and uncaught errors. They
 * then don't end the process and don't fail the test.
 *
 * Two such calls must not overlap: either would collect the other's.
 *
 * @returns The reasons and errors, in the order they were noticed.
 * @throws What the body throws or rejects with.
 */
export async function collectUncaught(body: () => void | Promise<void>): Promise<unknown[]> {
  const seen: unknown[] = [];
  const stop = watch((error) => seen.push(error));
  try {
    await body();
    await noticed();
  } finally {
    stop();
  }
  return seen;
}

/**
 * Runs a body and fails if an unhandled rejection or uncaught error happens meanwhile.
 *
 * @throws {AggregateError} When one did; it holds them all.
 * @throws What the body throws or rejects with.
 */
export async function assertNoUncaught(body: () => void | Promise<void>): Promise<void> {
  const seen = await collectUncaught(body);
  if (seen.length === 0) return;
  throw new AggregateError(seen, `Not caught: ${seen.map(String).join("; ")}`);
}

/** Two turns of the event loop: a rejection counts as unhandled once the turn it came in has ended. */
async function noticed(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await delay(0);
}

function processLike(): Partial<ProcessLike> | undefined {
  return (globalThis as { process?: Partial<ProcessLike> }).process;
}

function isBunTest(): boolean {
  const process = processLike();
  return process?.versions?.bun !== undefined && process.env?.["NODE_ENV"] === "test";
}

function watch(seen: (error: unknown) => void): () => void {
  const process = processLike();
  // Deno has a `process`, too; a test runner may have put a `Deno` of its own on the others.
  const isNodeLike = typeof process?.on === "function" && process.versions?.deno === undefined;
  if (isBunTest()) return watchMicrotasks(seen);
  return isNodeLike ? watchProcess(process as ProcessLike, seen) : watchGlobal(seen);
}

/** `bun test` handles uncaught errors itself, and no listener comes before it. */
function watchMicrotasks(seen: (error: unknown) => void): () => void {
  const original = globalThis.queueMicrotask;
  globalThis.queueMicrotask = (callback) =>
    original(() => {
      try {
        callback();
      } catch (error) {
        seen(error);
      }
    });
  return () => {
    globalThis.queueMicrotask = original;
  };
}

/** Takes the place of the test runner's own listeners, which would fail the test. */
function watchProcess(process: ProcessLike, seen: (error: unknown) => void): () => void {
  const others = PROCESS_EVENTS.map((event) => [event, process.listeners(event)] as const);
  const listener = (error: unknown): void => seen(error);
  for (const [event, listeners] of others) {
    for (const other of listeners) process.removeListener(event, other);
    process.on(event, listener);
  }
  return () => {
    for (const [event, listeners] of others) {
      process.removeListener(event, listener);
      for (const other of listeners) process.on(event, other);
    }
  };
}

function watchGlobal(seen: (error: unknown) => void): () => void {
  const onRejection = (event: Event): void => {
    event.preventDefault();
    seen((event as PromiseRejectionEvent).reason);
  };
  const onError = (event: Event): void => {
    event.preventDefault();
    seen((event as ErrorEvent).error);
  };
  globalThis.addEventListener("unhandledrejection", onRejection);
  globalThis.addEventListener("error", onError);
  return () => {
    globalThis.removeEventListener("unhandledrejection", onRejection);
    globalThis.removeEventListener("error", onError);
  };
}
