import { AddStream, checkSource, pullFrom } from "./add_stream.ts";
import { DEFAULT_HIGH_WATER_MARK } from "./counted_queue.ts";
import { Deferred, FULFILLED, invalidState, preHandled } from "./errors.ts";
import { loopGuard } from "./loop_guard.ts";
import { type OptionKinds, readOptions } from "./options.ts";

/** Options of {@linkcode ChannelSink.addStream}. */
export interface AddStreamOptions {
  /** Stops reading the source when it aborts. The channel stays usable. */
  signal?: AbortSignal | undefined;
  /**
   * Whether the channel stays open when the source fails. The returned promise rejects in any case. Default
   * `false`.
   */
  preventAbort?: boolean | undefined;
}

/** The sink for outgoing messages of a channel: Dart's `StreamSink`, with backpressure. */
export interface ChannelSink<T> {
  /**
   * Adds a message, synchronously and in order.
   *
   * It never waits, and accepts messages even if there is no room. {@linkcode ready} reports when to
   * continue.
   *
   * @returns `false` if the message was dropped because the other end has left.
   * @throws {TypeError} If the channel can't send this kind of value.
   * @throws {DOMException} `InvalidStateError` after {@linkcode close}, and while {@linkcode addStream} runs.
   */
  add(value: T): boolean;
  /**
   * Whether there is room for more: less than the high-water mark is buffered. Also `true` once the channel
   * has ended, because there is nothing to wait for.
   */
  readonly hasRoom: boolean;
  /**
   * Fulfils when {@linkcode hasRoom} is `true`; never rejects. A loop that awaits it repeatedly waits for the
   * next turn of the event loop every few milliseconds, so that timers keep working.
   */
  readonly ready: Promise<void>;
  /**
   * The number of bytes that were added and not yet passed to the transport. It counts the messages without
   * the protocol's overhead.
   */
  readonly bufferedAmount: number;
  /**
   * Waits until all added messages are passed to the transport.
   *
   * @returns A promise that rejects with the channel's error if the channel ended before. Each later call
   * then rejects as well: a dropped message is never reported as sent.
   */
  flush(): Promise<void>;
  /**
   * Adds all messages of `source`, waiting for room between them. While it runs, `add` and `addError` throw.
   *
   * If the channel ends before the source, it cancels the source, and the promise rejects with the channel's
   * error. Without such an error, it rejects with an `InvalidStateError` that names the peer's close code and
   * reason. If the source fails, the promise rejects with its error, which is also passed to
   * {@linkcode addError}.
   *
   * @throws {TypeError} If `source` isn't a source, or is a single message (text or bytes): use
   * {@linkcode add} for that. The channel stays usable.
   * @throws {DOMException} `InvalidStateError` after {@linkcode close}, and while another `addStream` runs.
   */
  addStream(
    source: AsyncIterable<T> | (Iterable<T> & object) | ReadableStream<T>,
    options?: AddStreamOptions,
  ): Promise<void>;
  /**
   * Reports an error after which the channel can't continue. A channel that can't send errors closes, and
   * {@linkcode done} rejects with the error. A WebSocket's peer receives the error's `closeCode` if it is one
   * that can be sent, otherwise 1011.
   *
   * @throws {DOMException} `InvalidStateError` after {@linkcode close}, and while {@linkcode addStream} runs.
   */
  addError(error: unknown): void;
  /**
   * Closes the channel. Messages that were added before are still sent; the channel's stream ends at once.
   *
   * @returns {@linkcode done}, which always settles.
   * @throws {DOMException} `InvalidStateError` while {@linkcode addStream} runs. The sink of a WebSocket
   * channel doesn't throw: its `close` ends the `addStream` and cancels the source.
   */
  close(): Promise<void>;
  /**
   * Settles when either side has ended the channel. It rejects only with the error of {@linkcode addError},
   * of a transformer that can't decode a message, or of a `WritableStream` that the sink was created from. An
   * unhandled rejection is harmless.
   */
  readonly done: Promise<void>;
  /**
   * The sink as a `WritableStream`, the same object on each access. `close()` closes the channel once there
   * was room for everything written before; `abort(error)` is {@linkcode addError}. When the channel ends,
   * the stream errors, and pending writes reject with the channel's error.
   */
  readonly writable: WritableStream<T>;
}

