/** Web Streams as the two members of a channel. */

import { type ChannelSink, MessageSink, outlet, type SinkTarget } from "./channel_sink.ts";
import {
  type ChannelStream,
  inlet,
  MessageStream,
  type MessageStreamOptions,
  type StreamEvents,
} from "./channel_stream.ts";
import {
  CountedQueue,
  DEFAULT_HIGH_WATER_MARK,
  type SizeOf,
  sizeOfChunk,
} from "./counted_queue.ts";
import { ignore, invalidState, preHandled } from "./errors.ts";
import { loopGuard } from "./loop_guard.ts";

/**
 * A `ReadableStream` as a {@linkcode ChannelStream}. It locks the stream and reads ahead of its
 * reader, up to the high-water mark. A reader that leaves cancels the `ReadableStream`.
 */
export function streamFromReadable<T>(
  readable: ReadableStream<T>,
  options: Partial<MessageStreamOptions<T>> = {},
): ChannelStream<T> {
  return new ReadableSource<T>(readable, options).stream;
}

/**
 * While its writable half closes, a pair keeps this many bytes of input that no reader has taken. A
 * reader may follow, and what has to be read for the closing to finish must not be without limit.
 */
const MAX_KEPT = 0x10_0000;

/**
 * A pair of Web Streams as the two members of a channel. It locks both.
 *
 * A socket's `close()` settles when all its input was read. So, from the sink's `close()` until that
 * has settled, the high-water mark doesn't stop the reading: up to 1 MiB is kept for a reader, then
 * the stream fails behind that and the rest is dropped. Only a listener that has paused still does.
 */
export function partsFromStreams<In, Out>(
  { readable, writable }: {
    readonly readable: ReadableStream<In>;
    readonly writable: WritableStream<Out>;
  },
  sizeOf: SizeOf<unknown> = sizeOfChunk,
): { readonly stream: ChannelStream<In>; readonly sink: ChannelSink<Out> } {
  const source = new ReadableSource<In>(readable, { sizeOf });
  const sink = sinkFromWritable<Out>(writable, {
    onClose: () => source.setDraining(true),
    // A write that is stuck holds an abort up; cancelling a socket's other half ends it.
    onAbort: (error) => void source.close(error),
  }, sizeOf);
  const stop = (): void => source.setDraining(false);
  sink.done.then(stop, stop);
  return { stream: source.stream, sink };
}

class ReadableSource<T> implements StreamEvents {
  readonly stream: MessageStream<T>;
  readonly #reader: ReadableStreamDefaultReader<T>;
  #paused = false;
  #draining = false;
  #reading = false;
  #cancelled: Promise<void> | null = null;

  constructor(readable: ReadableStream<T>, options: Partial<MessageStreamOptions<T>>) {
    this.#reader = readable.getReader();
    this.stream = new MessageStream<T>(this, { sizeOf: sizeOfChunk, ...options });
    void this.#read();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    void this.#read();
  }

  /** Whether input is read beyond the high-water mark although no reader takes it. */
  setDraining(draining: boolean): void {
    this.#draining = draining;
    void this.#read();
  }

  cancel(): void {
    this.close(undefined);
  }

  close(reason: unknown): Promise<void> {
    return this.#cancelled ??= preHandled(this.#reader.cancel(reason));
  }

  get #mayRead(): boolean {
    return !this.#paused || this.#draining && !inlet.isReaderPaused(this.stream);
  }

  #dropRest(): void {
    const limit = `more than ${MAX_KEPT} bytes of input waited while the sink closed`;
    inlet.fail(this.stream, invalidState(`Cannot read on: ${limit}`));
  }

  async #read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#mayRead && this.#cancelled === null) {
        const result = await this.#reader.read();
        if (result.done) return inlet.end(this.stream);
        inlet.add(this.stream, result.value);
        if (this.#draining && inlet.queuedSize(this.stream) > MAX_KEPT) this.#dropRest();
        const turn = loopGuard.step();
        if (turn !== null) await turn;
      }
    } catch (error) {
      inlet.fail(this.stream, error);
    } finally {
      this.#reading = false;
    }
  }
}

/** What is told to the owner of a `WritableStream`'s sink, and what is known of the channel behind it. */
export interface WritableEvents {
  /** The sink of the channel behind the stream: what it is done with, this one is done with. */
  readonly sink?: ChannelSink<never>;
  /** The sink was closed: what is still on the way should hurry. */
  onClose(): void;
  /** An error was added. */
  onAbort?(error: unknown): void;
}

/**
 * A `WritableStream` as a {@linkcode ChannelSink}. It locks the stream.
 *
 * @param events See {@linkcode WritableEvents}. Left out: `done` follows the stream.
 * @param sizeOf What a value counts.
 */
export function sinkFromWritable<T>(
  writable: WritableStream<T>,
  events?: WritableEvents,
  sizeOf: SizeOf<unknown> = sizeOfChunk,
): ChannelSink<T> {
  return new WritableTarget<T>(writable, events, sizeOf).sink;
}

class WritableTarget<T> implements SinkTarget<T> {
  readonly sink: MessageSink<T>;
  readonly #writer: WritableStreamDefaultWriter<T>;
  readonly #events: WritableEvents | undefined;
  readonly #sizeOf: SizeOf<unknown>;
  /** The sizes of the values that the stream has not taken. */
  readonly #sizes = new CountedQueue<null>();
  readonly #written = (): void => this.#taken();

  constructor(
    writable: WritableStream<T>,
    events: WritableEvents | undefined,
    sizeOf: SizeOf<unknown>,
  ) {
    this.#sizeOf = sizeOf;
    this.#writer = writable.getWriter();
    this.#events = events;
    this.sink = new MessageSink<T>(this);
    this.#writer.ready.catch(ignore);
    const finish = (): void => outlet.finish(this.sink);
    const fail = (error: unknown): void => outlet.fail(this.sink, error);
    const sink = events?.sink;
    if (sink === undefined) {
      this.#writer.closed.then(finish, fail);
      return;
    }
    const disconnect = (): void => outlet.disconnect(this.sink);
    this.#writer.closed.then(disconnect, disconnect);
    const lose = (cause: unknown): void => outlet.finish(this.sink, cause);
    sink.done.then(() => sink.flush().then(finish, lose), fail);
  }

  get bufferedAmount(): number {
    return this.#sizes.size;
  }

  add(value: T): void {
    this.#sizes.pushSized(null, this.#sizeOf(value, DEFAULT_HIGH_WATER_MARK));
    this.#writer.write(value).then(this.#written, ignore);
  }

  close(): void {
    this.#writer.close().catch(ignore);
    this.#events?.onClose();
  }

  abort(error: unknown): void {
    // `closed` reports the outcome.
    this.#writer.abort(error).catch(ignore);
    this.#events?.onAbort?.(error);
  }

  #taken(): void {
    this.#sizes.shift();
    outlet.drained(this.sink);
  }
}
