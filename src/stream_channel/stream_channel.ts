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
 * A two-way connection: a {@linkcode ChannelStream} of what the other end sends, and a
 * {@linkcode ChannelSink} for outgoing ones. Corresponds to Dart's `StreamChannel`.
 *
 * Every channel of this package keeps six guarantees:
 *
 * 1. The stream has one reader in its life.
 * 2. Closing the sink ends the stream before it gives anything more.
 * 3. When the stream has ended, the sink counts as closed: it drops what it gets (`add` gives `false`)
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
  /** Incoming messages. The same object on each access. */
  readonly stream: ChannelStream<In>;
  /** Outgoing messages. The same object on each access. */
  readonly sink: ChannelSink<Out>;
  /** `stream.readable`: with {@linkcode writable}, a pair that `pipeThrough` takes. */
  readonly readable: ReadableStream<In>;
  /**
   * `sink.writable`. Closing the sink ends the stream, so where answers come after the source's
   * end, pipe with `{ preventClose: true }`.
   */
  readonly writable: WritableStream<Out>;
  /**
   * Connects this channel with another one, both ways: what one gives, the other takes. The end and
   * a lack of room pass on as well. An error of a stream or a sink ends both channels.
   *
   * @param other A channel that takes what this one gives, and the other way round.
   * @returns A promise that fulfils when both directions have ended, or rejects with the first
   * error as soon as there is one, also when a message was dropped. An unhandled rejection does no
   * harm.
   * @throws {DOMException} `InvalidStateError` when one of the two streams has a reader.
   */
  pipe(other: ChannelLike<Out, In>): Promise<void>;
  /**
   * A channel of other messages over this one: `transformer.transformChannel(this)`.
   *
   * @param transformer For example `jsonDocument`.
   * @returns The new channel. It has this one's right to read.
   * @throws {TypeError} When `transformer` is none: a function goes into `transformStream`.
   * @throws {DOMException} `InvalidStateError` when the stream has a reader.
   */
  transform<NewIn, NewOut>(
    transformer: ChannelTransformer<In, Out, NewIn, NewOut>,
  ): StreamChannel<NewIn, NewOut>;
  /**
   * Transforms only incoming messages.
   *
   * @param transform A function, or a `StreamTransformer` where the number of messages changes.
   * @returns The new channel. It has this one's right to read.
   * @throws {DOMException} `InvalidStateError` when the stream has a reader.
   */
  transformStream<NewIn>(transform: MessageTransform<In, NewIn>): StreamChannel<NewIn, Out>;
  /**
   * Transforms only outgoing messages.
   *
   * @param transform A function, or a `StreamTransformer` where the number of messages changes.
   * @returns The new channel. It has this one's right to read.
   * @throws {DOMException} `InvalidStateError` when the stream has a reader.
   */
  transformSink<NewOut>(transform: MessageTransform<NewOut, Out>): StreamChannel<In, NewOut>;
  /**
   * Puts another stream in place of this one's; guarantee 2 holds again for the result.
   *
   * @param change Gets {@linkcode stream} itself.
   * @returns The new channel.
   */
  changeStream<NewIn>(
    change: (stream: ChannelStream<In>) => ChannelStream<NewIn> | ReadableStream<NewIn>,
  ): StreamChannel<NewIn, Out>;
  /**
   * Puts another sink in place of this one's; guarantee 2 holds again for the result.
   *
   * @param change Gets {@linkcode sink} itself.
   * @returns The new channel. It has this one's right to read.
   */
  changeSink<NewOut>(
    change: (sink: ChannelSink<Out>) => ChannelSink<NewOut> | WritableStream<NewOut>,
  ): StreamChannel<In, NewOut>;
  /**
   * This very channel under other types. Nothing is checked at run time: where that matters, use
   * `jsonDocument` with a schema.
   *
   * @returns The channel itself.
   */
  cast<NewIn, NewOut = NewIn>(): StreamChannel<NewIn, NewOut>;
}

/**
 * Turns a channel of one kind of messages into a channel of another kind. Anything with such a
 * method is one, and goes into {@linkcode StreamChannel.transform}.
 *
 * @typeParam In What the channel gives.
 * @typeParam Out What the channel takes.
 * @typeParam NewIn What the transformed channel gives.
 * @typeParam NewOut What the transformed channel takes.
 */
