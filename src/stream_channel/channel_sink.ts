import { AddStream, checkSource, pullFrom } from "./add_stream.ts";
import { DEFAULT_HIGH_WATER_MARK } from "./counted_queue.ts";
import { Deferred, FULFILLED, invalidState, preHandled } from "./errors.ts";
import { loopGuard } from "./loop_guard.ts";
import { type OptionKinds, readOptions } from "./options.ts";

/** Options of {@linkcode ChannelSink.addStream}. */
export interface AddStreamOptions {
  /** Stops taking from the source when it aborts; the channel stays usable. */
  signal?: AbortSignal | undefined;
  /** Spares the channel when the source fails: the returned promise rejects, and that is all. */
  preventAbort?: boolean | undefined;
}

/** The outgoing messages of a channel: Dart's `StreamSink`, with backpressure. */
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
  /**
   * Whether there is room for more: fewer bytes than the high-water mark are buffered. Also `true`
   * when the channel has ended, as nothing is left to wait for.
   */
  readonly hasRoom: boolean;
  /**
   * Fulfils when {@linkcode hasRoom} is `true`. Never rejects. A loop that awaits it again and again
   * waits for the next turn of the event loop every few milliseconds, so that timers go on.
   */
  readonly ready: Promise<void>;
  /**
   * How many bytes were added and not yet handed on to the transport: of the values alone, without
   * what a protocol puts around them.
   */
  readonly bufferedAmount: number;
  /**
   * Waits until all that was added is handed to the transport.
   *
   * @returns A promise that rejects with the channel's error when the channel ended before that, and
   * from then on each time: what was dropped is never reported as sent.
   */
  flush(): Promise<void>;
  /**
   * Adds everything that `source` gives, waiting for room between values. Until it ends, the sink
   * belongs to it: `add` and `addError` throw.
   *
   * When the channel ends before the source, the source is cancelled and the promise rejects with the
   * channel's error. Without one, it rejects with an `InvalidStateError`, which names the peer's close
   * code and reason. When the source fails the error is given to {@linkcode addError}, and the promise
   * rejects with it.
   *
   * @throws {TypeError} When `source` is no source, or a single message (text or bytes): use
   * {@linkcode add} for that. The channel is unharmed.
   * @throws {DOMException} `InvalidStateError` after {@linkcode close}, and while another one runs.
   */
  addStream(
    source: AsyncIterable<T> | (Iterable<T> & object) | ReadableStream<T>,
    options?: AddStreamOptions,
  ): Promise<void>;
  /**
   * Reports an error that makes going on pointless. A channel that can't send errors closes, and
   * {@linkcode done} rejects with it. A WebSocket's peer receives the error's `closeCode` if it has one
   * that can be sent, otherwise 1011.
   *
   * @throws {DOMException} `InvalidStateError` after {@linkcode close}, and while
   * {@linkcode addStream} runs.
   */
  addError(error: unknown): void;
  /**
   * Closes the channel: what was added before still goes out, the channel's stream ends at once.
   *
   * @returns {@linkcode done}. It always settles.
   * @throws {DOMException} `InvalidStateError` while {@linkcode addStream} runs. The sink of a
   * WebSocket channel doesn't throw then: its `close` ends the `addStream` and cancels the source.
   */
  close(): Promise<void>;
  /**
   * Settles when the channel has ended, from either side; rejects only with the error of
   * {@linkcode addError}, of a transformer that can't decode a message, or of a `WritableStream` that
   * the sink was made from. An unhandled rejection does no harm.
   */
  readonly done: Promise<void>;
  /**
   * The same as a `WritableStream` (the same object on each access). `close()` closes the channel,
   * as soon as what was written before has found room; `abort(error)` is {@linkcode addError}. When
   * the channel ends, it errors, and pending writes reject, with the channel's error.
   */
  readonly writable: WritableStream<T>;
}

/** What a sink asks of the one behind it. */
export type InnerSink = Pick<
  ChannelSink<never>,
  "bufferedAmount" | "hasRoom" | "ready" | "flush"
>;

