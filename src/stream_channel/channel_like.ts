/** Converts channels and Web Streams to the two members of a channel. */

import { isReadableStream, isWritableStream } from "../realm/kinds.ts";
import {
  type ChannelSink,
  DelegatingChannelSink,
  MessageSink,
  sinkControl,
  type SinkTarget,
} from "./channel_sink.ts";
import {
  type ChannelStream,
  MessageStream,
  type MessageStreamOptions,
  type StreamEvents,
  streamFeed,
} from "./channel_stream.ts";
import {
  CountedQueue,
  DEFAULT_HIGH_WATER_MARK,
  type SizeOf,
  sizeOfChunk,
} from "./counted_queue.ts";
import { ignore, invalidState, preHandled } from "./errors.ts";
import { loopGuard } from "./loop_guard.ts";
import { shown } from "./options.ts";

/**
 * Any object that can be used as a channel. It is a `{ stream, sink }`, such as each channel of this package,
 * or a `{ readable, writable }`. Examples of the latter are a `Deno.Conn`, a WebTransport stream, and the
 * result of `Duplex.toWeb`. If an object has both pairs, `stream` and `sink` are used.
 */
export type ChannelLike<In, Out = In> =
  | { readonly stream: ChannelStream<In>; readonly sink: ChannelSink<Out> }
  | { readonly readable: ReadableStream<In>; readonly writable: WritableStream<Out> };

/** The two members of a channel. */
export interface ChannelParts<In, Out = In> {
  /** Incoming messages. */
  readonly stream: ChannelStream<In>;
  /** Outgoing messages. */
  readonly sink: ChannelSink<Out>;
}

/**
 * Returns the two members of a channel. It locks Web Streams.
 *
 * @param sizeOf Returns the size of a chunk of Web Streams, in bytes.
 * @throws {TypeError} If it isn't a channel.
 */
export function partsOf<In, Out>(
  channel: ChannelLike<In, Out>,
  sizeOf?: SizeOf<unknown>,
): ChannelParts<In, Out> {
  if (!isChannelLike(channel)) {
    throw new TypeError(
      "Cannot use the channel: it must have a stream and a sink, or a readable and a writable, " +
        `got ${shown(channel)}`,
    );
  }
  // Checked first, because a channel also has a `readable`, which is only a view of its stream.
  if (!("stream" in channel)) return partsFromStreams(channel, sizeOf);
  const sink = withRoom(channel.sink);
  return sink === channel.sink ? channel : { stream: channel.stream, sink };
}

