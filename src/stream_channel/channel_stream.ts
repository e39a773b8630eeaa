/** Options of {@linkcode ChannelStream.listen}. */
export interface ListenOptions {
  /** Called once with the error that ended the stream, right before `onDone`. */
  onError?: ((error: unknown) => void) | undefined;
  /** Called once when the stream is over, always last. */
  onDone?: (() => void) | undefined;
  /** Cancels the subscription when it aborts. */
  signal?: AbortSignal | undefined;
}

/** What {@linkcode ChannelStream.listen} gives: the reader's control over the delivery. */
export interface StreamSubscription {
  /** Whether {@linkcode pause} holds delivery back. */
  readonly isPaused: boolean;
  /**
   * Holds delivery back, from before the next message on, the end included. Messages wait, and
   * beyond the stream's high-water mark the source is asked to stop. Calls don't add up.
   */
  pause(): void;
  /** Goes on delivering, from a microtask. */
  resume(): void;
  /**
   * Stops delivery for good, `onDone` included. The channel stays open: close its sink to end it.
   */
  cancel(): void;
}

/**
 * What comes from the other end of a channel: Dart's single-subscription `Stream`, with
 * backpressure.
 *
 * It has **one reader in its life**. The first of {@linkcode listen}, {@linkcode next},
 * `for await` and the first read of {@linkcode readable} takes the right to read; any other throws an
 * `InvalidStateError`, also when the first is over. Only reading some messages with `next()` and
 * the rest with one `for await` counts as one reader.
 *
 * What arrives before there is a reader waits for it.
 */
export interface ChannelStream<T> extends AsyncIterable<T> {
  /**
   * Hands every message to `onData`, **synchronously**: in the same call in which it arrived, with
   * no promise and no queue between. One exception: when a peer causes more work than fits in one
   * turn of the event loop, a WebSocket channel continues in later turns. What arrived before is delivered from a microtask after
   * `listen` has returned. `onData` is never called from inside itself.
   *
   * What a callback throws is rethrown from a microtask; later messages still come.
   *
   * @throws {TypeError} When `onData` is no function, or an option is unknown or of the wrong type.
   * @throws {DOMException} `InvalidStateError` when the stream has had a reader.
   *
   * @example
   * ```ts
   * import { channelPair } from "@web-socket/channel/stream-channel";
   *
   * const { local, foreign } = channelPair<string>();
   * foreign.stream.listen((message) => console.log(message), { onDone: () => console.log("over") });
   * local.sink.add("hello");
   * await local.sink.close();
   * ```
   */
  listen(onData: (value: T) => void, options?: ListenOptions): StreamSubscription;
  /**
   * The next message, or `{ done: true }` when the stream is over. Calls that wait at the same time
   * are answered in order. The source stops while the high-water mark's worth waits to be read.
   *
   * @throws {DOMException} `InvalidStateError` when another reader has the stream.
   */
  next(): Promise<IteratorResult<T, undefined>>;
  /**
   * Reads with `for await`. Leaving the loop ends the delivery, **not the channel**: close the sink
   * for that.
   *
   * @throws {DOMException} `InvalidStateError` when another reader has the stream.
   */
  [Symbol.asyncIterator](): AsyncIterator<T, undefined> & AsyncIterable<T>;
  /**
   * The same as a `ReadableStream` (the same object on each access) that buffers nothing itself.
   * Cancelling it closes the channel, as users of Web Streams expect.
   *
   * Reading the property takes no right. The first read from the view, or its `cancel`, takes the
   * right to read; it fails with an `InvalidStateError` when another reader has the stream.
   */
  readonly readable: ReadableStream<T>;
}

/** What a `ChannelStreamController` asks of the side that feeds it. */
export interface StreamSource {
  /** Enough waits: give nothing more until {@linkcode resume}, as far as that can be helped. */
  pause?(): void;
  /** There is room again. May add synchronously. */
  resume?(): void;
  /** The reader has gone; what is added from now on is dropped. Goes on to notice the end. */
  cancel?(): void;
  /** The reader wants the channel closed: `readable.cancel()`. */
  close?(reason: unknown): Promise<void> | void;
}

/** Options of a `ChannelStreamController`. */
export interface ChannelStreamControllerOptions<T> {
  /** How many bytes may wait before the source is asked to stop. Default 64 KiB. */
  highWaterMark?: number | undefined;
  /**
   * What a waiting value counts, in bytes. Left out: the length of text and bytes, and about what is
   * inside an object.
   */
  sizeOf?: ((value: T) => number) | undefined;
}