/** What a {@linkcode MessageSink} hands values to. It answers, and does the work: it doesn't only hear of events. */
export interface SinkTarget<T, Options = never> {
  /**
   * The sink that the target passes values on to, where it does. The room, the buffered amount,
   * `flush` and `ending` are then that sink's.
   */
  readonly inner?: InnerSink;
  /** What was added and not yet handed on, in bytes. Left out: 0. */
  readonly bufferedAmount?: number;
  /**
   * What `ready` and `flush` go by, where that is not `bufferedAmount`: with what is sent beside the
   * values.
   */
  readonly load?: number;
  /** Whether nothing more should be added. Left out, or `undefined`: when `load` has come to the high-water mark. */
  readonly isFull?: boolean | undefined;
  /**
   * Takes a value, with the options that the sink's `add` got. Throws a `TypeError`, and takes
   * nothing, if the value is of the wrong kind. Returns `false` if it drops the value because the
   * other end is gone: the sink then hands it no other value, as after `disconnect`.
   */
  add(value: T, options?: Options): boolean | void;
  /**
   * Throws a `TypeError` when a value is of the wrong kind: asked instead of `add` when the value is
   * dropped. Left out: all kinds are right.
   */
  check?(value: T, options?: Options): void;
  /** The user closes the channel. `finish` must follow, some time. */
  close(): void;
  /**
   * The user reports an error and the channel must end because of it;
   * `finish` must follow, some time.
   */
  abort(error: unknown): void;
  /** Forwards an error to the other end. With this, errors don't end the channel. */
  addError?(error: unknown): void;
  /** Asks for a call of `drained` when `bufferedAmount` has fallen. */
  watch?(): void;
  /** How the channel ended, such as `"the peer closed with 1000"`; `undefined` when unknown. */
  readonly ending?: string | undefined;
}

/** Options of a {@linkcode MessageSink}. */
export interface MessageSinkOptions {
  /** How many bytes may be buffered before `ready` waits. Default 64 KiB. */
  readonly highWaterMark?: number | undefined;
  /** `close()` during `addStream` cancels the source, instead of throwing. */
  readonly closeWins?: boolean | undefined;
}

/** What the owner of a sink's target does with the sink, and its user can't. No value passes through it. */
export interface SinkOwner {
  /** Whether the user has closed the sink. */
  isClosed<T>(sink: MessageSink<T>): boolean;
  /** Whether values are dropped: the other end is gone, or an error was added. */
  isDisconnected<T>(sink: MessageSink<T>): boolean;
  /** Whether `ready` or `flush` waits for the buffered amount to fall. */
  isWaitedFor<T>(sink: MessageSink<T>): boolean;
  /** The buffered amount has fallen: settles `ready` and `flush` if it has fallen enough. */
  drained<T>(sink: MessageSink<T>): void;
  /**
   * The other end is gone: from now on values are dropped, and a running `addStream` ends. The
   * `done` promise waits for `finish`.
   *
   * @param cause Why, if that is known.
   */
  disconnect<T>(sink: MessageSink<T>, cause?: unknown): void;
  /**
   * The channel has ended: settles `done`, and rejects each promise about values that were dropped.
   *
   * @param cause Why they were, if that is known.
   */
  finish<T>(sink: MessageSink<T>, cause?: unknown): void;
  /**
   * The channel has ended because of `error`, which `done` rejects with: what a sink does when its
   * target's own `done` has rejected.
   */
  fail<T>(sink: MessageSink<T>, error: unknown): void;
  /**
   * Throws unless values can be added.
   *
   * @throws {DOMException} `InvalidStateError` after `close`, and while an `addStream` runs.
   */
  checkUsable<T>(sink: MessageSink<T>, action: string): void;
  /** What `addError` does, also while an `addStream` runs. */
  addError<T>(sink: MessageSink<T>, error: unknown): void;
  /** What `close` does, also where a subclass's `close` does more first. */
  close<T>(sink: MessageSink<T>): Promise<void>;
}

let ofSinks: SinkOwner;

/** How the channel of a sink ended, as {@linkcode SinkTarget.ending} has it. */
let endingOf: (sink: object) => string | undefined;
let endingOfDelegate: (sink: object) => string | undefined;

const ADD_STREAM_KINDS: OptionKinds<AddStreamOptions> = {
  signal: "AbortSignal",
  preventAbort: "boolean",
};

