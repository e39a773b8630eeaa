import { Deferred } from "./deferred.ts";
import { ignore, invalidState, preHandled } from "./errors.ts";
import { type Pull, pullFrom } from "./pull.ts";
import { DEFAULT_HIGH_WATER_MARK } from "./size.ts";

/** Options of {@linkcode ChannelSink.addStream}. */
export interface AddStreamOptions {
  /** Stops taking from the source when it aborts; the channel stays usable. */
  signal?: AbortSignal | undefined;
  /** Spares the channel when the source fails: the returned promise rejects, and that is all. */
  preventAbort?: boolean | undefined;
}

/** What goes to the other end of a channel: Dart's `StreamSink`, with backpressure. */
export interface ChannelSink<T> {
  /**
   * Hands `value` over, synchronously and in order.
   *
   * It never waits and never refuses for lack of room: {@linkcode ready} tells when to go on.
   *
   * @returns `false` when the value was dropped because the other end is gone.
   * @throws {TypeError} When the channel can't carry this kind of value.
   * @throws {DOMException} `InvalidStateError` after {@linkcode close}, and while
   * {@linkcode addStream} runs.
   */
  add(value: T): boolean;
  /** Fulfils when there is room for more, or the channel is over. Never rejects. */
  readonly ready: Promise<void>;
  /** How many bytes were added and not yet handed on to the transport. */
  readonly bufferedAmount: number;
  /**
   * Waits until all that was added is handed to the transport.
   *
   * @returns A promise that rejects when the channel ended before that.
   */
  flush(): Promise<void>;
  /**
   * Adds everything that `source` gives, waiting for room between values. Until it ends, the sink
   * belongs to it: `add` and `addError` throw.
   *
   * When the other end goes, the source is cancelled and the promise fulfils. When the source fails
   * the error is given to {@linkcode addError}, and the promise rejects with it.
   *
   * @throws {DOMException} `InvalidStateError` after {@linkcode close}, and while another one runs.
   */
  addStream(
    source: AsyncIterable<T> | Iterable<T> | ReadableStream<T>,
    options?: AddStreamOptions,
  ): Promise<void>;
  /**
   * Reports an error that makes going on pointless. A channel that can't send errors closes, and
   * {@linkcode done} rejects with it.
   *
   * @throws {DOMException} `InvalidStateError` after {@linkcode close}, and while
   * {@linkcode addStream} runs.
   */
  addError(error: unknown): void;
  /**
   * Closes the channel: what was added before still goes out, the channel's stream ends at once.
   *
   * @returns {@linkcode done}. It always settles.
   * @throws {DOMException} `InvalidStateError` while {@linkcode addStream} runs.
   */
  close(): Promise<void>;
  /**
   * Settles when the channel is over, whoever ended it; rejects only with the error of
   * {@linkcode addError}. A rejection that nobody looks at does no harm.
   */
  readonly done: Promise<void>;
  /**
   * The same as a `WritableStream` (the same object on each access). `close()` closes the channel,
   * as soon as what was written before has found room; `abort(error)` is {@linkcode addError}; it
   * errors when the channel ends.
   */
  readonly writable: WritableStream<T>;
}

/** What a {@linkcode ChannelSinkController} hands values to. */
export interface SinkTarget<T> {
  /** What was added and not yet handed on, in bytes. */
  readonly bufferedAmount: number;
  /**
   * Takes a value. Throws a `TypeError`, and takes nothing, when it is of the wrong kind. Gives
   * `false` when it drops the value, because there is nobody left to give it to: no other value is
   * given to it then, as after {@linkcode ChannelSinkController.disconnect}.
   */
  add(value: T): boolean | void;
  /** Throws a `TypeError` when a value is of the wrong kind. Left out: all kinds are right. */
  check?(value: T): void;
  /** The user closes the channel. {@linkcode ChannelSinkController.finish} must follow, some time. */
  close(): void;
  /**
   * The user reports an error and the channel must end because of it;
   * {@linkcode ChannelSinkController.finish} must follow, some time.
   */
  abort(error: unknown): void;
  /** Forwards an error to the other end. With this, errors don't end the channel. */
  addError?(error: unknown): void;
  /** Somebody waits for `bufferedAmount` to fall: {@linkcode ChannelSinkController.drained}. */
  watch?(): void;
  /**
   * The room of a target that is a sink itself, in place of the comparison of `bufferedAmount` with
   * the high-water mark.
   */
  readonly ready?: Promise<void>;
  /** The `flush` of a target that is a sink itself. */
  flush?(): Promise<void>;
}

