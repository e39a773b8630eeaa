/** The producing sides of a stream and of a sink, as objects. */

import {
  MessageSink,
  type MessageSinkOptions,
  outlet,
  type SinkTarget,
} from "../../src/stream_channel/channel_sink.ts";
import {
  inlet,
  MessageStream,
  type MessageStreamOptions,
  type StreamEvents,
} from "../../src/stream_channel/channel_stream.ts";
import { sizeOf } from "../../src/stream_channel/counted_queue.ts";

/** Feeds a stream: see `Inlet`. */
export class StreamController<T> {
  readonly stream: MessageStream<T>;

  constructor(events: StreamEvents = {}, options: Partial<MessageStreamOptions<T>> = {}) {
    this.stream = new MessageStream<T>(events, { sizeOf, ...options });
  }

  get queuedSize(): number {
    return inlet.queuedSize(this.stream);
  }

  get isPaused(): boolean {
    return inlet.isPaused(this.stream);
  }

  add(value: T): void {
    inlet.add(this.stream, value);
  }

  fail(error: unknown): void {
    inlet.fail(this.stream, error);
  }

  end(): void {
    inlet.end(this.stream);
  }

  discard(): void {
    inlet.discard(this.stream);
  }
}

/** Owns a sink's target: see `Outlet`. */
export class SinkController<T> {
  readonly sink: MessageSink<T>;

  constructor(target: SinkTarget<T>, options?: MessageSinkOptions) {
    this.sink = new MessageSink<T>(target, options);
  }

  get isClosed(): boolean {
    return outlet.isClosed(this.sink);
  }

  get isDisconnected(): boolean {
    return outlet.isDisconnected(this.sink);
  }

  get isWaitedFor(): boolean {
    return outlet.isWaitedFor(this.sink);
  }

  drained(): void {
    outlet.drained(this.sink);
  }

  disconnect(cause?: unknown): void {
    outlet.disconnect(this.sink, cause);
  }

  finish(cause?: unknown): void {
    outlet.finish(this.sink, cause);
  }

  fail(error: unknown): void {
    outlet.fail(this.sink, error);
  }

  close(): Promise<void> {
    return outlet.close(this.sink);
  }
}
