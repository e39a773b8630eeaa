import { adopted } from "../realm/kinds.ts";
import {
  type ChannelLike,
  type ChannelParts,
  closeQuietly,
  partsOf,
  tellOfError,
} from "./channel_like.ts";
import type { ChannelSink, SinkTarget } from "./channel_sink.ts";
import { DelegatingChannelSink } from "./delegating_sink.ts";
import { ChannelSinkController } from "./sink_controller.ts";
import type { StreamSubscription } from "./channel_stream.ts";
import { CountedQueue } from "./counted_queue.ts";
import { ChannelStreamController } from "./stream_controller.ts";
import { Deferred, FULFILLED } from "./promises.ts";
import { invalidState, preHandled } from "./errors.ts";
import { type OptionKinds, readOptions } from "./options.ts";
import { DEFAULT_HIGH_WATER_MARK, sizeOf } from "./size.ts";
import { PairedChannel, type StreamChannel } from "./stream_channel.ts";

/** Options of a {@linkcode StreamChannelCompleter}. */
export interface StreamChannelCompleterOptions {
  /** How many bytes may wait for the channel before `sink.ready` waits. Default 64 KiB. */
  highWaterMark?: number | undefined;
  /**
   * The user has closed the channel while there was none: it isn't needed any more, but for what was
   * added before, which still waits for `setChannel`.
   */
  onClose?: (() => void) | undefined;
}

const KINDS: OptionKinds<StreamChannelCompleterOptions> = {
  highWaterMark: "size",
  onClose: "function",
};

/** What was put into the sink before there was a channel. */
type Waiting<T> = { value: T } | { error: unknown };

/**
 * A channel that can be used before it exists: what goes into it waits, nothing comes out, until
 * {@linkcode setChannel} connects it or {@linkcode setError} gives it up. A `close()` before that
 * settles at once; what was added before it still goes out when there is a channel. Corresponds to
 * Dart's class of this name.
 *
 * @example
 * ```ts
 * import { channelPair, StreamChannelCompleter } from "@web-socket/channel/stream-channel";
 *
 * const completer = new StreamChannelCompleter<string>();
 * completer.channel.sink.add("early");
 * const { local, foreign } = channelPair<string>();
 * completer.setChannel(local);
 * console.log((await foreign.stream.next()).value); // early
 * await completer.channel.sink.close();
 * ```
 */
export class StreamChannelCompleter<In, Out = In> {
  /** The channel to give away. */
  readonly channel: StreamChannel<In, Out>;
  readonly #late: LateChannel<In, Out>;

  /**
   * Makes a channel that is not connected.
   *
   * @param options See {@linkcode StreamChannelCompleterOptions}.
   */
  constructor(options?: StreamChannelCompleterOptions) {
    this.#late = new LateChannel<In, Out>(readOptions(options, KINDS));
    this.channel = new PairedChannel(this.#late.stream.stream, this.#late.sink.sink);
  }

  /**
   * Connects {@linkcode channel}: what waits goes out, in order, a `close` last.
   *
   * @param channel The real channel. Its right to read is taken.
   * @throws {DOMException} `InvalidStateError` when this or {@linkcode setError} was called before,
   * or the channel's stream has a reader.
   */
  setChannel(channel: ChannelLike<In, Out>): void {
    this.#late.checkUndecided();
    this.#late.connect(partsOf(channel));
  }

  /**
   * Gives up: the stream fails with `error`, the sink drops all and is done.
   *
   * @param error Why there will be no channel.
   * @throws {DOMException} `InvalidStateError` when this or {@linkcode setChannel} was called before.
   */
  setError(error: unknown): void {
    this.#late.checkUndecided();
    this.#late.giveUp(error);
  }

  /**
   * A channel that connects when `promise` fulfils, and fails when it rejects.
   *
   * @param promise Of the real channel.
   * @param options See {@linkcode StreamChannelCompleterOptions}.
   * @returns The channel, to be used at once.
   */
  static fromPromise<In, Out>(
    promise: PromiseLike<ChannelLike<In, Out>>,
    options?: StreamChannelCompleterOptions,
  ): StreamChannel<In, Out> {
    const completer = new StreamChannelCompleter<In, Out>(options);
    adopted(promise).then((channel) => completer.setChannel(channel)).catch((error) => {
      completer.#late.giveUp(error);
    });
    return completer.channel;
  }
}

class LateChannel<In, Out> implements SinkTarget<Out> {
  readonly stream: ChannelStreamController<In>;
  readonly sink: ChannelSinkController<Out>;
  readonly #highWaterMark: number;
  readonly #onClose: (() => void) | undefined;
  readonly #waiting: CountedQueue<Waiting<Out>>;
  /** Fulfils with the inner channel, or with null when there will be none. */
  readonly #decision = new Deferred<ChannelParts<In, Out> | null>();
  #decided = false;
  #inner: ChannelParts<In, Out> | null = null;
  #subscription: StreamSubscription | undefined;

