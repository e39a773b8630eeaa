/** Sees what nobody caught: on Deno, Node, Bun and in browsers. */

interface ProcessLike {
  listeners(event: string): ((...args: unknown[]) => void)[];
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  removeListener(event: string, listener: (...args: unknown[]) => void): unknown;
}

const PROCESS_EVENTS = ["uncaughtException", "unhandledRejection"] as const;

/**
 * Runs a body and collects the unhandled rejections and uncaught errors that happen meanwhile, which
 * thereby don't end the process and don't fail the test.
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
  throw new AggregateError(seen, `Nobody caught: ${seen.map(String).join("; ")}`);
}

/** Two turns of the event loop: a rejection counts as unhandled once the turn it came in is over. */
async function noticed(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
}

function watch(seen: (error: unknown) => void): () => void {
  const { process } = globalThis as { process?: Partial<ProcessLike> };
  const isNodeLike = !("Deno" in globalThis) && typeof process?.on === "function";
  return isNodeLike ? watchProcess(process as ProcessLike, seen) : watchGlobal(seen);
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
