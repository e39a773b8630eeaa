import { invalidState, rethrowLater } from "./errors.ts";
import { Fifo } from "./fifo.ts";
import { DEFAULT_HIGH_WATER_MARK, sizeOf as defaultSizeOf } from "./size.ts";

/** Options of {@linkcode ChannelStream.listen}. */
export interface ListenOptions {
  /** Called once with the error that ended the stream, right before `onDone`. */
  onError?: ((error: unknown) => void) | undefined;
  /** Called once when the stream is over, always last. */
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
 * What comes from the other end of a channel: Dart's single-subscription `Stream`, with
 * backpressure.
 *
 * It has **one reader in its life**. The first of {@linkcode listen}, {@linkcode next},
 * `for await` and {@linkcode readable} takes the right to read; any other throws an
 * `InvalidStateError`, also when the first is over. Only reading some messages with `next()` and
 * the rest with one `for await` counts as one reader.
 *
 * What arrives before there is a reader waits for it.
 */
export interface ChannelStream<T> extends AsyncIterable<T> {
  /**
   * Hands every message to `onData`, **synchronously**: in the same call in which it arrived, with
   * no promise and no queue between. What arrived before is delivered from a microtask after
   * `listen` has returned. `onData` is never called from inside itself.
   *
   * What a callback throws is rethrown from a microtask; later messages still come.
   *
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
   * The next message, or `{ done: true }` when the stream is over. Calls that wait at the same time
   * are answered in order. The source stops while the high-water mark's worth waits to be read.
   *
   * @throws {DOMException} `InvalidStateError` when another reader has the stream.
   */
  next(): Promise<IteratorResult<T, undefined>>;
  /**
   * Reads with `for await`. Leaving the loop ends the delivery, **not the channel**: close the sink
   * for that.
   *
   * @throws {DOMException} `InvalidStateError` when another reader has the stream.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined>;
  /**
   * The same as a `ReadableStream` (the same object on each access) that buffers nothing itself.
   * Cancelling it closes the channel, as users of Web Streams expect.
   *
   * @throws {DOMException} `InvalidStateError` when another reader has the stream.
   */
  readonly readable: ReadableStream<T>;
}

/** What a {@linkcode ChannelStreamController} asks of the side that feeds it. */
export interface StreamSource {
  /** Enough waits: give nothing more until {@linkcode resume}, as far as that can be helped. */
  pause?(): void;
  /** There is room again. May add synchronously. */
  resume?(): void;
  /** The reader has gone; what is added from now on is dropped. Goes on to notice the end. */
  cancel?(): void;
  /** The reader wants the channel closed: `readable.cancel()`. */
  close?(reason: unknown): Promise<void> | void;
}

/** Options of a {@linkcode ChannelStreamController}. */
export interface ChannelStreamControllerOptions<T> {
  /** How many bytes may wait before the source is asked to stop. Default 64 KiB. */
  highWaterMark?: number | undefined;
  /** What a waiting value counts, in bytes. */
  sizeOf?: ((value: T) => number) | undefined;
}

interface Waiter<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

type Reader = "none" | "listen" | "next" | "iterate" | "readable";

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

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
  readonly #sizeOf: (value: T) => number;
  readonly #queue = new Fifo<T>();
  #queuedSize = 0;
  #reader: Reader = "none";
  /** A message may go straight to the listener: it listens, and nothing is before it. */
  #flowing = false;
  #delivering = false;
  #pumpPlanned = false;
  #paused = false;
  #sourcePaused = false;
  #onData: ((value: T) => void) | null = null;
  #options: ListenOptions | undefined;
  #abort: (() => void) | undefined;
  #waiters: Waiter<T>[] = [];
  #readable: ReadableStream<T> | undefined;
  #readableController: ReadableStreamDefaultController<T> | undefined;
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
   * @param options See {@linkcode ChannelStreamControllerOptions}.
   */
  constructor(source: StreamSource = {}, options: ChannelStreamControllerOptions<T> = {}) {
    this.#source = source;
    this.#highWaterMark = options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK;
    this.#sizeOf = options.sizeOf ?? defaultSizeOf;
    this.stream = new ControlledStream<T>({
      listen: (onData, listenOptions) => this.#listen(onData, listenOptions),
      next: () => {
        this.#takeReader("next");
        return this.#pull();
      },
      iterate: () => this.#iterate(),
      readable: () => this.#readable ??= this.#createReadable(),
    });
  }

