/**
 * A stand-in for the functions of `@std/async` that tests, examples and benchmarks use, for
 * machines that can't reach JSR: the same signatures, and the documented behaviour.
 */

export interface DelayOptions {
  signal?: AbortSignal;
  /** Whether the timer keeps the process running. Default: true. Only Deno supports false. */
  persistent?: boolean;
}

export function delay(ms: number, options: DelayOptions = {}): Promise<void> {
  const { signal, persistent = true } = options;
  if (signal?.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", abort, { once: true });
    if (!persistent) globalThis.Deno?.unrefTimer?.(timer as unknown as number);
  });
}

export interface DeadlineOptions {
  signal?: AbortSignal;
}

export async function deadline<T>(
  p: Promise<T>,
  ms: number,
  options: DeadlineOptions = {},
): Promise<T> {
  const timeout = new AbortController();
  const timer = setTimeout(
    () => timeout.abort(new DOMException("Signal timed out.", "TimeoutError")),
    ms,
  );
  const signals = [timeout.signal, ...options.signal === undefined ? [] : [options.signal]];
  const over = new AbortController();
  const aborted = new Promise<never>((_resolve, reject) => {
    for (const signal of signals) {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener("abort", () => reject(signal.reason), { signal: over.signal });
    }
  });
  try {
    return await Promise.race([aborted, p]);
  } finally {
    over.abort();
    clearTimeout(timer);
  }
}

export class RetryError extends Error {
  constructor(cause: unknown, attempts: number) {
    super(`Retrying exceeded the maxAttempts (${attempts}).`, { cause });
    this.name = "RetryError";
  }
}

export interface RetryOptions {
  /** Left out: 2. */
  multiplier?: number;
  /** The longest pause, in milliseconds; left out: 60,000. */
  maxTimeout?: number;
  /** Left out: 5. */
  maxAttempts?: number;
  /** The first and shortest pause, in milliseconds; left out: 1000. */
  minTimeout?: number;
  /** The random part of a pause, from 0 to 1. Default: 1. */
  jitter?: number;
  isRetriable?: (err: unknown) => boolean;
}

export async function retry<T>(
  fn: (() => Promise<T>) | (() => T),
  options: RetryOptions = {},
): Promise<T> {
  const { multiplier = 2, maxTimeout = 60_000, maxAttempts = 5, minTimeout = 1000 } = options;
  const { jitter = 1, isRetriable = () => true } = options;
  for (let attempt = 1;; attempt++) {
    try {
      return await fn();
    } catch (error) {
      if (!isRetriable(error)) throw error;
      if (attempt === maxAttempts) throw new RetryError(error, maxAttempts);
      const pause = Math.min(maxTimeout, minTimeout * multiplier ** (attempt - 1));
      await delay(pause * (1 - jitter * Math.random()));
    }
  }
}

export function pooledMap<T, R>(
  poolLimit: number,
  array: Iterable<T> | AsyncIterable<T>,
  iteratorFn: (data: T) => Promise<R>,
): AsyncIterableIterator<R> {
  return mapped(poolLimit, array, iteratorFn);
}

interface Item<R> {
  readonly settled: Promise<void>;
  result?: PromiseSettledResult<R>;
}

/** The results, in the order of the values. A failure ends it after all started work has ended. */
async function* mapped<T, R>(
  poolLimit: number,
  array: Iterable<T> | AsyncIterable<T>,
  iteratorFn: (data: T) => Promise<R>,
): AsyncGenerator<R> {
  const items: Item<R>[] = [];
  const running = new Set<Item<R>>();
  const errors: unknown[] = [];
  for await (const value of array) {
    const item: Item<R> = {
      settled: Promise.resolve(value).then(iteratorFn).then((value) => {
        item.result = { status: "fulfilled", value };
      }, (reason) => {
        item.result = { status: "rejected", reason };
        errors.push(reason);
      }).finally(() => running.delete(item)),
    };
    items.push(item);
    running.add(item);
    if (running.size >= poolLimit) await Promise.race([...running].map((it) => it.settled));
    if (errors.length > 0) break;
    for (let first = items[0]; first?.result?.status === "fulfilled"; first = items[0]) {
      items.shift();
      yield first.result.value;
    }
  }
  for (const item of items) {
    await item.settled;
    if (item.result?.status === "fulfilled") yield item.result.value;
  }
  if (errors.length > 0) throw new AggregateError(errors, "Threw while mapping.");
}
