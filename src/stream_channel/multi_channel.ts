import {
  type ChannelLike,
  type ChannelParts,
  closeQuietly,
  partsOf,
  tellOfError,
} from "./channel_like.ts";
import { type ChannelSink, MessageSink, sinkControl, type SinkTarget } from "./channel_sink.ts";
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
   * The number of bytes pending for the reader of one virtual channel from which the whole connection is
   * paused. Default 64 KiB.
   */
  highWaterMark?: number | undefined;
  /**
   * The approximate maximum number of bytes, in total, that are kept for ids without a virtual channel.
   * Default 1 MiB.
   */
  pendingLimit?: number | undefined;
}

const KINDS: OptionKinds<MultiChannelOptions> = { highWaterMark: "size", pendingLimit: "size" };

/** A virtual channel of a {@linkcode MultiChannel}. */
export interface VirtualChannel<In, Out = In> extends StreamChannel<In, Out> {
  /**
   * The id with which this side sends. Pass it to the other end, which attaches with `virtualChannel(id)`. It
   * is a JSON number.
   */
  readonly id: number;
  /** Creates another virtual channel, or attaches to one. See {@linkcode MultiChannel.virtualChannel}. */
  virtualChannel(id?: number): VirtualChannel<In, Out>;
}

/**
 * Many virtual channels over one channel of arrays, such as one of JSON documents. The other end must be a
 * `MultiChannel`, too, of this package or of Dart. The messages are the same: `[id, value]`, and `[id]` at
 * the end of a virtual channel.
 *
 * `stream` and `sink` belong to the default channel, which is connected from the start. When all virtual
 * channels, including the default one, are closed, the inner channel is closed.
 *
 * The protocol has no credit for each channel, so readers depend on each other:
 *
 * - A virtual channel with more unread messages than `highWaterMark` pauses all channels. Read each channel,
 *   or cancel its subscription to drop its messages.
 * - Messages for ids without a virtual channel are kept, and never pause anything. An id whose message
 *   exceeds `pendingLimit` is closed.
 *
 * A message other than `[id, …]` makes the default stream fail and closes the inner channel.
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
  /** The incoming messages of the default channel. */
  readonly stream: ChannelStream<In>;
  /** Sends messages on the default channel. */
  readonly sink: ChannelSink<Out>;

  readonly #inner: ChannelParts<unknown, unknown>;
  /** The open channels by the id of their incoming messages. */
  readonly #live = new Map<number, Virtual<In, Out>>();
  readonly #pending: PendingMessages;
  readonly #closed = new ClosedIds();
  readonly #subscription: StreamSubscription;
  readonly #events: VirtualEvents<In, Out>;
  #nextId = 1;
  /** The number of virtual channels that pause the inner stream. */
  #pauses = 0;
  #failure: Failure | null = null;
  #isOver = false;
  /** Whether nothing more can be sent or awaited. */
  #isSinkOver = false;

  /**
   * Creates virtual channels over a channel.
   *
   * @param inner A channel of arrays. The multi-channel takes its right to read.
   * @param options The limits of unread messages.
   * @throws {DOMException} `InvalidStateError` if the channel's stream has a reader.
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
   * Creates a virtual channel, or attaches to one that the other end has created.
   *
   * If the inner channel has ended, the new channel's stream ends and its sink drops values.
   *
   * @param id The `id` of the other end's virtual channel. Without it, a new channel is created, whose `id`
   * the other end needs.
   * @returns The virtual channel.
   * @throws {RangeError} If `id` isn't an id, is already attached, or was closed.
   */
  virtualChannel(id?: number): VirtualChannel<In, Out> {
    return new VirtualFace(this, this.#open(id));
  }

  /**
   * Opens a virtual channel. Each side numbers its channels 1, 3, 5, …, and answers use the id plus one, so
   * both can choose ids on their own.
   */
  #open(id: number | undefined): Virtual<In, Out> {
    if (id !== undefined && !isId(id)) {
      throw new RangeError(`Cannot attach: the id must be a whole number from 0, got ${id}`);
    }
    const inputId = id ?? this.#newInputId();
    const outputId = id === undefined ? inputId - 1 : id + 1;
    if (!this.#isOver && this.#isTaken(inputId)) {
      throw new RangeError(`Cannot attach: the id ${inputId} is already used, or was before`);
    }
    const virtual = this.#create(inputId, outputId);
    if (this.#isOver) virtual.end(null);
    else this.#handOver(virtual);
    if (this.#isSinkOver) sinkControl.finish(virtual.sink);
    return virtual;
  }

  #isTaken(inputId: number): boolean {
    return this.#live.has(inputId) || this.#closed.has(inputId);
  }

  #newInputId(): number {
    let inputId = this.#nextId + 1;
    // Skips whole ranges, because a peer can close very many ids.
    while (this.#isTaken(inputId)) inputId = this.#closed.next(inputId + 2);
    if (!isId(inputId)) throw new RangeError("Cannot create a virtual channel: no id is left");
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
      const error = new TypeError("Cannot receive: the message must be [id, value] or [id]");
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

  /** Keeps a message for an id without a virtual channel. Drops it if the id was closed. */
  #keep(id: number, message: Envelope): void {
    if (this.#closed.has(id)) return;
    if (this.#pending.add(id, message)) return;
    this.#closed.add(id);
    this.#tell(id % 2 === 0 ? id - 1 : id + 1);
    this.#waitForRoom();
    this.#closeIfEmpty();
  }

  /** Stops reading from a peer that causes answers but doesn't read them. */
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

  /** Closes a virtual channel for the user. */
  #close(virtual: Virtual<In, Out>): void {
    this.#remove(virtual);
    this.#closeIfEmpty();
    if (!this.#isOver || this.#isSinkOver) return sinkControl.finish(virtual.sink);
    const finish = (): void => sinkControl.finish(virtual.sink);
    this.#inner.sink.done.then(finish, finish);
  }

  /** Removes a virtual channel, and notifies the peer. */
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
      // Other code has closed the inner sink, which the peer notices.
    }
  }

  #closeIfEmpty(): void {
    if (this.#live.size === 0 && this.#pending.count === 0) this.#end();
  }

  /** Ends everything: the inner channel has ended, or the last virtual channel was closed. */
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

  /** Ends everything after the inner sink has failed: no more answers can arrive. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#isSinkOver = true;
    for (const virtual of this.#live.values()) sinkControl.fail(virtual.sink, error);
    this.#end();
    this.#subscription.cancel();
  }

  /**
   * The inner sink is done. The rest of the inner stream no longer waits for the slowest reader, so that all
   * readers are notified of the end.
   */
  #finish(): void {
    this.#isSinkOver = true;
    for (const virtual of this.#live.values()) sinkControl.finish(virtual.sink);
    if (this.#isOver) this.#subscription.cancel();
    else this.#subscription.resume();
  }

  // Backpressure.

  /** Pauses the inner stream for a virtual channel with too many unread messages. */
  #pause(): void {
    if (this.#pauses++ === 0 && !this.#isSinkOver) this.#subscription.pause();
  }

  /** Resumes the inner stream if no virtual channel pauses it any more. */
  #resume(): void {
    if (--this.#pauses === 0) this.#subscription.resume();
  }
}

/** The shared values and the events of the {@linkcode Virtual}s of a MultiChannel. */
interface VirtualEvents<In, Out> {
  readonly inner: ChannelSink<unknown>;
  readonly highWaterMark: number | undefined;
  /** The channel has too many unread messages. */
  onFull(): void;
  /** The channel has room again, or is detached. */
  onRoom(): void;
  /** The user closes the channel. */
  onClose(virtual: Virtual<In, Out>): void;
}

/** The implementation of a virtual channel. */
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

  /** Detaches the channel: its unread messages no longer pause the others. */
  detach(): void {
    if (this.#detached) return;
    this.#detached = true;
    if (streamFeed.isPaused(this.stream)) this.#events.onRoom();
  }

  /** Ends the channel, because the peer has closed it or the inner channel has ended. */
  end(failure: Failure | null): void {
    this.detach();
    sinkControl.finish(this.sink);
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
    sinkControl.fail(this.sink, error);
    this.close();
  }
}

/** The public object of a {@linkcode Virtual}. */
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
