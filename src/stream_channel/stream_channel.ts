import {
  asChannelSink,
  asChannelStream,
  type ChannelLike,
  type ChannelParts,
  closeQuietly,
  partsOf,
  tellOfError,
} from "./channel_like.ts";
import type { ChannelSink } from "./channel_sink.ts";
import type { ChannelStream, StreamSubscription } from "./channel_stream.ts";
import { Deferred, ignore, preHandled } from "./errors.ts";
import { type OptionKinds, readOptions, shown } from "./options.ts";
import { sizeOf } from "./counted_queue.ts";
import { checkTransform, type MessageTransform, Relay } from "./relay.ts";

/**
 * A two-way connection: a {@linkcode ChannelStream} of incoming messages, and a {@linkcode ChannelSink} for
 * outgoing ones. Corresponds to Dart's `StreamChannel`.
 *
 * Every channel of this package keeps six guarantees:
 *
 * 1. The stream has one reader in its lifetime.
 * 2. Closing the sink ends the stream before it delivers another message.
 * 3. When the stream has ended, the sink counts as closed: it drops messages (`add` returns `false`) until the
 *    user closes it; from then on `add` throws.
 * 4. The sink also drops messages if the stream ends before it has a reader.
 * 5. A reader that leaves has no effect on the sink, and the channel still notices when the other end closes.
 * 6. An error that is added to the sink either reaches the other end; or the first one closes the channel and
 *    rejects `sink.done`.
 *
 * The end of the stream is *the* sign that a channel is closed; to close it, close the sink.
 */
export interface StreamChannel<In, Out = In> {
  /** The stream of incoming messages, the same object on each access. */
  readonly stream: ChannelStream<In>;
  /** The sink for outgoing messages, the same object on each access. */
  readonly sink: ChannelSink<Out>;
  /** The same as `stream.readable`. With {@linkcode writable}, it is a pair that `pipeThrough` accepts. */
  readonly readable: ReadableStream<In>;
  /**
   * The same as `sink.writable`. Closing the sink ends the stream. So if answers follow the source's end,
   * pipe with `{ preventClose: true }`.
   */
  readonly writable: WritableStream<Out>;
  /**
   * Connects this channel with another one: each sends what the other receives. The end and backpressure pass
   * in both directions, too. An error of a stream or a sink ends both channels.
   *
   * @param other A channel whose message types match this one's.
   * @returns A promise that fulfils when both directions have ended. It rejects at once with the first error,
   * and when a message was dropped. An unhandled rejection is harmless.
   * @throws {DOMException} `InvalidStateError` if one of the two streams has a reader.
   */
  pipe(other: ChannelLike<Out, In>): Promise<void>;
  /**
   * Returns a channel of other messages over this one: `transformer.transformChannel(this)`.
   *
   * @param transformer The transformer, such as `jsonDocument`.
   * @returns The new channel. It takes this one's right to read.
   * @throws {TypeError} If `transformer` isn't a transformer. Pass functions to `transformStream`.
   * @throws {DOMException} `InvalidStateError` if the stream has a reader.
   */
  transform<NewIn, NewOut>(
    transformer: ChannelTransformer<In, Out, NewIn, NewOut>,
  ): StreamChannel<NewIn, NewOut>;
  /**
   * Transforms only incoming messages.
   *
   * @param transform A function, or a `StreamTransformer` if the number of messages changes.
   * @returns The new channel. It takes this one's right to read.
   * @throws {DOMException} `InvalidStateError` if the stream has a reader.
   */
  transformStream<NewIn>(transform: MessageTransform<In, NewIn>): StreamChannel<NewIn, Out>;
  /**
   * Transforms only outgoing messages.
   *
   * @param transform A function, or a `StreamTransformer` if the number of messages changes.
   * @returns The new channel. It takes this one's right to read.
   * @throws {DOMException} `InvalidStateError` if the stream has a reader.
   */
  transformSink<NewOut>(transform: MessageTransform<NewOut, Out>): StreamChannel<In, NewOut>;
  /**
   * Replaces this channel's stream. Guarantee 2 holds for the result.
   *
   * @param change Gets {@linkcode stream}, and returns the new one.
   * @returns The new channel.
   */
  changeStream<NewIn>(
    change: (stream: ChannelStream<In>) => ChannelStream<NewIn> | ReadableStream<NewIn>,
  ): StreamChannel<NewIn, Out>;
  /**
   * Replaces this channel's sink. Guarantee 2 holds for the result.
   *
   * @param change Gets {@linkcode sink}, and returns the new one.
   * @returns The new channel. It takes this one's right to read.
   */
  changeSink<NewOut>(
    change: (sink: ChannelSink<Out>) => ChannelSink<NewOut> | WritableStream<NewOut>,
  ): StreamChannel<In, NewOut>;
  /**
   * Returns this channel with other types. Nothing is checked at run time: use `jsonDocument` with a schema
   * for that.
   *
   * @returns The channel itself.
   */
  cast<NewIn, NewOut = NewIn>(): StreamChannel<NewIn, NewOut>;
}

