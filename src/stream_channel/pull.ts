import { isReadableStream } from "../realm/kinds.ts";
import { ignore } from "./errors.ts";

/** A source of values to pull from, whatever it is made of. */
export interface Pull<T> {
  /** The next value, or the end. Rejects with whatever goes wrong. */
  next(): PromiseLike<IteratorResult<T, unknown>>;
  /** Nothing more is wanted. Doesn't wait, and doesn't tell what goes wrong. */
  cancel(): void;
}

/** Pulls from an iterable of either kind, or from a `ReadableStream`, which it locks. */
export function pullFrom<T>(
  source: AsyncIterable<T> | Iterable<T> | ReadableStream<T>,
): Pull<T> {
  if (isReadableStream<T>(source)) {
    const reader = source.getReader();
    return {
      next: () => reader.read() as Promise<IteratorResult<T, unknown>>,
      cancel: () => void reader.cancel().catch(ignore),
    };
  }
  const iterator = Symbol.asyncIterator in source
    ? source[Symbol.asyncIterator]()
    : source[Symbol.iterator]();
  return {
    // The wrapping promise also turns what `next` throws into a rejection.
    next: () => new Promise((resolve) => resolve(iterator.next())),
    cancel: () => void cancelIterator(iterator),
  };
}

async function cancelIterator(iterator: AsyncIterator<unknown> | Iterator<unknown>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // The source's own trouble: nobody reads from it any more.
  }
}
