import { copyOf } from "../realm/bytes.ts";
import { CountedQueue } from "../stream_channel/counted_queue.ts";
import { utf8Length } from "./message_input.ts";
import type { MessageInput, SendOptions } from "./web_socket_sink.ts";

/** A message that waits until the connection is open. */
export interface EarlyMessage {
  readonly message: MessageInput;
  readonly options: SendOptions | undefined;
}

/** What was sent while connecting: nothing goes out before the opening handshake is over. */
export class EarlyMessages {
  readonly #messages = new CountedQueue<EarlyMessage>();
  #amount = 0;

  /** How many wait. */
  get length(): number {
    return this.#messages.length;
  }

  /** How many bytes wait. */
  get amount(): number {
    return this.#amount;
  }

  /** Keeps a message, and not the caller's bytes. */
  add(message: MessageInput, options: SendOptions | undefined): void {
    const kept = typeof message === "string" ? message : copyOf(message);
    this.#messages.push({ message: kept, options });
    this.#amount += typeof kept === "string" ? utf8Length(kept) : kept.byteLength;
  }

  /** Forgets them: that isn't sent, so the amount stays. */
  drop(): void {
    this.#messages.clear();
  }

  /** Takes the first one; call it only while `length` is above 0. */
  shift(): EarlyMessage {
    return this.#messages.shift();
  }
}