// The state of a sink, as flags.
/** The user has closed it. */
const CLOSED = 1;
/** Values are dropped: the other end is gone, or an error was added. */
const DISCONNECTED = 2;
/** The channel has ended. */
const FINISHED = 4;
/** An `addStream` runs. */
const ADDING = 8;
/** A value was dropped: every later `flush` and write rejects. */
const DROPPED = 16;
/** An option: `close` ends a running `addStream`. */
const CLOSE_WINS = 32;
/** A value goes straight to the target unless one of these is set. */
const BARRED = CLOSED | DISCONNECTED | ADDING;

/** What most sinks never need: created when it is needed. */
class Rarities<T> {
  done: Deferred | null = null;
  room: Deferred | null = null;
  flushed: Deferred | null = null;
  /** Rejects with the error that says why values were dropped. */
  lost: Deferred<never> | null = null;
  /** The `addStream` that runs. */
  adding: AddStream<T> | null = null;
  view: View<T> | null = null;
  failure: { readonly error: unknown } | null = null;
  /** Why the channel ended, if that is known. */
  cause: unknown;
}

interface View<T> {
  readonly stream: WritableStream<T>;
  control: WritableStreamDefaultController | undefined;
}

/**
 * The one implementation of {@linkcode ChannelSink}, which users hold: it checks what the user may do,
 * and hands each value straight to its {@linkcode SinkTarget}, whose owner tells it more through
 * {@linkcode sinkOwner}.
 */
export class MessageSink<T, Options = never> implements ChannelSink<T> {
  readonly #target: SinkTarget<T, Options>;
  readonly #highWaterMark: number;
  #state: number;
  #rarities: Rarities<T> | null = null;

  /**
   * Creates an open sink.
   *
   * @param target Takes the values.
   * @param options Checked values. See {@linkcode MessageSinkOptions}.
   */
  constructor(target: SinkTarget<T, Options>, options: MessageSinkOptions = {}) {
    this.#target = target;
    // With a mark of 0 there would never be room.
    this.#highWaterMark = Math.max(options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK, 1);
    this.#state = options.closeWins === true ? CLOSE_WINS : 0;
  }

