import { type ChannelLike, partsOf } from "./channel_like.ts";
import type { ChannelSink } from "./channel_sink.ts";
import type { ChannelStream } from "./channel_stream.ts";
import { Multiplexer, type VirtualParts } from "./multiplexer.ts";
import { type OptionKinds, readOptions } from "./options.ts";
import { StreamChannelBase } from "./stream_channel.ts";
import type { StreamChannel } from "./stream_channel.ts";

/** Options of a {@linkcode MultiChannel}. */
export interface MultiChannelOptions {
  /**
   * How many bytes may wait for the reader of one virtual channel before the whole connection is
   * paused. Default 64 KiB.
   */
  highWaterMark?: number | undefined;
  /**
   * How many bytes, about, may wait in all for ids that nobody has attached to. Default 1 MiB.
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
 *   cancel its subscription, and what comes for it is discarded;
 * - messages for ids that nobody has attached to wait, and never pause anything; beyond
 *   `pendingLimit` in all the id whose message was too much is closed.
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
  /** What comes on the default channel. */
  readonly stream: ChannelStream<In>;
  /** What goes on the default channel. */
  readonly sink: ChannelSink<Out>;
  readonly #multiplexer: Multiplexer<In, Out>;

  /**
   * Takes over a channel.
   *
   * @param inner A channel of arrays. Its right to read is taken.
   * @param options See {@linkcode MultiChannelOptions}.
   * @throws {DOMException} `InvalidStateError` when the channel's stream has a reader.
   */
  constructor(inner: ChannelLike<unknown, unknown>, options?: MultiChannelOptions) {
    super();
    const read = readOptions(options, KINDS);
    this.#multiplexer = new Multiplexer<In, Out>(partsOf(inner), read);
    const { stream, sink } = this.#multiplexer.main;
    this.stream = stream;
    this.sink = sink;
  }

  /**
   * Makes a virtual channel, or attaches to one that the other end has made.
   *
   * When the inner channel is over it is over as well: its stream ends, its sink drops.
   *
   * @param id The `id` of the other end's virtual channel. Left out: makes a new one, whose `id` is
   * to be told to the other end.
   * @returns The virtual channel.
   * @throws {RangeError} When `id` is no id, is attached to already, or was closed.
   */
  virtualChannel(id?: number): VirtualChannel<In, Out> {
    return new Virtual(this, this.#multiplexer.open(id));
  }
}

class Virtual<In, Out> extends StreamChannelBase<In, Out> implements VirtualChannel<In, Out> {
  readonly id: number;
  readonly stream: ChannelStream<In>;
  readonly sink: ChannelSink<Out>;
  readonly #parent: MultiChannel<In, Out>;

  constructor(parent: MultiChannel<In, Out>, parts: VirtualParts<In, Out>) {
    super();
    this.#parent = parent;
    this.id = parts.outputId;
    this.stream = parts.stream;
    this.sink = parts.sink;
  }

  virtualChannel(id?: number): VirtualChannel<In, Out> {
    return this.#parent.virtualChannel(id);
  }
}
