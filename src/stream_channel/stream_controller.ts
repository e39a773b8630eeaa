import type {
  ChannelStream,
  ChannelStreamControllerOptions,
  ListenOptions,
  StreamSource,
  StreamSubscription,
} from "./channel_stream.ts";
import { ControlledStream } from "./controlled_stream.ts";
import { invalidState, rethrowLater } from "./errors.ts";
import { Listening } from "./listening.ts";
import { loopGuard } from "./loop_guard.ts";
import { type OptionKinds, readOptions, shown } from "./options.ts";
import { DONE, iteratorOf, ReadableView, Waiters } from "./pulling.ts";
import { DEFAULT_HIGH_WATER_MARK, sizeOf as defaultSizeOf } from "./size.ts";
import { SizedQueue, type SizeOf } from "./sized_queue.ts";

const KINDS: OptionKinds<ChannelStreamControllerOptions<unknown>> = {
  highWaterMark: "size",
  sizeOf: "function",
};

const LISTEN_KINDS: OptionKinds<ListenOptions> = {
  onError: "function",
  onDone: "function",
  signal: "AbortSignal",
};

type Reader = "none" | "listen" | "next" | "iterate" | "readable";

/**
 * The producing side of a {@linkcode ChannelStream}: a transport adds what arrives, and is told when
 * to stop and to go on. Corresponds to Dart's `StreamController`.
 *
 * The order is: any number of {@linkcode add}, at most one {@linkcode fail}, one {@linkcode end}
 * (or {@linkcode discard}, which drops what waits); what comes after those is ignored.
 */
export class ChannelStreamController<T> {
  /** The reading side. */
  readonly stream: ChannelStream<T>;

  readonly #source: StreamSource;
  readonly #highWaterMark: number;
  readonly #sizeOf: SizeOf<T>;
  /** Made when something has to wait, as is all that most streams never need. */
  #queue: SizedQueue<T> | null = null;
  #reader: Reader = "none";
  /** A message may go straight to the listener: it listens, and nothing is before it. */
  #flowing = false;
  #delivering = false;
  #pumpPlanned = false;
  #paused = false;
  #sourcePaused = false;
  /** The listener, at hand for each message. */
  #onData: ((value: T) => void) | null = null;
  #listening: Listening | null = null;
  #waiters: Waiters<T> | null = null;
  #view: ReadableView<T> | null = null;
  #failure: { error: unknown } | null = null;
  /** No more will be added. */
  #ended = false;
  /** The channel's own sink was closed: nothing holds the end back. */
  #discarded = false;
  /** The reader has been told so, or has gone. */
  #finished = false;

  /**
   * Makes a stream without a reader.
   *
   * @param source Whom to tell about a full queue and a reader that left.
   * @param given See {@linkcode ChannelStreamControllerOptions}.
   */
  constructor(source: StreamSource = {}, given?: ChannelStreamControllerOptions<T>) {
    const options = readOptions(given, KINDS);
    this.#source = source;
    this.#highWaterMark = options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK;
    this.#sizeOf = options.sizeOf ?? defaultSizeOf;
    this.stream = new ControlledStream<T>(this);
  }

  /** What waits to be read, in bytes. */
  get queuedSize(): number {
    return this.#queue === null ? 0 : this.#queue.size;
  }

  /** Whether {@linkcode end}, {@linkcode fail} or {@linkcode discard} was called. */
  get isEnded(): boolean {
    return this.#ended;
  }

