import { isBinary } from "../realm/bytes.ts";
import { isReadableStream } from "../realm/kinds.ts";
import { ignore } from "./errors.ts";
import { loopGuard } from "./loop_guard.ts";
import { shown } from "./options.ts";

/** Takes a value. Returns `false` when the other end is gone. */
type Take<T> = (value: T) => boolean;

/** What has room for values, or will have. */
interface Room {
  readonly hasRoom: boolean;
  readonly ready: Promise<void>;
}

/** One `addStream` that runs: takes from its source as long as there is room. */
export class AddStream<T> {
  readonly #source: Pull<T>;
  readonly #signal: AbortSignal | undefined;
  #ended = false;
  #wake: () => void = ignore;

  /**
   * Creates one that takes nothing before {@linkcode run} is called.
   *
   * @param source Where they come from.
   * @param signal Interrupts it.
   */
  constructor(source: Pull<T>, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
  }

  /** Whether it was ended, or aborted. */
  get isInterrupted(): boolean {
    return this.#ended || this.#signal?.aborted === true;
  }

  /** Whether it was ended. */
  get isEnded(): boolean {
    return this.#ended;
  }

  /** Ends it: the source is cancelled. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /**
   * Adds everything.
   *
   * @param room Says when there is room.
   * @param take Where the values go.
   * @returns Whether the source has ended; `false` when it was cancelled before.
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
      // Unless it has ended by itself.
      if (!taken) this.#source.cancel();
    }
  }

  /** Waits for `promise`, or for the end. A race would leave a reaction behind on each round. */
  #wait<V>(promise: PromiseLike<V>): Promise<V | undefined> {
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(undefined);
      promise.then(resolve, reject);
    });
  }
}

/** A source of values to pull from, whatever it is made of. */
export interface Pull<T> {
  /** The next value, or the end. Rejects with whatever goes wrong. */
  next(): PromiseLike<IteratorResult<T, unknown>>;
  /** Cancels the source. Doesn't wait, and doesn't report failures. */
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
  const { [Symbol.asyncIterator]: iterate } = source as Partial<AsyncIterable<T>>;
  const iterator = typeof iterate === "function"
    ? iterate.call(source)
    : (source as Iterable<T>)[Symbol.iterator]();
  return {
    // The wrapping promise also turns what `next` throws into a rejection.
    next: () => new Promise((resolve) => resolve(iterator.next())),
    // An error of the source's own: it is not read any more.
    cancel: () => void new Promise((resolve) => resolve(iterator.return?.())).catch(ignore),
  };
}

/**
 * Checks the source of an `addStream`. Text and bytes can be iterated, but into code points and
 * numbers, which a caller never means.
 *
 * @param source What the caller gave.
 * @param what What it is added as.
 * @throws {TypeError} When it is no source, or a single message.
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
