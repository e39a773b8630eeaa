/** The plain halves that wrappers are tested over: neither half affects the other. */

import type { SinkTarget } from "../../src/stream_channel/channel_sink.ts";
import { SinkController } from "../support/controllers.ts";
import type { ChannelStream } from "../../src/stream_channel/channel_stream.ts";
import { StreamController } from "../support/controllers.ts";
import type { ChannelSink } from "../../src/stream_channel/mod.ts";

/** Two plain controllers: `in` feeds the stream, and `out` has the values that the sink received. */
export class RawChannel<In, Out = In> implements SinkTarget<Out> {
  readonly in: StreamController<In>;
  readonly stream: ChannelStream<In>;
  readonly sink: ChannelSink<Out>;
  /** The events of the sink: values, `["error", error]` and `"done"`. */
  readonly out: unknown[] = [];
  /** The calls on the source: paused, resumed, cancelled and closed. */
  readonly told: string[] = [];
  bufferedAmount = 0;
  addError?: (error: unknown) => void;
  readonly control: SinkController<Out>;
  readonly #holdClose: boolean;

  /** @param options Whether `close` waits for {@linkcode finish}; whether the sink takes errors. */
  constructor(options: { holdClose?: boolean; takeErrors?: boolean } = {}) {
    this.#holdClose = options.holdClose ?? false;
    if (options.takeErrors ?? true) this.addError = (error) => this.out.push(["error", error]);
    this.in = new StreamController<In>({
      pause: () => this.told.push("pause"),
      resume: () => this.told.push("resume"),
      cancel: () => this.told.push("cancel"),
      close: () => void this.told.push("close"),
    });
    this.stream = this.in.stream;
    this.control = new SinkController<Out>(this, { highWaterMark: 10 });
    this.sink = this.control.sink;
  }

  add(value: Out): void {
    this.out.push(value);
  }

  close(): void {
    this.out.push("done");
    if (!this.#holdClose) this.finish();
  }

  abort(error: unknown): void {
    this.out.push(["abort", error]);
    this.finish();
  }

  /** Settles the sink's `done`. */
  finish(): void {
    this.control.finish();
  }
}

/** A source that stays open until the test ends it, and records that it was cancelled. */
export class OpenSource<T> implements AsyncIterable<T> {
  cancelled = false;
  #waiting: ((result: IteratorResult<T>) => void)[] = [];
  #failing: ((error: unknown) => void)[] = [];

  /** Gives one value to a waiting reader. */
  put(value: T): void {
    this.#waiting.shift()?.({ done: false, value });
  }

  /** Fails the source. */
  fail(error: unknown): void {
    this.#failing.shift()?.(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    return {
      next: () =>
        new Promise((resolve, reject) => {
          this.#waiting.push(resolve);
          this.#failing.push(reject);
        }),
      return: () => {
        this.cancelled = true;
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}

/** A source of `limit` equal values that counts how many were taken. */
export class CountedSource<T> implements Iterable<T> {
  produced = 0;
  readonly #limit: number;
  readonly #value: () => T;

  constructor(limit: number, value: () => T) {
    this.#limit = limit;
    this.#value = value;
  }

  *[Symbol.iterator](): Generator<T> {
    while (this.produced < this.#limit) {
      this.produced++;
      yield this.#value();
    }
  }
}

/** A listener that is paused from the start, and keeps the values that arrive after it is resumed. */
export class PausedReader<T> {
  readonly received: T[] = [];
  readonly over: Promise<void>;
  #resume = (): void => {};

  constructor(stream: ChannelStream<T>) {
    this.over = new Promise((resolve) => {
      const subscription = stream.listen((value) => this.received.push(value), {
        onDone: resolve,
      });
      subscription.pause();
      this.#resume = () => subscription.resume();
    });
  }

  /** Resumes reading. */
  resume(): void {
    this.#resume();
  }
}
