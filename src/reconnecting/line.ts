import type { CloseInfo } from "../web_socket/close_info.ts";
import type { Clock } from "../web_socket/clock.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type { MessageInput, SendOptions } from "../web_socket/web_socket_sink.ts";

/** What a {@linkcode Line} reports when messages may pass. */
export interface LineOpening {
  /** Whether the peer resumes: lost connections lose no message. */
  readonly resumable: boolean;
  /** The messages of a session that is gone, which the peer may or may not have received; otherwise `null`. */
  readonly unacknowledged: readonly Message[] | null;
  /** The user's subprotocol that was agreed on; `null`: none. */
  readonly protocol: string | null;
}

/** What a {@linkcode Line} tells the channel. */
export interface LineEvents {
  /**
   * Messages may pass on the connection that {@linkcode Line.open} was called with. Called once for it, also
   * inside `open`. What the user adds inside the call goes behind what waits.
   */
  onOpen(opening: LineOpening): void;
  /** `hasRoom` has become true, or `bufferedAmount` has fallen. */
  onDrained(): void;
  /**
   * The peer broke the rules of the line, or never answered: the channel gives the connection up.
   *
   * @param isFinal Whether every other connection would end in the same way: the channel then ends.
   */
  onFault(error: unknown, isFinal?: boolean): void;
}

/** What a {@linkcode Line} is made with. */
export interface LineOptions {
  /** How many bytes may wait before {@linkcode Line.isFull}. */
  readonly maxBuffer: number;
  /** How long {@linkcode Line.close} may wait for the peer, in milliseconds. */
  readonly closeTimeout: number;
  /** Where times come from. */
  readonly clock: Clock;
}

/** What a line has left when the channel ends. */
export interface LineRest {
  /** What was added and never handed to a transport, in order. */
  readonly unsent: MessageInput[];
  /** With resumption: what was handed on and never acknowledged, in order; left out when that is nothing. */
  readonly unacknowledged?: readonly Message[];
}

/**
 * The messages of one channel over its successive connections: what waits, what is kept in case that a
 * connection is lost, and in which form they pass. At most one connection is open at a time.
 */
export interface Line {
  /** Whether there is room for more: what `sink.hasRoom` says. */
  readonly hasRoom: boolean;
  /** Whether `add` throws a `QueueFullError` instead of calling {@linkcode add}. */
  readonly isFull: boolean;
  /** What was added and is not yet handed on (with resumption: not acknowledged), in bytes. 0: `flush` fulfils. */
  readonly bufferedAmount: number;
  /** The subprotocols to offer in place of the user's. Not called where the target gives a channel. */
  offer(protocols: readonly string[]): readonly string[];
  /** A connection is open (`ready`), and its stream is being read. {@linkcode LineEvents.onOpen} follows. */
  open(connection: WebSocketChannel): void;
  /**
   * A message of the connection is in.
   *
   * @returns What the user gets; `null`: it is the line's own.
   */
  receive(message: Message): Message | null;
  /** Takes a message, in any state and whatever {@linkcode isFull} says: a copy is kept, or it is sent at once. */
  add(message: MessageInput, options: SendOptions | undefined): void;
  /** Sends a heartbeat, on an open connection: it isn't kept. */
  beat(message: MessageInput): void;
  /** Asks the peer for a sign of life on an open connection. Left out: the line has none. */
  probe?(): void;
  /**
   * The user's stream is full. Left out: the channel pauses the connection's stream; otherwise it doesn't, so that
   * what both sides say beside messages still passes.
   */
  pause?(): void;
  /** The user's stream has room again. */
  resume?(): void;
  /** Asks for {@linkcode LineEvents.onDrained}. */
  watch(): void;
  /** The connection has ended: all that it gave was received. */
  lose(info: CloseInfo): void;
  /**
   * The user closes the channel while a connection is open: what was added goes first.
   *
   * @throws {RangeError} When the transport can't send the code; nothing has changed then.
   */
  close(code: number | undefined, reason: string | undefined): void;
  /** The channel has ended: lets go of everything, timers included. */
  end(): LineRest;
}

/** Makes the {@linkcode Line} of a channel: what the option `resume` takes. */
export interface Resumption {
  /** Creates the line of one channel. */
  createLine(events: LineEvents, options: LineOptions): Line;
}
