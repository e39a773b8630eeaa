/** What a MultiChannel does: ids, messages, and who waits for whom. */

import { type ChannelParts, closeQuietly, tellOfError } from "./channel_like.ts";
import type { ChannelSink, InnerSink, SinkTarget } from "./channel_sink.ts";
import { DelegatingChannelSink } from "./delegating_sink.ts";
import { ChannelSinkController } from "./sink_controller.ts";
import type { ChannelStream, StreamSubscription } from "./channel_stream.ts";
import { ChannelStreamController } from "./stream_controller.ts";
import { ClosedIds } from "./closed_ids.ts";
import { INVALID_PAYLOAD_DATA } from "./errors.ts";
import { PendingMessages } from "./pending_messages.ts";

/** Options of a {@linkcode Multiplexer}. */
export interface MultiplexerOptions {
  /** See `MultiChannelOptions`. */
  readonly highWaterMark?: number | undefined;
  /** See `MultiChannelOptions`. */
  readonly pendingLimit?: number | undefined;
}

/** One virtual channel. */
export interface VirtualParts<In, Out> extends ChannelParts<In, Out> {
  /** The id that is sent with what is added. */
  readonly outputId: number;
}

interface Failure {
  readonly error: unknown;
}

/**
 * Sends and receives `[id, value]` and `[id]`. Each side numbers the channels it makes 1, 3, 5, …;
 * what answers comes on the id plus one, so both can number without asking.
 */
export class Multiplexer<In, Out> {
  /** The default channel, id 0 both ways. */
  readonly main: VirtualParts<In, Out>;

  readonly #inner: ChannelParts<unknown, unknown>;
  readonly #highWaterMark: number | undefined;
  readonly #live = new Map<number, Virtual<In, Out>>();
  readonly #pending: PendingMessages;
  readonly #closed = new ClosedIds();
  readonly #subscription: StreamSubscription;
  #nextId = 1;
  /** How many virtual channels hold the inner stream up. */
  #pauses = 0;
  #failure: Failure | null = null;
  #isOver = false;
  /** Nothing can be sent any more, nor anything be waited for. */
  #isSinkOver = false;

