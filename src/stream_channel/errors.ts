/** Errors, and promises whose unhandled rejection is harmless. */

/**
 * Creates the error of a call that the object's state doesn't allow, such as a second reader or `add` after
 * `close`.
 */
export function invalidState(message: string): DOMException {
  return new DOMException(message, "InvalidStateError");
}

/** RFC 6455 §7.4.1: the close code for data that doesn't match its type. */
export const INVALID_PAYLOAD_DATA = 1007;

/** Marks a promise as handled, so that its rejection never ends a program. */
export function preHandled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(ignore);
  return promise;
}

/** A handler that does nothing. */
export function ignore(): void {}

/**
 * Rethrows the error of a user's callback from a microtask, as for an event listener. So the error is
 * reported, and the caller's state stays consistent.
 */
export function rethrowLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/**
 * Calls a user's callback, if there is one, without a `this`. Its errors are rethrown by
 * {@linkcode rethrowLater}.
 */
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
 * A promise with its two functions. Its unhandled rejection is harmless. It is created once for a channel or
 * a wait, never for a message.
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
 * Settles as a promise does, unless a signal aborts before; then it rejects with the abort reason.
 *
 * @param promise The promise to wait for.
 * @param signal Ends the wait when it aborts.
 * @param onAbort Called when the signal has ended the wait.
 * @returns A promise whose unhandled rejection is harmless.
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
