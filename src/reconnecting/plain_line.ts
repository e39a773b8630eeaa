import { copyOf } from "../realm/bytes.ts";
import { nameOf } from "../realm/kinds.ts";
import { CountedQueue, MIN_SIZE } from "../stream_channel/counted_queue.ts";
import { ignore } from "../stream_channel/errors.ts";
import type { CloseInfo } from "../web_socket/close_info.ts";
import { type EarlyMessage, utf8Length } from "../web_socket/message_input.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type { MessageInput, SendOptions } from "../web_socket/web_socket_sink.ts";
import type { Line, LineEvents, LineOptions, LineRest } from "./line.ts";

/** After so many characters or bytes it is asked which of the kept messages have left. */
const ENOUGH_KEPT = 16 * 1024;

/** The payload of a message, in bytes. */
export function payloadSize(message: MessageInput): number {
  return typeof message === "string" ? utf8Length(message) : message.byteLength;
}

/**
 * The messages of a channel without resumption. What was added while there is no connection waits; what a
 * connection has taken is kept until its transport has it, and goes first on the next one if that never came.
 */
export class PlainLine implements Line {
  readonly #events: LineEvents;
  readonly #maxBuffer: number;
  /** The messages that no connection has taken. */
  #waiting = new CountedQueue<EarlyMessage>();
  /** The messages that this connection has taken, and whose last ones its transport may not have. */
  #kept: EarlyMessage[] = [];
  /** About how long they are. */
  #keptLength = 0;
  /** The connection that messages are given to. */
  #connection: WebSocketChannel | null = null;

  /**
   * Creates the line of one channel.
   *
   * @param events See {@linkcode LineEvents}.
   * @param options See {@linkcode LineOptions}.
   */
  constructor(events: LineEvents, { maxBuffer }: Pick<LineOptions, "maxBuffer">) {
    this.#events = events;
    this.#maxBuffer = maxBuffer;
  }

  get hasRoom(): boolean {
    const { sink } = this.#connection ?? {};
    return sink !== undefined && this.#waiting.length === 0 ? sink.hasRoom : !this.isFull;
  }

  get isFull(): boolean {
    return this.#waiting.size >= this.#maxBuffer;
  }

  get bufferedAmount(): number {
    return this.#waiting.size + (this.#connection?.sink.bufferedAmount ?? 0);
  }

  offer(protocols: readonly string[]): readonly string[] {
    return protocols;
  }

  open(connection: WebSocketChannel): void {
    this.#connection = connection;
    this.#events.onOpen({
      resumable: false,
      unacknowledged: null,
      protocol: connection.protocol,
    });
    this.#giveWaiting();
  }

  receive(message: Message): Message {
    return message;
  }

  add(message: MessageInput, options: SendOptions | undefined): void {
    if (this.#waiting.length === 0 && this.#give(message, options)) {
      return this.#keep({ message: copied(message), options });
    }
    this.#wait({ message: copied(message), options });
  }

  #wait(early: EarlyMessage): void {
    this.#waiting.pushSized(early, Math.max(payloadSize(early.message), MIN_SIZE));
  }

  #give(message: MessageInput, options: SendOptions | undefined): boolean {
    return give(this.#connection, message, options);
  }

  #giveWaiting(): void {
    try {
      while (this.#waiting.length > 0) {
        const early = this.#waiting.first;
        if (!this.#give(early.message, early.options)) return;
        this.#waiting.shift();
        this.#keep(early);
      }
    } catch (error) {
      // This transport can't send it as it was to be sent, and there is no caller to notify.
      this.#waiting.shift();
      return this.#events.onFault(error, true);
    }
    this.#events.onDrained();
  }

  #keep(early: EarlyMessage): void {
    this.#kept.push(early);
    const { message } = early;
    this.#keptLength += typeof message === "string" ? message.length : message.byteLength;
    if (this.#keptLength < ENOUGH_KEPT) return;
    this.#kept = this.#tail(this.#connection?.sink.bufferedAmount ?? 0);
    // Not again before there is twice as much.
    this.#keptLength = -this.#kept.reduce((sum, it) => sum + payloadSize(it.message), 0);
  }

  /** The last of the kept messages, those that have any of so many last bytes. */
  #tail(bytes: number): EarlyMessage[] {
    let start = this.#kept.length;
    for (let left = bytes; left > 0 && start > 0;) {
      left -= payloadSize((this.#kept[--start] as EarlyMessage).message);
    }
    return this.#kept.slice(start);
  }

  beat(message: MessageInput): void {
    this.#give(message, undefined);
  }

  watch(): void {
    const sink = this.#connection?.sink;
    if (sink === undefined || this.#waiting.length > 0) return;
    const tell = (): void => this.#events.onDrained();
    if (!sink.hasRoom) sink.ready.then(tell, ignore);
    sink.flush().then(tell, ignore);
  }

  lose({ dropped = 0 }: CloseInfo): void {
    const tail = this.#tail(dropped);
    const waiting = this.#waiting;
    this.#connection = null;
    this.#kept = [];
    this.#keptLength = 0;
    if (tail.length === 0) return;
    this.#waiting = new CountedQueue<EarlyMessage>();
    for (const early of tail) this.#wait(early);
    while (waiting.length > 0) this.#wait(waiting.shift());
  }

  close(code: number | undefined, reason: string | undefined): void {
    void this.#connection?.sink.close(code, reason);
  }

  end(): LineRest {
    const unsent: MessageInput[] = [];
    while (this.#waiting.length > 0) unsent.push(this.#waiting.shift().message);
    return { unsent };
  }
}

/** Gives a message to a connection, if there is one that takes it. */
export function give(
  connection: WebSocketChannel | null,
  message: MessageInput,
  options?: SendOptions,
): boolean {
  try {
    return connection?.sink.add(message, options) === true;
  } catch (error) {
    // The user has closed the connection's own sink, or adds a stream to it.
    if (nameOf(error) === "InvalidStateError") return false;
    throw error;
  }
}

/** The message, and not the caller's bytes. */
export function copied(message: MessageInput): Message {
  return typeof message === "string" ? message : copyOf(message);
}
