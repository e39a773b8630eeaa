import { CountedQueue, DEFAULT_HIGH_WATER_MARK, type SizeOf } from "./counted_queue.ts";
import { callSafely, ignore, invalidState, preHandled, rethrowLater } from "./errors.ts";
import { loopGuard } from "./loop_guard.ts";
import { type OptionKinds, readOptions, shown } from "./options.ts";

/** Options of {@linkcode ChannelStream.listen}. */
export interface ListenOptions {
  /** Called once with the error that ended the stream, directly before `onDone`. */
  onError?: ((error: unknown) => void) | undefined;
  /** Called once when the stream has ended, after all other callbacks. */
  onDone?: (() => void) | undefined;
  /** Cancels the subscription when it aborts. */
  signal?: AbortSignal | undefined;
}

/** Controls the delivery to a listener. {@linkcode ChannelStream.listen} returns it. */
export interface StreamSubscription {
  /** Whether delivery is paused. */
  readonly isPaused: boolean;
  /**
   * Pauses delivery before the next message, including the end. Messages are queued, and the source is asked
   * to stop at the stream's high-water mark. One `resume` undoes any number of calls.
   */
  pause(): void;
  /** Resumes delivery, from a microtask. */
  resume(): void;
  /** Stops delivery permanently, including `onDone`. The channel stays open: close its sink to end it. */
  cancel(): void;
}

/**
 * The stream of incoming messages of a channel: Dart's single-subscription `Stream`, with backpressure.
 *
 * It has **one reader in its lifetime**. {@linkcode listen}, {@linkcode next}, `for await`,
 * {@linkcode discard} and the first read of {@linkcode readable} take the right to read. Any later reader
 * gets an `InvalidStateError`, even if the first one has ended: `listen` and `for await` throw it, the others
 * reject with it. One exception: you can read some messages with `next()` and the rest with one `for await`.
 *
 * Messages that arrive before there is a reader are queued for it.
 */
export interface ChannelStream<T> extends AsyncIterable<T> {
  /**
   * Calls `onData` with every message, **synchronously**: in the same call in which it arrives, without a
   * promise or a queue. One exception: if a peer causes more work than fits in one turn of the event loop, a
   * WebSocket channel continues in later turns. Messages that arrived before are delivered from a microtask
   * after `listen` has returned. `onData` is never called recursively.
   *
   * An exception in a callback is uncaught, as in an event listener: it is rethrown from a microtask, which
   * ends the process on Deno and Node. Later messages still arrive.
   *
   * @throws {TypeError} If `onData` isn't a function, or an option is unknown or of the wrong type.
   * @throws {DOMException} `InvalidStateError` if the stream has had a reader.
   *
   * @example
   * ```ts
   * import { channelPair } from "@web-socket/channel/stream-channel";
   *
   * const { local, foreign } = channelPair<string>();
   * foreign.stream.listen((message) => console.log(message), { onDone: () => console.log("over") });
   * local.sink.add("hello");
   * await local.sink.close();
   * ```
   */
  listen(onData: (value: T) => void, options?: ListenOptions): StreamSubscription;
  /**
   * Returns the next message, or `{ done: true }` when the stream has ended. Pending calls are answered in
   * order. The source stops while the unread messages reach the high-water mark.
   *
   * @returns A promise that rejects with the stream's error, or with an `InvalidStateError` if the stream has
   * another reader.
   */
  next(): Promise<IteratorResult<T, undefined>>;
  /**
   * Reads messages with `for await`. Leaving the loop ends the delivery, **not the channel**: close the sink
   * to end it.
   *
   * @throws {DOMException} `InvalidStateError` if the stream has another reader.
   */
  [Symbol.asyncIterator](): AsyncIterator<T, undefined> & AsyncIterable<T>;
  /**
   * Drops all messages, queued and future ones, without keeping them in memory. The channel stays open, and
   * still notices when the other end closes. Use it if your side only sends. It takes the right to read. You
   * can also call it after reading some messages with {@linkcode next}; pending calls of `next` then report
   * the end. On a stream that has ended or whose reader has left, it does nothing.
   *
   * @throws {DOMException} `InvalidStateError` if the stream has another reader: cancel that instead.
   *
   * @example
   * ```ts
   * import { channelPair } from "@web-socket/channel/stream-channel";
   *
   * const { local, foreign } = channelPair<string>();
   * foreign.stream.discard();
   * local.sink.add("dropped");
   * foreign.sink.add("still sent");
   * console.log((await local.stream.next()).value); // still sent
   * ```
   */
  discard(): void;
  /**
   * The stream as a `ReadableStream`, the same object on each access. It has no buffer of its own. Cancelling
   * it closes the channel, as users of Web Streams expect.
   *
   * Accessing the property doesn't take the right to read. The first read from it, or its `cancel`, does;
   * that fails with an `InvalidStateError` if the stream has another reader.
   */
  readonly readable: ReadableStream<T>;
}