/** The members of an inner sink that an outer one uses. */
export type InnerSink = Pick<
  ChannelSink<never>,
  "bufferedAmount" | "hasRoom" | "ready" | "flush"
>;

/** Takes the values of a {@linkcode MessageSink}, and sends them. */
export interface SinkTarget<T, Options = never> {
  /**
   * The sink to which the target passes values, if it does. `hasRoom`, `bufferedAmount`, `flush` and `ending`
   * are then those of that sink.
   */
  readonly inner?: InnerSink;
  /** The number of bytes that were added and not yet passed on. Default 0. */
  readonly bufferedAmount?: number;
  /**
   * The number of bytes that `ready` and `flush` wait for, if that is not `bufferedAmount`. It includes
   * anything sent beside the values.
   */
  readonly load?: number;
  /** Whether nothing more should be added. Default: when `load` has reached the high-water mark. */
  readonly isFull?: boolean | undefined;
  /**
   * Takes a value, with the options of the sink's `add`. Throws a `TypeError`, and takes nothing, if the
   * value is of the wrong kind. Returns `false` if it drops the value because the other end has left: the
   * sink then passes no more values, as after `disconnect`.
   */
  add(value: T, options?: Options): boolean | void;
  /**
   * Throws a `TypeError` if a value is of the wrong kind. Called instead of `add` if the value is dropped.
   * Default: all kinds are accepted.
   */
  check?(value: T, options?: Options): void;
  /** The user closes the channel. `finish` must follow. */
  close(): void;
  /** The user reports an error that must end the channel. `finish` must follow. */
  abort(error: unknown): void;
  /** Forwards an error to the other end. If it exists, errors don't end the channel. */
  addError?(error: unknown): void;
  /** Requests a call of `drained` when `bufferedAmount` has fallen. */
  watch?(): void;
  /** How the channel ended, such as `"the peer closed with 1000"`; `undefined` if that is unknown. */
  readonly ending?: string | undefined;
}

/** Options of a {@linkcode MessageSink}. */
export interface MessageSinkOptions {
  /** The number of buffered bytes from which `ready` waits. Default 64 KiB. */
  readonly highWaterMark?: number | undefined;
  /** Whether `close()` during `addStream` cancels the source instead of throwing. */
  readonly closeWins?: boolean | undefined;
}

/**
 * Operations on a sink for the owner of its target. Its user can't call them. No value passes through them.
 */
export interface SinkControl {
  /** Whether the user has closed the sink. */
  isClosed<T>(sink: MessageSink<T>): boolean;
  /** Whether values are dropped, because the other end has left or an error was added. */
  isDisconnected<T>(sink: MessageSink<T>): boolean;
  /** Whether `ready` or `flush` waits for the buffered amount to fall. */
  isWaitedFor<T>(sink: MessageSink<T>): boolean;
  /** The buffered amount has fallen. Settles `ready` and `flush` if it has fallen enough. */
  drained<T>(sink: MessageSink<T>): void;
  /**
   * The other end has left. Values are dropped from now on, and a running `addStream` ends. `done` waits for
   * `finish`.
   *
   * @param cause The reason, if it is known.
   */
  disconnect<T>(sink: MessageSink<T>, cause?: unknown): void;
  /**
   * The channel has ended. Settles `done`, and rejects each promise about values that were dropped.
   *
   * @param cause The reason, if it is known.
   */
  finish<T>(sink: MessageSink<T>, cause?: unknown): void;
  /**
   * The channel has ended because of `error`, with which `done` rejects. Called if the `done` of the target's
   * own sink has rejected.
   */
  fail<T>(sink: MessageSink<T>, error: unknown): void;
  /**
   * Throws if no values can be added.
   *
   * @throws {DOMException} `InvalidStateError` after `close`, and while an `addStream` runs.
   */
  checkUsable<T>(sink: MessageSink<T>, action: string): void;
  /** Adds an error, even while an `addStream` runs. */
  addError<T>(sink: MessageSink<T>, error: unknown): void;
  /** Closes the sink. A subclass's `close` may do more before. */
  close<T>(sink: MessageSink<T>): Promise<void>;
}

