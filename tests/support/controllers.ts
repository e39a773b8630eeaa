/** The producing sides of a stream and of a sink, as objects. */

import {
  MessageSink,
  type MessageSinkOptions,
  sinkControl,
  type SinkTarget,
} from "../../src/stream_channel/channel_sink.ts";
import {
  MessageStream,
  type MessageStreamOptions,
  type StreamEvents,
  streamFeed,
} from "../../src/stream_channel/channel_stream.ts";
import { sizeOf } from "../../src/stream_channel/counted_queue.ts";

/** Feeds a stream, as `StreamFeed` describes. */
export class StreamController<T> {
  readonly stream: MessageStream<T>;

  constructor(events: StreamEvents = {}, options: Partial<MessageStreamOptions<T>> = {}) {
    this.stream = new MessageStream<T>(events, { sizeOf, ...options });
  }

  get queuedSize(): number {
    return streamFeed.queuedSize(this.stream);
  }

  get isPaused(): boolean {
    return streamFeed.isPaused(this.stream);
  }

  add(value: T): void {
    streamFeed.add(this.stream, value);
  }

  fail(error: unknown): void {
    streamFeed.fail(this.stream, error);
  }

  end(): void {
    streamFeed.end(this.stream);
  }

  discard(): void {
    streamFeed.discard(this.stream);
  }
}

/** Owns a sink's target, as `SinkControl` describes. */
export class SinkController<T> {
  readonly sink: MessageSink<T>;

  constructor(target: SinkTarget<T>, options?: MessageSinkOptions) {
    this.sink = new MessageSink<T>(target, options);
  }

  get isClosed(): boolean {
    return sinkControl.isClosed(this.sink);
  }

  get isDisconnected(): boolean {
    return sinkControl.isDisconnected(this.sink);
  }

  get isWaitedFor(): boolean {
    return sinkControl.isWaitedFor(this.sink);
  }

  drained(): void {
    sinkControl.drained(this.sink);
  }

  disconnect(cause?: unknown): void {
    sinkControl.disconnect(this.sink, cause);
  }

  finish(cause?: unknown): void {
    sinkControl.finish(this.sink, cause);
  }

  fail(error: unknown): void {
    sinkControl.fail(this.sink, error);
  }

  close(): Promise<void> {
    return sinkControl.close(this.sink);
  }
}
