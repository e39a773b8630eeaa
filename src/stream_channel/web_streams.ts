/** Web Streams as the two members of a channel. */

import type { ChannelSink, SinkTarget } from "./channel_sink.ts";
import { ChannelSinkController } from "./sink_controller.ts";
import type {
  ChannelStream,
  ChannelStreamControllerOptions,
  StreamSource,
} from "./channel_stream.ts";
import { ChannelStreamController } from "./stream_controller.ts";
import { ignore, preHandled } from "./errors.ts";
import { Fifo } from "./fifo.ts";
import { sizeOf } from "./size.ts";

/**
 * A `ReadableStream` as a {@linkcode ChannelStream}. It locks the stream and reads ahead of its
 * reader, up to the high-water mark. A reader that leaves cancels the `ReadableStream`.
 */
export function streamFromReadable<T>(
  readable: ReadableStream<T>,
  options?: ChannelStreamControllerOptions<T>,
): ChannelStream<T> {
  return new ReadableSource<T>(readable, options).stream;
}

class ReadableSource<T> implements StreamSource {
  readonly stream: ChannelStream<T>;
  readonly #controller: ChannelStreamController<T>;
  readonly #reader: ReadableStreamDefaultReader<T>;
  #paused = false;
  #reading = false;
  #cancelled: Promise<void> | null = null;

  constructor(readable: ReadableStream<T>, options?: ChannelStreamControllerOptions<T>) {
    this.#reader = readable.getReader();
    this.#controller = new ChannelStreamController<T>(this, options);
    this.stream = this.#controller.stream;
    void this.#read();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    void this.#read();
  }

  cancel(): void {
    this.close(undefined);
  }

  close(reason: unknown): Promise<void> {
    return this.#cancelled ??= preHandled(this.#reader.cancel(reason));
  }

  async #read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (!this.#paused && this.#cancelled === null) {
        const result = await this.#reader.read();
        if (result.done) return this.#controller.end();
        this.#controller.add(result.value);
      }
    } catch (error) {
      this.#controller.fail(error);
    } finally {
      this.#reading = false;
    }
  }
}

/** What is behind a `WritableStream`, where more is known of it than the stream tells. */
export interface Behind {
  /** Settles, as `done` then does, when the channel behind the stream is over. */
  readonly over: Promise<void>;
  /** The sink was closed: what is still on the way should hurry. */
  onClose(): void;
}

/**
 * A `WritableStream` as a {@linkcode ChannelSink}. It locks the stream.
 *
 * @param behind What is behind it. Left out: `done` follows the stream.
 */
export function sinkFromWritable<T>(writable: WritableStream<T>, behind?: Behind): ChannelSink<T> {
  return new WritableTarget<T>(writable, behind).sink;
}

class WritableTarget<T> implements SinkTarget<T> {
  readonly sink: ChannelSink<T>;
  readonly #controller: ChannelSinkController<T>;
  readonly #writer: WritableStreamDefaultWriter<T>;
  readonly #behind: Behind | undefined;
  readonly #sizes = new Fifo<number>();
  readonly #written = (): void => this.#taken();
  #amount = 0;

  constructor(writable: WritableStream<T>, behind: Behind | undefined) {
    this.#writer = writable.getWriter();
    this.#behind = behind;
    this.#controller = new ChannelSinkController<T>(this);
    this.sink = this.#controller.sink;
    const end = (cause?: unknown): void => this.#end(cause);
    this.#writer.ready.catch(ignore);
    this.#writer.closed.then(() => end(), end);
    behind?.over.then(() => this.#controller.finish(), (error) => this.#controller.fail(error));
  }

  get bufferedAmount(): number {
    return this.#amount;
  }

  add(value: T): void {
    const size = sizeOf(value);
    this.#sizes.push(size);
    this.#amount += size;
    this.#writer.write(value).then(this.#written, ignore);
  }

  close(): void {
    this.#writer.close().catch(ignore);
    this.#behind?.onClose();
  }

  abort(error: unknown): void {
    const end = (): void => this.#end(error);
    this.#writer.abort(error).then(end, end);
  }

  #taken(): void {
    this.#amount -= this.#sizes.shift();
    this.#controller.drained();
  }

  /** The stream takes nothing more. */
  #end(cause: unknown): void {
    if (this.#behind === undefined) this.#controller.finish(cause);
    else this.#controller.disconnect();
  }
}
