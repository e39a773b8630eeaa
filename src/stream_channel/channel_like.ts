/** Whatever counts as a channel, Web Streams included, as the two members of one. */

import { isReadableStream, isWritableStream } from "../realm/kinds.ts";
import {
  type ChannelSink,
  DelegatingChannelSink,
  MessageSink,
  sinkOwner,
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
 * What every function that takes a channel takes: any `{ stream, sink }`, such as each channel of
 * this package, or any `{ readable, writable }`, such as a `Deno.Conn`, a WebTransport stream or
 * what `Duplex.toWeb` gives. Where an object has both, `stream` and `sink` are used.
 */
export type ChannelLike<In, Out = In> =
  | { readonly stream: ChannelStream<In>; readonly sink: ChannelSink<Out> }
  | { readonly readable: ReadableStream<In>; readonly writable: WritableStream<Out> };

/** The two members that everything is written in terms of. */
export interface ChannelParts<In, Out = In> {
  /** Incoming messages. */
  readonly stream: ChannelStream<In>;
  /** Outgoing messages. */
  readonly sink: ChannelSink<Out>;
}

/**
 * The two members of whatever counts as a channel. Web Streams are locked by it.
 *
 * @param sizeOf What a chunk of Web Streams counts.
 * @throws {TypeError} When it is no channel.
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
  // Asked first: a channel has a `readable` as well, which is only a view of its stream.
  if (!("stream" in channel)) return partsFromStreams(channel, sizeOf);
  const sink = withRoom(channel.sink);
  return sink === channel.sink ? channel : { stream: channel.stream, sink };
}

function isChannelLike(value: unknown): boolean {
  if (!isObject(value)) return false;
  // A channel's `readable` is a view that is created when it is read.
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
 * A stream as {@linkcode ChannelStream}, whichever kind it is of.
 *
 * @throws {TypeError} When it is neither.
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
 * A sink as {@linkcode ChannelSink}, whichever kind it is of.
 *
 * @throws {TypeError} When it is neither.
 */
export function asChannelSink<T>(sink: ChannelSink<T> | WritableStream<T>): ChannelSink<T> {
  if (!isSink(sink) && !(isObject(sink) && isWritableStream(sink))) {
    throw new TypeError(
      `Cannot use the sink: it must be a ChannelSink or a WritableStream, got ${shown(sink)}`,
    );
  }
  return isWritableStream<T>(sink) ? sinkFromWritable(sink) : withRoom(sink);
}

/** A hand-written sink may lack `hasRoom`. */
function withRoom<T>(sink: ChannelSink<T>): ChannelSink<T> {
  // Not asked of the package's own: whether there is room takes a while to tell.
  if (sink instanceof MessageSink) return sink;
  const { hasRoom } = sink as Partial<ChannelSink<T>>;
  return hasRoom === undefined ? new DelegatingChannelSink(sink) : sink;
}

/**
 * Closes a sink that has no owner any more: its failures are ignored.
 *
 * @returns `false` when it can't be closed, because another caller's `addStream` holds it.
 */
export function closeQuietly(sink: Pick<ChannelSink<never>, "close">): boolean {
  try {
    sink.close().catch(ignore);
    return true;
  } catch {
    return false;
  }
}

/** Puts an error into a sink, where it takes any. */
export function tellOfError(sink: Pick<ChannelSink<never>, "addError">, error: unknown): void {
  try {
    sink.addError(error);
  } catch {
    // It is closed, or belongs to an addStream: then there is no caller to notify.
  }
}

// Web Streams.

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

  /** Who discards wants the end to be seen: then the rest is read, and dropped. */
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
    const limit = `more than ${MAX_KEPT} bytes of input waited while the sink closed`;
    streamFeed.fail(this.stream, invalidState(`Cannot read on: ${limit}`));
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

/** Events for the owner of a `WritableStream`'s sink, and what is known of the channel behind it. */
export interface WritableEvents {
  /** The sink of the channel behind the stream: what it is done with, this one is done with. */
  readonly sink?: ChannelSink<never>;
  /** The sink was closed: pending messages should be sent soon. */
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
    const finish = (): void => sinkOwner.finish(this.sink);
    const fail = (error: unknown): void => sinkOwner.fail(this.sink, error);
    const sink = events?.sink;
    if (sink === undefined) {
      this.#writer.closed.then(finish, fail);
      return;
    }
    const disconnect = (): void => sinkOwner.disconnect(this.sink);
    this.#writer.closed.then(disconnect, disconnect);
    const lose = (cause: unknown): void => sinkOwner.finish(this.sink, cause);
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
    sinkOwner.drained(this.sink);
  }
}
