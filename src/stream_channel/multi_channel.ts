import {
  type ChannelLike,
  type ChannelParts,
  closeQuietly,
  partsOf,
  tellOfError,
} from "./channel_like.ts";
import { type ChannelSink, MessageSink, sinkOwner, type SinkTarget } from "./channel_sink.ts";
import {
  type ChannelStream,
  type Failure,
  MessageStream,
  streamFeed,
  type StreamSubscription,
} from "./channel_stream.ts";
import { INVALID_PAYLOAD_DATA } from "./errors.ts";
import { type OptionKinds, readOptions } from "./options.ts";
import { ClosedIds, PendingMessages } from "./virtual_ids.ts";
import { sizeOf } from "./counted_queue.ts";
import { type StreamChannel, StreamChannelBase } from "./stream_channel.ts";

/** Options of a {@linkcode MultiChannel}. */
export interface MultiChannelOptions {
  /**
   * How many bytes may wait for the reader of one virtual channel before the whole connection is
   * paused. Default 64 KiB.
   */
  highWaterMark?: number | undefined;
  /**
   * How many bytes, about, may wait in all for ids without a virtual channel. Default 1 MiB.
   */
  pendingLimit?: number | undefined;
}

const KINDS: OptionKinds<MultiChannelOptions> = { highWaterMark: "size", pendingLimit: "size" };

/** One of the many channels of a {@linkcode MultiChannel}. */
export interface VirtualChannel<In, Out = In> extends StreamChannel<In, Out> {
  /**
   * What this side sends with: the id to hand to the other end, so that it can attach with
   * `virtualChannel(id)`. It is JSON-serializable.
   */
  readonly id: number;
  /** See {@linkcode MultiChannel.virtualChannel}. */
  virtualChannel(id?: number): VirtualChannel<In, Out>;
}

/**
 * Many virtual channels over one channel of arrays, such as one of JSON documents. The other end has
 * to be a MultiChannel too, this one or Dart's: the messages are the same, `[id, value]` and, at the
 * end of a virtual channel, `[id]`.
 *
 * `stream` and `sink` are the default channel's, which is connected from the start. When the last
 * virtual channel, the default one included, is closed, the inner channel is closed.
 *
 * The wire has no credit for each channel, so readers depend on each other:
 *
 * - a virtual channel whose messages wait beyond `highWaterMark` pauses all: read each channel, or
 *   cancel its subscription, and its messages are dropped;
 * - messages for ids without a virtual channel wait, and never pause anything; the id whose message
 *   exceeds `pendingLimit` is closed.
 *
 * A message that is no `[id, …]` makes the default stream fail and closes the inner channel.
 *
 * @example
 * ```ts
 * import { channelPair, jsonDocument, MultiChannel } from "@web-socket/channel/stream-channel";
 *
 * const { local, foreign } = channelPair<string>();
 * const here = new MultiChannel<string>(local.transform(jsonDocument));
 * const there = new MultiChannel<string>(foreign.transform(jsonDocument));
 *
 * const question = here.virtualChannel();
 * question.sink.add("What is it?");
 * const answer = there.virtualChannel(question.id);
 * console.log((await answer.stream.next()).value); // What is it?
 * await here.sink.close();
 * await question.sink.close(); // the last one: closes the inner channel
 * ```
 */
export class MultiChannel<In, Out = In> extends StreamChannelBase<In, Out> {
  /** The messages received on the default channel. */
  readonly stream: ChannelStream<In>;
  /** Sends on the default channel. */
  readonly sink: ChannelSink<Out>;

  readonly #inner: ChannelParts<unknown, unknown>;
  /** By the id on which their messages come. */
  readonly #live = new Map<number, Virtual<In, Out>>();
  readonly #pending: PendingMessages;
  readonly #closed = new ClosedIds();
  readonly #subscription: StreamSubscription;
  readonly #events: VirtualEvents<In, Out>;
  #nextId = 1;
  /** How many virtual channels hold the inner stream up. */
  #pauses = 0;
  #failure: Failure | null = null;
  #isOver = false;
  /** Nothing can be sent any more, nor anything be waited for. */
  #isSinkOver = false;

