import type { ChannelSink } from "../stream_channel/channel_sink.ts";
import type { Outgoing } from "../stream_channel/stream_channel.ts";
import { type Capabilities, lacking } from "./capabilities.ts";
import { type MessageSource, OwnWebSocketSink } from "./web_socket_sink.ts";

/** A message in parts that can be passed on. */
export interface MessageInParts {
  /** Whether it is text or bytes. */
  readonly kind: "text" | "binary";
  /** Whether the whole message has arrived. */
  readonly isWhole: boolean;
  /** Returns its content for another channel. `end` is called if the rest doesn't arrive. */
  sourceFor(end: () => void): MessageSource;
  /** Skips the rest of the message. */
  cancel(): void;
}

/**
 * All messages in parts. With this set, a page doesn't need their class, because none of its transports
 * creates them.
 */
export const messagesInParts: WeakSet<object> = new WeakSet<object>();

function isInParts(message: unknown): message is MessageInParts {
  return typeof message === "object" && message !== null && messagesInParts.has(message);
}

/**
 * Adds the messages of one channel to the sink of another. A message in parts is sent while it arrives. The
 * end is passed on after it, or at once if the rest doesn't arrive.
 */
export class PassingOn<T> implements Outgoing<T> {
  readonly #sink: ChannelSink<T>;
  readonly #end: () => void;
  /** The last message in parts, until it is added or abandoned. */
  #large: MessageInParts | null = null;
  #sending: Promise<void> | null = null;
  #hasEnded = false;

  /**
   * Passes messages on to a sink.
   *
   * @param sink Receives the messages.
   * @param end Ends the sink as the other channel has ended. It may be called more than once.
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
 * Checks that a channel can send messages in parts.
 *
 * @param to The channel.
 * @throws {UnsupportedError} If its transport can't.
 * @throws {TypeError} If its sink isn't that of a WebSocket channel.
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
    "Cannot pass on messages in parts: the sink must be that of a WebSocket channel, and not transformed. " +
      "Leave out streamLargerThan",
  );
}