export interface ChannelTransformer<In, Out, NewIn, NewOut> {
  /**
   * The transformed channel. It takes the channel's right to read, at once; works for any number of
   * channels.
   *
   * @throws {DOMException} `InvalidStateError` when the channel's stream has a reader.
   */
  transformChannel(channel: ChannelLike<In, Out>): StreamChannel<NewIn, NewOut>;
}

/** What {@linkcode StreamChannel} offers by itself. */
export interface StreamChannelStatic {
  /**
   * A channel of two members that exist already, with the methods of all channels. It only pairs
   * them: use `withGuarantees` where they know nothing of each other.
   *
   * `from` locks Web Streams, and reads ahead to the high-water mark. A `WritableStream` takes its
   * time to close: until it has taken all that was added. When it fails, `sink.done` rejects with its
   * error; the readable half still gives what it has.
   *
   * Closing the sink doesn't end the readable half. While the sink closes, `from` reads on although
   * no reader takes the input, because a socket can't finish closing before: it keeps up to 1 MiB for a
   * reader. If there is more, the stream fails behind that with an `InvalidStateError`, and the rest
   * is dropped. A listener that pauses its subscription isn't hurried: `close()` waits for it.
   *
   * @param channel What is to become a channel.
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

/** Makes channels of other things. */
export const StreamChannel: StreamChannelStatic = {
  from<In, Out>(channel: ChannelLike<In, Out>): StreamChannel<In, Out> {
    return new DelegatingStreamChannel(partsOf(channel, sizeOf));
  },
};

/**
 * Everything of {@linkcode StreamChannel} that follows from its `stream` and `sink`: extend it to
 * make a channel of your own. Corresponds to Dart's `StreamChannelMixin`.
 */
export abstract class StreamChannelBase<In, Out = In> implements StreamChannel<In, Out> {
  /** See {@linkcode StreamChannel.stream}. */
  abstract readonly stream: ChannelStream<In>;
  /** See {@linkcode StreamChannel.sink}. */
  abstract readonly sink: ChannelSink<Out>;

  /** See {@linkcode StreamChannel.readable}. */
  get readable(): ReadableStream<In> {
    return this.stream.readable;
  }

  /** See {@linkcode StreamChannel.writable}. */
  get writable(): WritableStream<Out> {
    return this.sink.writable;
  }

  /** See {@linkcode StreamChannel.pipe}. */
  pipe(other: ChannelLike<Out, In>): Promise<void> {
    return pipe<In, Out>(this, partsOf(other));
  }

  /** See {@linkcode StreamChannel.transform}. */
  transform<NewIn, NewOut>(
    transformer: ChannelTransformer<In, Out, NewIn, NewOut>,
  ): StreamChannel<NewIn, NewOut> {
    checkTransformer(transformer);
    const channel = transformer.transformChannel(this);
    checkTransformed(channel);
    return channel;
  }

  /** See {@linkcode StreamChannel.transformStream}. */
  transformStream<NewIn>(transform: MessageTransform<In, NewIn>): StreamChannel<NewIn, Out> {
    checkTransform(transform);
    return derive(this, new Relay<In, Out, NewIn, Out>(this, { decode: transform }));
  }

  /** See {@linkcode StreamChannel.transformSink}. */
  transformSink<NewOut>(transform: MessageTransform<NewOut, Out>): StreamChannel<In, NewOut> {
    checkTransform(transform);
    return derive(this, new Relay<In, Out, In, NewOut>(this, { encode: transform }));
  }

  /** See {@linkcode StreamChannel.changeStream}. */
  changeStream<NewIn>(
    change: (stream: ChannelStream<In>) => ChannelStream<NewIn> | ReadableStream<NewIn>,
  ): StreamChannel<NewIn, Out> {
    checkChange(change);
    const stream = asChannelStream(change(this.stream));
    return derive(this, new Relay<NewIn, Out>({ stream, sink: this.sink }));
  }

  /** See {@linkcode StreamChannel.changeSink}. */
  changeSink<NewOut>(
    change: (sink: ChannelSink<Out>) => ChannelSink<NewOut> | WritableStream<NewOut>,
  ): StreamChannel<In, NewOut> {
    checkChange(change);
    const sink = asChannelSink(change(this.sink));
    return derive(this, new Relay<In, NewOut>({ stream: this.stream, sink }));
  }

