import type { AddStreamOptions, ChannelSink } from "./channel_sink.ts";
import { ControlledSink } from "./sink_controller.ts";

/** A sink that forwards to another one: extend it to change what one of its methods does. */
export class DelegatingChannelSink<T> implements ChannelSink<T> {
  readonly #inner: ChannelSink<T>;
  /** Whether an inner sink without `hasRoom` was ready, and nothing was added since. */
  #wasReady = false;

  /**
   * Forwards to `inner`.
   *
   * @param inner Any sink.
   */
  constructor(inner: ChannelSink<T>) {
    this.#inner = inner;
  }

  /** How the channel of a sink ended, as `SinkTarget` tells it; of one that forwards, that of the other. */
  static endingOf(sink: object): string | undefined {
    if (!(#inner in sink)) return ControlledSink.endingOf(sink);
    return DelegatingChannelSink.endingOf((sink as DelegatingChannelSink<unknown>).#inner);
  }

  /** See {@linkcode ChannelSink.add}. */
  add(value: T): boolean {
    this.#wasReady = false;
    return this.#inner.add(value);
  }

  /**
   * See {@linkcode ChannelSink.hasRoom}. An inner sink that lacks it has room when its `ready` has
   * fulfilled, for one value.
   */
  get hasRoom(): boolean {
    return this.#inner.hasRoom ?? this.#wasReady;
  }

  /** See {@linkcode ChannelSink.ready}. */
  get ready(): Promise<void> {
    const { hasRoom, ready } = this.#inner;
    return hasRoom === undefined ? ready.then(() => void (this.#wasReady = true)) : ready;
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
    source: AsyncIterable<T> | (Iterable<T> & object) | ReadableStream<T>,
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
