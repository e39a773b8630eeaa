import { isBinary } from "../realm/bytes.ts";
import { isReadableStream } from "../realm/kinds.ts";
import { ignore } from "./errors.ts";
import { loopGuard } from "./loop_guard.ts";
import { shown } from "./options.ts";

/** Takes a value. Returns `false` if the other end has left. */
type Take<T> = (value: T) => boolean;

/** A sink's room for values. */
interface Room {
  readonly hasRoom: boolean;
  readonly ready: Promise<void>;
}

/** A running `addStream`: it takes values from its source while there is room. */
export class AddStream<T> {
  readonly #source: Pull<T>;
  readonly #signal: AbortSignal | undefined;
  #ended = false;
  #wake: () => void = ignore;

  /**
   * Creates it. It takes nothing before {@linkcode run} is called.
   *
   * @param source The source of the values.
   * @param signal Stops it when it aborts.
   */
  constructor(source: Pull<T>, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
  }

  /** Whether it was ended or aborted. */
  get isInterrupted(): boolean {
    return this.#ended || this.#signal?.aborted === true;
  }

  /** Whether it was ended. */
  get isEnded(): boolean {
    return this.#ended;
  }

  /** Ends it, and cancels the source. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /**
   * Adds all values of the source.
   *
   * @param room Reports when there is room.
   * @param take Receives the values.
   * @returns Whether the source has ended; `false` if it was cancelled before.
   */
  async run(room: Room, take: Take<T>): Promise<boolean> {
    const signal = this.#signal;
    const onAbort = (): void => this.#wake();
    signal?.addEventListener("abort", onAbort);
    let taken = false;
    try {
      for (;;) {
        const turn = room.hasRoom ? loopGuard.step() : room.ready;
        if (turn !== null) await this.#wait(turn);
        taken = true;
        const result = this.isInterrupted ? undefined : await this.#wait(this.#source.next());
        if (result?.done) return true;
        taken = false;
        if (result === undefined || this.isInterrupted) break;
        taken = take(result.value);
        if (!taken) return false;
      }
      if (!this.#ended && signal?.aborted) throw signal.reason;
      return false;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      // A source that has ended needs no cancelling.
      if (!taken) this.#source.cancel();
    }
  }

  /** Waits for `promise` or for the end. `Promise.race` would leave a reaction behind in each round. */
  #wait<V>(promise: PromiseLike<V>): Promise<V | undefined> {
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(undefined);
      promise.then(resolve, reject);
    });
  }
}

/** A source of values to pull from. */
export interface Pull<T> {
  /** Returns the next value or the end. Rejects with the source's error. */
  next(): PromiseLike<IteratorResult<T, unknown>>;
  /** Cancels the source. Doesn't wait, and doesn't report failures. */
  cancel(): void;
}

/** Pulls from a synchronous or asynchronous iterable, or from a `ReadableStream`, which it locks. */
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
  const { [Symbol.asyncIterator]: iterate } = source as Partial<AsyncIterable<T>>;
  const iterator = typeof iterate === "function"
    ? iterate.call(source)
    : (source as Iterable<T>)[Symbol.iterator]();
  return {
    // The promise also turns an error that `next` throws into a rejection.
    next: () => new Promise((resolve) => resolve(iterator.next())),
    // Errors are ignored: the source is no longer read.
    cancel: () => void new Promise((resolve) => resolve(iterator.return?.())).catch(ignore),
  };
}

/**
 * Checks the source of an `addStream`. It rejects text and bytes: iterating over them gives code points and
 * numbers, which no caller intends.
 *
 * @param source The caller's argument.
 * @param what The name of what is added, for the error.
 * @throws {TypeError} If it isn't a source, or is a single message.
 */
export function checkSource(source: unknown, what = "stream"): void {
  const message = typeof source === "string" ? "Text is" : isBinary(source) ? "Bytes are" : "";
  if (message === "" && isSource(Object(source))) return;
  const hint = message && `. ${message} one message: use add`;
  const kinds = "an iterable, an async iterable or a ReadableStream";
  throw new TypeError(
    `Cannot add a ${what}: the source must be ${kinds}, got ${shown(source)}${hint}`,
  );
}

function isSource(value: Partial<AsyncIterable<unknown> & Iterable<unknown>>): boolean {
  return isReadableStream(value) ||
    typeof (value[Symbol.asyncIterator] ?? value[Symbol.iterator]) === "function";
}
