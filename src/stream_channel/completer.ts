import { adopted } from "../realm/kinds.ts";
import { type ChannelLike, closeQuietly, partsOf, tellOfError } from "./channel_like.ts";
import type { ChannelSink } from "./channel_sink.ts";
import { CountedQueue, DEFAULT_HIGH_WATER_MARK, sizeOf } from "./counted_queue.ts";
import { callSafely, Deferred, FULFILLED, invalidState, preHandled } from "./errors.ts";
import { type OptionKinds, readOptions } from "./options.ts";
import { Relay, type RelaySink } from "./relay.ts";
import { DelegatingStreamChannel, type StreamChannel } from "./stream_channel.ts";

/** Options of a {@linkcode StreamChannelCompleter}. */
export interface StreamChannelCompleterOptions {
  /** The number of bytes pending for the channel from which `sink.ready` waits. Default 64 KiB. */
  highWaterMark?: number | undefined;
  /**
   * Called when the user closes the channel before it is connected. It isn't needed any more, except to send
   * messages that were added before: they still wait for `setChannel`.
   */
  onClose?: (() => void) | undefined;
}

const KINDS: OptionKinds<StreamChannelCompleterOptions> = {
  highWaterMark: "size",
  onClose: "function",
};

/** A value or an error that was added before there was a channel. */
type Waiting<T> = { value: T } | { error: unknown };

/**
 * A channel that can be used before it exists. Added values wait, and nothing is received, until
 * {@linkcode setChannel} connects it or {@linkcode setError} fails it. A `close()` before that settles at
 * once; values that were added before are still sent when there is a channel. Corresponds to Dart's
 * `StreamChannelCompleter`.
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
  /** The channel to use. */
  readonly channel: StreamChannel<In, Out>;
  readonly #early: EarlySink<Out>;
  readonly #relay: Relay<In, Out>;
  #decided = false;

  /**
   * Creates a channel that is not connected.
   *
   * @param options The high-water mark and a callback for `close`.
   */
  constructor(options?: StreamChannelCompleterOptions) {
    this.#early = new EarlySink<Out>(readOptions(options, KINDS));
    this.#relay = new Relay<In, Out>(this.#early);
    this.channel = new DelegatingStreamChannel(this.#relay);
  }

  /**
   * Connects {@linkcode channel}: pending values are sent in order, then a pending `close`.
   *
   * @param channel The real channel. The completer takes its right to read.
   * @throws {DOMException} `InvalidStateError` if this or {@linkcode setError} was called before, or the
   * channel's stream has a reader.
   */
  setChannel(channel: ChannelLike<In, Out>): void {
    this.#checkUndecided();
    const parts = partsOf(channel);
    this.#relay.connect(parts, () => {
      this.#decided = true;
      this.#early.handOver(parts.sink);
    });
  }

  /**
   * Reports that there will be no channel: the stream fails with `error`, and the sink drops all values and
   * is done.
   *
   * @param error Why there will be no channel.
   * @throws {DOMException} `InvalidStateError` if this or {@linkcode setChannel} was called before.
   */
  setError(error: unknown): void {
    this.#checkUndecided();
    this.#giveUp(error);
  }

  #giveUp(error: unknown): void {
    this.#decided = true;
    this.#early.giveUp();
    this.#relay.giveUp(error);
  }

  #checkUndecided(): void {
    if (this.#decided) {
      throw invalidState("Cannot set the channel: the completer already has a channel or an error");
    }
  }

  /**
   * Returns a channel that connects when `promise` fulfils, and fails when it rejects.
   *
   * @param promise A promise of the real channel.
   * @param options The high-water mark and a callback for `close`.
   * @returns The channel, which can be used at once.
   */
  static fromPromise<In, Out>(
    promise: PromiseLike<ChannelLike<In, Out>>,
    options?: StreamChannelCompleterOptions,
  ): StreamChannel<In, Out> {
    const completer = new StreamChannelCompleter<In, Out>(options);
    adopted(promise).then((channel) => completer.setChannel(channel)).catch((error) => {
      completer.#giveUp(error);
    });
    return completer.channel;
  }
}

/** Keeps added values until there is a channel. */
class EarlySink<T> implements RelaySink<T> {
  readonly #highWaterMark: number;
  readonly #onClose: (() => void) | undefined;
  readonly #waiting: CountedQueue<Waiting<T>>;
  #isClosed = false;
  /** Fulfils with the inner sink, or with null if there will be none. Created on demand. */
  #decision: Deferred<ChannelSink<T> | null> | null = null;

  constructor(options: StreamChannelCompleterOptions) {
    this.#highWaterMark = options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK;
    const sizeOfWaiting = (it: Waiting<T>, enough: number): number =>
      "value" in it ? sizeOf(it.value, enough) : 0;
    this.#waiting = new CountedQueue<Waiting<T>>(sizeOfWaiting, this.#highWaterMark);
    this.#onClose = options.onClose;
  }

  get bufferedAmount(): number {
    return this.#waiting.size;
  }

  get hasRoom(): boolean {
    return this.#waiting.size < this.#highWaterMark;
  }

  get ready(): Promise<void> {
    return this.#decided().then((inner) => inner?.ready);
  }

  #decided(): Promise<ChannelSink<T> | null> {
    return (this.#decision ??= new Deferred<ChannelSink<T> | null>()).promise;
  }

  flush(): Promise<void> {
    return this.#waiting.size === 0 ? FULFILLED : preHandled(this.#flushLater());
  }

  async #flushLater(): Promise<void> {
    const inner = await this.#decided();
    if (inner === null) throw invalidState("Cannot flush: there will be no channel");
    await inner.flush();
  }

  add(value: T): boolean {
    this.#waiting.push({ value });
    return true;
  }

  addError(error: unknown): void {
    this.#waiting.push({ error });
  }

  /** Closes the sink. It doesn't wait for the channel, which may never exist. */
  close(): Promise<void> {
    this.#isClosed = true;
    callSafely(this.#onClose, undefined);
    return FULFILLED;
  }

  /** Passes all values to the channel's sink. */
  handOver(sink: ChannelSink<T>): void {
    try {
      while (this.#waiting.length > 0) {
        const entry = this.#waiting.shift();
        if ("value" in entry) sink.add(entry.value);
        else sink.addError(entry.error);
      }
    } catch (error) {
      // The value is of the wrong kind, and the call that added it has already returned.
      tellOfError(sink, error);
    }
    this.#waiting.clear();
    if (this.#isClosed) closeQuietly(sink);
    this.#decision?.resolve(sink);
  }

  /** Drops all values, because there will be no channel. */
  giveUp(): void {
    this.#waiting.clear();
    this.#decision?.resolve(null);
  }
}
