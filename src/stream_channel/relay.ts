/** A channel over another one: the base of all wrappers of this package. */

import type { ChannelParts } from "./channel_like.ts";
import { closeQuietly, tellOfError } from "./channel_like.ts";
import {
  type ChannelSink,
  type InnerSink,
  MessageSink,
  sinkControl,
  type SinkTarget,
} from "./channel_sink.ts";
import { shown } from "./options.ts";
import {
  type Failure,
  MessageStream,
  streamFeed,
  type StreamSubscription,
} from "./channel_stream.ts";

/**
 * The handlers of a {@linkcode StreamTransformer} for one channel. They are synchronous and have a state of
 * their own.
 */
export interface TransformHandlers<From, To> {
  /**
   * Takes one message and emits any number of results. If it throws while transforming the stream, the
   * channel ends with the error. If it throws while transforming the sink, `add` throws the error.
   */
  transform(value: From, emit: (value: To) => void): void;
  /** Emits the rest at the end. Not called after an error. */
  flush?(emit: (value: To) => void): void;
}

/** Transforms the messages of one direction, with a state of its own for each channel. */
export interface StreamTransformer<From, To> {
  /** Creates the handlers and the state for one channel. */
  create(): TransformHandlers<From, To>;
}

/** A transform of one direction: a function from message to message, or a {@linkcode StreamTransformer}. */
export type MessageTransform<From, To> = ((value: From) => To) | StreamTransformer<From, To>;

/** Handlers whose `transform` may return a promise, for which the next message waits. */
export interface WaitingHandlers<From, To> {
  transform(value: From, emit: (value: To) => void): void | Promise<void>;
  flush?(emit: (value: To) => void): void;
}

/** The transform of a {@linkcode Relay}'s stream. */
export type Decode<From, To> =
  | ((value: From) => To)
  | { create(): WaitingHandlers<From, To> };

/** The part of the inner sink that a {@linkcode Relay} uses. */
export type RelaySink<T> = InnerSink & Pick<ChannelSink<T>, "add" | "addError" | "close">;

/** Options of a {@linkcode Relay}. */
export interface RelayOptions<In, Out, NewIn, NewOut> {
  /** Transforms received messages. Default: they pass unchanged. */
  readonly decode?: Decode<In, NewIn> | undefined;
  /** Transforms outgoing messages. Default: they pass unchanged. */
  readonly encode?: MessageTransform<NewOut, Out> | undefined;
  /** Whether the end of the stream disconnects the sink (guarantee 3). */
  readonly joined?: boolean | undefined;
  /**
   * Whether an error added to the sink closes the channel and rejects `done`, instead of passing to the inner
   * sink.
   */
  readonly keepErrors?: boolean | undefined;
}

/** The `add` of a sink; some sinks take options. */
type Send<T> = (value: T, options?: unknown) => boolean;

/**
 * The options of a stream that queues at most one message: the others stay in the inner stream, which knows
 * their sizes.
 */
const HOLD_ONE_MESSAGE = { highWaterMark: 1, sizeOf: () => 1 };

/**
 * A channel over another one, which may be connected later. Each message passes in the same call. `hasRoom`
 * is that of the inner sink. A reader that pauses also pauses the inner stream, after at most one message.
 *
 * It listens at once, so that it notices the end even without a reader. It keeps guarantee 2: closing its
 * sink ends its stream.
 */
export class Relay<In, Out, NewIn = In, NewOut = Out> implements SinkTarget<NewOut, unknown> {
  readonly stream: MessageStream<NewIn>;
  readonly sink: MessageSink<NewOut, unknown>;
  readonly addError?: (error: unknown) => void;
  readonly check?: (value: NewOut) => void;
  /** The inner sink, or its substitute before it is connected. */
  inner: RelaySink<Out>;

  readonly #options: RelayOptions<In, Out, NewIn, NewOut>;
  #subscription: StreamSubscription | undefined;
  /** Encodes and sends; `null` if values pass unchanged. */
  #send: Send<NewOut> | null;
  #flushStream: (() => void) | undefined;
  #flushSink: (() => void) | undefined;
  #failure: Failure | null = null;
  /** Whether the user's error was passed to the inner sink, whose `done` reports the outcome. */
  #errorPassed = false;
  /** Whether messages of the inner stream are dropped. Its end still counts. */
  #isDiscarding = false;
  /** Whether a message is still being transformed. */
  #waiting = false;

