import { BINARY, CONTINUATION, TEXT } from "../protocol/frame.ts";
import type { Fragment } from "../protocol/protocol_events.ts";
import type { PreparedMessage } from "../protocol/prepared_message.ts";
import { AddStream } from "../stream_channel/add_stream.ts";
import { CountedQueue } from "../stream_channel/counted_queue.ts";
import type { CloseFrameContent } from "./close_info.ts";
import { Fragments } from "./fragments.ts";
import { type EarlyMessage, keepMessage } from "./message_input.ts";
import { OutgoingMessage } from "./outgoing_message.ts";
import type { OutgoingMessages, OutgoingMessagesEvents, Transport } from "./transport.ts";
import type { MessageInput, SendOptions } from "./web_socket_sink.ts";

const EMPTY = new Uint8Array(0);

/** What an {@linkcode OutgoingQueue} needs of its transport. */
export interface FragmentTransport extends Transport {
  /** See `Protocol.sendFragment`. */
  sendFragment(payload: Uint8Array, fragment: Fragment): boolean;
  /** Whether fewer bytes than the high-water mark wait to be handed on. */
  readonly hasRoom: boolean;
  /** Fulfils when {@linkcode hasRoom} is so again. After the end it may never do. */
  whenRoom(): Promise<void>;
  ping(payload?: Uint8Array, signal?: AbortSignal): Promise<number>;
  pong(payload: Uint8Array): boolean;
}

/**
 * Takes the transport's place while a message is sent in parts: other messages wait behind it (RFC 6455 §5.4), and
 * control frames don't. No other messages pass it.
 */
export class OutgoingQueue implements OutgoingMessages {
  readonly #transport: FragmentTransport;
  readonly #events: OutgoingMessagesEvents;
  readonly #waiting = new CountedQueue<EarlyMessage | OutgoingMessage>();
  #adding: AddStream<Uint8Array> | null = null;
  /** Whether a fragment of the message was sent. */
  #hasBegun = false;

  /**
   * Creates an empty queue.
   *
   * @param transport Where the fragments go.
   * @param events See {@linkcode OutgoingMessagesEvents}.
   */
  constructor(transport: FragmentTransport, events: OutgoingMessagesEvents) {
    this.#transport = transport;
    this.#events = events;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** How many messages wait. */
  get length(): number {
    return this.#waiting.length;
  }

  /** How many bytes of payload wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** What they count as a load: messages without a payload take room as well. */
  get waiting(): number {
    return this.#waiting.size + this.#waiting.length;
  }

  get load(): number {
    return this.#transport.load + this.waiting;
  }

  /** Takes the first of those that wait. */
  shift(): EarlyMessage | OutgoingMessage {
    return this.#waiting.shift();
  }

  /** Lets another message in parts wait. */
  push(message: OutgoingMessage): void {
    this.#waiting.push(message);
  }

  /** Sends a message in parts. */
  start(message: OutgoingMessage): void {
    void this.#run(message);
  }

  async #run(message: OutgoingMessage): Promise<void> {
    const events = this.#events;
    try {
      if (await this.#send(message)) message.done.resolve();
      else events.onCutOff(message);
    } catch (error) {
      if (this.#adding?.isEnded === true) events.onCutOff(message);
      else this.#fail(message, error);
    }
    events.onSent();
  }

  /** The source has failed, or the signal aborted: an aborted message of which nothing was sent does no harm. */
  #fail(message: OutgoingMessage, error: unknown): void {
    const isHarmless = !this.#hasBegun && message.options.signal?.aborted === true;
    if (!isHarmless) this.#events.onSourceFailed(error);
    message.done.reject(error);
  }

  /** @returns Whether the whole message was sent; otherwise the connection has ended, or begun to. */
  async #send({ source, options }: OutgoingMessage): Promise<boolean> {
    const { kind, signal, compress = true } = options;
    const transport = this.#transport;
    const first = kind === "text" ? TEXT : BINARY;
    const send = (piece: Uint8Array, fin: boolean): boolean => {
      const opcode = this.#hasBegun ? CONTINUATION : first;
      this.#hasBegun = !fin;
      return transport.sendFragment(piece, { opcode, fin, compress });
    };
    const room = {
      get hasRoom(): boolean {
        return transport.hasRoom;
      },
      get ready(): Promise<void> {
        return transport.whenRoom();
      },
    };
    const adding = new AddStream(new Fragments(source, kind === "text"), signal);
    this.#adding = adding;
    return await adding.run(room, (piece) => send(piece, false)) && send(EMPTY, true);
  }

  /** The connection ends: the source is cancelled. */
  end(): void {
    this.#adding?.end();
  }

  /** Gives up the messages in parts that wait; the others stay in the {@linkcode size}. */
  drop(lose: (message: OutgoingMessage) => void): void {
    while (this.#waiting.length > 0) {
      const kept = this.#waiting.shift();
      if (kept instanceof OutgoingMessage) lose(kept);
    }
  }

  send(message: MessageInput, options: SendOptions | undefined): boolean {
    keepMessage(this.#waiting, message, options);
    return true;
  }

  sendPrepared(message: PreparedMessage, options: SendOptions | undefined): boolean {
    return this.send(message.content, options);
  }

  ping(payload?: Uint8Array, signal?: AbortSignal): Promise<number> {
    return this.#transport.ping(payload, signal);
  }

  pong(payload: Uint8Array): boolean {
    return this.#transport.pong(payload);
  }

  close(code: number | undefined, reason: string): CloseFrameContent | undefined {
    return this.#transport.close(code, reason);
  }
}