function isChannelLike(value: unknown): boolean {
  if (!isObject(value)) return false;
  // Reading a channel's `readable` would create the view.
  if ("stream" in value) return isStream(value["stream"]) && isSink(value["sink"]);
  const { readable, writable } = value;
  return isObject(readable) && isReadableStream(readable) &&
    isObject(writable) && isWritableStream(writable);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isStream(value: unknown): boolean {
  return isObject(value) && typeof value["listen"] === "function";
}

function isSink(value: unknown): boolean {
  return isObject(value) && typeof value["add"] === "function";
}

/**
 * Converts a stream of either kind to a {@linkcode ChannelStream}.
 *
 * @throws {TypeError} If it is neither.
 */
export function asChannelStream<T>(stream: ChannelStream<T> | ReadableStream<T>): ChannelStream<T> {
  if (!isStream(stream) && !(isObject(stream) && isReadableStream(stream))) {
    throw new TypeError(
      `Cannot use the stream: it must be a ChannelStream or a ReadableStream, got ${shown(stream)}`,
    );
  }
  return isReadableStream<T>(stream) ? streamFromReadable(stream) : stream;
}

/**
 * Converts a sink of either kind to a {@linkcode ChannelSink}.
 *
 * @throws {TypeError} If it is neither.
 */
export function asChannelSink<T>(sink: ChannelSink<T> | WritableStream<T>): ChannelSink<T> {
  if (!isSink(sink) && !(isObject(sink) && isWritableStream(sink))) {
    throw new TypeError(
      `Cannot use the sink: it must be a ChannelSink or a WritableStream, got ${shown(sink)}`,
    );
  }
  return isWritableStream<T>(sink) ? sinkFromWritable(sink) : withRoom(sink);
}

/** Adds `hasRoom` to a hand-written sink without it. */
function withRoom<T>(sink: ChannelSink<T>): ChannelSink<T> {
  // The package's own sinks have it, and reading it takes a while.
  if (sink instanceof MessageSink) return sink;
  const { hasRoom } = sink as Partial<ChannelSink<T>>;
  return hasRoom === undefined ? new DelegatingChannelSink(sink) : sink;
}

/**
 * Closes a sink that has no owner, and ignores errors.
 *
 * @returns `false` if it can't be closed, because an `addStream` of another caller runs.
 */
export function closeQuietly(sink: Pick<ChannelSink<never>, "close">): boolean {
  try {
    sink.close().catch(ignore);
    return true;
  } catch {
    return false;
  }
}

/** Adds an error to a sink if the sink accepts it. */
export function tellOfError(sink: Pick<ChannelSink<never>, "addError">, error: unknown): void {
  try {
    sink.addError(error);
  } catch {
    // It is closed, or an addStream runs: then there is no caller to notify.
  }
}

// Web Streams.

/**
 * Converts a `ReadableStream` to a {@linkcode ChannelStream}. It locks the stream and reads ahead up to the
 * high-water mark. A reader that leaves cancels the `ReadableStream`.
 */
export function streamFromReadable<T>(
  readable: ReadableStream<T>,
  options: Partial<MessageStreamOptions<T>> = {},
): ChannelStream<T> {
  return new ReadableSource<T>(readable, options).stream;
}

/**
 * The maximum number of unread bytes that a pair keeps while its writable half closes. A reader may follow,
 * but the input that the closing waits for must not be unlimited.
 */
const MAX_KEPT = 0x10_0000;

/**
 * Converts a pair of Web Streams to the two members of a channel. It locks both.
 *
 * A socket's `close()` settles only after all its input was read. So while `close()` is pending, the stream
 * reads beyond the high-water mark and keeps up to 1 MiB for a reader. After that it fails, and the rest is
 * dropped. Only a listener that has paused still stops the reading.
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
    // A pending write delays an abort. Cancelling the other half of a socket ends it.
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

  /** Sets whether input is read beyond the high-water mark without a reader. */
  setDraining(draining: boolean): void {
    this.#draining = draining;
    void this.#read();
  }

  /** `discard()` needs the end to be noticed: the rest is read and dropped. */
  cancel(): void {
    if (streamFeed.readerOf(this.stream) !== "discard") this.close(undefined);
  }

  close(reason: unknown): Promise<void> {
    return this.#cancelled ??= preHandled(this.#reader.cancel(reason));
  }

  get #mayRead(): boolean {
    return !this.#paused || this.#draining && !streamFeed.isReaderPaused(this.stream);
  }

  #dropRest(): void {
    const limit = `more than ${MAX_KEPT} bytes of input were unread while the sink closed`;
    streamFeed.fail(this.stream, invalidState(`Cannot continue to read: ${limit}`));
  }

  async #read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#mayRead && this.#cancelled === null) {
        const result = await this.#reader.read();
        if (result.done) return streamFeed.end(this.stream);
        streamFeed.add(this.stream, result.value);
        if (this.#draining && streamFeed.queuedSize(this.stream) > MAX_KEPT) this.#dropRest();
        const turn = loopGuard.step();
        if (turn !== null) await turn;
      }
    } catch (error) {
      streamFeed.fail(this.stream, error);
    } finally {
      this.#reading = false;
    }
  }
}

/** Events for the owner of a `WritableStream`'s sink, and the channel behind it. */
export interface WritableEvents {
  /** The sink of the channel behind the stream. Both sinks are done at the same time, for the same reason. */
  readonly sink?: ChannelSink<never>;
  /** The sink was closed: send pending messages now. */
  onClose(): void;
  /** An error was added. */
  onAbort?(error: unknown): void;
}

/**
 * Converts a `WritableStream` to a {@linkcode ChannelSink}. It locks the stream.
 *
 * @param events The owner's events. Without them, `done` follows the stream.
 * @param sizeOf Returns the size of a value, in bytes.
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
    const finish = (): void => sinkControl.finish(this.sink);
    const fail = (error: unknown): void => sinkControl.fail(this.sink, error);
    const sink = events?.sink;
    if (sink === undefined) {
      this.#writer.closed.then(finish, fail);
      return;
    }
    const disconnect = (): void => sinkControl.disconnect(this.sink);
    this.#writer.closed.then(disconnect, disconnect);
    const lose = (cause: unknown): void => sinkControl.finish(this.sink, cause);
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
    sinkControl.drained(this.sink);
  }
}