  /** Whether the reader still has to handle, or to ask for, a message that was added before. */
  get isBehind(): boolean {
    if (this.#finished) return false;
    if (this.#reader === "none") return true;
    return this.#reader === "listen" ? !this.#flowing : !this.#waiters?.length;
  }

  /** Whether the source has been asked to stop and not yet to go on. */
  get isPaused(): boolean {
    return this.#sourcePaused;
  }

  /** Delivers a value, at once where a listener takes it, else as soon as a reader does. */
  add(value: T): void {
    if (!this.#flowing) {
      this.#hold(value);
      return;
    }
    this.#flowing = false;
    this.#delivering = true;
    this.#deliver(value);
    this.#delivering = false;
    if (!this.#queue?.length && !this.#ended && !this.#paused && this.#onData !== null) {
      this.#flowing = true;
    } else this.#pump();
  }

  /** Ends the stream with an error, behind what waits. */
  fail(error: unknown): void {
    if (this.#ended) return;
    this.#failure = { error };
    this.end();
  }

  /** Ends the stream, behind what waits. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const inDelivery = this.#reader === "listen" && !this.#flowing;
    this.#flowing = false;
    if (inDelivery) return this.#pump();
    this.#finishIfDrained();
  }

  /**
   * Ends the stream and drops what waits, an error included: what a channel does when its own sink
   * is closed. The reader is told even while it pauses, from a microtask.
   */
  discard(): void {
    if (this.#finished) return;
    this.#ended = true;
    this.#discarded = true;
    this.#flowing = false;
    this.#paused = false;
    this.#failure = null;
    this.#queue = null;
    if (this.#reader === "listen") this.#planPump();
    else this.#finishIfDrained();
  }

  #deliver(value: T): void {
    try {
      this.#onData?.(value);
    } catch (error) {
      rethrowLater(error);
    }
  }

  #hold(value: T): void {
    if (this.#ended || this.#finished) return;
    if (!this.#waiters?.give(value)) {
      (this.#queue ??= new SizedQueue(this.#sizeOf, this.#highWaterMark)).push(value);
    }
    this.#regulate();
  }

  /** Tells the source to stop or to go on, where that changed. */
  #regulate(): void {
    const full = this.queuedSize >= this.#highWaterMark && !this.#flowing &&
      !this.#waiters?.length && !this.#finished;
    if (full === this.#sourcePaused) return;
    this.#sourcePaused = full;
    if (full) this.#source.pause?.();
    else this.#source.resume?.();
  }

  #takeReader(reader: Reader): void {
    const before = this.#reader;
    const same = before === "next" && (reader === "next" || reader === "iterate") ||
      before === "readable" && reader === "readable";
    if (before !== "none" && !same) {
      throw invalidState(`Cannot read: the stream already has its one reader (${before})`);
    }
    this.#reader = reader;
  }

  // Listening.

  /** See {@linkcode ChannelStream.listen}. */
  listen(onData: (value: T) => void, given?: ListenOptions): StreamSubscription {
    if (typeof onData !== "function") {
      throw new TypeError(`Cannot listen: onData must be a function, got ${shown(onData)}`);
    }
    const options = readOptions(given, LISTEN_KINDS);
    this.#takeReader("listen");
    this.#onData = onData;
    const listening = this.#listening = new Listening(this, options);
    listening.watch();
    // Before anything came, nothing stands before the next message.
    if (!this.#queue?.length && !this.#ended) this.#flowing = !this.#finished;
    else this.#planPump();
    this.#regulate();
    return listening;
  }

  /** See {@linkcode StreamSubscription.isPaused}. */
  get isReaderPaused(): boolean {
    return this.#paused;
  }

  /** See {@linkcode StreamSubscription.pause}. */
  pauseReader(): void {
    if (this.#finished || this.#discarded) return;
    this.#paused = true;
    this.#flowing = false;
    this.#regulate();
  }

  /** See {@linkcode StreamSubscription.resume}. */
  resumeReader(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#planPump();
  }

  /** See {@linkcode StreamSubscription.cancel}. */
  cancelReader(): void {
    if (this.#finished) return;
    this.#release();
    this.#source.cancel?.();
    this.#regulate();
  }

  #planPump(): void {
    if (this.#pumpPlanned || this.#finished) return;
    this.#pumpPlanned = true;
    queueMicrotask(() => {
      this.#pumpPlanned = false;
      this.#pump();
    });
  }

  /** Hands what waits to the listener, unless that happens already further up the stack. */
  #pump(): void {
    if (this.#delivering || this.#pumpPlanned) return;
    this.#delivering = true;
    while (!this.#paused && this.#onData !== null && this.#queue?.length) {
      this.#deliver(this.#queue.shift());
    }
    this.#delivering = false;
    if (this.#paused || this.#onData === null) return this.#regulate();
    if (this.#ended) return this.#finishIfDrained();
    this.#flowing = true;
    this.#regulate();
  }

  // Pulling: next(), for await and the Web Streams view.

  /** See {@linkcode ChannelStream.next}. */
  next(): Promise<IteratorResult<T, undefined>> {
    this.#takeReader("next");
    return this.#pull();
  }

  /** See {@linkcode ChannelStream}'s async iterator. */
  iterate(): AsyncIterableIterator<T, undefined> {
    this.#takeReader("iterate");
    return iteratorOf(() => this.#pull(), () => {
      this.#failure = null;
      this.cancelReader();
    });
  }

  /** See {@linkcode ChannelStream.readable}. */
  get readable(): ReadableStream<T> {
    return (this.#view ?? this.#createView()).stream;
  }

  #createView(): ReadableView<T> {
    const view = this.#view = new ReadableView<T>({
      take: (give) => {
        this.#takeReader("readable");
        return this.#take(give);
      },
      cancel: (reason) => {
        this.#takeReader("readable");
        this.cancelReader();
        return this.#source.close?.(reason);
      },
    });
    if (this.#ended) this.#finishIfDrained();
    return view;
  }

  /** Gives the next value, at once where there is one. */
  #take(give: (value: T) => void): Promise<void> | void {
    if (!this.#queue?.length) {
      // Drained and ended before the view had the right to read.
      if (this.#ended) return this.#finishIfDrained();
      return this.#wait((waiters) => waiters.take(give));
    }
    give(this.#queue.shift());
    this.#taken();
    return loopGuard.step() ?? undefined;
  }

  #pull(): Promise<IteratorResult<T, undefined>> {
    if (this.#queue?.length) {
      const result = { done: false as const, value: this.#queue.shift() };
      this.#taken();
      const turn = loopGuard.step();
      return turn === null ? Promise.resolve(result) : turn.then(() => result);
    }
    const failure = this.#failure;
    if (failure !== null) {
      this.#failure = null;
      return Promise.reject(failure.error);
    }
    if (this.#ended || this.#finished) return Promise.resolve(DONE);
    return this.#wait((waiters) => waiters.next());
  }

  #taken(): void {
    if (this.#ended) this.#finishIfDrained();
    this.#regulate();
  }

  #wait<Result>(how: (waiters: Waiters<T>) => Result): Result {
    const result = how(this.#waiters ??= new Waiters());
    this.#regulate();
    return result;
  }

  // The end.

  /** Tells the reader that the stream is over, if it has read all and there is one. */
  #finishIfDrained(): void {
    if (this.#queue?.length || this.#finished || this.#paused) return;
    switch (this.#reader) {
      case "none":
        // There is no reader. A view need not pull to notice the end.
        this.#view?.end(this.#failure);
        return;
      case "next":
      case "iterate":
        return this.#finishWaiters();
      default:
        return this.#finishReader();
    }
  }

  #finishReader(): void {
    const failure = this.#failure;
    const listening = this.#listening;
    this.#release();
    if (listening !== null) return listening.finish(failure);
    this.#failure = null;
    this.#view?.end(failure);
  }

  #finishWaiters(): void {
    // With nobody waiting, the next call of next() is told.
    if (!this.#waiters?.length) return;
    if (this.#failure !== null) this.#waiters.fail(this.#failure.error);
    this.#failure = null;
    this.#release();
  }

  /** Lets go of the reader and of what waits for it. */
  #release(): void {
    this.#finished = true;
    this.#flowing = false;
    this.#paused = false;
    this.#listening?.release();
    this.#listening = null;
    this.#onData = null;
    this.#queue = null;
    this.#waiters?.end();
  }
}