  constructor(options: StreamChannelCompleterOptions) {
    this.#highWaterMark = options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK;
    const sizeOfWaiting = (it: Waiting<Out>, enough: number): number =>
      "value" in it ? sizeOf(it.value, enough) : 0;
    this.#waiting = new CountedQueue<Waiting<Out>>(sizeOfWaiting, this.#highWaterMark);
    this.#onClose = options.onClose;
    this.stream = new ChannelStreamController<In>({
      pause: () => this.#subscription?.pause(),
      resume: () => this.#subscription?.resume(),
      close: () => this.sink.sink.close(),
    }, { highWaterMark: 1, sizeOf: () => 1 });
    this.sink = new ChannelSinkController<Out>(this);
  }

  /** Once only. */
  checkUndecided(): void {
    if (this.#decided) throw invalidState("Cannot set the channel: it is set already");
  }

  connect(inner: ChannelParts<In, Out>): void {
    let failure: { error: unknown } | null = null;
    this.#subscription = inner.stream.listen((value) => this.stream.add(value), {
      onError: (error) => failure = { error },
      onDone: () => {
        if (failure === null) this.stream.end();
        else this.stream.fail(failure.error);
      },
    });
    this.#decided = true;
    this.#handOver(inner.sink);
    // Not before: what is added meanwhile, in answer to what goes out, waits behind it.
    this.#inner = inner;
    if (this.sink.isClosed) closeQuietly(inner.sink);
    inner.sink.done.then(() => this.#over(null), (error) => this.#over({ error }));
    this.#decision.resolve(inner);
  }

  #handOver(sink: ChannelSink<Out>): void {
    try {
      while (this.#waiting.length > 0) {
        const entry = this.#waiting.shift();
        if ("value" in entry) sink.add(entry.value);
        else sink.addError(entry.error);
      }
    } catch (error) {
      // The value is of the wrong kind, and the call that added it has long returned.
      tellOfError(sink, error);
    }
    this.#waiting.clear();
  }

  #over(failure: { error: unknown } | null): void {
    if (failure === null) this.sink.finish();
    else this.sink.fail(failure.error);
    if (this.sink.isClosed) this.#subscription?.cancel();
  }

  giveUp(error: unknown): void {
    this.#decided = true;
    this.#waiting.clear();
    this.sink.finish(error);
    this.stream.fail(error);
    this.#decision.resolve(null);
  }

  // The sink's target.

  get bufferedAmount(): number {
    return this.#inner === null ? this.#waiting.size : this.#inner.sink.bufferedAmount;
  }

  get hasRoom(): boolean {
    if (this.#inner !== null) return this.#inner.sink.hasRoom;
    return this.#waiting.size < this.#highWaterMark;
  }

  get ready(): Promise<void> {
    if (this.#inner !== null) return this.#inner.sink.ready;
    return this.#decision.promise.then((inner) => inner?.sink.ready);
  }

  flush(): Promise<void> {
    if (this.#inner !== null) return this.#inner.sink.flush();
    if (this.#waiting.size === 0) return FULFILLED;
    return preHandled(this.#flushLater());
  }

  get ending(): string | undefined {
    return this.#inner === null ? undefined : DelegatingChannelSink.endingOf(this.#inner.sink);
  }

  async #flushLater(): Promise<void> {
    const inner = await this.#decision.promise;
    if (inner === null) throw invalidState("Cannot flush: there will be no channel");
    await inner.sink.flush();
  }

  add(value: Out): boolean {
    if (this.#inner !== null) return this.#inner.sink.add(value);
    this.#waiting.push({ value });
    return true;
  }

  addError(error: unknown): void {
    if (this.#inner !== null) this.#inner.sink.addError(error);
    else this.#waiting.push({ error });
  }

  /** Never called: errors are forwarded. */
  abort(): void {}

  close(): void {
    this.stream.discard();
    this.#subscription?.resume();
    if (this.#inner === null) return this.#decided ? undefined : this.#closeEarly();
    if (!closeQuietly(this.#inner.sink)) this.sink.finish();
  }

  /** Whether there will ever be a channel is up to somebody else: `close` doesn't wait for that. */
  #closeEarly(): void {
    this.sink.finish();
    this.#onClose?.();
  }
}
