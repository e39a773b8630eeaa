import type { PreparedMessage } from "../protocol/prepared_message.ts";
import type { Ending } from "./channel_state.ts";
import type { ConnectionInfo } from "./connection_info.ts";
import type { CloseFrameContent } from "./close_info.ts";
import type { Message } from "./web_socket_channel.ts";
import type { EarlyMessage } from "./message_input.ts";
import type { OutgoingMessage } from "./outgoing_message.ts";
import type { MessageInput, SendOptions } from "./web_socket_sink.ts";

/**
 * The transport of a channel's messages. It reports events to its `ChannelCore`, and nothing more after the
 * end.
 */
export interface Transport {
  /** The number of payload bytes that were sent and not passed on. */
  readonly bufferedAmount: number;
  /**
   * The number of all bytes that are pending, including those beside payloads. Backpressure depends on it.
   */
  readonly load: number;
  /** Whether nothing more should be sent. Default: when `load` has reached the high-water mark. */
  readonly isFull?: boolean;
  /** The sent messages that the peer has not acknowledged, if the transport knows. */
  readonly unacknowledged?: readonly Message[];
  /** The close code for an error that was added to the sink. Default: none. */
  readonly errorCode?: number;
  /**
   * The latest round-trip time, in milliseconds; `null` before the first. Missing if the transport can't
   * ping.
   */
  readonly latency?: number | null;
  /** The addresses, the proxy and TLS of the connection. Missing if unknown. */
  readonly connectionInfo?: ConnectionInfo | null;
  /**
   * Sends a message, on an open connection.
   *
   * @returns `false` if the message was dropped, because the peer has left.
   * @throws {TypeError} If it is neither text nor bytes.
   * @throws {UnsupportedError} If `compress` is `false` and the transport doesn't support that.
   */
  send(message: MessageInput, options: SendOptions | undefined): boolean;
  /**
   * Sends a message that other connections send as well. Like {@linkcode send}, but faster if possible.
   *
   * @param isOnly Whether probably nothing else is sent in this turn. The message is then sent before the end
   * of the turn.
   */
  sendPrepared(
    message: PreparedMessage,
    options: SendOptions | undefined,
    isOnly: boolean,
  ): boolean;
  /** Creates a queue that sends messages in parts. Missing if unsupported. */
  createOutgoing?(events: OutgoingMessagesEvents): OutgoingMessages;
  /** Skips the message in parts whose reader has left. Missing if unsupported. */
  skipUnread?(): void;
  /** Sends a Ping on an open connection, as `WebSocketChannel.ping` does. Missing if unsupported. */
  ping?(payload?: Uint8Array, signal?: AbortSignal): Promise<number>;
  /** Sends a Pong on an open connection, as `WebSocketChannel.pong` does. Missing if unsupported. */
  pong?(payload: Uint8Array): boolean;
  /**
   * Starts the closing handshake on an open connection.
   *
   * @returns The content of the sent Close frame; `undefined` if the peer has already closed.
   * @throws {RangeError} If this transport can't send `code`. Nothing has changed then.
   */
  close(code: number | undefined, reason: string): CloseFrameContent | undefined;
  /** Returns whether this side's Close frame, and everything before it, was passed on. */
  hasSentClose(ending: Ending): boolean;
  /** Ends the connection at once, if the transport can. */
  destroy(): void;
  /** Stops reading, because enough is unread. Missing if unsupported. */
  pause?(): void;
  /** Reads again. */
  resume?(): void;
  /** Requests a call of the sink's `drained` when `load` has fallen. */
  watch(): void;
  /** Lets the connection keep the process alive. Missing if unsupported. */
  ref?(): void;
  /** Lets the process end although the connection is open. Missing if unsupported. */
  unref?(): void;
}

/** The target of messages on an open connection. */
export type OpenTransport = Pick<
  Transport,
  "send" | "sendPrepared" | "ping" | "pong" | "close" | "load" | "isFull"
>;

/** The events of {@linkcode OutgoingMessages}. */
export interface OutgoingMessagesEvents {
  /** The message in parts is sent or abandoned. Waiting messages can be sent. */
  onSent(): void;
  /** Its source has failed, and a sent part can't be withdrawn. */
  onSourceFailed(error: unknown): void;
  /** The connection has ended, or has started to close, before the message was complete. */
  onCutOff(message: OutgoingMessage): void;
}

/** Replaces an open transport while a message is sent in parts. */
export interface OutgoingMessages extends OpenTransport {
  /** Whether a part of a message was sent, but not the whole message. */
  readonly hasBegun: boolean;
  /** The number of waiting messages. */
  readonly length: number;
  /** The payload size of the waiting messages, in bytes. */
  readonly size: number;
  /** Sends a message in parts. */
  start(message: OutgoingMessage): void;
  /** Adds another message in parts to the queue. */
  push(message: OutgoingMessage): void;
  /** Removes and returns the first waiting message. */
  shift(): EarlyMessage | OutgoingMessage;
  /** Cancels the source, because the connection ends. */
  end(): void;
}
