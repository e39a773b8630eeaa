import type { ChannelSink } from "../stream_channel/channel_sink.ts";
import type { Outgoing } from "../stream_channel/stream_channel.ts";
import { type Capabilities, lacking } from "./capabilities.ts";
import { type MessageSource, OwnWebSocketSink } from "./web_socket_sink.ts";

/** What passes a message in parts on. */
export interface MessageInParts {
  /** Whether it is text or bytes. */
  readonly kind: "text" | "binary";
  /** Whether the whole message has arrived. */
  readonly isWhole: boolean;
  /** Its content, for another channel; `end` is called when the rest of it won't come. */
  sourceFor(end: () => void): MessageSource;
  /** The rest of it is of no interest. */
  cancel(): void;
}

/** All messages in parts: their class isn't needed where no transport makes one, as in a page. */
export const messagesInParts: WeakSet<object> = new WeakSet<object>();

function isInParts(message: unknown): message is MessageInParts {
  return typeof message === "object" && message !== null && messagesInParts.has(message);
}

/**
 * Adds what one channel receives to the sink of another one: a message in parts is sent on while it arrives. The
 * end is passed on behind it, or at once when the rest of it won't come.
 */
export class PassingOn<T> implements Outgoing<T> {
  readonly #sink: ChannelSink<T>;
  readonly #end: () => void;
  /** The last message in parts, until it is added or given up. */
  #large: MessageInParts | null = null;
  #sending: Promise<void> | null = null;
  #hasEnded = false;

  /**
   * Creates one.
   *
   * @param sink Where the messages go.
   * @param end Ends the sink as the other channel has ended. It may be called twice.
   */
  constructor(sink: ChannelSink<T>, end: () => void) {
    this.#sink = sink;
    this.#end = end;
  }

  get sent(): Promise<void> | null {
    return this.#sending;
  }

  add(message: T): boolean {
    if (!isInParts(message)) return this.#sink.add(message);
    const { kind } = message;
    const sending = ownSink(this.#sink).addMessage(message.sourceFor(this.#end), { kind });
    this.#large = message;
    this.#sending = sending;
    const over = (): void => {
      if (this.#large !== message) return;
      this.#large = null;
      if (this.#hasEnded) this.#end();
    };
    sending.then(over, over);
    return true;
  }

  end(): void {
    this.#hasEnded = true;
    if (this.#large?.isWhole !== true) this.#end();
  }

  drop(message: T): void {
    if (isInParts(message)) message.cancel();
  }
}

/**
 * Refuses a channel that can't take messages in parts.
 *
 * @param to The channel.
 * @throws {UnsupportedError} When its transport can't.
 * @throws {TypeError} When its sink isn't a WebSocket channel's own.
 */
export function checkTakesParts(
  to: { readonly sink: ChannelSink<never>; readonly capabilities?: Capabilities },
): void {
  ownSink(to.sink);
  if (to.capabilities?.messageStreams !== true) throw lacking("messageStreams");
}

function ownSink(sink: ChannelSink<never>): OwnWebSocketSink {
  if (sink instanceof OwnWebSocketSink) return sink;
  throw new TypeError(
    "Cannot pass on messages in parts: the sink must be a WebSocket channel's own, and not transformed. " +
      "Leave out streamLargerThan",
  );
}
