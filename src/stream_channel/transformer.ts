import {
  type ChannelLike,
  closeQuietly,
  partsOf,
  sinkFromWritable,
  streamFromReadable,
  tellOfError,
} from "./channel_like.ts";
import type { ChannelStream } from "./channel_stream.ts";
import { Deferred } from "./errors.ts";
import {
  type ChannelTransformer,
  DelegatingStreamChannel,
  pipeOneWay,
  type StreamChannel,
} from "./stream_channel.ts";
import { type MessageTransform, Relay } from "./relay.ts";
import { sizeOf } from "./counted_queue.ts";

/** Two inverse functions for {@linkcode StreamChannelTransformer.fromCodec}. */
export interface Codec<Decoded, Encoded> {
  /** Encodes a value to send. */
  encode(value: Decoded): Encoded;
  /** Decodes a received value. */
  decode(value: Encoded): Decoded;
}

/** The two members of a `TransformStream` that {@linkcode ReadableStream.pipeThrough} uses. */
export interface TransformStreamLike<From, To> {
  /** Takes the messages to transform. */
  readonly writable: WritableStream<From>;
  /** Provides the transformed messages. */
  readonly readable: ReadableStream<To>;
}

/**
 * A transformer with one transform for each direction. Corresponds to Dart's `StreamChannelTransformer`.
 *
 * A message passes in the same call. Backpressure, the end and errors pass in both directions. If a decoder
 * throws, the stream fails with its error, and the inner channel closes with it. A WebSocket's peer then
 * receives the error's `closeCode` if it has one, otherwise 1011. If an encoder throws, `add` throws, and
 * nothing is sent.
 *
 * @example
 * ```ts
 * import { channelPair, StreamChannelTransformer } from "@web-socket/channel/stream-channel";
 *
 * const numbers = new StreamChannelTransformer<string, string, number, number>(Number, String);
 * const { local, foreign } = channelPair<string>();
 * foreign.sink.add("42");
 * const channel = local.transform(numbers);
 * console.log((await channel.stream.next()).value); // 42
 * channel.sink.add(43);
 * console.log((await foreign.stream.next()).value); // "43"
 * await channel.sink.close();
 * ```
 */
export class StreamChannelTransformer<In, Out, NewIn, NewOut>
  implements ChannelTransformer<In, Out, NewIn, NewOut> {
  readonly #decode: MessageTransform<In, NewIn>;
  readonly #encode: MessageTransform<NewOut, Out>;

  /**
   * Creates a transformer from two transforms.
   *
   * @param decode Transforms received messages.
   * @param encode Transforms outgoing messages.
   */
  constructor(decode: MessageTransform<In, NewIn>, encode: MessageTransform<NewOut, Out>) {
    this.#decode = decode;
    this.#encode = encode;
  }

  /** Returns the transformed channel. See {@linkcode ChannelTransformer.transformChannel}. */
  transformChannel(channel: ChannelLike<In, Out>): StreamChannel<NewIn, NewOut> {
    const relay = new Relay(partsOf(channel), { decode: this.#decode, encode: this.#encode });
    return new DelegatingStreamChannel(relay);
  }

  /**
   * Creates a transformer that decodes received messages and encodes outgoing ones.
   *
   * @param codec The two functions, which are called as its methods.
   * @returns The transformer.
   */
  static fromCodec<Decoded, Encoded>(
    codec: Codec<Decoded, Encoded>,
  ): StreamChannelTransformer<Encoded, Encoded, Decoded, Decoded> {
    return new StreamChannelTransformer<Encoded, Encoded, Decoded, Decoded>(
      (value) => codec.decode(value),
      (value) => codec.encode(value),
    );
  }

  /**
   * Creates a transformer from two `TransformStream`s, such as `TextDecoderStream` and `TextEncoderStream`.
   * They buffer, and need several promises for each message; a function needs none.
   *
   * @param decode Creates the stream for received messages. Called for each channel.
   * @param encode Creates the stream for outgoing messages. Called for each channel.
   * @returns The transformer.
   */
  static fromTransformStreams<In, Out, NewIn, NewOut>(
    decode: () => TransformStreamLike<In, NewIn>,
    encode: () => TransformStreamLike<NewOut, Out>,
  ): ChannelTransformer<In, Out, NewIn, NewOut> {
    return {
      transformChannel: (channel) => throughTransformStreams(channel, decode(), encode()),
    };
  }
}

function throughTransformStreams<In, Out, NewIn, NewOut>(
  channel: ChannelLike<In, Out>,
  decoder: TransformStreamLike<In, NewIn>,
  encoder: TransformStreamLike<NewOut, Out>,
): StreamChannel<NewIn, NewOut> {
  const { stream, sink } = partsOf(channel);
  // Not `pipeThrough`, which doesn't report the decoder's error.
  readableOf(stream).pipeTo(decoder.writable).catch((error) => {
    tellOfError(sink, error);
    closeQuietly(sink);
  });
  // Once closed, it must not wait for a reader at the other end, as `pipeTo` would. The inner sink's `done`
  // reports how it ended.
  const closed = new Deferred();
  void pipeOneWay(streamFromReadable(encoder.readable, { highWaterMark: 1 }), sink, {
    hurry: closed.promise,
  });
  const relay = new Relay<NewIn, NewOut, NewIn, NewOut>({
    stream: streamFromReadable(decoder.readable, { sizeOf }),
    sink: sinkFromWritable(encoder.writable, { sink, onClose: () => closed.resolve() }, sizeOf),
  });
  return new DelegatingStreamChannel(relay);
}

/** Converts a stream to a `ReadableStream`. Unlike its `readable`, it takes the right to read at once. */
function readableOf<T>(stream: ChannelStream<T>): ReadableStream<T> {
  const iterator = stream[Symbol.asyncIterator]();
  return new ReadableStream<T>({
    pull: async (controller) => {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: () => void iterator.return?.(),
  }, { highWaterMark: 0 });
}