  static {
    ofSinks = {
      isClosed: (it) => it.#has(CLOSED),
      isDisconnected: (it) => it.#has(DISCONNECTED),
      isWaitedFor: (it) => {
        const rarities = it.#rarities;
        return rarities !== null && (rarities.room !== null || rarities.flushed !== null);
      },
      drained: (it) => {
        if (!sinkOwner.isWaitedFor(it)) return;
        if (it.hasRoom) it.#openRoom();
        if (it.#load === 0) it.#takeFlushed()?.resolve();
      },
      disconnect: (it, cause) => {
        if (cause !== undefined) it.#need().cause ??= cause;
        if (it.#has(DISCONNECTED)) return;
        it.#state |= DISCONNECTED;
        it.#rarities?.adding?.end();
        it.#openRoom();
      },
      finish: (it, cause) => {
        if (it.#has(FINISHED)) return;
        it.#state |= FINISHED;
        sinkOwner.disconnect(it, cause);
        it.#settleEnd();
      },
      fail: (it, error) => {
        if (!it.#has(FINISHED)) it.#need().failure ??= { error };
        sinkOwner.finish(it, error);
      },
      checkUsable: (it, action) => it.#checkUsable(action),
      addError: (it, error) => it.#addError(error),
      close: (it) => {
        if (it.#has(CLOSED)) return it.done;
        if (it.#has(ADDING)) {
          if (!it.#has(CLOSE_WINS)) it.#checkUsable("close");
          it.#rarities?.adding?.end();
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

  #need(): Rarities<T> {
    return this.#rarities ??= new Rarities<T>();
  }

  // Values.

  /** See {@linkcode ChannelSink.add}. */
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

  /** The target has dropped a value: it takes no others. */
  #targetDrops(): false {
    this.#state |= DROPPED;
    sinkOwner.disconnect(this);
    return false;
  }

  #checkUsable(action: string): void {
    if (this.#has(CLOSED)) throw invalidState(`Cannot ${action}: the sink is closed`);
    if (this.#has(ADDING)) {
      throw invalidState(`Cannot ${action}: the sink belongs to an addStream that runs`);
    }
  }

  // Room.

  /** See {@linkcode ChannelSink.hasRoom}. */
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

  /** See {@linkcode ChannelSink.bufferedAmount}. */
  get bufferedAmount(): number {
    const target = this.#target;
    return (target.inner ?? target).bufferedAmount ?? 0;
  }

  /** See {@linkcode ChannelSink.ready}. */
  get ready(): Promise<void> {
    return loopGuard.after(this.hasRoom ? FULFILLED : this.#waitForRoom());
  }

  #waitForRoom(): Promise<void> {
    const rarities = this.#need();
    if (rarities.room === null) {
      rarities.room = new Deferred();
      // This channel may end long before the inner sink does: its own promise then fulfils.
      const open = (): void => this.#openRoom();
      this.#target.inner?.ready.then(open, open);
    }
    this.#target.watch?.();
    return rarities.room.promise;
  }

  #openRoom(): void {
    const rarities = this.#rarities;
    if (rarities === null) return;
    rarities.room?.resolve();
    rarities.room = null;
  }

  /** See {@linkcode ChannelSink.flush}. */
  flush(): Promise<void> {
    if (this.#has(DROPPED) || this.#rarities?.cause !== undefined) return this.#lost();
    const { inner } = this.#target;
    if (inner !== undefined) return inner.flush();
    if (this.#load === 0) return loopGuard.after(FULFILLED);
    if (this.#has(FINISHED)) return this.#lost();
    const { promise } = this.#need().flushed ??= new Deferred();
    this.#target.watch?.();
    return preHandled(loopGuard.after(promise));
  }

  /** What all calls of `flush` wait for has ended. */
  #takeFlushed(): Deferred | null {
    const rarities = this.#need();
    const { flushed } = rarities;
    rarities.flushed = null;
    return flushed;
  }

  // Ending.

  /** Settles what waits for the end. */
  #settleEnd(): void {
    const rarities = this.#rarities;
    if (rarities === null) return;
    const { cause, lost, done } = rarities;
    if (cause === undefined) sinkOwner.drained(this);
    this.#takeFlushed()?.reject(cause ?? this.#notSent());
    if (lost !== null) this.#tellLoss(lost);
    this.#failWritable();
    if (done !== null) this.#settle(done);
  }

  /** Rejects with the error of the channel, as soon as that is known. */
  #lost(): Promise<never> {
    const rarities = this.#need();
    if (rarities.lost === null) {
      rarities.lost = new Deferred<never>();
      if (this.#has(FINISHED) || this.#target.inner !== undefined) this.#tellLoss(rarities.lost);
    }
    return rarities.lost.promise;
  }

  #tellLoss(lost: Deferred<never>): void {
    const tell = (error?: unknown): void => lost.reject(error ?? this.#notSent());
    const { inner } = this.#target;
    const cause = this.#rarities?.cause;
    // The inner sink knows what happened to the channel.
    if (cause !== undefined || inner === undefined) tell(cause);
    else inner.flush().then(() => tell(), tell);
  }

  #notSent(): DOMException {
    const ending = endingOf(this) ?? "the channel ended";
    return invalidState(`Cannot send: ${ending} before all was handed to the transport`);
  }

  /** See {@linkcode ChannelSink.done}. */
  get done(): Promise<void> {
    const rarities = this.#need();
    if (rarities.done === null) {
      rarities.done = new Deferred();
      if (this.#has(FINISHED)) this.#settle(rarities.done);
    }
    return rarities.done.promise;
  }

  #settle(done: Deferred): void {
    const failure = this.#rarities?.failure ?? null;
    if (failure === null) done.resolve();
    else done.reject(failure.error);
  }

  /** See {@linkcode ChannelSink.addError}. */
  addError(error: unknown): void {
    this.#checkUsable("add an error");
    this.#addError(error);
  }

  #addError(error: unknown): void {
    if (this.#has(DISCONNECTED)) return;
    if (this.#target.addError !== undefined) return this.#target.addError(error);
    this.#need().failure = { error };
    sinkOwner.disconnect(this);
    this.#failWritable();
    this.#target.abort(error);
  }

  /** See {@linkcode ChannelSink.close}. */
  close(): Promise<void> {
    return sinkOwner.close(this);
  }

  // addStream.

  /** See {@linkcode ChannelSink.addStream}. */
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
    const rarities = this.#need();
    rarities.adding = adding;
    this.#state |= ADDING;
    const take = (value: T): boolean => this.#target.add(value) !== false || this.#targetDrops();
    let isWhole = false;
    let failure: { readonly error: unknown } | null = null;
    try {
      isWhole = await adding.run(this, take);
    } catch (error) {
      failure = { error };
    }
    rarities.adding = null;
    this.#state &= ~ADDING;
    if (failure !== null) {
      if (!preventAbort && !adding.isInterrupted) this.#addError(failure.error);
      throw failure.error;
    }
    // A user who closed the sink meanwhile chose to drop the rest.
    if (!isWhole && !this.#has(CLOSED)) await this.#lost();
  }

  // The Web Streams view.

  /** See {@linkcode ChannelSink.writable}. */
  get writable(): WritableStream<T> {
    return (this.#rarities?.view ?? this.#createView()).stream;
  }

  #createView(): View<T> {
    let control: WritableStreamDefaultController | undefined;
    const stream = new WritableStream<T>({
      start: (it) => void (control = it),
      write: (value) => this.#write(value),
      close: () => {
        view.control = undefined;
        return sinkOwner.close(this);
      },
      abort: (reason) => {
        view.control = undefined;
        if (!this.#has(CLOSED)) this.addError(reason);
      },
    }, { highWaterMark: 1 });
    const view: View<T> = this.#need().view = { stream, control };
    if (this.#has(CLOSED | FINISHED) || this.#rarities?.failure) this.#failWritable();
    return view;
  }

  #write(value: T): Promise<void> | void {
    // What a subclass's `add` refuses because there is no room, a write waits with.
    if (!MessageSink.prototype.add.call(this, value)) return this.#lost();
    return this.hasRoom ? loopGuard.step() ?? undefined : this.#roomToWrite();
  }

  /** Fulfils when there is room; a value that had to wait for it may be lost by then. */
  async #roomToWrite(): Promise<void> {
    await this.ready;
    if (this.#has(DISCONNECTED) && !this.#has(CLOSED)) await this.#lost();
  }

  #failWritable(): void {
    const rarities = this.#rarities;
    if (rarities === null || rarities.view === null) return;
    const { view, failure } = rarities;
    const end = (error: unknown): void => {
      view.control?.error(error);
      view.control = undefined;
    };
    if (failure !== null) end(failure.error);
    else if (this.#has(CLOSED)) end(invalidState("Cannot write: the sink is closed"));
    else this.#lost().catch(end);
  }
}

/** See {@linkcode SinkOwner}. A constant: the engines then know what is called. */
export const sinkOwner: SinkOwner = ofSinks;

/** A sink that forwards to another one: extend it to change what one of its methods does. */
export class DelegatingChannelSink<T> implements ChannelSink<T> {
  readonly #inner: ChannelSink<T>;
  /** Whether an inner sink without `hasRoom` was ready, and nothing was added since. */
  #wasReady = false;

  /**
   * Forwards to `inner`.
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

  /** See {@linkcode ChannelSink.add}. */
  add(value: T): boolean {
    this.#wasReady = false;
    return this.#inner.add(value);
  }

  /**
   * See {@linkcode ChannelSink.hasRoom}. An inner sink that lacks it has room when its `ready` has
   * fulfilled, for one value.
   */
  get hasRoom(): boolean {
    return this.#inner.hasRoom ?? this.#wasReady;
  }

  /** See {@linkcode ChannelSink.ready}. */
  get ready(): Promise<void> {
    const { hasRoom, ready } = this.#inner;
    return hasRoom === undefined ? ready.then(() => void (this.#wasReady = true)) : ready;
  }

  /** See {@linkcode ChannelSink.bufferedAmount}. */
  get bufferedAmount(): number {
    return this.#inner.bufferedAmount;
  }

  /** See {@linkcode ChannelSink.flush}. */
  flush(): Promise<void> {
    return this.#inner.flush();
  }

  /** See {@linkcode ChannelSink.addStream}. */
  addStream(
    source: AsyncIterable<T> | (Iterable<T> & object) | ReadableStream<T>,
    options?: AddStreamOptions,
  ): Promise<void> {
    return this.#inner.addStream(source, options);
  }

  /** See {@linkcode ChannelSink.addError}. */
  addError(error: unknown): void {
    this.#inner.addError(error);
  }

  /** See {@linkcode ChannelSink.close}. */
  close(): Promise<void> {
    return this.#inner.close();
  }

  /** See {@linkcode ChannelSink.done}. */
  get done(): Promise<void> {
    return this.#inner.done;
  }

  /** See {@linkcode ChannelSink.writable}. */
  get writable(): WritableStream<T> {
    return this.#inner.writable;
  }
}
