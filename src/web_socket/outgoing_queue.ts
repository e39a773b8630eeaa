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

/** The transport of an {@linkcode OutgoingQueue}. */
export interface FragmentTransport extends Transport {
  /** Sends a fragment of a message, as `Protocol.sendFragment` does. */
  sendFragment(payload: Uint8Array, fragment: Fragment): boolean;
  /** Whether fewer bytes than the high-water mark are pending. */
  readonly hasRoom: boolean;
  /** Fulfils when {@linkcode hasRoom} is `true`. After the end it may never fulfil. */
  whenRoom(): Promise<void>;
  ping(payload?: Uint8Array, signal?: AbortSignal): Promise<number>;
  pong(payload: Uint8Array): boolean;
}

/**
 * Replaces the transport while a message is sent in parts. Other messages wait until it is sent (RFC 6455
 * §5.4); control frames don't.
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
   * @param transport Sends the fragments.
   * @param events The channel.
   */
  constructor(transport: FragmentTransport, events: OutgoingMessagesEvents) {
    this.#transport = transport;
    this.#events = events;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** The number of waiting messages. */
  get length(): number {
    return this.#waiting.length;
  }

  /** The payload size of the waiting messages, in bytes. */
  get size(): number {
    return this.#waiting.size;
  }

  /** The load of the waiting messages: those without a payload count, too. */
  get waiting(): number {
    return this.#waiting.size + this.#waiting.length;
  }

  get load(): number {
    return this.#transport.load + this.waiting;
  }

  /** Removes and returns the first waiting message. */
  shift(): EarlyMessage | OutgoingMessage {
    return this.#waiting.shift();
  }

  /** Adds another message in parts to the queue. */
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

  /**
   * Called when the source has failed or the signal has aborted. Aborting a message is harmless while nothing
   * of it was sent.
   */
  #fail(message: OutgoingMessage, error: unknown): void {
    const isHarmless = !this.#hasBegun && message.options.signal?.aborted === true;
    if (!isHarmless) this.#events.onSourceFailed(error);
    message.done.reject(error);
  }

  /**
   * Sends the fragments of a message.
   *
   * @returns Whether the whole message was sent. Otherwise the connection has ended, or has started to close.
   */
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

  /** Cancels the source, because the connection ends. */
  end(): void {
    this.#adding?.end();
  }

  /** Abandons waiting messages in parts. The others still count in {@linkcode size}. */
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
