import { AddStream, checkSource, pullFrom } from "./add_stream.ts";
import type {
  AddStreamOptions,
  ChannelSink,
  ChannelSinkControllerOptions,
  SinkTarget,
} from "./channel_sink.ts";
import { Deferred, FULFILLED } from "./promises.ts";
import { invalidState, preHandled } from "./errors.ts";
import { loopGuard } from "./loop_guard.ts";
import { type OptionKinds, readOptions } from "./options.ts";
import { DEFAULT_HIGH_WATER_MARK } from "./size.ts";

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

/** What only the producing side of a sink may do with it. */
interface SinkControl {
  has<T>(sink: ControlledSink<T>, flag: number): boolean;
  isWaitedFor<T>(sink: ControlledSink<T>): boolean;
  drained<T>(sink: ControlledSink<T>): void;
  disconnect<T>(sink: ControlledSink<T>, cause: unknown): void;
  finish<T>(sink: ControlledSink<T>, cause: unknown): void;
  fail<T>(sink: ControlledSink<T>, error: unknown): void;
  close<T>(sink: ControlledSink<T>): Promise<void>;
}

let control: SinkControl;

/** What most sinks never need: created when it is needed. */
class Rarities<T> {
  done: Deferred | null = null;
  room: Deferred | null = null;
  flushes: Deferred[] = [];
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
 * What the user of a channel holds: it checks what the user may do, and hands each value straight to
 * its {@linkcode SinkTarget}. What only the producing side may do, its
 * {@linkcode ChannelSinkController} does.
 */
export class ControlledSink<T, Options = never> implements ChannelSink<T> {
  readonly #target: SinkTarget<T, Options>;
  readonly #highWaterMark: number;
  #state: number;
  #rarities: Rarities<T> | null = null;

  /**
   * Creates an open sink.
   *
   * @param target Takes the values.
   * @param options Checked values. See {@linkcode ChannelSinkControllerOptions}.
   */
  constructor(target: SinkTarget<T, Options>, options: ChannelSinkControllerOptions = {}) {
    this.#target = target;
    this.#highWaterMark = options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK;
    this.#state = options.closeWins === true ? CLOSE_WINS : 0;
  }

  static {
    control = {
      has: (it, flag) => it.#has(flag),
      isWaitedFor: (it) => it.#isWaitedFor,
      drained: (it) => it.#drained(),
      disconnect: (it, cause) => it.#disconnect(cause),
      finish: (it, cause) => it.#finish(cause),
      fail: (it, error) => it.#fail(error),
      close: (it) => it.#close(),
    };
  }

  /** See {@linkcode SinkTarget.ending}. */
  static endingOf(sink: object): string | undefined {
    return #target in sink ? (sink as ControlledSink<unknown>).#target.ending : undefined;
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
    this.#disconnect(undefined);
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
    const { inner } = this.#target;
    return inner === undefined ? this.#load < this.#highWaterMark : inner.hasRoom;
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
      // This channel may end long before the target does: its own promise then fulfils.
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
    const deferred = new Deferred();
    this.#need().flushes.push(deferred);
    this.#target.watch?.();
    return preHandled(loopGuard.after(deferred.promise));
  }

  get #isWaitedFor(): boolean {
    const rarities = this.#rarities;
    return rarities !== null && (rarities.room !== null || rarities.flushes.length > 0);
  }

