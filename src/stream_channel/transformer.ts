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

/** Two functions that undo each other, for {@linkcode StreamChannelTransformer.fromCodec}. */
export interface Codec<Decoded, Encoded> {
  /** Turns a value into what is sent. */
  encode(value: Decoded): Encoded;
  /** Turns what was received into a value. */
  decode(value: Encoded): Decoded;
}

/** Two of the four members of a `TransformStream`: what {@linkcode ReadableStream.pipeThrough} takes. */
export interface TransformStreamLike<From, To> {
  /** Where messages go in. */
  readonly writable: WritableStream<From>;
  /** Where messages come out. */
  readonly readable: ReadableStream<To>;
}

/**
 * A transformer made of two one-way transforms. Corresponds to Dart's class of the same name.
 *
 * A message passes in the same call; backpressure, the end and errors pass both ways. A decoder that
 * throws makes the stream fail with what it threw, and the inner channel closes because of that error:
 * a WebSocket's peer receives the error's `closeCode` if it has one, otherwise 1011. An encoder that
 * throws makes `add` throw, and nothing is sent.
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
   * Pairs two transforms.
   *
   * @param decode Transforms received messages.
   * @param encode Transforms messages to be sent.
   */
  constructor(decode: MessageTransform<In, NewIn>, encode: MessageTransform<NewOut, Out>) {
    this.#decode = decode;
    this.#encode = encode;
  }

  /** See {@linkcode ChannelTransformer.transformChannel}. */
  transformChannel(channel: ChannelLike<In, Out>): StreamChannel<NewIn, NewOut> {
    const relay = new Relay(partsOf(channel), { decode: this.#decode, encode: this.#encode });
    return new DelegatingStreamChannel(relay);
  }

  /**
   * A transformer that decodes received messages and encodes sent ones.
   *
   * @param codec Its functions are called with the codec as `this`.
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
   * A transformer of two `TransformStream`s, such as `TextDecoderStream` and `TextEncoderStream`.
   * They buffer and take several promises a message; a function takes none.
   *
   * @param decode Creates the one for received messages; called for each channel.
   * @param encode Creates the one for sent messages; called for each channel.
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
  // Not `pipeThrough`: that keeps the decoder's error to itself.
  readableOf(stream).pipeTo(decoder.writable).catch((error) => {
    tellOfError(sink, error);
    closeQuietly(sink);
  });
  // Once closed it must not wait for a reader at the other end: `pipeTo` would. The inner sink's
  // `done` tells how it ended.
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

/** A stream as a `ReadableStream`: as its `readable`, but with the right to read taken at once. */
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
