import type { CloseInfo } from "../web_socket/close_info.ts";
import type { Clock } from "../web_socket/clock.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type { MessageInput, SendOptions } from "../web_socket/web_socket_sink.ts";

/** The report of a {@linkcode Line} whose connection is ready for messages. */
export interface LineOpening {
  /** Whether the peer resumes sessions, so that a lost connection loses no message. */
  readonly resumable: boolean;
  /**
   * The unacknowledged messages of a lost session, which the peer may or may not have received; `null` if no session
   * was lost.
   */
  readonly unacknowledged: readonly Message[] | null;
  /** The user's negotiated subprotocol; `null` if there is none. */
  readonly protocol: string | null;
}

/** The events of a {@linkcode Line}; the channel implements them. */
export interface LineEvents {
  /**
   * Called once when the connection of {@linkcode Line.open} is ready for messages, perhaps inside `open`. Messages
   * that the user adds inside this call follow the queued ones.
   */
  onOpen(opening: LineOpening): void;
  /** Called when `hasRoom` has become true, or `bufferedAmount` has fallen. */
  onDrained(): void;
  /**
   * Called when the peer broke the protocol of the line or never answered; the channel then ends the connection.
   *
   * @param isFinal Whether every other connection would end in the same way; the channel then ends.
   */
  onFault(error: unknown, isFinal?: boolean): void;
}

/** Options of a {@linkcode Line}. */
export interface LineOptions {
  /** How many bytes may be queued before {@linkcode Line.isFull}. */
  readonly maxBuffer: number;
  /** How long {@linkcode Line.close} may wait for the peer, in milliseconds. */
  readonly closeTimeout: number;
  /** The clock for its timeouts. */
  readonly clock: Clock;
}

/** The messages that a line still has when the channel ends. */
export interface LineRest {
  /** The messages that were added and never passed to a transport, in order. */
  readonly unsent: MessageInput[];
  /** With resumption: the messages that were sent and never acknowledged, in order; omitted if there are none. */
  readonly unacknowledged?: readonly Message[];
}

/**
 * Carries the messages of one channel over its successive connections. It queues messages, keeps those that a lost
 * connection may have lost, and encodes them. At most one connection is open at a time.
 */
export interface Line {
  /** Whether there is room for more messages; the value of `sink.hasRoom`. */
  readonly hasRoom: boolean;
  /** Whether the sink's `add` throws a `QueueFullError` instead of calling {@linkcode add}. */
  readonly isFull: boolean;
  /**
   * The size of the messages that were added and not yet passed on (with resumption: not acknowledged), in bytes.
   * `flush` fulfils when it is 0.
   */
  readonly bufferedAmount: number;
  /** Returns the subprotocols to offer instead of the user's. Not called if the target returns a channel. */
  offer(protocols: readonly string[]): readonly string[];
  /** Starts using an open connection whose stream is being read. {@linkcode LineEvents.onOpen} follows. */
  open(connection: WebSocketChannel): void;
  /**
   * Reads a message of the connection.
   *
   * @returns The message for the user; `null` if it was one of the line's own.
   */
  receive(message: Message): Message | null;
  /** Takes a message, in any state and even if {@linkcode isFull}: sends it at once, or keeps a copy. */
  add(message: MessageInput, options: SendOptions | undefined): void;
  /** Sends a heartbeat on an open connection, and doesn't keep it. */
  beat(message: MessageInput): void;
  /** Asks the peer to answer, on an open connection. Omitted if the line has no such message. */
  probe?(): void;
  /**
   * Called when the user's stream is full. If omitted, the channel pauses the connection's stream. Otherwise it keeps
   * reading, so that the line's own messages still arrive.
   */
  pause?(): void;
  /** Called when the user's stream has room again. */
  resume?(): void;
  /** Requests a call of {@linkcode LineEvents.onDrained}. */
  watch(): void;
  /** Called when the connection has ended and everything that it delivered was received. */
  lose(info: CloseInfo): void;
  /**
   * Closes the connection for the user, after sending what was added.
   *
   * @throws {RangeError} When the transport can't send the code; nothing has changed then.
   */
  close(code: number | undefined, reason: string | undefined): void;
  /** Ends the line with the channel; releases everything, timers included. */
  end(): LineRest;
}

/** Creates the {@linkcode Line} of each channel; the type of the option `resume`. */
export interface Resumption {
  /** Creates the line of one channel. */
  createLine(events: LineEvents, options: LineOptions): Line;
}