let ofSinks: SinkControl;

/** Returns how the channel of a sink ended: its {@linkcode SinkTarget.ending}. */
let endingOf: (sink: object) => string | undefined;
let endingOfDelegate: (sink: object) => string | undefined;

const ADD_STREAM_KINDS: OptionKinds<AddStreamOptions> = {
  signal: "AbortSignal",
  preventAbort: "boolean",
};

// The state of a sink, as flags.
/** The user has closed the sink. */
const CLOSED = 1;
/** Values are dropped, because the other end has left or an error was added. */
const DISCONNECTED = 2;
/** The channel has ended. */
const FINISHED = 4;
/** An `addStream` is running. */
const ADDING = 8;
/** A value was dropped, so every later `flush` and write rejects. */
const DROPPED = 16;
/** An option: `close` ends a running `addStream`. */
const CLOSE_WINS = 32;
/** A value is passed to the target at once if none of these is set. */
const BARRED = CLOSED | DISCONNECTED | ADDING;

/** State that most sinks never need. It is created on demand. */
class RareState<T> {
  done: Deferred | null = null;
  room: Deferred | null = null;
  flushed: Deferred | null = null;
  /** Rejects with the reason for dropping values. */
  lost: Deferred<never> | null = null;
  /** The running `addStream`. */
  adding: AddStream<T> | null = null;
  view: View<T> | null = null;
  failure: { readonly error: unknown } | null = null;
  /** The reason why the channel ended, if it is known. */
  cause: unknown;
}

interface View<T> {
  readonly stream: WritableStream<T>;
  control: WritableStreamDefaultController | undefined;
}

/**
 * The implementation of {@linkcode ChannelSink}. It checks what the user may do, and passes each value
 * directly to its {@linkcode SinkTarget}. The target's owner controls it with {@linkcode outlet}.
 */
export class MessageSink<T, Options = never> implements ChannelSink<T> {
  readonly #target: SinkTarget<T, Options>;
  readonly #highWaterMark: number;
  #state: number;
  #rare: RareState<T> | null = null;

  /**
   * Creates an open sink.
   *
   * @param target Takes and sends the values.
   * @param options Checked values.
   */
  constructor(target: SinkTarget<T, Options>, options: MessageSinkOptions = {}) {
    this.#target = target;
    // With a high-water mark of 0, there would never be room.
    this.#highWaterMark = Math.max(options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK, 1);
    this.#state = options.closeWins === true ? CLOSE_WINS : 0;
  }

