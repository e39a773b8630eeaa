import { ignore, preHandled } from "./errors.ts";

/** A shared promise that has fulfilled. */
export const FULFILLED: Promise<void> = Promise.resolve();

/**
 * A promise with its two functions; a rejection without a handler does no harm. Created once a
 * channel or a wait, never a message.
 */
export class Deferred<T = void> {
  readonly promise: Promise<T>;
  resolve: (value: T) => void = ignore;
  reject: (error: unknown) => void = ignore;

  constructor() {
    this.promise = preHandled(
      new Promise<T>((resolve, reject) => {
        this.resolve = resolve;
        this.reject = reject;
      }),
    );
  }
}

/**
 * What a promise gives, unless a signal aborts before: then its reason.
 *
 * @param promise What is waited for; nothing happens to it.
 * @param signal Ends the waiting.
 * @param onAbort Called when the signal has ended the waiting.
 * @returns A promise; an unhandled rejection does no harm.
 */
export function abortable<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  onAbort?: () => void,
): Promise<T> {
  if (signal === undefined) return promise;
  return preHandled(
    new Promise<T>((resolve, reject) => {
      const abort = (): void => {
        reject(signal.reason);
        onAbort?.();
      };
      if (signal.aborted) return abort();
      signal.addEventListener("abort", abort, { once: true });
      const release = (): void => signal.removeEventListener("abort", abort);
      promise.then(release, release);
      promise.then(resolve, reject);
    }),
  );
}