/** The requests of a {@linkcode MessageStream} to its source. */
export interface StreamEvents {
  /** Enough is queued: add nothing more until {@linkcode resume}, if possible. */
  pause?(): void;
  /** There is room again. The source may add synchronously. */
  resume?(): void;
  /**
   * The reader has left: anything added from now on is dropped. The source must continue, to notice the end.
   *
   * @param leaves Whether messages were left unread.
   */
  cancel?(leaves: boolean): void;
  /** The reader wants to close the channel, with `readable.cancel()`. */
  close?(reason: unknown): Promise<void> | void;
}

/** Options of a {@linkcode MessageStream}. */
export interface MessageStreamOptions<T> {
  /** The number of queued bytes from which the source is asked to stop. Default 64 KiB. */
  readonly highWaterMark?: number | undefined;
  /** Returns the size of a queued value, in bytes. */
  readonly sizeOf: SizeOf<T>;
}

/**
 * Operations on a stream for its source. Its user can't call them.
 *
 * The order is: any number of `add`, at most one `fail`, and one `end` (or `discard`, which drops all queued
 * values). Later calls are ignored.
 */
export interface StreamFeed {
  /** Delivers a value: at once to a listener, otherwise as soon as a reader takes it. */
  add<T>(stream: MessageStream<T>, value: T): void;
  /** Ends the stream with an error, after all queued values. */
  fail<T>(stream: MessageStream<T>, error: unknown): void;
  /** Ends the stream, after all queued values. */
  end<T>(stream: MessageStream<T>): void;
  /**
   * Ends the stream and drops all queued values, and its error. A channel calls it when its own sink is
   * closed. The reader is notified from a microtask, even while it is paused.
   */
  discard<T>(stream: MessageStream<T>): void;
  /**
   * From now on the queue counts as full while it has anything, so the source resumes only when all is read.
   */
  drain<T>(stream: MessageStream<T>): void;
  /** Makes the reader leave, whichever kind it is. */
  leave<T>(stream: MessageStream<T>): void;
  /** Whether added values are dropped, because the reader has left or the stream has ended. */
  isLeft<T>(stream: MessageStream<T>): boolean;
  /** Returns the number of queued bytes. */
  queuedSize<T>(stream: MessageStream<T>): number;
  /** Whether the reader has not handled, or not requested, a message that was added before. */
  isBehind<T>(stream: MessageStream<T>): boolean;
  /** Returns the reader, which has taken the right to read. */
  readerOf<T>(stream: MessageStream<T>): Reader;
  /** Whether the source was asked to stop, and not yet to resume. */
  isPaused<T>(stream: MessageStream<T>): boolean;
  /** Whether a listener has paused its subscription. */
  isReaderPaused<T>(stream: MessageStream<T>): boolean;
  /**
   * Checks whether `listen` can be called, without taking the right to read.
   *
   * @throws {DOMException} `InvalidStateError` if the stream has had a reader.
   */
  checkReader<T>(stream: MessageStream<T>): void;
}

let ofStreams: StreamFeed;
let Subscription: new <T>(stream: MessageStream<T>) => StreamSubscription;