/** Options of a {@linkcode ChannelSinkController}. */
export interface ChannelSinkControllerOptions {
  /** How many bytes may be buffered before `ready` waits. Default 64 KiB. */
  highWaterMark?: number | undefined;
  /** `close()` during `addStream` cancels the source, instead of throwing. */
  closeWins?: boolean | undefined;
}

interface Flush {
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * What `ready` gives while there is room: always this very promise, so that a pipe can tell without
 * waiting. A wrapper's `ready` is its inner sink's, so this shows through.
 */
export const ROOM: Promise<void> = Promise.resolve();

/**
 * The consuming side of a {@linkcode ChannelSink}: checks what the user may do, and hands values to
 * a {@linkcode SinkTarget}. The target's owner says when there is room again
 * ({@linkcode drained}), when the other end is gone ({@linkcode disconnect}) and when all is over
 * ({@linkcode finish}).
 */
export class ChannelSinkController<T> {
  /** The user's side. */
  readonly sink: ChannelSink<T>;

  readonly #target: SinkTarget<T>;
  readonly #highWaterMark: number;
  readonly #closeWins: boolean;
  readonly #done = new Deferred();
  /** Nothing stands in the way of `add`. */
  #plain = true;
  #closedByUser = false;
  #disconnected = false;
  #finished = false;
  #failure: { error: unknown } | null = null;
  #room: Deferred | null = null;
  #flushes: Flush[] = [];
  /** Ends the `addStream` that runs. */
  #endAddStream: (() => void) | null = null;
  #writable: WritableStream<T> | undefined;
  #writableController: WritableStreamDefaultController | undefined;

  /**
   * Makes an open sink.
   *
   * @param target Takes the values.
   * @param options See {@linkcode ChannelSinkControllerOptions}.
   */
  constructor(target: SinkTarget<T>, options: ChannelSinkControllerOptions = {}) {
    this.#target = target;
    this.#highWaterMark = options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK;
    this.#closeWins = options.closeWins ?? false;
    this.sink = new ControlledSink(this);
  }

  /** Whether the user has closed the sink. */
  get isClosed(): boolean {
    return this.#closedByUser;
  }

  /** Whether values are dropped: the other end is gone, or an error was added. */
  get isDisconnected(): boolean {
    return this.#disconnected;
  }

  /** Whether somebody waits for the buffered amount to fall. */
  get isWaitedFor(): boolean {
    return this.#room !== null || this.#flushes.length > 0;
  }

