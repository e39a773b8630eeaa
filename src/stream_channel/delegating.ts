import { type ChannelLike, partsOf } from "./channel_like.ts";
import type { AddStreamOptions, ChannelSink } from "./channel_sink.ts";
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

/** A sink that forwards to another one: extend it to change what one of its methods does. */
export class DelegatingChannelSink<T> implements ChannelSink<T> {
  readonly #inner: ChannelSink<T>;

  /**
   * Forwards to `inner`.
   *
   * @param inner Any sink.
   */
  constructor(inner: ChannelSink<T>) {
    this.#inner = inner;
  }

  /** See {@linkcode ChannelSink.add}. */
  add(value: T): boolean {
    return this.#inner.add(value);
  }

  /** See {@linkcode ChannelSink.hasRoom}. */
  get hasRoom(): boolean {
    return this.#inner.hasRoom === true;
  }

  /** See {@linkcode ChannelSink.ready}. */
  get ready(): Promise<void> {
    return this.#inner.ready;
  }

  /** See {@linkcode ChannelSink.bufferedAmount}. */
  get bufferedAmount(): number {
    return this.#inner.bufferedAmount;
  }

  /** See {@linkcode ChannelSink.flush}. */
  flush(): Promise<void> {
    return this.#inner.flush();
  }

  /** See {@linkcode ChannelSink.addStream}. */
  addStream(
    source: AsyncIterable<T> | Iterable<T> | ReadableStream<T>,
    options?: AddStreamOptions,
  ): Promise<void> {
    return this.#inner.addStream(source, options);
  }

  /** See {@linkcode ChannelSink.addError}. */
  addError(error: unknown): void {
    this.#inner.addError(error);
  }

  /** See {@linkcode ChannelSink.close}. */
  close(): Promise<void> {
    return this.#inner.close();
  }

  /** See {@linkcode ChannelSink.done}. */
  get done(): Promise<void> {
    return this.#inner.done;
  }

  /** See {@linkcode ChannelSink.writable}. */
  get writable(): WritableStream<T> {
    return this.#inner.writable;
  }
}