/**
 * Transforms a channel of one kind of messages to a channel of another kind. Any object with this method can
 * be passed to {@linkcode StreamChannel.transform}.
 *
 * @typeParam In The messages that the channel receives.
 * @typeParam Out The messages that the channel sends.
 * @typeParam NewIn The messages that the transformed channel receives.
 * @typeParam NewOut The messages that the transformed channel sends.
 */
export interface ChannelTransformer<In, Out, NewIn, NewOut> {
  /**
   * Returns the transformed channel. It takes the channel's right to read at once. It can be called with any
   * number of channels.
   *
   * @throws {DOMException} `InvalidStateError` if the channel's stream has a reader.
   */
  transformChannel(channel: ChannelLike<In, Out>): StreamChannel<NewIn, NewOut>;
}

/** The functions of the object {@linkcode StreamChannel}. */
export interface StreamChannelStatic {
  /**
   * Creates a channel from an existing stream and sink, with the methods of all channels. It only pairs them:
   * if they are independent of each other, use `withGuarantees`.
   *
   * It locks Web Streams, and reads ahead up to the high-water mark. Closing a `WritableStream` takes until
   * it has accepted all messages. If it fails, `sink.done` rejects with its error; the readable half still
   * delivers its messages.
   *
   * Closing the sink doesn't end the readable half. While the sink closes, input is read even if there is no
   * reader, because a socket can't finish closing before. Up to 1 MiB is kept for a reader. After that the
   * stream fails with an `InvalidStateError`, and the rest is dropped. If a listener has paused its
   * subscription, `close()` waits for it.
   *
   * @param channel The stream and the sink, or Web Streams.
   * @returns The channel.
   *
   * @example
   * ```ts
   * import { StreamChannel } from "@web-socket/channel/stream-channel";
   *
   * const channel = StreamChannel.from(new TransformStream<string, string>());
   * channel.sink.add("hello");
   * console.log((await channel.stream.next()).value); // hello
   * await channel.sink.close();
   * ```
   */
  from<In, Out>(channel: ChannelLike<In, Out>): StreamChannel<In, Out>;
}

/** Creates channels from other objects. */
export const StreamChannel: StreamChannelStatic = {
  from<In, Out>(channel: ChannelLike<In, Out>): StreamChannel<In, Out> {
    return new DelegatingStreamChannel(partsOf(channel, sizeOf));
  },
};

/**
 * The methods of {@linkcode StreamChannel} that need only `stream` and `sink`. Extend it to create your own
 * channels. Corresponds to Dart's `StreamChannelMixin`.
 */
export abstract class StreamChannelBase<In, Out = In> implements StreamChannel<In, Out> {
  /** The stream of incoming messages. */
  abstract readonly stream: ChannelStream<In>;
  /** The sink for outgoing messages. */
  abstract readonly sink: ChannelSink<Out>;

  /** The same as `stream.readable`. */
  get readable(): ReadableStream<In> {
    return this.stream.readable;
  }

  /** The same as `sink.writable`. */
  get writable(): WritableStream<Out> {
    return this.sink.writable;
  }

  /** Connects this channel with another one. See {@linkcode StreamChannel.pipe}. */
  pipe(other: ChannelLike<Out, In>): Promise<void> {
    return pipe<In, Out>(this, partsOf(other));
  }

  /** Returns a channel of other messages over this one. See {@linkcode StreamChannel.transform}. */
  transform<NewIn, NewOut>(
    transformer: ChannelTransformer<In, Out, NewIn, NewOut>,
  ): StreamChannel<NewIn, NewOut> {
    checkTransformer(transformer);
    const channel = transformer.transformChannel(this);
    checkTransformed(channel);
    return channel;
  }

  /** Transforms only incoming messages. See {@linkcode StreamChannel.transformStream}. */
  transformStream<NewIn>(transform: MessageTransform<In, NewIn>): StreamChannel<NewIn, Out> {
    checkTransform(transform);
    return derive(this, new Relay<In, Out, NewIn, Out>(this, { decode: transform }));
  }

  /** Transforms only outgoing messages. See {@linkcode StreamChannel.transformSink}. */
  transformSink<NewOut>(transform: MessageTransform<NewOut, Out>): StreamChannel<In, NewOut> {
    checkTransform(transform);
    return derive(this, new Relay<In, Out, In, NewOut>(this, { encode: transform }));
  }

