/** Errors, and promises whose rejection does no harm. */

/** The error of a call that the object's state doesn't allow: a second reader, `add` after `close`. */
export function invalidState(message: string): DOMException {
  return new DOMException(message, "InvalidStateError");
}

/** RFC 6455 §7.4.1: the close code for data that isn't what it should be. */
export const INVALID_PAYLOAD_DATA = 1007;

/** Marks a promise as handled, so that one without a handler never ends a program. */
export function preHandled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(ignore);
  return promise;
}

/** A handler that does nothing. */
export function ignore(): void {}

/**
 * Throws what a user's callback threw from a microtask, as an event listener's error would be: the
 * caller's state stays whole, and the error isn't swallowed.
 */
export function rethrowLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** Calls a user's callback, if there is one, as a method of nothing. See {@linkcode rethrowLater}. */
export function callSafely<T>(callback: ((value: T) => void) | null | undefined, value: T): void {
  try {
    callback?.(value);
  } catch (error) {
    rethrowLater(error);
  }
}

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
