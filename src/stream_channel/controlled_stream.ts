import type { ChannelStream, ListenOptions, StreamSubscription } from "./channel_stream.ts";
import type { ChannelStreamController } from "./stream_controller.ts";

/** The user's side of a {@linkcode ChannelStreamController}: nothing of the producing side shows. */
export class ControlledStream<T> implements ChannelStream<T> {
  readonly #controller: ChannelStreamController<T>;

  /** @param controller Does the work. */
  constructor(controller: ChannelStreamController<T>) {
    this.#controller = controller;
  }

  listen(onData: (value: T) => void, options?: ListenOptions): StreamSubscription {
    return this.#controller.listen(onData, options);
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return this.#controller.next();
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined> {
    return this.#controller.iterate();
  }

  get readable(): ReadableStream<T> {
    return this.#controller.readable;
  }
}