  /** Replaces this channel's stream. See {@linkcode StreamChannel.changeStream}. */
  changeStream<NewIn>(
    change: (stream: ChannelStream<In>) => ChannelStream<NewIn> | ReadableStream<NewIn>,
  ): StreamChannel<NewIn, Out> {
    checkChange(change);
    const stream = asChannelStream(change(this.stream));
    return derive(this, new Relay<NewIn, Out>({ stream, sink: this.sink }));
  }

  /** Replaces this channel's sink. See {@linkcode StreamChannel.changeSink}. */
  changeSink<NewOut>(
    change: (sink: ChannelSink<Out>) => ChannelSink<NewOut> | WritableStream<NewOut>,
  ): StreamChannel<In, NewOut> {
    checkChange(change);
    const sink = asChannelSink(change(this.sink));
    return derive(this, new Relay<In, NewOut>({ stream: this.stream, sink }));
  }

  /** Returns this channel with other types. See {@linkcode StreamChannel.cast}. */
  cast<NewIn, NewOut = NewIn>(): StreamChannel<NewIn, NewOut> {
    return this as unknown as StreamChannel<NewIn, NewOut>;
  }

  /**
   * Creates the result of `transformStream`, `transformSink`, `changeStream` and `changeSink`. Override it to
   * return a channel of your own class.
   *
   * @param _channel The original channel.
   * @param parts The new channel's stream and sink.
   * @returns The new channel.
   */
  static derive<In, Out>(
    _channel: object,
    parts: { readonly stream: ChannelStream<In>; readonly sink: ChannelSink<Out> },
  ): StreamChannel<In, Out> {
    return new DelegatingStreamChannel(parts);
  }
}

function derive<In, Out>(channel: object, parts: ChannelParts<In, Out>): StreamChannel<In, Out> {
  return (channel.constructor as typeof StreamChannelBase).derive(channel, parts);
}

function checkTransformer(transformer: unknown): void {
  const { transformChannel } = (transformer ?? {}) as { transformChannel?: unknown };
  if (typeof transformChannel === "function") return;
  const kind = transformer === null ? "null" : typeof transformer;
  throw new TypeError(
    `Cannot transform: a transformer must have a method transformChannel, got ${kind}. ` +
      "Pass functions to transformStream or transformSink",
  );
}

function checkTransformed(channel: unknown): void {
  const { stream, sink } = (channel ?? {}) as { stream?: unknown; sink?: unknown };
  if (Object(stream) === stream && Object(sink) === sink) return;
  throw new TypeError(
    `Cannot transform: transformChannel must return a channel, got ${shown(channel)}`,
  );
}

function checkChange(change: unknown): void {
  if (typeof change === "function") return;
  throw new TypeError(
    `Cannot change the channel: expected a function, got ${shown(change)}`,
  );
}

/**
 * A channel that forwards to another one. Extend it to change or add something: methods such as `transform`
 * use what a subclass overrides. Corresponds to Dart's `DelegatingStreamChannel`.
 */
export class DelegatingStreamChannel<In, Out = In> extends StreamChannelBase<In, Out> {
  /** The inner channel's stream. */
  readonly stream: ChannelStream<In>;
  /** The inner channel's sink. */
  readonly sink: ChannelSink<Out>;

