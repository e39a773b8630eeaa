import { CountedQueue, DEFAULT_HIGH_WATER_MARK, type SizeOf } from "./counted_queue.ts";
import { callSafely, ignore, invalidState, preHandled, rethrowLater } from "./errors.ts";
import { loopGuard } from "./loop_guard.ts";
import { type OptionKinds, readOptions, shown } from "./options.ts";

/** Options of {@linkcode ChannelStream.listen}. */
export interface ListenOptions {
  /** Called once with the error that ended the stream, right before `onDone`. */
  onError?: ((error: unknown) => void) | undefined;
  /** Called once when the stream has ended, always last. */
  onDone?: (() => void) | undefined;
  /** Cancels the subscription when it aborts. */
  signal?: AbortSignal | undefined;
}

/** What {@linkcode ChannelStream.listen} gives: the reader's control over the delivery. */
export interface StreamSubscription {
  /** Whether {@linkcode pause} holds delivery back. */
  readonly isPaused: boolean;
  /**
   * Holds delivery back, from before the next message on, the end included. Messages wait, and
   * beyond the stream's high-water mark the source is asked to stop. Calls don't add up.
   */
  pause(): void;
  /** Goes on delivering, from a microtask. */
  resume(): void;
  /**
   * Stops delivery for good, `onDone` included. The channel stays open: close its sink to end it.
   */
  cancel(): void;
}

/**
 * The incoming messages of a channel: Dart's single-subscription `Stream`, with
 * backpressure.
 *
 * It has **one reader in its life**. The first of {@linkcode listen}, {@linkcode next},
 * `for await`, {@linkcode discard} and the first read of {@linkcode readable} takes the right to read; any other fails with an
 * `InvalidStateError`, also when the first has ended: `listen` and `for await` throw it, the others reject. Only reading some messages with `next()` and
 * the rest with one `for await` counts as one reader.
 *
 * What arrives before there is a reader waits for it.
 */
export interface ChannelStream<T> extends AsyncIterable<T> {
  /**
   * Hands every message to `onData`, **synchronously**: in the same call in which it arrived, with
   * no promise and no queue between. One exception: when a peer causes more work than fits in one
   * turn of the event loop, a WebSocket channel continues in later turns. What arrived before is delivered from a microtask after
   * `listen` has returned. `onData` is never called from inside itself.
   *
   * An exception that a callback throws is uncaught, as in an event listener: it is rethrown from a microtask, which
   * ends the process on Deno and Node. Later messages still arrive.
   *
   * @throws {TypeError} When `onData` is no function, or an option is unknown or of the wrong type.
   * @throws {DOMException} `InvalidStateError` when the stream has had a reader.
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
   * The next message, or `{ done: true }` when the stream has ended. Calls that wait at the same time
   * are answered in order. The source stops while the high-water mark's worth waits to be read.
   *
   * @returns A promise that rejects with the stream's error, or with an `InvalidStateError` when another
   * reader has the stream.
   */
  next(): Promise<IteratorResult<T, undefined>>;
  /**
   * Reads with `for await`. Leaving the loop ends the delivery, **not the channel**: close the sink
   * for that.
   *
   * @throws {DOMException} `InvalidStateError` when another reader has the stream.
   */
  [Symbol.asyncIterator](): AsyncIterator<T, undefined> & AsyncIterable<T>;
  /**
   * Reads nothing any more: what waits and what arrives from now on is dropped, without keeping it in memory. The
   * channel stays open, and still notices that the other end closes: a server that only sends calls it.
   * Also possible after some messages were read with {@linkcode next}; calls of it that wait report the end.
   * It takes the right to read. On a stream that has ended, or was left, it does nothing.
   *
   * @throws {DOMException} `InvalidStateError` when another reader has the stream: cancel that instead.
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
   * The same as a `ReadableStream` (the same object on each access) that buffers nothing itself.
   * Cancelling it closes the channel, as users of Web Streams expect.
   *
   * Reading the property takes no right. The first read from the view, or its `cancel`, takes the
   * right to read; it fails with an `InvalidStateError` when another reader has the stream.
   */
  readonly readable: ReadableStream<T>;
}

/** What a {@linkcode MessageStream} asks of the side that feeds it. */
export interface StreamEvents {
  /** Enough waits: give nothing more until {@linkcode resume}, if that is possible. */
  pause?(): void;
  /** There is room again. May add synchronously. */
  resume?(): void;
  /**
   * The reader has left; what is added from now on is dropped. Goes on to notice the end.
   *
   * @param leaves Whether it leaves something unread.
   */
  cancel?(leaves: boolean): void;
  /** The reader wants the channel closed: `readable.cancel()`. */
  close?(reason: unknown): Promise<void> | void;
}

/** Options of a {@linkcode MessageStream}. */
export interface MessageStreamOptions<T> {
  /** How many bytes may wait before the feeding side is asked to stop. Default 64 KiB. */
  readonly highWaterMark?: number | undefined;
  /** What a waiting value counts, in bytes. */
  readonly sizeOf: SizeOf<T>;
}

/**
 * What the side that feeds a stream does with it, and its user can't.
 *
 * The order is: any number of `add`, at most one `fail`, one `end` (or `discard`, which drops what is
 * queued); later calls are ignored.
 */
