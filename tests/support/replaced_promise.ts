/** Programs in which a library has replaced `Promise`. */

/** A subclass, as some instrumentation creates: results of `async` functions aren't instances. */
class Subclass<T> extends Promise<T> {}

const Native = globalThis.Promise;

type Settle<T> = ConstructorParameters<typeof Promise<T>>[0];

/** A separate class that does not extend `Promise`, as in zone.js. */
class Wrapper<T> implements PromiseLike<T> {
  readonly #inner: Promise<T>;

  constructor(settle: Settle<T>) {
    this.#inner = new Native(settle);
  }

  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Wrapper<A | B> {
    return wrapped(this.#inner.then(onFulfilled, onRejected));
  }

  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Wrapper<T | B> {
    return this.then(null, onRejected);
  }

  finally(callback?: (() => void) | null): Wrapper<T> {
    return wrapped(this.#inner.finally(callback));
  }

  get [Symbol.toStringTag](): string {
    return "Promise";
  }

  static resolve(value?: unknown): Wrapper<unknown> {
    return value instanceof Wrapper ? value : wrapped(Native.resolve(value));
  }

  static reject(error?: unknown): Wrapper<never> {
    return wrapped(Native.reject(error));
  }

  static all(all: Iterable<unknown>): Wrapper<unknown> {
    return wrapped(Native.all(all));
  }

  static race(all: Iterable<unknown>): Wrapper<unknown> {
    return wrapped(Native.race(all));
  }

  static allSettled(all: Iterable<unknown>): Wrapper<unknown> {
    return wrapped(Native.allSettled(all));
  }
}

function wrapped<T>(promise: Promise<T>): Wrapper<T> {
  return new Wrapper<T>((resolve, reject) => void promise.then(resolve, reject));
}

/** The classes that replace `Promise`, by name. */
export const REPLACEMENTS: Readonly<Record<string, PromiseConstructor>> = {
  "a subclass": Subclass as unknown as PromiseConstructor,
  "a class of its own": Wrapper as unknown as PromiseConstructor,
};

/** Runs a body while the global `Promise` is another class. */
export async function withPromise(
  replacement: PromiseConstructor,
  body: () => Promise<void>,
): Promise<void> {
  globalThis.Promise = replacement;
  try {
    await body();
  } finally {
    globalThis.Promise = Native;
  }
}