  /**
   * Creates a channel that forwards to `inner`.
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

/** Options of {@linkcode withGuarantees}. */
export interface GuaranteeOptions {
  /**
   * Whether errors added to the sink are passed to the inner sink. Otherwise the first one closes the channel
   * and rejects `done`. Default `true`.
   */
  allowSinkErrors?: boolean | undefined;
}

const GUARANTEE_KINDS: OptionKinds<GuaranteeOptions> = { allowSinkErrors: "boolean" };

/**
 * Creates a channel with all six guarantees of {@linkcode StreamChannel} over any stream and sink. Two
 * independent streams become one connection, and both notice its end. If the inner sink fails, this channel's
 * stream fails with the same error.
 *
 * It reads the inner stream at once (at most one message ahead of its reader), so that it notices the end
 * even without a reader. The inner sink is closed when the user closes this channel's sink, not when the
 * stream ends: close it to release the connection. `close()` settles when the inner sink's does.
 *
 * @param channel The stream and the sink.
 * @param options What to do with errors added to the sink.
 * @returns The channel with the guarantees.
 *
 * @example
 * ```ts
 * import { withGuarantees } from "@web-socket/channel/stream-channel";
 *
 * // An echo, made of a pair of Web Streams.
 * const channel = withGuarantees(new TransformStream<string, string>());
 * channel.sink.add("hello");
 * console.log((await channel.stream.next()).value); // hello
 * await channel.sink.close();
 * console.log((await channel.stream.next()).done); // true
 * ```
 */
export function withGuarantees<In, Out>(
  channel: ChannelLike<In, Out>,
  options?: GuaranteeOptions,
): StreamChannel<In, Out> {
  const { allowSinkErrors } = readOptions(options, GUARANTEE_KINDS);
  const keepErrors = allowSinkErrors === false;
  const relay = new Relay<In, Out>(partsOf(channel), { joined: true, keepErrors });
  return new DelegatingStreamChannel(relay);
}

/**
 * Creates a channel with guarantee 2 of {@linkcode StreamChannel}: closing its sink ends its stream before
 * another message is delivered. Use it for a channel that was built from a guaranteed one in steps that have
 * lost this guarantee. The other guarantees are those of the given channel.
 *
 * @param channel The stream and the sink.
 * @returns The channel.
 */
export function withCloseGuarantee<In, Out>(
  channel: ChannelLike<In, Out>,
): StreamChannel<In, Out> {
  const relay = new Relay<In, Out>(partsOf(channel));
  return new DelegatingStreamChannel(relay);
}

/**
 * Connects two channels as {@linkcode StreamChannel.pipe} does.
 *
 * @param outgoing Takes the values to a sink, as in {@linkcode PipeOptions.outgoing}.
 */
export function pipe<In, Out>(
  one: ChannelParts<In, Out>,
  other: ChannelParts<Out, In>,
  outgoing?: <T>(sink: ChannelSink<T>) => Outgoing<T>,
): Promise<void> {
  const giveUp = new AbortController();
  const { signal } = giveUp;
  const there = pipeOneWay(one.stream, other.sink, { signal, outgoing });
  try {
    const back = pipeOneWay(other.stream, one.sink, { signal, outgoing });
    return preHandled(
      Promise.all([there, back]).then(ignore, (error) => {
        giveUp.abort();
        endWith(error, one.sink);
        endWith(error, other.sink);
        throw error;
      }),
    );
  } catch (error) {
    giveUp.abort();
    throw error;
  }
}

/** Ends a sink because of an error, even if it only forwards errors. */
function endWith(error: unknown, sink: ChannelSink<never>): void {
  tellOfError(sink, error);
  closeQuietly(sink);
}

/** Passes the values of a stream, and its end, to a sink. */
export interface Outgoing<T> {
  /** Adds a value. It returns and throws what the sink's `add` does. */
  add(value: T): boolean;
  /** Ends the sink, because the stream has ended. */
  end(): void;
  /** Settles when asynchronously added values are sent; rejects if one was not. `null` if there are none. */
  readonly sent: Promise<void> | null;
}

/** Options of {@linkcode pipeOneWay}. */
export interface PipeOptions<T> {
  /** Once it fulfils, values are added without waiting for room. */
  readonly hurry?: Promise<void>;
  /** Once it aborts, nothing more is read from the stream. */
  readonly signal?: AbortSignal;
  /** Passes the values to the sink. Default: they are added, and the sink is closed at the end. */
  readonly outgoing?: ((sink: ChannelSink<T>) => Outgoing<T>) | undefined;
}

function straight<T>(sink: ChannelSink<T>): Outgoing<T> {
  return { add: (value) => sink.add(value), end: () => closeQuietly(sink), sent: null };
}

/**
 * Adds all values of a stream to a sink, in the same call in which they arrive, while there is room. It
 * closes the sink at the end.
 *
 * @returns A promise that fulfils when the sink is done and nothing was dropped. Otherwise it rejects with
 * the first error, or with that of the lost values.
 */
export function pipeOneWay<T>(
  stream: ChannelStream<T>,
  sink: ChannelSink<T>,
  { hurry, signal, outgoing = straight }: PipeOptions<T> = {},
): Promise<void> {
  const { promise, resolve, reject } = new Deferred();
  const out = outgoing(sink);
  let hurries = false;
  const fail = (error: unknown): void => {
    reject(error);
    tellOfError(sink, error);
  };
  const subscription: StreamSubscription = stream.listen((value) => {
    try {
      // The value was dropped. The sink's `flush` reports why, when it is done.
      if (!out.add(value)) return subscription.cancel();
    } catch (error) {
      fail(error);
      return subscription.cancel();
    }
    if (!hurries) waitForRoom(sink, subscription);
  }, {
    onError: fail,
    // `done`, below, reports the outcome.
    onDone: () => out.end(),
    signal,
  });
  hurry?.then(() => {
    hurries = true;
    subscription.resume();
  });
  const stop = (): void => subscription.cancel();
  sink.done.then(() => sink.flush()).then(() => out.sent ?? undefined).then(resolve, reject);
  sink.done.then(stop, stop);
  return promise;
}

function waitForRoom(sink: ChannelSink<never>, subscription: StreamSubscription): void {
  if (sink.hasRoom) return;
  subscription.pause();
  sink.ready.then(() => subscription.resume());
}