/** Shared, because a stream keeps its options as long as it lives. */
const NO_OPTIONS: ListenOptions = {};

const LISTEN_KINDS: OptionKinds<ListenOptions> = {
  onError: "function",
  onDone: "function",
  signal: "AbortSignal",
};

/** The ways to read a stream; `"none"` if there was no reader. */
export type Reader = "none" | "listen" | "next" | "iterate" | "readable" | "discard";

// From a received message to the listener.
/** The next message is queued: another one precedes it, or there is no listener. */
const HELD = 0;
/** The next message is delivered inside `add`. */
const FLOWING = 1;
/** The listener is handling a message. The next one flows, unless something happens meanwhile. */
const DELIVERING = 2;
/** The listener is handling a message, and something has happened meanwhile. */
const INTERRUPTED = 3;

/** The result at the end. */
const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

type Result<T> = IteratorResult<T, undefined>;

/** The error of a failed stream. It is wrapped in an object, because any value can be thrown. */
export interface Failure {
  readonly error: unknown;
}

/**
 * The implementation of {@linkcode ChannelStream}. Its source controls it with {@linkcode inlet}.
 *
 * A message for a listener passes through this object only, which is why this file has all ways to read.
 * State that most streams never need is created on demand.
 */
export class MessageStream<T> implements ChannelStream<T> {
  readonly #events: StreamEvents;
  #highWaterMark: number;
  readonly #sizeOf: SizeOf<T>;
  #flow = HELD;
  #onData: ((value: T) => void) | null = null;
  /** The values that no reader has taken yet. */
  #queue: CountedQueue<T> | null = null;
  /** Whether the source was asked to stop. */
  #full = false;
  /** Whether no more values will be added. */
  #ended = false;
  /** Whether the channel's own sink was closed: nothing delays the end. */
  #discarded = false;
  /** Whether the reader was notified of the end, or has left. */
  #finished = false;
  #failure: Failure | null = null;
  #reader: Reader = "none";
  #paused = false;
  #pumpScheduled = false;
  #listening: ListenOptions | null = null;
  #abort: (() => void) | null = null;
  /** The last of the calls that wait for a value. The list is circular, so its `next` is the first. */
  #waiter: Waiter<T> | null = null;
  #view: View<T> | null = null;

  /**
   * Creates a stream without a reader.
   *
   * @param events Called when the queue is full and when the reader leaves.
   * @param options Checked values.
   */
  constructor(events: StreamEvents, options: MessageStreamOptions<T>) {
    this.#events = events;
    this.#highWaterMark = options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK;
    this.#sizeOf = options.sizeOf;
  }

