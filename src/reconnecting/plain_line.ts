import { copyOf } from "../realm/bytes.ts";
import { nameOf } from "../realm/kinds.ts";
import { CountedQueue, MIN_SIZE } from "../stream_channel/counted_queue.ts";
import { ignore } from "../stream_channel/errors.ts";
import type { CloseInfo } from "../web_socket/close_info.ts";
import { type EarlyMessage, utf8Length } from "../web_socket/message_input.ts";
import type { Message, WebSocketChannel } from "../web_socket/web_socket_channel.ts";
import type { MessageInput, SendOptions } from "../web_socket/web_socket_sink.ts";
import type { Line, LineEvents, LineOptions, LineRest } from "./line.ts";

/** After how many characters or bytes to check which of the kept messages the transport has taken. */
const ENOUGH_KEPT = 16 * 1024;

/** Returns the payload size of a message, in bytes. */
export function payloadSize(message: MessageInput): number {
  return typeof message === "string" ? utf8Length(message) : message.byteLength;
}

/**
 * The line of a channel without resumption. It queues messages while there is no connection. It keeps messages that a
 * connection has taken until its transport has them; otherwise they are sent first on the next connection.
 */
export class PlainLine implements Line {
  readonly #events: LineEvents;
  readonly #maxBuffer: number;
  /** Messages that no connection has taken. */
  #waiting = new CountedQueue<EarlyMessage>();
  /** Messages that this connection has taken; its transport may not have the last of them yet. */
  #kept: EarlyMessage[] = [];
  /** Their approximate length. */
  #keptLength = 0;
  /** The connection to which messages are sent. */
  #connection: WebSocketChannel | null = null;

  /**
   * Creates the line of one channel.
   *
   * @param events The receiver of its events.
   * @param options The limit of its queue.
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
      // This transport can't send the message with its options, and there is no caller to get the error.
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
    // The next check follows when twice as much is kept.
    this.#keptLength = -this.#kept.reduce((sum, it) => sum + payloadSize(it.message), 0);
  }

  /** The kept messages that overlap the last `bytes` bytes. */
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

/** Sends a message on a connection; returns whether the connection took it. */
export function give(
  connection: WebSocketChannel | null,
  message: MessageInput,
  options?: SendOptions,
): boolean {
  try {
    return connection?.sink.add(message, options) === true;
  } catch (error) {
    // The user has closed the connection's own sink, or uses it for a stream.
    if (nameOf(error) === "InvalidStateError") return false;
    throw error;
  }
}

/** Returns the message with a copy of the caller's bytes. */
export function copied(message: MessageInput): Message {
  return typeof message === "string" ? message : copyOf(message);
}
