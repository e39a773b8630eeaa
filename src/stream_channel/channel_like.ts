import { isReadableStream, isWritableStream } from "../realm/kinds.ts";
import { type ChannelSink, DelegatingChannelSink, MessageSink } from "./channel_sink.ts";
import type { ChannelStream } from "./channel_stream.ts";
import type { SizeOf } from "./counted_queue.ts";
import { ignore } from "./errors.ts";
import { shown } from "./options.ts";
import { partsFromStreams, sinkFromWritable, streamFromReadable } from "./web_streams.ts";

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
  /** What comes from the other end. */
  readonly stream: ChannelStream<In>;
  /** What goes to the other end. */
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
 * Closes a sink that nobody answers for any more: what goes wrong in it is nobody's concern.
 *
 * @returns `false` when it can't be closed, because an `addStream` of somebody else holds it.
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
    // It is closed, or belongs to an addStream: then there is nobody to tell.
  }
}