  static {
    ofStreams = {
      add: (it, value) => {
        if (it.#flow !== FLOWING) return it.#hold(value);
        it.#flow = DELIVERING;
        // Not called as a method, or `this` would be the stream.
        const onData = it.#onData;
        try {
          onData?.(value);
        } catch (error) {
          rethrowLater(error);
        }
        if (it.#flow === DELIVERING) it.#flow = FLOWING;
        else it.#goOn();
      },
      fail: (it, error) => {
        if (it.#ended) return;
        it.#failure = { error };
        streamFeed.end(it);
      },
      end: (it) => {
        if (it.#ended) return;
        it.#ended = true;
        const isHeld = it.#reader === "listen" && it.#flow !== FLOWING;
        it.#interrupt();
        if (isHeld) it.#pump();
        else it.#finishIfDrained();
      },
      discard: (it) => {
        if (it.#finished) return;
        it.#ended = true;
        it.#discarded = true;
        it.#interrupt();
        it.#paused = false;
        it.#failure = null;
        it.#queue = null;
        if (it.#reader === "listen") it.#schedulePump();
        else it.#finishIfDrained();
      },
      drain: (it) => {
        it.#highWaterMark = 1;
        it.#regulate();
      },
      leave: (it) => {
        if (!it.#ended) it.#failure = null;
        it.#cancel();
      },
      isLeft: (it) => it.#finished || it.#ended,
      queuedSize: (it) => it.#queuedSize,
      isBehind: (it) => {
        if (it.#finished) return false;
        if (it.#reader === "none") return true;
        return it.#reader === "listen" ? it.#flow !== FLOWING : it.#waiter === null;
      },
      readerOf: (it) => it.#reader,
      isPaused: (it) => it.#full,
      isReaderPaused: (it) => it.#paused,
      checkReader: (it) => it.#checkReader("listen"),
    };

    Subscription = class<T> implements StreamSubscription {
      readonly #stream: MessageStream<T>;

      constructor(stream: MessageStream<T>) {
        this.#stream = stream;
      }

      get isPaused(): boolean {
        return streamFeed.isReaderPaused(this.#stream);
      }

      pause(): void {
        const stream = this.#stream;
        if (stream.#finished || stream.#discarded) return;
        stream.#paused = true;
        stream.#interrupt();
        stream.#regulate();
      }

      resume(): void {
        const stream = this.#stream;
        if (!stream.#paused) return;
        stream.#paused = false;
        stream.#schedulePump();
      }

      cancel(): void {
        this.#stream.#cancel();
      }
    };
  }

  get #queuedSize(): number {
    return this.#queue === null ? 0 : this.#queue.size;
  }

  get #isEmpty(): boolean {
    return this.#queue === null || this.#queue.length === 0;
  }

  /** Continues after something has happened while the listener handled a message. */
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

  /** Queues the next message instead of delivering it inside `add`. */
  #interrupt(): void {
    this.#flow = this.#flow >= DELIVERING ? INTERRUPTED : HELD;
  }

  /** Asks the source to stop or to resume, if that has changed. */
  #regulate(): void {
    const isFull = this.#queuedSize >= this.#highWaterMark && this.#flow !== FLOWING &&
      this.#waiter === null && !this.#finished;
    if (isFull === this.#full) return;
    this.#full = isFull;
    if (isFull) this.#events.pause?.();
    else this.#events.resume?.();
  }

  #takeReader(reader: Reader): void {
    this.#checkReader(reader);
    this.#reader = reader;
  }

  #checkReader(reader: Reader): void {
    const before = this.#reader;
    const same = before === "next" && reader !== "listen" && reader !== "readable" ||
      before === "readable" && reader === "readable";
    if (before !== "none" && !same) {
      throw invalidState(
        `Cannot read: the stream already has a reader (${before})`,
      );
    }
  }

  // Listening.

  /** Calls a function with every message, synchronously. See {@linkcode ChannelStream.listen}. */
  listen(onData: (value: T) => void, given?: ListenOptions): StreamSubscription {
    if (typeof onData !== "function") {
      throw new TypeError(`Cannot listen: onData must be a function, got ${shown(onData)}`);
    }
    const options = given === undefined ? NO_OPTIONS : readOptions(given, LISTEN_KINDS);
    this.#takeReader("listen");
    this.#onData = onData;
    this.#listening = options;
    this.#watch(options.signal);
    // Nothing was added yet, so nothing precedes the next message.
    if (!this.#isEmpty || this.#ended) this.#schedulePump();
    else if (!this.#finished) this.#flow = FLOWING;
    this.#regulate();
    return new Subscription<T>(this);
  }

  /** Cancels the reader when the signal aborts, or if it has aborted already. */
  #watch(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    this.#abort = () => this.#cancel();
    if (signal.aborted) this.#cancel();
    else signal.addEventListener("abort", this.#abort, { once: true });
  }

  /** Makes the reader leave. */
  #cancel(): void {
    if (this.#finished) return;
    const leaves = !this.#isEmpty;
    this.#release();
    this.#events.cancel?.(leaves);
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

  /** Delivers queued values to the listener, unless a caller on the stack is doing so. */
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

  /** Returns the next message or the end. See {@linkcode ChannelStream.next}. */
  next(): Promise<Result<T>> {
    try {
      this.#takeReader("next");
    } catch (error) {
      return preHandled(Promise.reject(error));
    }
    return this.#pull();
  }

  /** Reads messages with `for await`. See {@linkcode ChannelStream}. */
  [Symbol.asyncIterator](): AsyncIterator<T, undefined> & AsyncIterable<T> {
    this.#takeReader("iterate");
    return {
      next: () => this.#pull(),
      return: () => {
        this.#failure = null;
        this.#cancel();
        return Promise.resolve(DONE);
      },
      [Symbol.asyncIterator](): AsyncIterator<T, undefined> & AsyncIterable<T> {
        return this;
      },
    };
  }

  /** Drops all messages. See {@linkcode ChannelStream.discard}. */
  discard(): void {
    if (this.#finished) return;
    this.#takeReader("discard");
    this.#failure = null;
    this.#cancel();
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
      // zone.js reports a rejection as unhandled if `await` handles it in a later microtask.
      return preHandled(Promise.reject(failure.error));
    }
    if (this.#ended || this.#finished) return Promise.resolve(DONE);
    return this.#wait(null);
  }

  /** Called after a value was taken from the queue. */
  #taken(): void {
    if (this.#ended) this.#finishIfDrained();
    if (this.#full) this.#regulate();
  }

  /** Waits for the next value or the end. */
  #wait(give: ((value: T) => void) | null): Promise<Result<T>> {
    const waiter = new Waiter<T>(give);
    const promise = waiter.start();
    const last = this.#waiter;
    if (last !== null) {
      waiter.next = last.next;
      last.next = waiter;
    }
    this.#waiter = waiter;
    if (this.#full) this.#regulate();
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

  /** The stream as a `ReadableStream`. See {@linkcode ChannelStream.readable}. */
  get readable(): ReadableStream<T> {
    return (this.#view ?? this.#createView()).stream;
  }

  /** Creates the view, which has no buffer of its own. */
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
        this.#cancel();
        return this.#events.close?.(reason);
      },
    }, { highWaterMark: 0 });
    const view = this.#view = { stream, control };
    if (this.#ended) this.#finishIfDrained();
    return view;
  }

  /** Passes on the next value: at once if there is one, otherwise in the same call in which it is added. */
  #give(give: (value: T) => void): Promise<void> | void {
    const queue = this.#queue;
    if (queue === null || queue.length === 0) {
      // The stream was empty and had ended before the view took the right to read.
      return this.#ended
        ? this.#finishIfDrained()
        : this.#wait(give) as Promise<unknown> as Promise<void>;
    }
    give(queue.shift());
    this.#taken();
    return loopGuard.step() ?? undefined;
  }

  // The end.

  /** Notifies the reader of the end, if there is one and it has read everything. */
  #finishIfDrained(): void {
    if (!this.#isEmpty || this.#finished || this.#paused) return;
    switch (this.#reader) {
      case "none":
        // A view notices the end without pulling.
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

  #endView(failure: Failure | null): void {
    const view = this.#view;
    const control = view?.control;
    if (!view || !control) return;
    // Without a reader the end may be reported again, but a view ends only once.
    view.control = undefined;
    if (failure === null) control.close();
    else control.error(failure.error);
  }

  #finishWaiters(): void {
    // Without a pending call, the next call of next() reports the end.
    if (this.#waiter === null) return;
    if (this.#failure !== null) this.#shiftWaiter()?.reject(this.#failure.error);
    this.#failure = null;
    this.#release();
  }

  /** Releases the reader and the values that are queued for it. */
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

/**
 * The implementation of {@linkcode Inlet}. A constant, so that engines know the functions that are called.
 */
export const streamFeed: StreamFeed = ofStreams;

/** A separate function: the variables of a closure would be allocated for each message. */
async function resultAfter<T>(turn: Promise<void>, result: Result<T>): Promise<Result<T>> {
  await turn;
  return result;
}

/** A pending call of `next()`, or a pending pull of the view. */
class Waiter<T> {
  next: Waiter<T> = this;
  resolve: (result: Result<T>) => void = ignore;
  reject: (error: unknown) => void = ignore;
  /** Takes the value in the same call in which it is added, because the end may follow. */
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