  static {
    ofSinks = {
      isClosed: (it) => it.#has(CLOSED),
      isDisconnected: (it) => it.#has(DISCONNECTED),
      isWaitedFor: (it) => {
        const rare = it.#rare;
        return rare !== null && (rare.room !== null || rare.flushed !== null);
      },
      drained: (it) => {
        if (!sinkControl.isWaitedFor(it)) return;
        if (it.hasRoom) it.#openRoom();
        if (it.#load === 0) it.#takeFlushed()?.resolve();
      },
      disconnect: (it, cause) => {
        if (cause !== undefined) it.#rareState().cause ??= cause;
        if (it.#has(DISCONNECTED)) return;
        it.#state |= DISCONNECTED;
        it.#rare?.adding?.end();
        it.#openRoom();
      },
      finish: (it, cause) => {
        if (it.#has(FINISHED)) return;
        it.#state |= FINISHED;
        sinkControl.disconnect(it, cause);
        it.#settleEnd();
      },
      fail: (it, error) => {
        if (!it.#has(FINISHED)) it.#rareState().failure ??= { error };
        sinkControl.finish(it, error);
      },
      checkUsable: (it, action) => it.#checkUsable(action),
      addError: (it, error) => it.#addError(error),
      close: (it) => {
        if (it.#has(CLOSED)) return it.done;
        if (it.#has(ADDING)) {
          if (!it.#has(CLOSE_WINS)) it.#checkUsable("close");
          it.#rare?.adding?.end();
        }
        it.#state |= CLOSED;
        it.#target.close();
        it.#openRoom();
        it.#failWritable();
        return it.done;
      },
    };
    endingOf = (sink) => {
      if (!(#target in sink)) return endingOfDelegate(sink);
      const { inner, ending } = (sink as MessageSink<unknown>).#target;
      return inner === undefined ? ending : endingOf(inner);
    };
  }

  #has(flag: number): boolean {
    return (this.#state & flag) !== 0;
  }

  #rareState(): RareState<T> {
    return this.#rare ??= new RareState<T>();
  }

  // Values.

  /** Adds a message; returns `false` if it was dropped. See {@linkcode ChannelSink.add}. */
  add(value: T, options?: Options): boolean {
    if ((this.#state & BARRED) !== 0) return this.#drop(value, options);
    return this.#target.add(value, options) !== false || this.#targetDrops();
  }

  #drop(value: T, options: Options | undefined): false {
    this.#target.check?.(value, options);
    this.#checkUsable("add");
    this.#state |= DROPPED;
    return false;
  }

  /** The target has dropped a value, so it gets no more. */
  #targetDrops(): false {
    this.#state |= DROPPED;
    sinkControl.disconnect(this);
    return false;
  }

  #checkUsable(action: string): void {
    if (this.#has(CLOSED)) throw invalidState(`Cannot ${action}: the sink is closed`);
    if (this.#has(ADDING)) {
      throw invalidState(`Cannot ${action}: an addStream is running`);
    }
  }

  // Room.

  /** Whether there is room for more. See {@linkcode ChannelSink.hasRoom}. */
  get hasRoom(): boolean {
    if (this.#has(DISCONNECTED | CLOSED)) return true;
    const target = this.#target;
    if (target.inner !== undefined) return target.inner.hasRoom;
    if (target.isFull !== undefined) return !target.isFull;
    return (target.load ?? target.bufferedAmount ?? 0) < this.#highWaterMark;
  }

  get #load(): number {
    return this.#target.load ?? this.bufferedAmount;
  }

  /** The number of bytes that were added and not yet passed to the transport. */
  get bufferedAmount(): number {
    const target = this.#target;
    return (target.inner ?? target).bufferedAmount ?? 0;
  }

  /** Fulfils when there is room. See {@linkcode ChannelSink.ready}. */
  get ready(): Promise<void> {
    return loopGuard.after(this.hasRoom ? FULFILLED : this.#waitForRoom());
  }

  #waitForRoom(): Promise<void> {
    const rare = this.#rareState();
    if (rare.room === null) {
      rare.room = new Deferred();
      // This channel may end before the inner sink does, so it needs a promise of its own.
      const open = (): void => this.#openRoom();
      this.#target.inner?.ready.then(open, open);
    }
    this.#target.watch?.();
    return rare.room.promise;
  }

  #openRoom(): void {
    const rare = this.#rare;
    if (rare === null) return;
    rare.room?.resolve();
    rare.room = null;
  }

  /** Waits until all added messages are passed to the transport. See {@linkcode ChannelSink.flush}. */
  flush(): Promise<void> {
    if (this.#has(DROPPED) || this.#rare?.cause !== undefined) return this.#lost();
    const { inner } = this.#target;
    if (inner !== undefined) return inner.flush();
    if (this.#load === 0) return loopGuard.after(FULFILLED);
    if (this.#has(FINISHED)) return this.#lost();
    const { promise } = this.#rareState().flushed ??= new Deferred();
    this.#target.watch?.();
    return preHandled(loopGuard.after(promise));
  }

  /** Takes the promise that all calls of `flush` wait for. */
  #takeFlushed(): Deferred | null {
    const rare = this.#rareState();
    const { flushed } = rare;
    rare.flushed = null;
    return flushed;
  }

  // Ending.

  /** Settles all promises at the end. */
  #settleEnd(): void {
    const rare = this.#rare;
    if (rare === null) return;
    const { cause, lost, done } = rare;
    if (cause === undefined) sinkControl.drained(this);
    this.#takeFlushed()?.reject(cause ?? this.#notSent());
    if (lost !== null) this.#tellLoss(lost);
    this.#failWritable();
    if (done !== null) this.#settle(done);
  }

  /** Returns a promise that rejects with the channel's error, once it is known. */
  #lost(): Promise<never> {
    const rare = this.#rareState();
    if (rare.lost === null) {
      rare.lost = new Deferred<never>();
      if (this.#has(FINISHED) || this.#target.inner !== undefined) this.#tellLoss(rare.lost);
    }
    return rare.lost.promise;
  }

  #tellLoss(lost: Deferred<never>): void {
    const tell = (error?: unknown): void => lost.reject(error ?? this.#notSent());
    const { inner } = this.#target;
    const cause = this.#rare?.cause;
    // The inner sink knows what happened to the channel.
    if (cause !== undefined || inner === undefined) tell(cause);
    else inner.flush().then(() => tell(), tell);
  }

  #notSent(): DOMException {
    const ending = endingOf(this) ?? "the channel ended";
    return invalidState(`Cannot send: ${ending} before everything was passed to the transport`);
  }

  /** Settles when the channel has ended. See {@linkcode ChannelSink.done}. */
  get done(): Promise<void> {
    const rare = this.#rareState();
    if (rare.done === null) {
      rare.done = new Deferred();
      if (this.#has(FINISHED)) this.#settle(rare.done);
    }
    return rare.done.promise;
  }

  #settle(done: Deferred): void {
    const failure = this.#rare?.failure ?? null;
    if (failure === null) done.resolve();
    else done.reject(failure.error);
  }

  /** Reports an error after which the channel can't continue. See {@linkcode ChannelSink.addError}. */
  addError(error: unknown): void {
    this.#checkUsable("add an error");
    this.#addError(error);
  }

  #addError(error: unknown): void {
    if (this.#has(DISCONNECTED)) return;
    if (this.#target.addError !== undefined) return this.#target.addError(error);
    this.#rareState().failure = { error };
    sinkControl.disconnect(this);
    this.#failWritable();
    this.#target.abort(error);
  }

  /** Closes the channel. See {@linkcode ChannelSink.close}. */
  close(): Promise<void> {
    return sinkControl.close(this);
  }

  // addStream.

  /** Adds all messages of a source, waiting for room. See {@linkcode ChannelSink.addStream}. */
  addStream(
    source: AsyncIterable<T> | (Iterable<T> & object) | ReadableStream<T>,
    given?: AddStreamOptions,
  ): Promise<void> {
    const options = readOptions(given, ADD_STREAM_KINDS);
    checkSource(source);
    this.#checkUsable("add a stream");
    const { signal } = options;
    if (signal?.aborted) return preHandled(Promise.reject(signal.reason));
    const pull = pullFrom(source);
    if (this.#has(DISCONNECTED)) {
      pull.cancel();
      return this.#lost();
    }
    return preHandled(this.#run(new AddStream(pull, signal), options.preventAbort));
  }

  async #run(adding: AddStream<T>, preventAbort = false): Promise<void> {
    const rare = this.#rareState();
    rare.adding = adding;
    this.#state |= ADDING;
    const take = (value: T): boolean => this.#target.add(value) !== false || this.#targetDrops();
    let isWhole = false;
    let failure: { readonly error: unknown } | null = null;
    try {
      isWhole = await adding.run(this, take);
    } catch (error) {
      failure = { error };
    }
    rare.adding = null;
    this.#state &= ~ADDING;
    if (failure !== null) {
      if (!preventAbort && !adding.isInterrupted) this.#addError(failure.error);
      throw failure.error;
    }
    // If the user has closed the sink meanwhile, dropping the rest is intended.
    if (!isWhole && !this.#has(CLOSED)) await this.#lost();
  }

  // The Web Streams view.

  /** The sink as a `WritableStream`. See {@linkcode ChannelSink.writable}. */
  get writable(): WritableStream<T> {
    return (this.#rare?.view ?? this.#createView()).stream;
  }

  #createView(): View<T> {
    let control: WritableStreamDefaultController | undefined;
    const stream = new WritableStream<T>({
      start: (it) => void (control = it),
      write: (value) => this.#write(value),
      close: () => {
        view.control = undefined;
        return sinkControl.close(this);
      },
      abort: (reason) => {
        view.control = undefined;
        if (!this.#has(CLOSED)) this.addError(reason);
      },
    }, { highWaterMark: 1 });
    const view: View<T> = this.#rareState().view = { stream, control };
    if (this.#has(CLOSED | FINISHED) || this.#rare?.failure) this.#failWritable();
    return view;
  }

  #write(value: T): Promise<void> | void {
    // A subclass's `add` may refuse a value if there is no room; a write waits instead.
    if (!MessageSink.prototype.add.call(this, value)) return this.#lost();
    return this.hasRoom ? loopGuard.step() ?? undefined : this.#roomToWrite();
  }

  /** Waits for room. Rejects if the value was lost meanwhile. */
  async #roomToWrite(): Promise<void> {
    await this.ready;
    if (this.#has(DISCONNECTED) && !this.#has(CLOSED)) await this.#lost();
  }

  #failWritable(): void {
    const rare = this.#rare;
    if (rare === null || rare.view === null) return;
    const { view, failure } = rare;
    const end = (error: unknown): void => {
      view.control?.error(error);
      view.control = undefined;
    };
    if (failure !== null) end(failure.error);
    else if (this.#has(CLOSED)) end(invalidState("Cannot write: the sink is closed"));
    else this.#lost().catch(end);
  }
}

/**
 * The implementation of {@linkcode Outlet}. A constant, so that engines know the functions that are called.
 */
export const sinkControl: SinkControl = ofSinks;

/** A sink that forwards to another one. Extend it to change one of its methods. */
export class DelegatingChannelSink<T> implements ChannelSink<T> {
  readonly #inner: ChannelSink<T>;
  /** For an inner sink without `hasRoom`: whether its `ready` has fulfilled, and nothing was added since. */
  #wasReady = false;

  /**
   * Creates a sink that forwards all calls to `inner`.
   *
   * @param inner Any sink.
   */
  constructor(inner: ChannelSink<T>) {
    this.#inner = inner;
  }

  static {
    endingOfDelegate = (sink) =>
      #inner in sink ? endingOf((sink as typeof this.prototype).#inner) : undefined;
  }

  /** Adds a message; returns `false` if it was dropped. See {@linkcode ChannelSink.add}. */
  add(value: T): boolean {
    this.#wasReady = false;
    return this.#inner.add(value);
  }

  /**
   * Whether there is room for more. An inner sink without `hasRoom` has room for one value after its `ready`
   * has fulfilled.
   */
  get hasRoom(): boolean {
    return this.#inner.hasRoom ?? this.#wasReady;
  }

  /** Fulfils when there is room. See {@linkcode ChannelSink.ready}. */
  get ready(): Promise<void> {
    const { hasRoom, ready } = this.#inner;
    return hasRoom === undefined ? ready.then(() => void (this.#wasReady = true)) : ready;
  }

  /** The number of bytes that were added and not yet passed to the transport. */
  get bufferedAmount(): number {
    return this.#inner.bufferedAmount;
  }

  /** Waits until all added messages are passed to the transport. See {@linkcode ChannelSink.flush}. */
  flush(): Promise<void> {
    return this.#inner.flush();
  }

  /** Adds all messages of a source, waiting for room. See {@linkcode ChannelSink.addStream}. */
  addStream(
    source: AsyncIterable<T> | (Iterable<T> & object) | ReadableStream<T>,
    options?: AddStreamOptions,
  ): Promise<void> {
    return this.#inner.addStream(source, options);
  }

  /** Reports an error after which the channel can't continue. See {@linkcode ChannelSink.addError}. */
  addError(error: unknown): void {
    this.#inner.addError(error);
  }

  /** Closes the channel. See {@linkcode ChannelSink.close}. */
  close(): Promise<void> {
    return this.#inner.close();
  }

  /** Settles when the channel has ended. See {@linkcode ChannelSink.done}. */
  get done(): Promise<void> {
    return this.#inner.done;
  }

  /** The sink as a `WritableStream`. See {@linkcode ChannelSink.writable}. */
  get writable(): WritableStream<T> {
    return this.#inner.writable;
  }
}
