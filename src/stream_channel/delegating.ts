import { type ChannelLike, partsOf } from "./channel_like.ts";
import type { ChannelSink } from "./channel_sink.ts";
import type { ChannelStream } from "./channel_stream.ts";
import { StreamChannelBase } from "./stream_channel.ts";

/**
 * A channel that forwards to another one: extend it to change or add something. Its composition
 * applies to itself, so what a subclass overrides is used. Corresponds to Dart's class of this name.
 */
export class DelegatingStreamChannel<In, Out = In> extends StreamChannelBase<In, Out> {
  /** The inner channel's stream. */
  readonly stream: ChannelStream<In>;
  /** The inner channel's sink. */
  readonly sink: ChannelSink<Out>;

  /**
   * Forwards to `inner`.
   *
   * @param inner Any channel.
   */
  constructor(inner: ChannelLike<In, Out>) {
    super();
    const { stream, sink } = partsOf(inner);
    this.stream = stream;
    this.sink = sink;
  }
}