  #drained(): void {
    if (!this.#isWaitedFor) return;
    const load = this.#load;
    if (load < this.#highWaterMark) this.#openRoom();
    if (load === 0) { for (const flush of this.#takeFlushes()) flush.resolve(); }
  }

  #takeFlushes(): readonly Deferred[] {
    return this.#rarities?.flushes.splice(0) ?? [];
  }

  // Ending.

  #disconnect(cause: unknown): void {
    if (cause !== undefined) this.#need().cause ??= cause;
    if (this.#has(DISCONNECTED)) return;
    this.#state |= DISCONNECTED;
    this.#rarities?.adding?.end();
    this.#openRoom();
  }

  #finish(given: unknown): void {
    if (this.#has(FINISHED)) return;
    this.#state |= FINISHED;
    this.#disconnect(given);
    const rarities = this.#rarities;
    if (rarities === null) return;
    const { cause, lost, done } = rarities;
    if (cause === undefined) this.#drained();
    for (const flush of this.#takeFlushes()) flush.reject(cause ?? this.#notSent());
    if (lost !== null) this.#tellLoss(lost);
    this.#failWritable();
    if (done !== null) this.#settle(done);
  }

  #fail(error: unknown): void {
    if (!this.#has(FINISHED)) this.#need().failure ??= { error };
    this.#finish(error);
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
    const cause = this.#rarities?.cause;
    const { inner } = this.#target;
    // An inner sink knows what happened to the channel.
    if (cause !== undefined || inner === undefined) tell(cause);
    else inner.flush().then(() => tell(), tell);
  }

  #notSent(): DOMException {
    const ending = this.#target.ending ?? "the channel ended";
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
    this.#disconnect(undefined);
    this.#failWritable();
    this.#target.abort(error);
  }

  /** See {@linkcode ChannelSink.close}. */
  close(): Promise<void> {
    return this.#close();
  }

  /** A subclass's `close` may do more first. */
  #close(): Promise<void> {
    if (this.#has(CLOSED)) return this.done;
    if (this.#has(ADDING)) {
      if (!this.#has(CLOSE_WINS)) this.#checkUsable("close");
      this.#rarities?.adding?.end();
    }
    this.#state |= CLOSED;
    this.#target.close();
    this.#openRoom();
    this.#failWritable();
    return this.done;
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
    return preHandled(this.#run(new AddStream(this, pull, options), options.preventAbort));
  }

  async #run(adding: AddStream<T>, preventAbort = false): Promise<void> {
    this.#need().adding = adding;
    this.#state |= ADDING;
    let isWhole: boolean;
    try {
      isWhole = await adding.run((value) =>
        this.#target.add(value) !== false || this.#targetDrops()
      );
    } catch (error) {
      const spare = preventAbort || adding.isInterrupted;
      this.#release(adding);
      if (!spare) this.#addError(error);
      throw error;
    } finally {
      this.#release(adding);
    }
    // A user who closed the sink meanwhile chose to drop the rest.
    if (!isWhole && !this.#has(CLOSED)) await this.#lost();
  }

  #release(adding: AddStream<T>): void {
    const rarities = this.#need();
    if (rarities.adding !== adding) return;
    rarities.adding = null;
    this.#state &= ~ADDING;
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
        return this.#close();
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
    if (!this.add(value)) return this.#lost();
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

/**
 * The consuming side of a {@linkcode ControlledSink}: the owner of its target says when there is room
 * again ({@linkcode drained}), when the other end is gone ({@linkcode disconnect}) and when the channel
 * has ended ({@linkcode finish}). No value passes through it.
 */
export class ChannelSinkController<T, Sink extends ControlledSink<T> = ControlledSink<T>> {
  /** The user's side. */
  readonly sink: Sink;

  /** Controls a sink. */
  constructor(sink: Sink);
  /**
   * Creates an open sink.
   *
   * @param target Takes the values.
   * @param options Checked values. See {@linkcode ChannelSinkControllerOptions}.
   */
  constructor(target: SinkTarget<T>, options?: ChannelSinkControllerOptions);
  constructor(given: Sink | SinkTarget<T>, options?: ChannelSinkControllerOptions) {
    this.sink = given instanceof ControlledSink
      ? given
      : new ControlledSink<T>(given, options) as Sink;
  }

  /** Whether the user has closed the sink. */
  get isClosed(): boolean {
    return control.has(this.sink, CLOSED);
  }

  /** Whether values are dropped: the other end is gone, or an error was added. */
  get isDisconnected(): boolean {
    return control.has(this.sink, DISCONNECTED);
  }

  /** Whether `ready` or `flush` waits for the buffered amount to fall. */
  get isWaitedFor(): boolean {
    return control.isWaitedFor(this.sink);
  }

  /** See {@linkcode ChannelSink.done}. */
  get done(): Promise<void> {
    return this.sink.done;
  }

  /** The buffered amount has fallen: settles `ready` and `flush` if it has fallen enough. */
  drained(): void {
    control.drained(this.sink);
  }

  /**
   * The other end is gone: from now on values are dropped, and a running `addStream` ends. The
   * `done` promise waits for {@linkcode finish}.
   *
   * @param cause Why, if that is known.
   */
  disconnect(cause?: unknown): void {
    control.disconnect(this.sink, cause);
  }

  /**
   * The channel has ended: settles `done`, and rejects each promise about values that were dropped.
   *
   * @param cause Why they were, if that is known.
   */
  finish(cause?: unknown): void {
    control.finish(this.sink, cause);
  }

  /**
   * The channel has ended because of `error`, which `done` rejects with: what a sink does when its
   * target's own `done` has rejected.
   */
  fail(error: unknown): void {
    control.fail(this.sink, error);
  }

  /** See {@linkcode ChannelSink.close}. */
  close(): Promise<void> {
    return control.close(this.sink);
  }
}
