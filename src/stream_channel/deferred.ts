import { ignore, preHandled } from "./errors.ts";

/** A promise that has fulfilled, for all who have nothing to wait for. */
export const FULFILLED: Promise<void> = Promise.resolve();

/**
 * A promise with its two functions; a rejection that nobody looks at does no harm. Made once a
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
