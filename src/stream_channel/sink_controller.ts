import { AddStream } from "./add_stream.ts";
import type {
  AddStreamOptions,
  ChannelSink,
  ChannelSinkControllerOptions,
  SinkTarget,
} from "./channel_sink.ts";
import { Deferred, FULFILLED } from "./deferred.ts";
import { invalidState, preHandled } from "./errors.ts";
import { loopGuard } from "./loop_guard.ts";
import { type OptionKinds, readOptions } from "./options.ts";
import { checkSource, pullFrom } from "./pull.ts";
import { DEFAULT_HIGH_WATER_MARK } from "./size.ts";
import { WritableView } from "./writable_view.ts";

const KINDS: OptionKinds<ChannelSinkControllerOptions> = {
  highWaterMark: "size",
  closeWins: "boolean",
};

const ADD_STREAM_KINDS: OptionKinds<AddStreamOptions> = {
  signal: "AbortSignal",
  preventAbort: "boolean",
};

const NONE: readonly Deferred[] = [];

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
  /** Made when somebody asks for it, as is all that most sinks never need. */
  #done: Deferred | null = null;
  /** Nothing stands in the way of `add`. */
  #plain = true;
  #closedByUser = false;
  #disconnected = false;
  #finished = false;
  #failure: { error: unknown } | null = null;
  /** Why the channel ended, if that is known. */
  #cause: unknown;
  /** A value was dropped: every later `flush` and write rejects. */
  #dropped = false;
  #lost: Deferred<never> | null = null;
  #room: Deferred | null = null;
  #flushes: Deferred[] | null = null;
  /** The `addStream` that runs. */
  #adding: AddStream<T> | null = null;
  #view: WritableView<T> | null = null;

  /**
   * Makes an open sink.
   *
   * @param target Takes the values.
   * @param given See {@linkcode ChannelSinkControllerOptions}.
   */
  constructor(target: SinkTarget<T>, given?: ChannelSinkControllerOptions) {
    const options = readOptions(given, KINDS);
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
    return this.#room !== null || this.#flushes !== null;
  }

  /** The buffered amount has fallen: lets those go on who wait for that. */
  drained(): void {
    const load = this.#load;
    if (this.#room !== null && load < this.#highWaterMark) this.#openRoom();
    if (load === 0) { for (const flush of this.#takeFlushes()) flush.resolve(); }
  }

  get #load(): number {
    return this.#target.load ?? this.#target.bufferedAmount;
  }

  #takeFlushes(): readonly Deferred[] {
    const flushes = this.#flushes ?? NONE;
    this.#flushes = null;
    return flushes;
  }

  /**
   * The other end is gone: from now on values are dropped, and a running `addStream` ends. The
   * `done` promise waits for {@linkcode finish}.
   *
   * @param cause Why, where that is known.
   */
  disconnect(cause?: unknown): void {
    this.#cause ??= cause;
    if (this.#disconnected) return;
    this.#disconnected = true;
    this.#plain = false;
    this.#adding?.end();
    this.#openRoom();
  }

  /**
   * The channel has ended: settles `done`, and rejects each promise about values that were dropped.
   *
   * @param cause Why they were, where that is known.
   */
  finish(cause?: unknown): void {
    if (this.#finished) return;
    this.#finished = true;
    this.disconnect(cause);
    if (this.#cause === undefined) this.drained();
    for (const flush of this.#takeFlushes()) flush.reject(this.#cause ?? this.#notSent());
    if (this.#lost !== null) this.#tellLoss(this.#lost);
    this.#failWritable();
    if (this.#done !== null) this.#settle(this.#done);
  }

  /** Rejects with the error of the channel, as soon as that is known. */
  lost(): Promise<never> {
    if (this.#lost === null) {
      this.#lost = new Deferred<never>();
      if (this.#finished || this.#target.flush !== undefined) this.#tellLoss(this.#lost);
    }
    return this.#lost.promise;
  }

  #tellLoss(lost: Deferred<never>): void {
    const tell = (error?: unknown): void => lost.reject(error ?? this.#notSent());
    // Where the target is a sink itself, that one knows what happened to the channel.
    if (this.#cause !== undefined || this.#target.flush === undefined) tell(this.#cause);
    else this.#target.flush().then(() => tell(), tell);
  }

  #notSent(): DOMException {
    const ending = this.ending ?? "the channel ended";
    return invalidState(`Cannot send: ${ending} before all was handed to the transport`);
  }

  /** See {@linkcode SinkTarget.ending}. */
  get ending(): string | undefined {
    return this.#target.ending;
  }

  #settle(done: Deferred): void {
    if (this.#failure === null) done.resolve();
    else done.reject(this.#failure.error);
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
    if (this.#plain) return this.take(value);
    this.#target.check?.(value);
    this.#checkUsable("add");
    this.#dropped = true;
    return false;
  }

  /** Gives a value to the target, whoever adds it. */
  take(value: T): boolean {
    if (this.#target.add(value) !== false) return true;
    this.#dropped = true;
    this.disconnect();
    return false;
  }

  #checkUsable(action: string): void {
    if (this.#closedByUser) throw invalidState(`Cannot ${action}: the sink is closed`);
    if (this.#adding !== null) {
      throw invalidState(`Cannot ${action}: the sink belongs to an addStream that runs`);
    }
  }

  /** See {@linkcode ChannelSink.hasRoom}. */
  get hasRoom(): boolean {
    if (this.#disconnected || this.#closedByUser) return true;
    return this.#target.hasRoom ?? this.#load < this.#highWaterMark;
  }

  /** See {@linkcode ChannelSink.ready}. */
  get ready(): Promise<void> {
    return loopGuard.after(this.hasRoom ? FULFILLED : this.#waitForRoom());
  }

  #waitForRoom(): Promise<void> {
    if (this.#room === null) {
      this.#room = new Deferred();
      // This channel may be over long before the target is: its own promise then fulfils.
      const open = (): void => this.#openRoom();
      this.#target.ready?.then(open, open);
    }
    this.#target.watch?.();
    return this.#room.promise;
  }

  #openRoom(): void {
    this.#room?.resolve();
    this.#room = null;
  }

  /** See {@linkcode ChannelSink.bufferedAmount}. */
  get bufferedAmount(): number {
    return this.#target.bufferedAmount;
  }

  /** See {@linkcode ChannelSink.flush}. */
  flush(): Promise<void> {
    if (this.#dropped || this.#cause !== undefined) return this.lost();
    if (this.#target.flush !== undefined) return this.#target.flush();
    if (this.#load === 0) return loopGuard.after(FULFILLED);
    if (this.#finished) return this.lost();
    const deferred = new Deferred();
    (this.#flushes ??= []).push(deferred);
    this.#target.watch?.();
    return preHandled(loopGuard.after(deferred.promise));
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
    this.#failWritable();
    this.#target.abort(error);
  }

  /** See {@linkcode ChannelSink.done}. */
  get done(): Promise<void> {
    if (this.#done === null) {
      this.#done = new Deferred();
      if (this.#finished) this.#settle(this.#done);
    }
    return this.#done.promise;
  }

  /**
   * See {@linkcode ChannelSink.close}.
   *
   * @param close What to do instead of the target's `close`.
   */
  close(close?: () => void): Promise<void> {
    if (this.#closedByUser) return this.done;
    if (this.#adding !== null) {
      if (!this.#closeWins) this.#checkUsable("close");
      this.#adding?.end();
    }
    this.#closedByUser = true;
    this.#plain = false;
    if (close === undefined) this.#target.close();
    else close();
    this.#openRoom();
    this.#failWritable();
    return this.done;
  }

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
    if (this.#disconnected) {
      pull.cancel();
      return this.lost();
    }
    const adding = new AddStream(this, pull, options);
    return preHandled(this.#run(adding, options.preventAbort));
  }

  async #run(adding: AddStream<T>, preventAbort = false): Promise<void> {
    this.#adding = adding;
    this.#plain = false;
    let isWhole: boolean;
    try {
      isWhole = await adding.run();
    } catch (error) {
      const spare = preventAbort || adding.isInterrupted;
      this.#release(adding);
      if (!spare) this.#addError(error);
      throw error;
    } finally {
      this.#release(adding);
    }
    // A user who closed the sink meanwhile chose to drop the rest.
    if (!isWhole && !this.#closedByUser) await this.lost();
  }

  #release(adding: AddStream<T>): void {
    if (this.#adding !== adding) return;
    this.#adding = null;
    this.#plain = !this.#closedByUser && !this.#disconnected;
  }

  /** See {@linkcode ChannelSink.writable}. */
  get writable(): WritableStream<T> {
    if (this.#view === null) {
      this.#view = new WritableView<T>(this);
      if (this.#closedByUser || this.#finished || this.#failure !== null) this.#failWritable();
    }
    return this.#view.stream;
  }

  #failWritable(): void {
    const view = this.#view;
    if (view === null) return;
    if (this.#failure !== null) view.end(this.#failure.error);
    else if (this.#closedByUser) view.end(invalidState("Cannot write: the sink is closed"));
    else this.lost().catch((error) => view.end(error));
  }
}

/** The user's side of a {@linkcode ChannelSinkController}. */
export class ControlledSink<T> implements ChannelSink<T> {
  readonly #controller: ChannelSinkController<T>;

  /** @param controller Does the work. */
  constructor(controller: ChannelSinkController<T>) {
    this.#controller = controller;
  }

  /** See {@linkcode SinkTarget.ending}. */
  static endingOf(sink: object): string | undefined {
    return #controller in sink ? (sink as ControlledSink<unknown>).#controller.ending : undefined;
  }

  add(value: T): boolean {
    return this.#controller.add(value);
  }

  get hasRoom(): boolean {
    return this.#controller.hasRoom;
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
    source: AsyncIterable<T> | (Iterable<T> & object) | ReadableStream<T>,
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