  /** Listens to the inner channel. */
  constructor(inner: ChannelParts<unknown, unknown>, options: MultiplexerOptions) {
    this.#inner = inner;
    this.#highWaterMark = options.highWaterMark;
    this.#pending = new PendingMessages(options.pendingLimit);
    this.main = this.#add(0, 0);
    this.#subscription = inner.stream.listen((message) => this.#receive(message), {
      onError: (error) => this.#failure = { error },
      onDone: () => this.#end(),
    });
    inner.sink.done.then(() => this.#finish(), (error) => this.#fail(error));
  }

  /** The sink that all virtual channels share. */
  get sink(): ChannelSink<unknown> {
    return this.#inner.sink;
  }

  /** See `MultiChannel.virtualChannel`. */
  open(id: number | undefined): VirtualParts<In, Out> {
    if (id !== undefined && !isId(id)) throw new RangeError(`Cannot attach: ${id} is no id`);
    const inputId = id ?? this.#newInputId();
    const outputId = id === undefined ? inputId - 1 : id + 1;
    if (this.#isOver) return this.#ended(inputId, outputId);
    if (this.#isTaken(inputId)) {
      throw new RangeError(`Cannot attach: there is or was a virtual channel ${inputId}`);
    }
    const virtual = this.#add(inputId, outputId);
    this.#handOver(virtual);
    if (this.#isSinkOver) virtual.finish();
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

  #add(inputId: number, outputId: number): Virtual<In, Out> {
    const virtual = new Virtual<In, Out>(this, inputId, outputId, this.#highWaterMark);
    this.#live.set(inputId, virtual);
    return virtual;
  }

  #ended(inputId: number, outputId: number): Virtual<In, Out> {
    const virtual = new Virtual<In, Out>(this, inputId, outputId, this.#highWaterMark);
    virtual.detach();
    virtual.end(null);
    return virtual;
  }

  /** What has come for an id before somebody attached to it. */
  #handOver(virtual: Virtual<In, Out>): void {
    const pending = this.#pending.take(virtual.inputId);
    if (pending === undefined) return;
    for (const value of pending.values) virtual.receive(value as In);
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
    else if (message.length > 1) virtual.receive(message[1] as In);
    else this.#closedByPeer(virtual);
  }

  /** Nobody has attached to the id, or nobody is there any more. */
  #keep(id: number, message: Envelope): void {
    if (this.#closed.has(id)) return;
    if (this.#pending.add(id, message)) return;
    this.#closed.add(id);
    this.#tell(id % 2 === 0 ? id - 1 : id + 1);
    this.#waitForRoom();
    this.#closeIfEmpty();
  }

  /** A peer that makes us answer without end, and doesn't read the answers, has to wait itself. */
  #waitForRoom(): void {
    if (this.sink.hasRoom) return;
    this.pause();
    this.sink.ready.then(() => this.resume());
  }

  #closedByPeer(virtual: Virtual<In, Out>): void {
    this.#remove(virtual);
    this.#closeIfEmpty();
    virtual.end(null);
  }

  // Ending.

  /** The user closes a virtual channel. */
  close(virtual: Virtual<In, Out>): void {
    this.#remove(virtual);
    this.#closeIfEmpty();
    if (!this.#isOver || this.#isSinkOver) return virtual.finish();
    const finish = (): void => virtual.finish();
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
      this.sink.add([outputId]);
    } catch {
      // The inner sink was closed by somebody else: the peer is told so.
    }
  }

  #closeIfEmpty(): void {
    if (this.#live.size === 0 && this.#pending.count === 0) this.#end();
  }

  /** All is over: the inner channel has ended, or nobody needs it any more. */
  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!closeQuietly(this.#inner.sink)) this.#isSinkOver = true;
    this.#pending.clear();
    this.#subscription.resume();
    const live = [...this.#live.values()];
    this.#live.clear();
    for (const virtual of live) {
      virtual.detach();
      virtual.end(virtual.inputId === 0 ? this.#failure : null);
    }
  }

  /** The inner sink has failed: no answer can arrive any more. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#isSinkOver = true;
    for (const virtual of this.#live.values()) virtual.failSink(error);
    this.#end();
    this.#subscription.cancel();
  }

  /**
   * The inner sink is done. What is left of the inner stream no longer waits for the slowest reader:
   * all have to be told the end.
   */
  #finish(): void {
    this.#isSinkOver = true;
    for (const virtual of this.#live.values()) virtual.finish();
    if (this.#isOver) this.#subscription.cancel();
    else this.#subscription.resume();
  }

  // Backpressure.

  /** A virtual channel has more waiting than it should. */
  pause(): void {
    if (this.#pauses++ === 0 && !this.#isSinkOver) this.#subscription.pause();
  }

  /** A virtual channel has room again, or is gone. */
  resume(): void {
    if (--this.#pauses === 0) this.#subscription.resume();
  }
}

/** One virtual channel, as its multiplexer sees it. */
class Virtual<In, Out> implements SinkTarget<Out>, VirtualParts<In, Out> {
  readonly stream: ChannelStream<In>;
  readonly sink: ChannelSink<Out>;
  readonly inputId: number;
  readonly outputId: number;
  readonly #owner: Multiplexer<In, Out>;
  readonly #stream: ChannelStreamController<In>;
  readonly #sink: ChannelSinkController<Out>;
  /** What happens to its stream is no concern of the owner's. */
  #detached = false;

  constructor(
    owner: Multiplexer<In, Out>,
    inputId: number,
    outputId: number,
    highWaterMark: number | undefined,
  ) {
    this.#owner = owner;
    this.inputId = inputId;
    this.outputId = outputId;
    this.#stream = new ChannelStreamController<In>({
      pause: () => this.#detached || owner.pause(),
      resume: () => this.#detached || owner.resume(),
      close: () => this.sink.close(),
    }, { highWaterMark });
    this.#sink = new ChannelSinkController<Out>(this);
    this.stream = this.#stream.stream;
    this.sink = this.#sink.sink;
  }

  /** It counts no more: it doesn't hold the inner stream up. */
  detach(): void {
    if (this.#detached) return;
    this.#detached = true;
    if (this.#stream.isPaused) this.#owner.resume();
  }

  receive(value: In): void {
    this.#stream.add(value);
  }

  /** It has ended: by the peer, or with the inner channel. */
  end(failure: Failure | null): void {
    this.finish();
    if (failure === null) this.#stream.end();
    else this.#stream.fail(failure.error);
  }

  /** Nothing goes any more. */
  finish(): void {
    this.#sink.finish();
  }

  /** Nothing goes any more, because of an error. */
  failSink(error: unknown): void {
    this.#sink.fail(error);
  }

  // The sink's target.

  get inner(): InnerSink {
    return this.#owner.sink;
  }

  get ending(): string | undefined {
    return DelegatingChannelSink.endingOf(this.#owner.sink);
  }

  add(value: Out): boolean {
    return this.#owner.sink.add([this.outputId, value]);
  }

  close(): void {
    this.#owner.close(this);
    this.#stream.discard();
  }

  abort(error: unknown): void {
    this.#sink.fail(error);
    this.close();
  }
}

type Envelope = readonly [id: number, ...value: unknown[]];

function isEnvelope(message: unknown): message is Envelope {
  return Array.isArray(message) && typeof message[0] === "number" && isId(Math.trunc(message[0]));
}

function isId(id: number): boolean {
  return id >= 0 && Number.isSafeInteger(id + 1);
}
