/** The readers that pull: `for await`, and the Web Streams view. */

/** The result that tells of the end. */
export const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

interface Waiter<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

/** Those who wait for a value, the first one first. */
export class Waiters<T> {
  #waiters: Waiter<T>[] = [];

  /** How many wait. */
  get length(): number {
    return this.#waiters.length;
  }

  /** One more waits, for a value or the end. */
  next(): Promise<IteratorResult<T, undefined>> {
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** One more waits, who gets the value in the same call in which it comes: the end may follow. */
  take(give: (value: T) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const take = (result: IteratorResult<T, undefined>): void => {
        if (!result.done) give(result.value);
        resolve();
      };
      this.#waiters.push({ resolve: take, reject });
    });
  }

  /** Gives a value to the first one, if there is one. */
  give(value: T): boolean {
    const first = this.#waiters.shift();
    first?.resolve({ done: false, value });
    return first !== undefined;
  }

  /** Tells the first one of an error. */
  fail(error: unknown): void {
    this.#waiters.shift()?.reject(error);
  }

  /** Tells all of the end. */
  end(): void {
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(DONE);
  }
}

/**
 * An iterator for one `for await` loop.
 *
 * @param pull Gives the next value.
 * @param leave The loop was left.
 */
export function iteratorOf<T>(
  pull: () => Promise<IteratorResult<T, undefined>>,
  leave: () => void,
): AsyncIterableIterator<T, undefined> {
  return {
    next: pull,
    return: () => {
      leave();
      return Promise.resolve(DONE);
    },
    [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined> {
      return this;
    },
  };
}

/** What a {@linkcode ReadableView} is a view of. */
export interface Viewed<T> {
  /** Gives the next value, at once where there is one; else its promise waits for one, or the end. */
  take(give: (value: T) => void): Promise<void> | void;
  /** The view was cancelled. */
  cancel(reason: unknown): Promise<void> | void;
}

/** A stream as a `ReadableStream` that buffers nothing itself. */
export class ReadableView<T> {
  readonly stream: ReadableStream<T>;
  #controller: ReadableStreamDefaultController<T> | undefined;

  /** @param viewed Where the values come from. */
  constructor(viewed: Viewed<T>) {
    this.stream = new ReadableStream<T>({
      start: (controller) => void (this.#controller = controller),
      pull: (controller) => viewed.take((value) => controller.enqueue(value)),
      cancel: (reason) => viewed.cancel(reason),
    }, { highWaterMark: 0 });
  }

  /** No more comes. */
  end(failure: { readonly error: unknown } | null): void {
    if (failure === null) this.#controller?.close();
    else this.#controller?.error(failure.error);
  }
}