  /** The buffered amount has fallen: lets those go on who wait for that. */
  drained(): void {
    const amount = this.#target.bufferedAmount;
    if (this.#room !== null && amount < this.#highWaterMark) this.#openRoom();
    if (amount > 0 || this.#flushes.length === 0) return;
    for (const flush of this.#flushes.splice(0)) flush.resolve();
  }

  /**
   * The other end is gone: from now on values are dropped, and a running `addStream` ends. The
   * `done` promise waits for {@linkcode finish}.
   */
  disconnect(): void {
    if (this.#disconnected) return;
    this.#disconnected = true;
    this.#plain = false;
    this.#endAddStream?.();
    this.#openRoom();
    this.#failWritable();
  }

  /**
   * All is over: settles `done`, and rejects each `flush` whose bytes will never be handed on.
   *
   * @param cause Why they won't, where that is known.
   */
  finish(cause?: unknown): void {
    if (this.#finished) return;
    this.#finished = true;
    this.disconnect();
    if (cause === undefined) this.drained();
    for (const flush of this.#flushes.splice(0)) flush.reject(cause ?? notFlushed());
    if (this.#failure === null) this.#done.resolve();
    else this.#done.reject(this.#failure.error);
  }

  /**
   * All is over because of `error`, which `done` rejects with: what a sink does whose target's own
   * `done` has rejected.
   */
  fail(error: unknown): void {
    if (!this.#finished) this.#failure ??= { error };
    this.finish(error);
  }

  /** See {@linkcode ChannelSink.add}. */
  add(value: T): boolean {
    if (this.#plain) return this.#hand(value);
    this.#target.check?.(value);
    this.#checkUsable("add");
    return false;
  }

  #hand(value: T): boolean {
    if (this.#target.add(value) !== false) return true;
    this.disconnect();
    return false;
  }

  #checkUsable(action: string): void {
    if (this.#closedByUser) throw invalidState(`Cannot ${action}: the sink is closed`);
    if (this.#endAddStream !== null) {
      throw invalidState(`Cannot ${action}: the sink belongs to an addStream that runs`);
    }
  }

  /** See {@linkcode ChannelSink.ready}. */
  get ready(): Promise<void> {
    if (this.#disconnected || this.#closedByUser) return ROOM;
    const { ready } = this.#target;
    if (ready === ROOM) return ROOM;
    if (ready === undefined && this.#target.bufferedAmount < this.#highWaterMark) return ROOM;
    if (this.#room === null) {
      this.#room = new Deferred();
      // This channel may be over long before the target is: its own promise then fulfils.
      ready?.then(this.#openRoom, this.#openRoom);
    }
    this.#target.watch?.();
    return this.#room.promise;
  }

  readonly #openRoom = (): void => {
    this.#room?.resolve();
    this.#room = null;
  };

  /** See {@linkcode ChannelSink.bufferedAmount}. */
  get bufferedAmount(): number {
    return this.#target.bufferedAmount;
  }

  /** See {@linkcode ChannelSink.flush}. */
  flush(): Promise<void> {
    if (this.#target.flush !== undefined) return this.#target.flush();
    if (this.#target.bufferedAmount === 0) return ROOM;
    if (this.#finished) return preHandled(Promise.reject(notFlushed()));
    const deferred = new Deferred();
    this.#flushes.push(deferred);
    this.#target.watch?.();
    return deferred.promise;
  }

  /** See {@linkcode ChannelSink.addError}. */
  addError(error: unknown): void {
    this.#checkUsable("add an error");
    this.#addError(error);
  }

  #addError(error: unknown): void {
    if (this.#disconnected) return;
    if (this.#target.addError !== undefined) return this.#target.addError(error);
    this.#failure = { error };
    this.disconnect();
    this.#target.abort(error);
  }

  /** See {@linkcode ChannelSink.close}. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /**
   * See {@linkcode ChannelSink.close}.
   *
   * @param close What to do instead of the target's `close`.
   */
  close(close?: () => void): Promise<void> {
    if (this.#closedByUser) return this.#done.promise;
    if (this.#endAddStream !== null) {
      if (!this.#closeWins) this.#checkUsable("close");
      this.#endAddStream();
    }
    this.#closedByUser = true;
    this.#plain = false;
    if (close === undefined) this.#target.close();
    else close();
    this.#openRoom();
    this.#failWritable();
    return this.#done.promise;
  }

  /** See {@linkcode ChannelSink.addStream}. */
  addStream(
    source: AsyncIterable<T> | Iterable<T> | ReadableStream<T>,
    options: AddStreamOptions = {},
  ): Promise<void> {
    this.#checkUsable("add a stream");
    if (this.#disconnected) return ROOM;
    const { signal } = options;
    if (signal?.aborted) return preHandled(Promise.reject(signal.reason));
    return preHandled(this.#addAll(pullFrom(source), options));
  }

  async #addAll(source: Pull<T>, { signal, preventAbort }: AddStreamOptions): Promise<void> {
    let wake: () => void = ignore;
    let ended = false;
    const end = (): void => {
      ended = true;
      wake();
    };
    const interrupted = (): boolean => ended || signal?.aborted === true;
    this.#endAddStream = end;
    this.#plain = false;
    const onAbort = (): void => wake();
    signal?.addEventListener("abort", onAbort);
    /** Waits for `promise`, or for the end. A race would leave a reaction behind on each round. */
    const wait = <V>(promise: PromiseLike<V>): Promise<V | undefined> =>
      new Promise((resolve, reject) => {
        wake = () => resolve(undefined);
        promise.then(resolve, reject);
      });
    try {
      for (;;) {
        const room = this.ready;
        if (room !== ROOM) await wait(room);
        const result = interrupted() ? undefined : await wait(source.next());
        if (interrupted() || result === undefined) {
          source.cancel();
          if (!ended && signal?.aborted) throw signal.reason;
          return;
        }
        if (result.done) return;
        if (!this.#addOne(result.value, source)) return;
      }
    } catch (error) {
      const spare = preventAbort || interrupted();
      this.#releaseAddStream(end);
      if (!spare) this.#addError(error);
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#releaseAddStream(end);
    }
  }

  /** Gives `false`, and cancels the source, when there is nobody left to give anything to. */
  #addOne(value: T, source: Pull<T>): boolean {
    let taken = false;
    try {
      return taken = this.#hand(value);
    } finally {
      if (!taken) source.cancel();
    }
  }

  #releaseAddStream(end: () => void): void {
    if (this.#endAddStream !== end) return;
    this.#endAddStream = null;
    this.#plain = !this.#closedByUser && !this.#disconnected;
  }

  /** See {@linkcode ChannelSink.writable}. */
  get writable(): WritableStream<T> {
    return this.#writable ??= new WritableStream<T>({
      start: (controller) => {
        this.#writableController = controller;
        if (this.#closedByUser || this.#disconnected) this.#failWritable();
      },
      write: (value) => {
        if (!this.add(value)) throw over();
        return this.ready;
      },
      close: () => {
        this.#writableController = undefined;
        return this.close();
      },
      abort: (reason) => {
        this.#writableController = undefined;
        if (!this.#closedByUser) this.addError(reason);
      },
    }, { highWaterMark: 1 });
  }

  #failWritable(): void {
    this.#writableController?.error(this.#failure === null ? over() : this.#failure.error);
    this.#writableController = undefined;
  }
}

function over(): DOMException {
  return invalidState("Cannot write: the channel is over");
}

function notFlushed(): DOMException {
  return invalidState("Cannot flush: the channel ended before all was handed to the transport");
}

/** The user's side of a {@linkcode ChannelSinkController}. */
export class ControlledSink<T> implements ChannelSink<T> {
  readonly #controller: ChannelSinkController<T>;

  /** @param controller Does the work. */
  constructor(controller: ChannelSinkController<T>) {
    this.#controller = controller;
  }

  add(value: T): boolean {
    return this.#controller.add(value);
  }

  get ready(): Promise<void> {
    return this.#controller.ready;
  }

  get bufferedAmount(): number {
    return this.#controller.bufferedAmount;
  }

  flush(): Promise<void> {
    return this.#controller.flush();
  }

  addStream(
    source: AsyncIterable<T> | Iterable<T> | ReadableStream<T>,
    options?: AddStreamOptions,
  ): Promise<void> {
    return this.#controller.addStream(source, options);
  }

  addError(error: unknown): void {
    this.#controller.addError(error);
  }

  close(): Promise<void> {
    return this.#controller.close();
  }

  get done(): Promise<void> {
    return this.#controller.done;
  }

  get writable(): WritableStream<T> {
    return this.#controller.writable;
  }
}
