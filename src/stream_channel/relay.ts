/** One channel over another: all wrappers of this package are made of it. */

import type { ChannelParts } from "./channel_like.ts";
import { closeQuietly, tellOfError } from "./channel_like.ts";
import {
  type ChannelSink,
  type InnerSink,
  MessageSink,
  sinkOwner,
  type SinkTarget,
} from "./channel_sink.ts";
import { shown } from "./options.ts";
import {
  type Failure,
  MessageStream,
  streamFeed,
  type StreamSubscription,
} from "./channel_stream.ts";

/** What a {@linkcode StreamTransformer} makes for one channel: synchronous, with a state of its own. */
export interface TransformHandlers<From, To> {
  /**
   * Takes one message and emits its results: none, one or many. An error that it throws ends the
   * channel when it transforms the stream; the caller of `add` gets it when it transforms the sink.
   */
  transform(value: From, emit: (value: To) => void): void;
  /** Called at the end: emits the rest. Not called after an error. */
  flush?(emit: (value: To) => void): void;
}

/** How the messages of one direction become others, with a state of its own on each channel. */
export interface StreamTransformer<From, To> {
  /** Makes the handlers, and the state, of one channel. */
  create(): TransformHandlers<From, To>;
}

/** Transforms one direction: a function from message to message, or a {@linkcode StreamTransformer}. */
export type MessageTransform<From, To> = ((value: From) => To) | StreamTransformer<From, To>;

/** Handlers whose `transform` may return a promise: the next message then waits for it. */
export interface WaitingHandlers<From, To> {
  transform(value: From, emit: (value: To) => void): void | Promise<void>;
  flush?(emit: (value: To) => void): void;
}

/** The stream's side of a {@linkcode Relay}. */
export type Decode<From, To> =
  | ((value: From) => To)
  | { create(): WaitingHandlers<From, To> };

/** The part of the inner sink that a {@linkcode Relay} uses. */
export type RelaySink<T> = InnerSink & Pick<ChannelSink<T>, "add" | "addError" | "close">;

/** Options of a {@linkcode Relay}. */
export interface RelayOptions<In, Out, NewIn, NewOut> {
  /** Transforms what is received. Left out: it passes as it is. */
  readonly decode?: Decode<In, NewIn> | undefined;
  /** Transforms what is sent. Left out: it passes as it is. */
  readonly encode?: MessageTransform<NewOut, Out> | undefined;
  /** The end of the stream disconnects the sink (guarantee 3), instead of leaving it as it is. */
  readonly joined?: boolean | undefined;
  /** An error put into the sink closes the channel and is `done`'s, instead of passing. */
  readonly keepErrors?: boolean | undefined;
}

/** The `add` of a sink; some sinks take options. */
type Send<T> = (value: T, options?: unknown) => boolean;

/** The one message that a relay keeps for its reader: the others stay where their size is known. */
const HOLD_ONE_MESSAGE = { highWaterMark: 1, sizeOf: () => 1 };

/**
 * A channel over another one, which may come later: each message passes in the same call, the room of
 * the inner sink is the outer's, and a reader that pauses pauses the inner stream, with one message in
 * between.
 *
 * It listens at once, so that it notices the end before anybody reads, and keeps guarantee 2:
 * closing its sink ends its stream.
 */
export class Relay<In, Out, NewIn = In, NewOut = Out> implements SinkTarget<NewOut, unknown> {
  readonly stream: MessageStream<NewIn>;
  readonly sink: MessageSink<NewOut, unknown>;
  readonly addError?: (error: unknown) => void;
  readonly check?: (value: NewOut) => void;
  /** The inner sink, or what stands in for it before there is one. */
  inner: RelaySink<Out>;

  readonly #options: RelayOptions<In, Out, NewIn, NewOut>;
  #subscription: StreamSubscription | undefined;
  /** Encodes and sends; `null`: what is added passes as it is. */
  #send: Send<NewOut> | null;
  #flushStream: (() => void) | undefined;
  #flushSink: (() => void) | undefined;
  #failure: Failure | null = null;
  /** The user's error went to the inner sink, whose `done` tells what became of it. */
  #errorPassed = false;
  /** Messages of the inner stream are dropped; only its end counts. */
  #isDiscarding = false;
  /** A message is still being transformed. */
  #waiting = false;