export interface StreamFeed {
  /** Delivers a value: at once if a listener takes it, otherwise as soon as a reader does. */
  add<T>(stream: MessageStream<T>, value: T): void;
  /** Ends the stream with an error, behind what is queued. */
  fail<T>(stream: MessageStream<T>, error: unknown): void;
  /** Ends the stream, behind what is queued. */
  end<T>(stream: MessageStream<T>): void;
  /**
   * Ends the stream and drops what is queued, an error included: what a channel does when its own
   * sink is closed. The reader is notified even while it is paused, from a microtask.
   */
  discard<T>(stream: MessageStream<T>): void;
  /** From now on whatever is queued is too much: the feeding side is asked to go on when all is read. */
  drain<T>(stream: MessageStream<T>): void;
  /** The reader leaves, whichever it is. */
  leave<T>(stream: MessageStream<T>): void;
  /** Whether what is added is dropped: the reader has left, or the stream has ended. */
  isLeft<T>(stream: MessageStream<T>): boolean;
  /** How many bytes are queued for the reader. */
  queuedSize<T>(stream: MessageStream<T>): number;
  /** Whether the reader still has to handle, or to ask for, a message that was added before. */
  isBehind<T>(stream: MessageStream<T>): boolean;
  /** What has taken the right to read. */
  readerOf<T>(stream: MessageStream<T>): Reader;
  /** Whether the feeding side has been asked to stop and not yet to go on. */
  isPaused<T>(stream: MessageStream<T>): boolean;
  /** Whether a listener has paused its subscription. */
  isReaderPaused<T>(stream: MessageStream<T>): boolean;
  /**
   * Looks whether `listen` could be called, without taking the right to read.
   *
   * @throws {DOMException} `InvalidStateError` when the stream has had a reader.
   */
  checkReader<T>(stream: MessageStream<T>): void;
}

let ofStreams: StreamFeed;
let Subscription: new <T>(stream: MessageStream<T>) => StreamSubscription;

/** One for all: a stream keeps its own as long as it lives. */
const NO_OPTIONS: ListenOptions = {};

const LISTEN_KINDS: OptionKinds<ListenOptions> = {
  onError: "function",
  onDone: "function",
  signal: "AbortSignal",
};

/** The ways to read a stream; `"none"`: nothing has begun to. */
export type Reader = "none" | "listen" | "next" | "iterate" | "readable" | "discard";

// From a received message to the listener.
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

/** Why a stream has failed: a record, because anything may be thrown. */
export interface Failure {
  readonly error: unknown;
}

/**
 * The one implementation of {@linkcode ChannelStream}, which users hold: the side that feeds it does so
 * through {@linkcode streamFeed}.
 *
 * A message that a listener takes visits this object and no other, which is why the ways to read are
 * all in this file. What most streams never need is created when it is needed.
 */
export class MessageStream<T> implements ChannelStream<T> {
  readonly #events: StreamEvents;
  #highWaterMark: number;
  readonly #sizeOf: SizeOf<T>;
  #flow = HELD;
  #onData: ((value: T) => void) | null = null;
  /** What no reader has taken yet. */
  #queue: CountedQueue<T> | null = null;
  /** The feeding side has been asked to stop. */
  #full = false;
  /** No more will be added. */
  #ended = false;
  /** The channel's own sink was closed: nothing delays the end. */
  #discarded = false;
  /** The reader knows of the end, or has left. */
  #finished = false;
  #failure: Failure | null = null;
  #reader: Reader = "none";
  #paused = false;
  #pumpScheduled = false;
  #listening: ListenOptions | null = null;
  #abort: (() => void) | null = null;
  /** The last of the calls that wait for a value: a circle, so its `next` is the first. */
  #waiter: Waiter<T> | null = null;
  #view: View<T> | null = null;

  /**
   * Creates a stream without a reader.
   *
   * @param events Called when the queue is full and when the reader leaves.
   * @param options Checked values. See {@linkcode MessageStreamOptions}.
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
        // Not as a method: `this` would be the stream.
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

  /** Asks the feeding side to stop or to go on, when that changes. */
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
      throw invalidState(`Cannot read: the stream already has its one reader (${before})`);
    }
  }

  // Listening.

  /** See {@linkcode ChannelStream.listen}. */
  listen(onData: (value: T) => void, given?: ListenOptions): StreamSubscription {
    if (typeof onData !== "function") {
      throw new TypeError(`Cannot listen: onData must be a function, got ${shown(onData)}`);
    }
    const options = given === undefined ? NO_OPTIONS : readOptions(given, LISTEN_KINDS);
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
    this.#abort = () => this.#cancel();
    if (signal.aborted) this.#cancel();
    else signal.addEventListener("abort", this.#abort, { once: true });
  }

  /** The reader leaves. */
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
    try {
      this.#takeReader("next");
    } catch (error) {
      return preHandled(Promise.reject(error));
    }
    return this.#pull();
  }

  /** See {@linkcode ChannelStream}'s async iterator. */
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

  /** See {@linkcode ChannelStream.discard}. */
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
      // zone.js counts a rejection that `await` handles in a later microtask as unhandled.
      return preHandled(Promise.reject(failure.error));
    }
    if (this.#ended || this.#finished) return Promise.resolve(DONE);
    return this.#wait(null);
  }

  /** A value was taken from the queue. */
  #taken(): void {
    if (this.#ended) this.#finishIfDrained();
    if (this.#full) this.#regulate();
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
        this.#cancel();
        return this.#events.close?.(reason);
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

  #endView(failure: Failure | null): void {
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

/** See {@linkcode StreamFeed}. A constant: the engines then know what is called. */
export const streamFeed: StreamFeed = ofStreams;

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