  /**
   * Creates the channel, and listens to the inner stream, if there is one.
   *
   * @param inner The inner channel, or a sink that takes values until {@linkcode connect}.
   * @param options The transforms, and what an end or an error does.
   */
  constructor(
    inner: ChannelParts<In, Out> | RelaySink<Out>,
    options: RelayOptions<In, Out, NewIn, NewOut> = {},
  ) {
    this.#options = options;
    const { encode } = options;
    if (!options.keepErrors) this.addError = (error) => this.#passError(error);
    if (typeof encode === "function") this.check = (value) => void encode(value);
    this.stream = new MessageStream<NewIn>({
      pause: () => this.#regulate(),
      resume: () => this.#regulate(),
      cancel: () => {
        this.#isDiscarding = true;
        this.#regulate();
      },
      close: () => this.sink.close(),
    }, HOLD_ONE_MESSAGE);
    this.sink = new MessageSink<NewOut, unknown>(this);
    this.inner = "sink" in inner ? inner.sink : inner;
    this.#send = this.#sender(encode);
    if ("sink" in inner) this.#listen(inner);
  }

  /**
   * Connects to the inner channel.
   *
   * @param inner The channel.
   * @param handOver Adds the pending values to the inner sink. Values that a listener adds in response wait
   * until they are added.
   * @throws {DOMException} `InvalidStateError` if its stream has a reader; nothing has changed then.
   */
  connect(inner: ChannelParts<In, Out>, handOver: () => void): void {
    this.#listen(inner);
    handOver();
    this.inner = inner.sink;
    this.#send = this.#sender(this.#options.encode);
  }

  /** Ends the channel, because there will be no inner one. */
  giveUp(error: unknown): void {
    sinkControl.finish(this.sink, error);
    streamFeed.fail(this.stream, error);
  }

