/** The error of a call that the object's state doesn't allow: a second reader, `add` after `close`. */
export function invalidState(message: string): DOMException {
  return new DOMException(message, "InvalidStateError");
}

/** RFC 6455 §7.4.1: the close code for data that isn't what it should be. */
export const INVALID_PAYLOAD_DATA = 1007;

/** Marks a promise as handled, so that one nobody looks at never ends a program. */
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