  /**
   * Takes over a channel.
   *
   * @param inner A channel of arrays. Its right to read is taken.
   * @param options See {@linkcode MultiChannelOptions}.
   * @throws {DOMException} `InvalidStateError` when the channel's stream has a reader.
   */
  constructor(inner: ChannelLike<unknown, unknown>, options?: MultiChannelOptions) {
    super();
    const { highWaterMark, pendingLimit } = readOptions(options, KINDS);
    this.#inner = partsOf(inner);
    this.#events = {
      inner: this.#inner.sink,
      highWaterMark,
      onFull: () => this.#pause(),
      onRoom: () => this.#resume(),
      onClose: (virtual) => this.#close(virtual),
    };
    this.#pending = new PendingMessages(pendingLimit);
    const main = this.#create(0, 0);
    this.stream = main.stream;
    this.sink = main.sink;
    this.#subscription = this.#inner.stream.listen((message) => this.#receive(message), {
      onError: (error) => this.#failure = { error },
      onDone: () => this.#end(),
    });
    this.#inner.sink.done.then(() => this.#finish(), (error) => this.#fail(error));
  }

  /**
   * Makes a virtual channel, or attaches to one that the other end has made.
   *
   * If the inner channel has ended, its stream ends and its sink drops values.
   *
   * @param id The `id` of the other end's virtual channel. Left out: makes a new one, whose `id` the
   * other end needs.
   * @returns The virtual channel.
   * @throws {RangeError} When `id` is no id, is attached to already, or was closed.
   */
  virtualChannel(id?: number): VirtualChannel<In, Out> {
    return new VirtualFace(this, this.#open(id));
  }

  /**
   * Each side numbers the channels it makes 1, 3, 5, …; what answers comes on the id plus one, so both
   * can number without asking.
   */
  #open(id: number | undefined): Virtual<In, Out> {
    if (id !== undefined && !isId(id)) throw new RangeError(`Cannot attach: ${id} is no id`);
    const inputId = id ?? this.#newInputId();
    const outputId = id === undefined ? inputId - 1 : id + 1;
    if (!this.#isOver && this.#isTaken(inputId)) {
      throw new RangeError(`Cannot attach: there is or was a virtual channel ${inputId}`);
    }
    const virtual = this.#create(inputId, outputId);
    if (this.#isOver) virtual.end(null);
    else this.#handOver(virtual);
    if (this.#isSinkOver) sinkOwner.finish(virtual.sink);
    return virtual;
  }

  #isTaken(inputId: number): boolean {
    return this.#live.has(inputId) || this.#closed.has(inputId);
  }

  #newInputId(): number {
    let inputId = this.#nextId + 1;
    // By ranges: a peer can make very many ids count as closed.
    while (this.#isTaken(inputId)) inputId = this.#closed.next(inputId + 2);
    if (!isId(inputId)) throw new RangeError("Cannot make a virtual channel: no id is left");
    this.#nextId = inputId + 1;
    return inputId;
  }

  #create(inputId: number, outputId: number): Virtual<In, Out> {
    const virtual = new Virtual<In, Out>(this.#events, inputId, outputId);
    if (!this.#isOver) this.#live.set(inputId, virtual);
    return virtual;
  }

  /** Delivers the messages that arrived before the channel was attached. */
  #handOver(virtual: Virtual<In, Out>): void {
    const pending = this.#pending.take(virtual.inputId);
    if (pending === undefined) return;
    for (const value of pending.values) streamFeed.add(virtual.stream, value as In);
    if (pending.closed) this.#closedByPeer(virtual);
  }

  // Receiving.

  #receive(message: unknown): void {
    if (this.#isOver) return;
    if (!isEnvelope(message)) {
      const error = new TypeError("Cannot receive: the message is no [id, …]");
      this.#failure = { error: Object.assign(error, { closeCode: INVALID_PAYLOAD_DATA }) };
      tellOfError(this.#inner.sink, error);
      return this.#end();
    }
    const id = Math.trunc(message[0]);
    const virtual = this.#live.get(id);
    if (virtual === undefined) this.#keep(id, message);
    else if (message.length > 1) streamFeed.add(virtual.stream, message[1] as In);
    else this.#closedByPeer(virtual);
  }

  /** Keeps a message for an id without a virtual channel, unless the id was closed. */
  #keep(id: number, message: Envelope): void {
    if (this.#closed.has(id)) return;
    if (this.#pending.add(id, message)) return;
    this.#closed.add(id);
    this.#tell(id % 2 === 0 ? id - 1 : id + 1);
    this.#waitForRoom();
    this.#closeIfEmpty();
  }

  /** Stops reading from a peer that causes answers and doesn't read them. */
  #waitForRoom(): void {
    if (this.#inner.sink.hasRoom) return;
    this.#pause();
    this.#inner.sink.ready.then(() => this.#resume());
  }

  #closedByPeer(virtual: Virtual<In, Out>): void {
    this.#remove(virtual);
    this.#closeIfEmpty();
    virtual.end(null);
  }

  // Ending.

  /** The user closes a virtual channel. */
  #close(virtual: Virtual<In, Out>): void {
    this.#remove(virtual);
    this.#closeIfEmpty();
    if (!this.#isOver || this.#isSinkOver) return sinkOwner.finish(virtual.sink);
    const finish = (): void => sinkOwner.finish(virtual.sink);
    this.#inner.sink.done.then(finish, finish);
  }

  /** Takes a virtual channel out, and tells the peer. */
  #remove(virtual: Virtual<In, Out>): void {
    if (!this.#live.delete(virtual.inputId)) return;
    this.#closed.add(virtual.inputId);
    virtual.detach();
    this.#tell(virtual.outputId);
  }

  #tell(outputId: number): void {
    try {
      this.#inner.sink.add([outputId]);
    } catch {
      // Other code has closed the inner sink: the peer notices that.
    }
  }

  #closeIfEmpty(): void {
    if (this.#live.size === 0 && this.#pending.count === 0) this.#end();
  }

  /** The inner channel has ended, or the last virtual channel was closed. */
  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!closeQuietly(this.#inner.sink)) this.#isSinkOver = true;
    this.#pending.clear();
    this.#subscription.resume();
    const live = [...this.#live.values()];
    this.#live.clear();
    for (const virtual of live) virtual.end(virtual.inputId === 0 ? this.#failure : null);
  }

  /** The inner sink has failed: no answer can arrive any more. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#isSinkOver = true;
    for (const virtual of this.#live.values()) sinkOwner.fail(virtual.sink, error);
    this.#end();
    this.#subscription.cancel();
  }

  /**
   * The inner sink is done. What is left of the inner stream no longer waits for the slowest reader:
   * all have to be notified of the end.
   */
  #finish(): void {
    this.#isSinkOver = true;
    for (const virtual of this.#live.values()) sinkOwner.finish(virtual.sink);
    if (this.#isOver) this.#subscription.cancel();
    else this.#subscription.resume();
  }

  // Backpressure.

  /** A virtual channel has more waiting than it should. */
  #pause(): void {
    if (this.#pauses++ === 0 && !this.#isSinkOver) this.#subscription.pause();
  }

  /** A virtual channel has room again, or is gone. */
  #resume(): void {
    if (--this.#pauses === 0) this.#subscription.resume();
  }
}

/** What the {@linkcode Virtual}s of a MultiChannel share, and what they report. */
interface VirtualEvents<In, Out> {
  readonly inner: ChannelSink<unknown>;
  readonly highWaterMark: number | undefined;
  /** It has more waiting than it should. */
  onFull(): void;
  /** It has room again, or doesn't count any more. */
  onRoom(): void;
  /** The user closes it. */
  onClose(virtual: Virtual<In, Out>): void;
}

/** One virtual channel, as its {@linkcode MultiChannel} sees it. */
class Virtual<In, Out> implements SinkTarget<Out> {
  readonly stream: MessageStream<In>;
  readonly sink: MessageSink<Out>;
  readonly inner: ChannelSink<unknown>;
  readonly inputId: number;
  readonly outputId: number;
  readonly #events: VirtualEvents<In, Out>;
  #detached = false;

  constructor(events: VirtualEvents<In, Out>, inputId: number, outputId: number) {
    this.#events = events;
    this.inner = events.inner;
    this.inputId = inputId;
    this.outputId = outputId;
    this.stream = new MessageStream<In>({
      pause: () => this.#detached || events.onFull(),
      resume: () => this.#detached || events.onRoom(),
      close: () => this.sink.close(),
    }, { highWaterMark: events.highWaterMark, sizeOf });
    this.sink = new MessageSink<Out>(this);
  }

  /** It counts no more: what happens to its stream is no concern of the others. */
  detach(): void {
    if (this.#detached) return;
    this.#detached = true;
    if (streamFeed.isPaused(this.stream)) this.#events.onRoom();
  }

  /** It has ended: by the peer, or with the inner channel. */
  end(failure: Failure | null): void {
    this.detach();
    sinkOwner.finish(this.sink);
    if (failure === null) streamFeed.end(this.stream);
    else streamFeed.fail(this.stream, failure.error);
  }

  add(value: Out): boolean {
    return this.inner.add([this.outputId, value]);
  }

  close(): void {
    this.#events.onClose(this);
    streamFeed.discard(this.stream);
  }

  abort(error: unknown): void {
    sinkOwner.fail(this.sink, error);
    this.close();
  }
}

/** What users hold of a {@linkcode Virtual}. */
class VirtualFace<In, Out> extends StreamChannelBase<In, Out> implements VirtualChannel<In, Out> {
  readonly id: number;
  readonly stream: ChannelStream<In>;
  readonly sink: ChannelSink<Out>;
  readonly #parent: MultiChannel<In, Out>;

  constructor(parent: MultiChannel<In, Out>, { outputId, stream, sink }: Virtual<In, Out>) {
    super();
    this.#parent = parent;
    this.id = outputId;
    this.stream = stream;
    this.sink = sink;
  }

  virtualChannel(id?: number): VirtualChannel<In, Out> {
    return this.#parent.virtualChannel(id);
  }
}

type Envelope = readonly [id: number, ...value: unknown[]];

function isEnvelope(message: unknown): message is Envelope {
  return Array.isArray(message) && typeof message[0] === "number" && isId(Math.trunc(message[0]));
}

function isId(id: number): boolean {
  return id >= 0 && Number.isSafeInteger(id + 1);
}
