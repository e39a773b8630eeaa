/** Options of {@linkcode ChannelSink.addStream}. */
export interface AddStreamOptions {
  /** Stops taking from the source when it aborts; the channel stays usable. */
  signal?: AbortSignal | undefined;
  /** Spares the channel when the source fails: the returned promise rejects, and that is all. */
  preventAbort?: boolean | undefined;
}

/** What goes to the other end of a channel: Dart's `StreamSink`, with backpressure. */
export interface ChannelSink<T> {
  /**
   * Hands `value` over, synchronously and in order.
   *
   * It never waits and never refuses for lack of room: {@linkcode ready} tells when to go on.
   *
   * @returns `false` when the value was dropped because the other end is gone.
   * @throws {TypeError} When the channel can't carry this kind of value.
   * @throws {DOMException} `InvalidStateError` after {@linkcode close}, and while
   * {@linkcode addStream} runs.
   */
  add(value: T): boolean;
  /**
   * Whether there is room for more: fewer bytes than the high-water mark are buffered. Also `true`
   * when the channel has ended, as nothing is left to wait for.
   */
  readonly hasRoom: boolean;
  /**
   * Fulfils when {@linkcode hasRoom} is `true`. Never rejects. A loop that awaits it again and again
   * waits for the next turn of the event loop every few milliseconds, so that timers go on.
   */
  readonly ready: Promise<void>;
  /**
   * How many bytes were added and not yet handed on to the transport: of the values alone, without
   * what a protocol puts around them.
   */
  readonly bufferedAmount: number;
  /**
   * Waits until all that was added is handed to the transport.
   *
   * @returns A promise that rejects with the channel's error when the channel ended before that, and
   * from then on each time: what was dropped is never reported as sent.
   */
  flush(): Promise<void>;
  /**
   * Adds everything that `source` gives, waiting for room between values. Until it ends, the sink
   * belongs to it: `add` and `addError` throw.
   *
   * When the channel ends before the source, the source is cancelled and the promise rejects with the
   * channel's error. Without one, it rejects with an `InvalidStateError`, which names the peer's close
   * code and reason. When the source fails the error is given to {@linkcode addError}, and the promise
   * rejects with it.
   *
   * @throws {TypeError} When `source` is no source, or a single message (text or bytes): use
   * {@linkcode add} for that. The channel is unharmed.
   * @throws {DOMException} `InvalidStateError` after {@linkcode close}, and while another one runs.
   */
  addStream(
    source: AsyncIterable<T> | (Iterable<T> & object) | ReadableStream<T>,
    options?: AddStreamOptions,
  ): Promise<void>;
  /**
   * Reports an error that makes going on pointless. A channel that can't send errors closes, and
   * {@linkcode done} rejects with it. A WebSocket's peer receives the error's `closeCode` if it has one
   * that can be sent, otherwise 1011.
   *
   * @throws {DOMException} `InvalidStateError` after {@linkcode close}, and while
   * {@linkcode addStream} runs.
   */
  addError(error: unknown): void;
  /**
   * Closes the channel: what was added before still goes out, the channel's stream ends at once.
   *
   * @returns {@linkcode done}. It always settles.
   * @throws {DOMException} `InvalidStateError` while {@linkcode addStream} runs. The sink of a
   * WebSocket channel doesn't throw then: its `close` ends the `addStream` and cancels the source.
   */
  close(): Promise<void>;
  /**
   * Settles when the channel has ended, from either side; rejects only with the error of
   * {@linkcode addError}, of a transformer that can't decode a message, or of a `WritableStream` that
   * the sink was made from. An unhandled rejection does no harm.
   */
  readonly done: Promise<void>;
  /**
   * The same as a `WritableStream` (the same object on each access). `close()` closes the channel,
   * as soon as what was written before has found room; `abort(error)` is {@linkcode addError}. When
   * the channel ends, it errors, and pending writes reject, with the channel's error.
   */
  readonly writable: WritableStream<T>;
}

/** What a sink asks of the one behind it. */
export type InnerSink = Pick<
  ChannelSink<never>,
  "bufferedAmount" | "hasRoom" | "ready" | "flush"
>;

/** What a `ChannelSinkController` hands values to. */
export interface SinkTarget<T, Options = never> {
  /** What was added and not yet handed on, in bytes. Left out where there is an {@linkcode inner}. */
  readonly bufferedAmount?: number;
  /**
   * What `ready` and `flush` go by, where that is not `bufferedAmount`: with what is sent beside the
   * values.
   */
  readonly load?: number;
  /**
   * Takes a value, with the options that the sink's `add` got. Throws a `TypeError`, and takes
   * nothing, if the value is of the wrong kind. Returns `false` if it drops the value because the
   * other end is gone: the sink then hands it no other value, as after `disconnect`.
   */
  add(value: T, options?: Options): boolean | void;
  /**
   * Throws a `TypeError` when a value is of the wrong kind: asked instead of `add` when the value is
   * dropped. Left out: all kinds are right.
   */
  check?(value: T, options?: Options): void;
  /** The user closes the channel. `finish` must follow, some time. */
  close(): void;
  /**
   * The user reports an error and the channel must end because of it;
   * `finish` must follow, some time.
   */
  abort(error: unknown): void;
  /** Forwards an error to the other end. With this, errors don't end the channel. */
  addError?(error: unknown): void;
  /** Asks for a call of `drained` when `bufferedAmount` has fallen. */
  watch?(): void;
  /**
   * The sink that the target passes values on to, where it does. The room, the buffered amount and
   * `flush` are then that sink's.
   */
  readonly inner?: InnerSink;
  /** How the channel ended, such as `"the peer closed with 1000"`; `undefined` when unknown. */
  readonly ending?: string | undefined;
}

/** Options of a `ChannelSinkController`. */
export interface ChannelSinkControllerOptions {
  /** How many bytes may be buffered before `ready` waits. Default 64 KiB. */
  highWaterMark?: number | undefined;
  /** `close()` during `addStream` cancels the source, instead of throwing. */
  closeWins?: boolean | undefined;
}
