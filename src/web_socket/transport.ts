import type { PreparedMessage } from "../protocol/prepared_message.ts";
import type { Ending } from "./channel_state.ts";
import type { ConnectionInfo } from "./connection_info.ts";
import type { CloseFrameContent } from "./close_info.ts";
import type { Message } from "./web_socket_channel.ts";
import type { EarlyMessage } from "./message_input.ts";
import type { OutgoingMessage } from "./outgoing_message.ts";
import type { MessageInput, SendOptions } from "./web_socket_sink.ts";

/**
 * What carries a channel's messages. It reports what happens to its `ChannelCore`; after that has ended
 * it reports nothing more.
 */
export interface Transport {
  /** How many bytes of payload were sent and not handed on. */
  readonly bufferedAmount: number;
  /** How many bytes wait to be handed on, with all that goes beside payloads: backpressure is about them. */
  readonly load: number;
  /** Whether nothing more should be sent; left out: when `load` has come to the high-water mark. */
  readonly isFull?: boolean;
  /** What was sent and the peer has not acknowledged, where the transport knows. */
  readonly unacknowledged?: readonly Message[];
  /** The close code for an error that was put into the sink; left out: none. */
  readonly errorCode?: number;
  /** The latest round trip's time, in milliseconds; `null` before the first; left out where it can't ping. */
  readonly latency?: number | null;
  /** What is known of the connection; left out: nothing. */
  readonly connectionInfo?: ConnectionInfo | null;
  /**
   * Sends a message, on an open connection.
   *
   * @returns `false` when it is dropped, because the peer turns out to be gone.
   * @throws {TypeError} When it is neither text nor bytes.
   * @throws {UnsupportedError} When it must not be compressed, and the transport gives no choice.
   */
  send(message: MessageInput, options: SendOptions | undefined): boolean;
  /**
   * Sends a message that others get as well: as {@linkcode send}, in less time where it can.
   *
   * @param isOnly Whether nothing else is likely to be sent in this turn: then nothing waits for its end.
   */
  sendPrepared(
    message: PreparedMessage,
    options: SendOptions | undefined,
    isOnly: boolean,
  ): boolean;
  /** Sends messages in parts. Left out where it can't. */
  createOutgoing?(events: OutgoingMessagesEvents): OutgoingMessages;
  /** The stream's reader has left, and with it the message that is streamed. Left out where there is none. */
  skipUnread?(): void;
  /** See `WebSocketChannel.ping`; only on an open connection. Left out where it can't. */
  ping?(payload?: Uint8Array, signal?: AbortSignal): Promise<number>;
  /** See `WebSocketChannel.pong`; likewise. */
  pong?(payload: Uint8Array): boolean;
  /**
   * Begins the closing handshake, on an open connection.
   *
   * @returns The Close frame that goes out; `undefined` when the peer turns out to have closed.
   * @throws {RangeError} When this transport can't send `code`; nothing has changed then.
   */
  close(code: number | undefined, reason: string): CloseFrameContent | undefined;
  /** Whether our Close frame was handed on, and with it all that was sent before. */
  hasSentClose(ending: Ending): boolean;
  /** Ends the connection at once, if the transport can. */
  destroy(): void;
  /** Enough waits to be read. Left out where it can't stop reading. */
  pause?(): void;
  /** There is room to read again. */
  resume?(): void;
  /** Asks for a call of the sink's `drained` when `load` has fallen. */
  watch(): void;
  /** See `WebSocketChannel.ref`. Left out where it has no such thing. */
  ref?(): void;
  /** See `WebSocketChannel.unref`. */
  unref?(): void;
}

/** What messages go to on an open connection. */
export type OpenTransport = Pick<
  Transport,
  "send" | "sendPrepared" | "ping" | "pong" | "close" | "load" | "isFull"
>;

/** What {@linkcode OutgoingMessages} report. */
export interface OutgoingMessagesEvents {
  /** The message in parts is sent, or isn't any more: what waits behind it can be sent. */
  onSent(): void;
  /** Its source has failed: the message can't be taken back. */
  onSourceFailed(error: unknown): void;
  /** The connection has ended, or begun to, before it was whole. */
  onCutOff(message: OutgoingMessage): void;
}

/** Takes the place of an open transport while a message is sent in parts. */
export interface OutgoingMessages extends OpenTransport {
  /** Whether a part of a message is sent, and the whole isn't. */
  readonly hasBegun: boolean;
  /** How many messages wait. */
  readonly length: number;
  /** How many bytes of payload wait. */
  readonly size: number;
  /** Sends a message in parts. */
  start(message: OutgoingMessage): void;
  /** Lets another message in parts wait. */
  push(message: OutgoingMessage): void;
  /** Takes the first of those that wait. */
  shift(): EarlyMessage | OutgoingMessage;
  /** The connection ends: the source is cancelled. */
  end(): void;
}