  /** What waits to be read, in bytes. */
  get queuedSize(): number {
    return this.#queuedSize;
  }

  /** Whether {@linkcode end}, {@linkcode fail} or {@linkcode discard} was called. */
  get isEnded(): boolean {
    return this.#ended;
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
    if (this.#queue.length === 0 && !this.#ended && !this.#paused && this.#onData !== null) {
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
    this.#clear();
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
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      waiter.resolve({ done: false, value });
    } else {
      this.#queue.push(value);
      this.#queuedSize += this.#sizeOf(value);
    }
    this.#regulate();
  }

  #shift(): T {
    const value = this.#queue.shift();
    // A value that its sender changed while it waited must not leave a remainder behind.
    this.#queuedSize = this.#queue.length === 0 ? 0 : this.#queuedSize - this.#sizeOf(value);
    return value;
  }

  #clear(): void {
    this.#queue.clear();
    this.#queuedSize = 0;
  }

  /** Tells the source to stop or to go on, where that changed. */
  #regulate(): void {
    const full = this.#queuedSize >= this.#highWaterMark && !this.#flowing &&
      this.#waiters.length === 0 && !this.#finished;
    if (full === this.#sourcePaused) return;
    this.#sourcePaused = full;
    if (full) this.#source.pause?.();
    else this.#source.resume?.();
  }

  #takeReader(reader: Reader): void {
    const before = this.#reader;
    const same = before === "next" && (reader === "next" || reader === "iterate");
    if (before !== "none" && !same) {
      throw invalidState(`Cannot read: the stream already has its one reader (${before})`);
    }
    this.#reader = reader;
  }

  // Listening.

  #listen(onData: (value: T) => void, options: ListenOptions | undefined): StreamSubscription {
    this.#takeReader("listen");
    this.#onData = onData;
    this.#options = options;
    const signal = options?.signal;
    if (signal !== undefined) {
      this.#abort = () => this.#cancel();
      if (signal.aborted) this.#cancel();
      else signal.addEventListener("abort", this.#abort, { once: true });
    }
    // Before anything came, nothing stands before the next message.
    if (this.#queue.length === 0 && !this.#ended) this.#flowing = !this.#finished;
    else this.#planPump();
    this.#regulate();
    return new Subscription(
      () => this.#paused,
      () => this.#pause(),
      () => this.#resume(),
      () => this.#cancel(),
    );
  }

  #pause(): void {
    if (this.#finished || this.#discarded) return;
    this.#paused = true;
    this.#flowing = false;
    this.#regulate();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#planPump();
  }

  #cancel(): void {
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
    while (this.#queue.length > 0 && !this.#paused && this.#onData !== null) {
      this.#deliver(this.#shift());
    }
    this.#delivering = false;
    if (this.#paused || this.#onData === null) return this.#regulate();
    if (this.#ended) return this.#finishIfDrained();
    this.#flowing = true;
    this.#regulate();
  }

  // Pulling: next(), for await and the Web Streams view.

  #pull(): Promise<IteratorResult<T, undefined>> {
    if (this.#queue.length > 0) {
      const result = Promise.resolve({ done: false as const, value: this.#shift() });
      if (this.#ended) this.#finishIfDrained();
      this.#regulate();
      return result;
    }
    const failure = this.#failure;
    if (failure !== null) {
      this.#failure = null;
      return Promise.reject(failure.error);
    }
    if (this.#ended || this.#finished) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => this.#wait({ resolve, reject }));
  }

  #wait(waiter: Waiter<T>): void {
    this.#waiters.push(waiter);
    this.#regulate();
  }

  #iterate(): AsyncIterableIterator<T, undefined> {
    this.#takeReader("iterate");
    return {
      next: () => this.#pull(),
      return: () => {
        this.#failure = null;
        this.#cancel();
        return Promise.resolve(DONE);
      },
      [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined> {
        return this;
      },
    };
  }

  #createReadable(): ReadableStream<T> {
    this.#takeReader("readable");
    return new ReadableStream<T>({
      start: (controller) => {
        this.#readableController = controller;
        if (this.#ended) this.#finishIfDrained();
      },
      pull: (controller) => {
        if (this.#queue.length > 0) return this.#enqueue(controller);
        return new Promise((resolve, reject) => {
          const take = (result: IteratorResult<T, undefined>): void => {
            if (!result.done) controller.enqueue(result.value);
            resolve();
          };
          this.#wait({ resolve: take, reject });
        });
      },
      cancel: (reason) => {
        this.#cancel();
        return this.#source.close?.(reason);
      },
    }, { highWaterMark: 0 });
  }

  #enqueue(controller: ReadableStreamDefaultController<T>): void {
    controller.enqueue(this.#shift());
    if (this.#ended) this.#finishIfDrained();
    this.#regulate();
  }

  // The end.

  /** Tells the reader that the stream is over, if it has read all and there is one. */
  #finishIfDrained(): void {
    if (this.#queue.length > 0 || this.#finished || this.#paused) return;
    switch (this.#reader) {
      case "none":
        return;
      case "listen":
        return this.#finishListening();
      case "readable":
        return this.#finishReadable();
      default:
        return this.#finishWaiters();
    }
  }

  #finishListening(): void {
    const { onError, onDone } = this.#options ?? {};
    const failure = this.#failure;
    this.#release();
    try {
      if (failure !== null) onError?.(failure.error);
    } catch (error) {
      rethrowLater(error);
    }
    try {
      onDone?.();
    } catch (error) {
      rethrowLater(error);
    }
  }

  #finishReadable(): void {
    const failure = this.#failure;
    this.#failure = null;
    this.#release();
    if (failure === null) this.#readableController?.close();
    else this.#readableController?.error(failure.error);
  }

  #finishWaiters(): void {
    const first = this.#waiters.shift();
    if (first !== undefined && this.#failure !== null) {
      first.reject(this.#failure.error);
      this.#failure = null;
    } else first?.resolve(DONE);
    // With nobody waiting, the next call of next() is told.
    if (first !== undefined) this.#release();
  }

  /** Lets go of the reader and of what waits for it. */
  #release(): void {
    this.#finished = true;
    this.#flowing = false;
    this.#paused = false;
    this.#onData = null;
    if (this.#abort !== undefined) {
      this.#options?.signal?.removeEventListener("abort", this.#abort);
    }
    this.#options = undefined;
    this.#clear();
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(DONE);
  }
}

class Subscription implements StreamSubscription {
  readonly #isPaused: () => boolean;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly cancel: () => void;

  constructor(
    isPaused: () => boolean,
    pause: () => void,
    resume: () => void,
    cancel: () => void,
  ) {
    this.#isPaused = isPaused;
    this.pause = pause;
    this.resume = resume;
    this.cancel = cancel;
  }

  get isPaused(): boolean {
    return this.#isPaused();
  }
}

interface StreamReaders<T> {
  listen(onData: (value: T) => void, options: ListenOptions | undefined): StreamSubscription;
  next(): Promise<IteratorResult<T, undefined>>;
  iterate(): AsyncIterableIterator<T, undefined>;
  readable(): ReadableStream<T>;
}

class ControlledStream<T> implements ChannelStream<T> {
  readonly #readers: StreamReaders<T>;

  constructor(readers: StreamReaders<T>) {
    this.#readers = readers;
  }

  listen(onData: (value: T) => void, options?: ListenOptions): StreamSubscription {
    return this.#readers.listen(onData, options);
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return this.#readers.next();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined> {
    return this.#readers.iterate();
  }

  get readable(): ReadableStream<T> {
    return this.#readers.readable();
  }
}