  #listen({ stream, sink }: ChannelParts<In, Out>): void {
    this.#subscription = stream.listen(this.#receiver(this.#options.decode), {
      onError: (error) => this.#failure = { error },
      onDone: () => this.#streamDone(),
    });
    sink.done.then(() => this.#onInnerDone(null), (error) => this.#onInnerDone({ error }));
  }

  // Receiving.

  #receiver(decode: Decode<In, NewIn> | undefined): (value: In) => void {
    if (typeof decode === "function") return (value) => this.#receive(value, decode);
    const { stream } = this;
    const emit = (value: NewIn): void => streamFeed.add(stream, value);
    if (decode === undefined) {
      return (value) =>
        this.#isDiscarding ? drop(value) : streamFeed.add(stream as MessageStream<unknown>, value);
    }
    const handlers = decode.create();
    this.#flushStream = () => handlers.flush?.(emit);
    return (value) => this.#transform(value, handlers, emit);
  }

  #receive(value: In, decode: (value: In) => NewIn): void {
    if (this.#isDiscarding) return drop(value);
    let decoded: NewIn;
    try {
      decoded = decode(value);
    } catch (error) {
      return this.#fail(error);
    }
    streamFeed.add(this.stream, decoded);
  }

  #transform(
    value: In,
    handlers: WaitingHandlers<In, NewIn>,
    emit: (value: NewIn) => void,
  ): void {
    if (this.#isDiscarding) return drop(value);
    try {
      const waiting = handlers.transform(value, emit);
      if (waiting !== undefined) this.#wait(waiting);
    } catch (error) {
      this.#fail(error);
    }
  }

  #wait(promise: Promise<void>): void {
    this.#waiting = true;
    this.#regulate();
    const goOn = (): void => {
      this.#waiting = false;
      this.#regulate();
    };
    promise.then(goOn, (error) => {
      this.#fail(error);
      goOn();
    });
  }

  /**
   * Ends the channel, because a message can't be decoded: the stream fails, and the inner channel closes with
   * the error. The inner channel gets the error first, because a reader of the stream may close this channel,
   * without an error.
   */
  #fail(error: unknown): void {
    if (this.#isDiscarding) return;
    this.#isDiscarding = true;
    this.#failure = { error };
    sinkControl.disconnect(this.sink);
    tellOfError(this.inner, error);
    closeQuietly(this.inner);
    streamFeed.fail(this.stream, error);
    this.#regulate();
  }

  #streamDone(): void {
    if (this.#failure === null && !this.#isDiscarding) this.#flushDecoded();
    if (this.#options.joined) this.#endSink();
    if (this.#failure === null) streamFeed.end(this.stream);
    else streamFeed.fail(this.stream, this.#failure.error);
  }

  #endSink(): void {
    // If the user has closed the sink or added an error, the inner sink's `done` reports the outcome.
    if (sinkControl.isClosed(this.sink) || this.#errorPassed) sinkControl.disconnect(this.sink);
    else sinkControl.finish(this.sink);
  }

  #flushDecoded(): void {
    try {
      this.#flushStream?.();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Ends the outer sink after the inner one. */
  #onInnerDone(failure: Failure | null): void {
    if (failure === null) sinkControl.finish(this.sink);
    else {
      sinkControl.fail(this.sink, failure.error);
      if (this.#options.joined) this.#failStream(failure.error);
    }
    // Otherwise the inner stream may still have messages, and its end.
    if (this.#isDiscarding) this.#subscription?.cancel();
  }

  /** Fails the stream of a joined pair, which doesn't notice a failed sink by itself. */
  #failStream(error: unknown): void {
    this.#isDiscarding = true;
    if (this.#errorPassed) streamFeed.end(this.stream);
    else streamFeed.fail(this.stream, error);
  }

  /** Pauses or resumes the inner stream. It is never paused while messages are dropped. */
  #regulate(): void {
    const isHeld = !this.#isDiscarding && (this.#waiting || streamFeed.isPaused(this.stream));
    if (isHeld) this.#subscription?.pause();
    else this.#subscription?.resume();
  }

  // Sending, as the sink's target.

  add(value: NewOut, options?: unknown): boolean {
    if (this.#send !== null) return this.#send(value, options);
    return (this.inner as { add: Send<unknown> }).add(value, options);
  }

  #sender(encode: MessageTransform<NewOut, Out> | undefined): Send<NewOut> | null {
    if (encode === undefined) return null;
    // Some sinks take options for each value.
    const sink = this.inner as { add: Send<Out> };
    if (typeof encode === "function") return (value, options) => sink.add(encode(value), options);
    const handlers = encode.create();
    let taken = true;
    let current: unknown;
    const emit = (value: Out): void => {
      taken = sink.add(value, current);
    };
    this.#flushSink = () => handlers.flush?.(emit);
    return (value, options) => {
      taken = true;
      current = options;
      handlers.transform(value, emit);
      current = undefined;
      return taken;
    };
  }

  #passError(error: unknown): void {
    this.#errorPassed = true;
    this.inner.addError(error);
  }

  close(): void {
    this.#discard();
    if (!sinkControl.isDisconnected(this.sink)) this.#flushEncoded();
    // `close` doesn't wait for a channel that isn't connected yet, or that can't be closed.
    if (this.#subscription === undefined) sinkControl.finish(this.sink);
    if (!closeQuietly(this.inner)) sinkControl.finish(this.sink);
  }

  #flushEncoded(): void {
    try {
      this.#flushSink?.();
    } catch (error) {
      tellOfError(this.inner, error);
    }
  }

  abort(error: unknown): void {
    this.#discard();
    closeQuietly(this.inner);
    sinkControl.fail(this.sink, error);
  }

  /** Ends the stream. Later messages are read and dropped, so that the inner stream isn't blocked. */
  #discard(): void {
    this.#isDiscarding = true;
    streamFeed.discard(this.stream);
    this.#regulate();
  }

  /**
   * Ends the channel as if the other end had left, and closes the inner sink to notify the other end.
   *
   * @returns The result of the inner sink's `close`.
   */
  disconnect(): Promise<void> {
    sinkControl.disconnect(this.sink);
    this.#discard();
    try {
      return this.inner.close();
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

/**
 * Drops a value. A value that is still arriving, such as a message in parts, is cancelled: it would block all
 * later ones.
 */
function drop(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  const { readable, cancel } = value as { readable?: unknown; cancel?: unknown };
  if (readable instanceof MessageStream && typeof cancel === "function") cancel();
}

/**
 * Checks a {@linkcode MessageTransform}.
 *
 * @throws {TypeError} If it isn't a function and has no method `create`.
 */
export function checkTransform(transform: unknown): void {
  if (typeof transform === "function") return;
  const { create } = (transform ?? {}) as { create?: unknown };
  if (typeof create === "function") return;
  throw new TypeError(
    `Cannot transform: the transform must be a function, or an object with a method create, got ${
      shown(transform)
    }`,
  );
}