  /**
   * Listens to the inner stream, if there is one.
   *
   * @param inner The inner channel; or a sink that takes the values until {@linkcode connect}.
   * @param options See {@linkcode RelayOptions}.
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
   * Goes on over a channel.
   *
   * @param inner The channel.
   * @param handOver Adds the waiting values to the inner sink. Values that a listener adds in response
   * wait behind them.
   * @throws {DOMException} `InvalidStateError` when its stream has a reader; nothing has changed then.
   */
  connect(inner: ChannelParts<In, Out>, handOver: () => void): void {
    this.#listen(inner);
    handOver();
    this.inner = inner.sink;
    this.#send = this.#sender(this.#options.encode);
  }

  /** There will be no inner channel. */
  giveUp(error: unknown): void {
    sinkOwner.finish(this.sink, error);
    streamFeed.fail(this.stream, error);
  }

  #listen({ stream, sink }: ChannelParts<In, Out>): void {
    this.#subscription = stream.listen(this.#receiver(this.#options.decode), {
      onError: (error) => this.#failure = { error },
      onDone: () => this.#streamDone(),
    });
    sink.done.then(() => this.#over(null), (error) => this.#over({ error }));
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
   * A message can't be decoded: the stream fails, and the inner channel closes with the error. The inner
   * channel gets it first: a reader of the stream may close this channel, and that carries no error.
   */
  #fail(error: unknown): void {
    if (this.#isDiscarding) return;
    this.#isDiscarding = true;
    this.#failure = { error };
    sinkOwner.disconnect(this.sink);
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
    // If the user has closed it, or added an error, the inner sink's `done` reports the outcome.
    if (sinkOwner.isClosed(this.sink) || this.#errorPassed) sinkOwner.disconnect(this.sink);
    else sinkOwner.finish(this.sink);
  }

  #flushDecoded(): void {
    try {
      this.#flushStream?.();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The inner sink is done. */
  #over(failure: Failure | null): void {
    if (failure === null) sinkOwner.finish(this.sink);
    else {
      sinkOwner.fail(this.sink, failure.error);
      if (this.#options.joined) this.#failStream(failure.error);
    }
    // Otherwise messages may still wait in the inner stream, and its end.
    if (this.#isDiscarding) this.#subscription?.cancel();
  }

  /** The sink has failed: the stream of a joined pair doesn't notice that by itself. */
  #failStream(error: unknown): void {
    this.#isDiscarding = true;
    if (this.#errorPassed) streamFeed.end(this.stream);
    else streamFeed.fail(this.stream, error);
  }

  /** A relay that drops messages never pauses the inner stream. */
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
    // Some sinks take options.
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
    if (!sinkOwner.isDisconnected(this.sink)) this.#flushEncoded();
    // `close` doesn't wait for a channel that isn't there yet, or that can't be closed.
    if (this.#subscription === undefined) sinkOwner.finish(this.sink);
    if (!closeQuietly(this.inner)) sinkOwner.finish(this.sink);
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
    sinkOwner.fail(this.sink, error);
  }

  /** Ends the stream. Later messages are read and dropped, so that the inner stream isn't held up. */
  #discard(): void {
    this.#isDiscarding = true;
    streamFeed.discard(this.stream);
    this.#regulate();
  }

  /**
   * Ends the channel as if the other end had gone, and closes the inner sink so that it knows.
   *
   * @returns The promise of the inner sink's `close`.
   */
  disconnect(): Promise<void> {
    sinkOwner.disconnect(this.sink);
    this.#discard();
    try {
      return this.inner.close();
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

/** Drops a value. One that is still arriving, such as a message in parts, would hold up all behind it. */
function drop(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  const { readable, cancel } = value as { readable?: unknown; cancel?: unknown };
  if (readable instanceof MessageStream && typeof cancel === "function") cancel();
}

/**
 * Throws unless it is a {@linkcode MessageTransform}.
 *
 * @throws {TypeError} When it is neither a function nor has a method `create`.
 */
export function checkTransform(transform: unknown): void {
  if (typeof transform === "function") return;
  const { create } = (transform ?? {}) as { create?: unknown };
  if (typeof create === "function") return;
  throw new TypeError(
    `Cannot transform: it takes a function, or an object with a method create, got ${
      shown(transform)
    }`,
  );
}
