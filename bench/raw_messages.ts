/**
 * A minimal protocol with messages: four bytes with a message's length, then the
 * message. It has no handshake, no masking and no checks. It delivers each message, and writes once per turn.
 */

import type { Socket } from "node:net";
import process from "node:process";
import type { Client } from "./clients.ts";

const HEAD = 4;
const ROOM = 0x1_0000;

/** A connection that sends and receives messages. */
export class MessageSocket implements Client {
  onMessage: () => void = () => {};
  onEnd: () => void = () => {};

  readonly #socket: Socket;
  readonly #onBytes: (message: Uint8Array) => void;
  #rest = new Uint8Array(0);
  #buffer = new Uint8Array(ROOM);
  #start = 0;
  #end = 0;
  #isPlanned = false;

  /**
   * @param socket A connected socket.
   * @param echo Whether to echo each message.
   */
  constructor(socket: Socket, echo = false) {
    this.#socket = socket;
    this.#onBytes = echo ? (message) => this.send(message) : () => this.onMessage();
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.once("close", () => this.onEnd());
  }

  send(message: string | Uint8Array): void {
    const bytes = message as Uint8Array;
    const { length } = bytes;
    if (this.#end + HEAD + length > this.#buffer.length) {
      this.#flush();
      this.#buffer = new Uint8Array(Math.max(ROOM, HEAD + length));
      this.#start = this.#end = 0;
    }
    const buffer = this.#buffer;
    let at = this.#end;
    buffer[at++] = length >>> 24;
    buffer[at++] = length >>> 16;
    buffer[at++] = length >>> 8;
    buffer[at++] = length;
    buffer.set(bytes, at);
    this.#end = at + length;
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    process.nextTick(() => {
      this.#isPlanned = false;
      this.#flush();
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.once("close", () => resolve());
      this.#socket.destroy();
    });
  }

  #flush(): void {
    if (this.#end === this.#start) return;
    this.#socket.write(this.#buffer.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  #receive(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
    }
    let at = 0;
    while (bytes.length - at >= HEAD) {
      const length = (bytes[at] as number) << 24 | (bytes[at + 1] as number) << 16 |
        (bytes[at + 2] as number) << 8 | (bytes[at + 3] as number);
      const end = at + HEAD + length;
      if (end > bytes.length) break;
      this.#onBytes(new Uint8Array(bytes.buffer, bytes.byteOffset + at + HEAD, length));
      at = end;
    }
    this.#rest = new Uint8Array(bytes.subarray(at));
  }
}
