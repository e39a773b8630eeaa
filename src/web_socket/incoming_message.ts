import { type ChannelStream, MessageStream, streamFeed } from "../stream_channel/channel_stream.ts";
import { sizeOfMessage } from "../stream_channel/counted_queue.ts";
import { Deferred } from "../stream_channel/errors.ts";
import type { CloseInfo } from "./close_info.ts";
import { WebSocketChannelError } from "./errors.ts";
import { messagesInParts } from "./passing_on.ts";
import type { MessageSource } from "./web_socket_sink.ts";

/**
 * A received message that is larger than the option `streamLargerThan`: it is delivered when it begins, and read while
 * it arrives. The channel's next message waits until this one is read to its end, or cancelled.
 *
 * @typeParam Kind Whether it is text or bytes.
 * @typeParam Part What its content comes in.
 */
export interface IncomingMessageOf<Kind extends "text" | "binary", Part> {
  /** Whether it is text or bytes. */
  readonly kind: Kind;
  /**
   * Its content, in parts as they arrived, never empty: strings of a text, cut between two code points; bytes
   * otherwise, each part with a buffer of its own. It has backpressure. When the connection ends before the message
   * is whole, it ends with that error. Leaving a `for await` loop over it cancels the message.
   */
  readonly readable: ChannelStream<Part>;
  /** How many bytes of it have arrived, after decompressing; text counts as UTF-8. */
  readonly received: number;
  /**
   * Fulfils when the whole message has arrived, read or cancelled; rejects with what `readable` ends with when the
   * connection ends before. An unhandled rejection does no harm.
   */
  readonly done: Promise<void>;
  /** Reads no more of it: the rest is skipped as it arrives, and the channel's next message follows. */
  cancel(): void;
}

/** A received message that is streamed: see {@linkcode IncomingMessageOf}. */
export type IncomingMessage =
  | IncomingMessageOf<"text", string>
  | IncomingMessageOf<"binary", Uint8Array>;

/** What an {@linkcode OwnIncomingMessage} asks of the transport that feeds it. */
export interface IncomingMessageEvents {
  /** Its reader has no room. */
  onContentFull(message: OwnIncomingMessage): void;
  /** Its reader has room again. */
  onContentRoom(message: OwnIncomingMessage): void;
  /** Its reader has left: the rest is of no interest. */
  onContentLeft(message: OwnIncomingMessage): void;
}

/** The one implementation of {@linkcode IncomingMessageOf}. */
export class OwnIncomingMessage implements IncomingMessageOf<"text" | "binary", unknown> {
  readonly kind: "text" | "binary";
  readonly readable: MessageStream<string | Uint8Array>;
  received = 0;
  readonly #done = new Deferred();
  /** Whether the whole message has arrived. */
  #isWhole = false;
  #isCancelled = false;

  /**
   * Creates one whose content follows.
   *
   * @param kind Whether it is text or bytes.
   * @param highWaterMark How many bytes may wait for its reader.
   * @param events See {@linkcode IncomingMessageEvents}.
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
   * Its content, to be added to another channel. A message that breaks off doesn't fail the sink: it ends as the
   * channel has ended that it came from.
   *
   * @param end Ends the sink so.
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

  /** A property of its own: a structured clone, which would have no content, then fails. */
  readonly cancel = (): void => streamFeed.leave(this.readable);

  /** The next part of the content. */
  add(part: string | Uint8Array, received: number): void {
    this.received = received;
    streamFeed.add(this.readable, part);
  }

  /** The whole message has arrived: nothing else may come before it is read. */
  end(): void {
    this.#isWhole = true;
    this.#done.resolve();
    streamFeed.drain(this.readable);
    if (!streamFeed.isPaused(this.readable)) streamFeed.end(this.readable);
  }

  /** What was whole when the connection ended can still be read. */
  finish(): void {
    streamFeed.end(this.readable);
  }

  /** The connection has ended before it was whole. */
  fail({ error, code }: CloseInfo): void {
    const cut = error ?? new WebSocketChannelError(
      `Cannot read the rest of a message: the connection was closed (${code}) in the middle of it`,
    );
    this.#done.reject(cut);
    streamFeed.fail(this.readable, cut);
  }
}
