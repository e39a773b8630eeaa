import type {
  ChannelStream,
  ChannelStreamControllerOptions,
  ListenOptions,
  StreamSource,
  StreamSubscription,
} from "./channel_stream.ts";
import { CountedQueue, type SizeOf } from "./counted_queue.ts";
import { callSafely, ignore, invalidState, rethrowLater } from "./errors.ts";
import { loopGuard } from "./loop_guard.ts";
import { type OptionKinds, readOptions, shown } from "./options.ts";
import { DEFAULT_HIGH_WATER_MARK, sizeOf } from "./size.ts";

const LISTEN_KINDS: OptionKinds<ListenOptions> = {
  onError: "function",
  onDone: "function",
  signal: "AbortSignal",
};

type Reader = "none" | "listen" | "next" | "iterate" | "readable";

// What a message meets on its way to the listener.
/** Another message is before it, or there is no listener. */
const HELD = 0;
/** Nothing: it is delivered inside `add`. */
const FLOWING = 1;
/** The listener handles another message. The next one flows, unless something happens meanwhile. */
const DELIVERING = 2;
/** The listener handles another message, and something has happened meanwhile. */
const INTERRUPTED = 3;

/** The result that reports the end. */
const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

type Result<T> = IteratorResult<T, undefined>;

/**
 * The producing side of a {@linkcode ChannelStream}: a transport adds what it receives, and is asked
 * to stop and to go on. Corresponds to Dart's `StreamController`.
 *
 * The order is: any number of {@linkcode add}, at most one {@linkcode fail}, one {@linkcode end}
 * (or {@linkcode discard}, which drops what is queued); later calls are ignored.
 *
 * A message that a listener takes visits this object and no other, which is why the ways to read are
 * all in this file. What most streams never need is created when it is needed.
 */
export class ChannelStreamController<T> {
  readonly #source: StreamSource;
  readonly #highWaterMark: number;
  readonly #sizeOf: SizeOf<T>;
  #flow = HELD;
  #onData: ((value: T) => void) | null = null;
  /** What no reader has taken yet. */
  #queue: CountedQueue<T> | null = null;
  #sourcePaused = false;
  /** No more will be added. */
  #ended = false;
  /** The channel's own sink was closed: nothing delays the end. */
  #discarded = false;
  /** The reader knows of the end, or has left. */
  #finished = false;
  #failure: { error: unknown } | null = null;
  #reader: Reader = "none";
  #paused = false;
  #pumpScheduled = false;
  #listening: ListenOptions | null = null;
  #abort: (() => void) | null = null;
  /** The last of the calls that wait for a value: a circle, so its `next` is the first. */
  #waiter: Waiter<T> | null = null;
  #view: View<T> | null = null;
  #face: ChannelStream<T> | null = null;

  /**
   * Creates a stream without a reader.
   *
   * @param source Is told when the queue is full and when the reader leaves.
   * @param options Checked values. See {@linkcode ChannelStreamControllerOptions}.
   */
  constructor(source: StreamSource = {}, options: ChannelStreamControllerOptions<T> = {}) {
    this.#source = source;
    this.#highWaterMark = options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK;
    this.#sizeOf = options.sizeOf ?? sizeOf;
  }

  /** The reading side: the same object on each access. */
  get stream(): ChannelStream<T> {
    return this.#face ??= new ControlledStream<T>(this);
  }