  /** See {@linkcode StreamChannel.cast}. */
  cast<NewIn, NewOut = NewIn>(): StreamChannel<NewIn, NewOut> {
    return this as unknown as StreamChannel<NewIn, NewOut>;
  }

  /**
   * Creates the channel that `transformStream`, `transformSink`, `changeStream` or `changeSink` returns. Override it
   * to return a channel of your own class.
   *
   * @param _channel What was transformed or changed.
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
    `Cannot transform: a transformer has a method transformChannel, got ${kind}; ` +
      "transformStream and transformSink take functions",
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
  throw new TypeError(`Cannot change the channel: it takes a function, got ${shown(change)}`);
}

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

/** Options of {@linkcode withGuarantees}. */
export interface GuaranteeOptions {
  /**
   * Whether errors put into the sink go on to the inner one. Else the first one closes the channel
   * and rejects `done`. Default `true`.
   */
  allowSinkErrors?: boolean | undefined;
}

const GUARANTEE_KINDS: OptionKinds<GuaranteeOptions> = { allowSinkErrors: "boolean" };

/**
 * A channel with all six guarantees of {@linkcode StreamChannel}, over anything that has two ends:
 * two streams that know nothing of each other become one connection, whose end both notice. When the
 * inner sink fails, this channel's stream fails with the same error.
 *
 * It reads the inner stream at once (at most one message ahead of its reader), so that it notices
 * the end even without a reader. The inner sink is closed when the user closes this channel's sink,
 * not when the stream ends: close it to release what is behind. `close()` settles when the inner
 * sink's does.
 *
 * @param channel The two ends.
 * @param options See {@linkcode GuaranteeOptions}.
 * @returns The guaranteed channel.
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
 * A channel with guarantee 2 of {@linkcode StreamChannel}: closing its sink ends its stream, before
 * it gives anything more. For something built from a guaranteed channel by steps in between, which
 * have lost it; the other guarantees show through.
 *
 * @param channel The two ends.
 * @returns The channel.
 */
export function withCloseGuarantee<In, Out>(
  channel: ChannelLike<In, Out>,
): StreamChannel<In, Out> {
  const relay = new Relay<In, Out>(partsOf(channel));
  return new DelegatingStreamChannel(relay);
}

/**
 * Connects two channels, as {@linkcode StreamChannel.pipe} does.
 *
 * @param outgoing See {@linkcode PipeOptions.outgoing}.
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

/** Ends a sink because of an error, also one that forwards errors and goes on. */
function endWith(error: unknown, sink: ChannelSink<never>): void {
  tellOfError(sink, error);
  closeQuietly(sink);
}

/** Takes what a stream gives, and its end, to a sink. */
export interface Outgoing<T> {
  /** Adds a value. Returns `false`, or throws, as the sink's `add`. */
  add(value: T): boolean;
  /** The stream has ended: so does the sink. */
  end(): void;
  /** What is added for longer than a call; it rejects when something of it was not. */
  readonly sent: Promise<void> | null;
}

/** Options of {@linkcode pipeOneWay}. */
export interface PipeOptions<T> {
  /** When it fulfils, room isn't waited for any more. */
  readonly hurry?: Promise<void>;
  /** When it aborts, nothing more is taken from the stream. */
  readonly signal?: AbortSignal;
  /** What takes the values to the sink. Left out: they are added, and the sink is closed at the end. */
  readonly outgoing?: ((sink: ChannelSink<T>) => Outgoing<T>) | undefined;
}

function straight<T>(sink: ChannelSink<T>): Outgoing<T> {
  return { add: (value) => sink.add(value), end: () => closeQuietly(sink), sent: null };
}

/**
 * Adds all that a stream gives to a sink, in the same call in which it comes, while there is room;
 * closes the sink at the end.
 *
 * @returns A promise that fulfils when the sink is done and nothing was dropped; it rejects with the
 * first error of either, or with that of a loss.
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
      // Dropped: why, the sink's `flush` tells when it is done.
      if (!out.add(value)) return subscription.cancel();
    } catch (error) {
      fail(error);
      return subscription.cancel();
    }
    if (!hurries) waitForRoom(sink, subscription);
  }, {
    onError: fail,
    // `done`, below, reports the result.
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
