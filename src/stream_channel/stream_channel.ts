import type { ChannelSink } from "./channel_sink.ts";
import type { ChannelStream } from "./channel_stream.ts";

/**
 * A two-way connection: a {@linkcode ChannelStream} of what the other end sends, and a
 * {@linkcode ChannelSink} for what goes to it. Corresponds to Dart's `StreamChannel`.
 *
 * Every channel of this package keeps six guarantees:
 *
 * 1. The stream has one reader in its life.
 * 2. Closing the sink ends the stream before it gives anything more.
 * 3. When the stream is over the sink counts as closed: it drops what it gets (`add` gives `false`)
 *    until the user closes it; from then on `add` throws.
 * 4. When the stream ends before anybody reads it, the sink drops what it gets as well.
 * 5. A reader that leaves has no effect on the sink, and the channel still notices that the other
 *    end closes.
 * 6. An error put into the sink either goes to the other end, or, the first one, closes the channel
 *    and rejects `sink.done`.
 *
 * The end of the stream is *the* sign that a channel is closed; to close it, close the sink.
 */
export interface StreamChannel<In, Out = In> {
  /** What comes from the other end. The same object on each access. */
  readonly stream: ChannelStream<In>;
  /** What goes to the other end. The same object on each access. */
  readonly sink: ChannelSink<Out>;
  /** `stream.readable`: with {@linkcode writable}, a pair that `pipeThrough` takes. */
  readonly readable: ReadableStream<In>;
  /**
   * `sink.writable`. Closing the sink ends the stream, so where answers come after the source's
   * end, pipe with `{ preventClose: true }`.
   */
  readonly writable: WritableStream<Out>;
}

/** Everything of {@linkcode StreamChannel} that follows from its `stream` and `sink`. */
export abstract class StreamChannelBase<In, Out = In> implements StreamChannel<In, Out> {
  abstract readonly stream: ChannelStream<In>;
  abstract readonly sink: ChannelSink<Out>;

  get readable(): ReadableStream<In> {
    return this.stream.readable;
  }

  get writable(): WritableStream<Out> {
    return this.sink.writable;
  }
}

/** A channel that is just its two members. */
export class PairedChannel<In, Out = In> extends StreamChannelBase<In, Out> {
  readonly stream: ChannelStream<In>;
  readonly sink: ChannelSink<Out>;

  constructor(stream: ChannelStream<In>, sink: ChannelSink<Out>) {
    super();
    this.stream = stream;
    this.sink = sink;
  }
}
