import { isBinary } from "../realm/bytes.ts";
import { isReadableStream } from "../realm/kinds.ts";
import { ignore } from "./errors.ts";
import { shown } from "./options.ts";

/** A source of values to pull from, whatever it is made of. */
export interface Pull<T> {
  /** The next value, or the end. Rejects with whatever goes wrong. */
  next(): PromiseLike<IteratorResult<T, unknown>>;
  /** Nothing more is wanted. Doesn't wait, and doesn't tell what goes wrong. */
  cancel(): void;
}

/** Pulls from an iterable of either kind, or from a `ReadableStream`, which it locks. */
export function pullFrom<T>(
  source: AsyncIterable<T> | (Iterable<T> & object) | ReadableStream<T>,
): Pull<T> {
  if (isReadableStream<T>(source)) {
    const reader = source.getReader();
    return {
      next: () => reader.read() as Promise<IteratorResult<T, unknown>>,
      cancel: () => void reader.cancel().catch(ignore),
    };
  }
  const iterator = isAsyncIterable<T>(source)
    ? source[Symbol.asyncIterator]()
    : source[Symbol.iterator]();
  return {
    // The wrapping promise also turns what `next` throws into a rejection.
    next: () => new Promise((resolve) => resolve(iterator.next())),
    cancel: () => void cancelIterator(iterator),
  };
}

/**
 * Checks the source of an `addStream`. Text and bytes can be iterated, but into code points and
 * numbers, which a caller never means.
 *
 * @throws {TypeError} When it is no source, or a single message.
 */
export function checkSource(source: unknown): void {
  const hint = typeof source === "string"
    ? ". Text is one message: use add"
    : isBinary(source)
    ? ". Bytes are one message: use add"
    : "";
  if (hint === "" && isSource(source)) return;
  const kinds = "an iterable, an async iterable or a ReadableStream";
  throw new TypeError(
    `Cannot add a stream: the source must be ${kinds}, got ${shown(source)}${hint}`,
  );
}

function isSource(value: unknown): boolean {
  if (value === null || typeof value !== "object" && typeof value !== "function") return false;
  return isReadableStream(value) || isAsyncIterable(value) ||
    typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] === "function";
}

function isAsyncIterable<T>(value: object): value is AsyncIterable<T> {
  return typeof (value as Partial<AsyncIterable<T>>)[Symbol.asyncIterator] === "function";
}

async function cancelIterator(iterator: AsyncIterator<unknown> | Iterator<unknown>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // The source's own trouble: nobody reads from it any more.
  }
}