  /** How many bytes are queued for the reader. */
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
    return this.#reader === "listen" ? this.#flow !== FLOWING : this.#waiter === null;
  }

  /** Whether the source has been asked to stop and not yet to go on. */
  get isPaused(): boolean {
    return this.#sourcePaused;
  }

  get #isEmpty(): boolean {
    return this.#queue === null || this.#queue.length === 0;
  }

  /** Delivers a value: at once if a listener takes it, otherwise as soon as a reader does. */
  add(value: T): void {
    if (this.#flow !== FLOWING) return this.#hold(value);
    this.#flow = DELIVERING;
    // Not as a method: `this` would be the producing side.
    const onData = this.#onData;
    try {
      onData?.(value);
    } catch (error) {
      rethrowLater(error);
    }
    if (this.#flow === DELIVERING) this.#flow = FLOWING;
    else this.#goOn();
  }

  /** Something has happened while the listener handled a message. */
  #goOn(): void {
    this.#flow = HELD;
    if (this.#isEmpty && !this.#ended && !this.#paused && this.#onData !== null) {
      this.#flow = FLOWING;
    } else this.#pump();
  }

  #hold(value: T): void {
    if (this.#ended || this.#finished) return;
    const waiter = this.#shiftWaiter();
    if (waiter !== null) waiter.settle(value);
    else {
      if (this.#flow === DELIVERING) this.#flow = INTERRUPTED;
      (this.#queue ??= new CountedQueue<T>(this.#sizeOf, this.#highWaterMark)).push(value);
    }
    this.#regulate();
  }

  /** The next message doesn't flow. */
  #interrupt(): void {
    this.#flow = this.#flow >= DELIVERING ? INTERRUPTED : HELD;
  }

  /** Asks the source to stop or to go on, when that changes. */
  #regulate(): void {
    const isFull = this.queuedSize >= this.#highWaterMark && this.#flow !== FLOWING &&
      this.#waiter === null && !this.#finished;
    if (isFull === this.#sourcePaused) return;
    this.#sourcePaused = isFull;
    if (isFull) this.#source.pause?.();
    else this.#source.resume?.();
  }

  /** Ends the stream with an error, behind what is queued. */
  fail(error: unknown): void {
    if (this.#ended) return;
    this.#failure = { error };
    this.end();
  }

  /** Ends the stream, behind what is queued. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const isHeld = this.#reader === "listen" && this.#flow !== FLOWING;
    this.#interrupt();
    if (isHeld) this.#pump();
    else this.#finishIfDrained();
  }

  /**
   * Ends the stream and drops what is queued, an error included: what a channel does when its own
   * sink is closed. The reader is told even while it is paused, from a microtask.
   */
  discard(): void {
    if (this.#finished) return;
    this.#ended = true;
    this.#discarded = true;
    this.#interrupt();
    this.#paused = false;
    this.#failure = null;
    this.#queue = null;
    if (this.#reader === "listen") this.#schedulePump();
    else this.#finishIfDrained();
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
    this.#listening = options;
    this.#watch(options.signal);
    // Before anything was added, nothing is before the next message.
    if (!this.#isEmpty || this.#ended) this.#schedulePump();
    else if (!this.#finished) this.#flow = FLOWING;
    this.#regulate();
    return new Subscription<T>(this);
  }

  /** Watches the signal, if there is one; it may have aborted. */
  #watch(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    this.#abort = () => this.cancelReader();
    if (signal.aborted) this.cancelReader();
    else signal.addEventListener("abort", this.#abort, { once: true });
  }

  /** See {@linkcode StreamSubscription.isPaused}. */
  get isReaderPaused(): boolean {
    return this.#paused;
  }

  /** See {@linkcode StreamSubscription.pause}. */
  pauseReader(): void {
    if (this.#finished || this.#discarded) return;
    this.#paused = true;
    this.#interrupt();
    this.#regulate();
  }

  /** See {@linkcode StreamSubscription.resume}. */
  resumeReader(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#schedulePump();
  }

  /** See {@linkcode StreamSubscription.cancel}. */
  cancelReader(): void {
    if (this.#finished) return;
    this.#release();
    this.#source.cancel?.();
    this.#regulate();
  }

  #schedulePump(): void {
    if (this.#pumpScheduled || this.#finished) return;
    this.#pumpScheduled = true;
    queueMicrotask(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  /** Hands what is queued to the listener, unless that happens already further up the stack. */
  #pump(): void {
    if (this.#flow >= DELIVERING || this.#pumpScheduled) return;
    this.#flow = INTERRUPTED;
    while (!this.#paused && this.#queue !== null && this.#queue.length > 0) {
      callSafely(this.#onData, this.#queue.shift());
    }
    this.#flow = HELD;
    if (this.#paused || this.#onData === null) return this.#regulate();
    if (this.#ended) return this.#finishIfDrained();
    this.#flow = FLOWING;
    this.#regulate();
  }

  // Pulling: next(), for await and the Web Streams view.

  /** See {@linkcode ChannelStream.next}. */
  next(): Promise<Result<T>> {
    this.#takeReader("next");
    return this.#pull();
  }

  /** See {@linkcode ChannelStream}'s async iterator. */
  iterate(): AsyncIterator<T, undefined> & AsyncIterable<T> {
    this.#takeReader("iterate");
    return {
      next: () => this.#pull(),
      return: () => {
        this.#failure = null;
        this.cancelReader();
        return Promise.resolve(DONE);
      },
      [Symbol.asyncIterator](): AsyncIterator<T, undefined> & AsyncIterable<T> {
        return this;
      },
    };
  }

  #pull(): Promise<Result<T>> {
    const queue = this.#queue;
    if (queue === null || queue.length === 0) return this.#pullFromEmpty();
    const result: Result<T> = { done: false, value: queue.shift() };
    this.#taken();
    const turn = loopGuard.step();
    return turn === null ? Promise.resolve(result) : resultAfter(turn, result);
  }

  #pullFromEmpty(): Promise<Result<T>> {
    const failure = this.#failure;
    if (failure !== null) {
      this.#failure = null;
      return Promise.reject(failure.error);
    }
    if (this.#ended || this.#finished) return Promise.resolve(DONE);
    return this.#wait(null);
  }

  /** A value was taken from the queue. */
  #taken(): void {
    if (this.#ended) this.#finishIfDrained();
    if (this.#sourcePaused) this.#regulate();
  }

  /** Waits for the next value, or for the end. */
  #wait(give: ((value: T) => void) | null): Promise<Result<T>> {
    const waiter = new Waiter<T>(give);
    const promise = waiter.start();
    const last = this.#waiter;
    if (last !== null) {
      waiter.next = last.next;
      last.next = waiter;
    }
    this.#waiter = waiter;
    if (this.#sourcePaused) this.#regulate();
    return promise;
  }

  #shiftWaiter(): Waiter<T> | null {
    const last = this.#waiter;
    if (last === null) return null;
    const first = last.next;
    if (first === last) this.#waiter = null;
    else last.next = first.next;
    return first;
  }

  /** See {@linkcode ChannelStream.readable}. */
  get readable(): ReadableStream<T> {
    return (this.#view ?? this.#createView()).stream;
  }

  /** The view buffers nothing itself. */
  #createView(): View<T> {
    let control: ReadableStreamDefaultController<T> | undefined;
    const stream = new ReadableStream<T>({
      start: (it) => void (control = it),
      pull: (it) => {
        this.#takeReader("readable");
        return this.#give((value) => it.enqueue(value));
      },
      cancel: (reason) => {
        this.#takeReader("readable");
        this.cancelReader();
        return this.#source.close?.(reason);
      },
    }, { highWaterMark: 0 });
    const view = this.#view = { stream, control };
    if (this.#ended) this.#finishIfDrained();
    return view;
  }

  /** Gives the next value: at once if there is one, otherwise in the same call in which it is added. */
  #give(give: (value: T) => void): Promise<void> | void {
    const queue = this.#queue;
    if (queue === null || queue.length === 0) {
      // Drained and ended before the view had the right to read.
      return this.#ended
        ? this.#finishIfDrained()
        : this.#wait(give) as Promise<unknown> as Promise<void>;
    }
    give(queue.shift());
    this.#taken();
    return loopGuard.step() ?? undefined;
  }

  // The end.

  /** Tells the reader of the end, if there is a reader and it has read everything. */
  #finishIfDrained(): void {
    if (!this.#isEmpty || this.#finished || this.#paused) return;
    switch (this.#reader) {
      case "none":
        // A view need not pull to notice the end.
        return this.#endView(this.#failure);
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
    if (listening === null) {
      this.#failure = null;
      return this.#endView(failure);
    }
    const { onError, onDone } = listening;
    if (failure !== null) callSafely(onError, failure.error);
    callSafely(onDone, undefined);
  }

  #endView(failure: { readonly error: unknown } | null): void {
    const view = this.#view;
    const control = view?.control;
    if (!view || !control) return;
    // Without a reader the end may be reported again: a view ends once.
    view.control = undefined;
    if (failure === null) control.close();
    else control.error(failure.error);
  }

  #finishWaiters(): void {
    // Without a pending call, the next call of next() reports it.
    if (this.#waiter === null) return;
    if (this.#failure !== null) this.#shiftWaiter()?.reject(this.#failure.error);
    this.#failure = null;
    this.#release();
  }

  /** Lets go of the reader and of what is queued for it. */
  #release(): void {
    this.#finished = true;
    this.#interrupt();
    this.#paused = false;
    if (this.#abort !== null) this.#listening?.signal?.removeEventListener("abort", this.#abort);
    this.#abort = null;
    this.#listening = null;
    this.#onData = null;
    this.#queue = null;
    for (let it = this.#shiftWaiter(); it !== null; it = this.#shiftWaiter()) it.resolve(DONE);
  }
}

/** The user's side of a {@linkcode ChannelStreamController}: nothing of the producing side shows. */
class ControlledStream<T> implements ChannelStream<T> {
  readonly #controller: ChannelStreamController<T>;

  constructor(controller: ChannelStreamController<T>) {
    this.#controller = controller;
  }

  listen(onData: (value: T) => void, options?: ListenOptions): StreamSubscription {
    return this.#controller.listen(onData, options);
  }

  next(): Promise<Result<T>> {
    return this.#controller.next();
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> & AsyncIterable<T> {
    return this.#controller.iterate();
  }

  get readable(): ReadableStream<T> {
    return this.#controller.readable;
  }
}

class Subscription<T> implements StreamSubscription {
  readonly #controller: ChannelStreamController<T>;

  constructor(controller: ChannelStreamController<T>) {
    this.#controller = controller;
  }

  get isPaused(): boolean {
    return this.#controller.isReaderPaused;
  }

  pause(): void {
    this.#controller.pauseReader();
  }

  resume(): void {
    this.#controller.resumeReader();
  }

  cancel(): void {
    this.#controller.cancelReader();
  }
}

/** A function of its own: what a closure uses would be allocated for each message. */
async function resultAfter<T>(turn: Promise<void>, result: Result<T>): Promise<Result<T>> {
  await turn;
  return result;
}

/** One call of `next()`, or one pull of the view, that waits. */
class Waiter<T> {
  next: Waiter<T> = this;
  resolve: (result: Result<T>) => void = ignore;
  reject: (error: unknown) => void = ignore;
  /** Takes the value in the same call in which it is added: the end may follow. */
  readonly #give: ((value: T) => void) | null;

  constructor(give: ((value: T) => void) | null) {
    this.#give = give;
  }

  start(): Promise<Result<T>> {
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  settle(value: T): void {
    const give = this.#give;
    if (give === null) return this.resolve({ done: false, value });
    give(value);
    this.resolve(DONE);
  }
}

interface View<T> {
  readonly stream: ReadableStream<T>;
  control: ReadableStreamDefaultController<T> | undefined;
}
