import { type ChannelStream, MessageStream, streamFeed } from "../stream_channel/channel_stream.ts";
import { sizeOfMessage } from "../stream_channel/counted_queue.ts";
import { Deferred } from "../stream_channel/errors.ts";
import type { CloseInfo } from "./close_info.ts";
import { WebSocketChannelError } from "./errors.ts";
import { messagesInParts } from "./passing_on.ts";
import type { MessageSource } from "./web_socket_sink.ts";

/**
 * A received message that is larger than the option `streamLargerThan`. It is delivered at its beginning, and
 * read while it arrives. The channel's next message waits until this one is read to its end, or cancelled.
 *
 * @typeParam Kind Whether it is text or bytes.
 * @typeParam Part The type of its parts.
 */
export interface IncomingMessageOf<Kind extends "text" | "binary", Part> {
  /** Whether it is text or bytes. */
  readonly kind: Kind;
  /**
   * Its content, in parts as they arrived. Parts are never empty. A text has strings, cut between two code
   * points. Otherwise each part is bytes in a buffer of its own. The stream has backpressure. If the
   * connection ends before the whole message has arrived, the stream fails with that error. Leaving a `for
   * await` loop over it cancels the message.
   */
  readonly readable: ChannelStream<Part>;
  /** The number of bytes that have arrived, after decompressing. Text counts as UTF-8. */
  readonly received: number;
  /**
   * Fulfils when the whole message has arrived, whether it was read or cancelled. If the connection ends
   * before, it rejects with the error of `readable`. An unhandled rejection is harmless.
   */
  readonly done: Promise<void>;
  /** Stops reading the message. The rest is skipped as it arrives, and the channel's next message follows. */
  cancel(): void;
}

/**
 * A received message of text or bytes that is delivered in parts. {@linkcode IncomingMessageOf} has its
 * members.
 */
export type IncomingMessage =
  | IncomingMessageOf<"text", string>
  | IncomingMessageOf<"binary", Uint8Array>;

/** The requests of an {@linkcode OwnIncomingMessage} to its transport. */
export interface IncomingMessageEvents {
  /** Its reader has no room. */
  onContentFull(message: OwnIncomingMessage): void;
  /** Its reader has room again. */
  onContentRoom(message: OwnIncomingMessage): void;
  /** Its reader has left. The rest can be dropped. */
  onContentLeft(message: OwnIncomingMessage): void;
}

/** The implementation of {@linkcode IncomingMessageOf}. */
export class OwnIncomingMessage implements IncomingMessageOf<"text" | "binary", unknown> {
  readonly kind: "text" | "binary";
  readonly readable: MessageStream<string | Uint8Array>;
  received = 0;
  readonly #done = new Deferred();
  /** Whether the whole message has arrived. */
  #isWhole = false;
  #isCancelled = false;

  /**
   * Creates a message whose content follows.
   *
   * @param kind Whether it is text or bytes.
   * @param highWaterMark The number of unread bytes from which `onContentFull` is called.
   * @param events The transport.
   */
  constructor(kind: "text" | "binary", highWaterMark: number, events: IncomingMessageEvents) {
    messagesInParts.add(this);
    this.kind = kind;
    this.readable = new MessageStream<string | Uint8Array>({
      pause: () => events.onContentFull(this),
      resume: () => {
        if (this.#isWhole) streamFeed.end(this.readable);
        events.onContentRoom(this);
      },
      cancel: () => {
        this.#isCancelled = true;
        events.onContentLeft(this);
      },
      close: () => this.#done.promise,
    }, { highWaterMark, sizeOf: sizeOfMessage });
  }

  get done(): Promise<void> {
    return this.#done.promise;
  }

  /**
   * Returns its content as a source for another channel. A message that breaks off doesn't fail the other
   * sink: `end` ends that sink as this channel has ended.
   *
   * @param end Ends the other sink.
   */
  sourceFor(end: () => void): MessageSource {
    return {
      [Symbol.asyncIterator]: () => ({
        next: () =>
          this.readable.next().catch(() => {
            end();
            return new Promise<never>(() => {});
          }),
        return: (): Promise<IteratorReturnResult<undefined>> => {
          this.cancel();
          return Promise.resolve({ done: true, value: undefined });
        },
      }),
    };
  }

  /** Whether the whole message has arrived. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Whether its reader has left. */
  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  /** An own property, so that a structured clone fails: it would have no content. */
  readonly cancel = (): void => streamFeed.leave(this.readable);

  /** Adds the next part of the content. */
  add(part: string | Uint8Array, received: number): void {
    this.received = received;
    streamFeed.add(this.readable, part);
  }

  /** Ends the message. No other message is delivered before it is read. */
  end(): void {
    this.#isWhole = true;
    this.#done.resolve();
    streamFeed.drain(this.readable);
    if (!streamFeed.isPaused(this.readable)) streamFeed.end(this.readable);
  }

  /** Ends the stream of a complete message after the connection has ended. It can still be read. */
  finish(): void {
    streamFeed.end(this.readable);
  }

  /** Fails the message, because the connection has ended before it was complete. */
  fail({ error, code }: CloseInfo): void {
    const cut = error ?? new WebSocketChannelError(
      `Cannot read the rest of a message: the connection was closed (${code}) in the middle of it`,
    );
    this.#done.reject(cut);
    streamFeed.fail(this.readable, cut);
  }
}
