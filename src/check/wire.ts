/** A connection of bytes over `node:net` or `node:tls`, read at the pace of a case. */

import { builtinModule } from "../realm/builtin_module.ts";
import { nextTurn } from "../stream_channel/loop_guard.ts";
import { concat } from "./bytes.ts";
import { Fault, Silence } from "./fault.ts";

/** What is used of a socket. */
export interface RawSocket {
  write(bytes: Uint8Array): boolean;
  end(): unknown;
  destroy(): unknown;
  resetAndDestroy?(): unknown;
  pause(): unknown;
  resume(): unknown;
  setNoDelay(isOn: boolean): unknown;
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
  on(event: "end" | "close" | "connect" | "secureConnect", listener: () => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
}

/** What is used of a server of sockets. */
export interface RawServer {
  listen(port: number, hostname: string, done: () => void): unknown;
  close(done: () => void): unknown;
  address(): { readonly port: number } | string | null;
  on(event: "error", listener: (error: unknown) => void): unknown;
  on(event: "connection", listener: (socket: RawSocket) => void): unknown;
  on(event: "tlsClientError", listener: (error: unknown, socket: RawSocket) => void): unknown;
}

interface Net {
  connect(options: object): RawSocket;
  createServer(options: object, onSocket: (socket: RawSocket) => void): RawServer;
}

/** `node:net`, or `node:tls`. */
export function netModule(name: "net" | "tls"): Net {
  const module = builtinModule<Net>(name);
  if (module === null) throw new Error("Cannot check: this platform has no node:net");
  return module;
}

/** How the other side has ended its half. */
export type Ended = "eof" | "reset";

/** Reads and writes bytes. */
export class Wire {
  readonly #socket: RawSocket;
  readonly #timeout: number;
  #chunks: Uint8Array[] = [];
  #length = 0;
  #wanted = 0;
  #isConnected = false;
  #ended: Ended | null = null;
  #wake: () => void = () => {};
  /** Why the connection broke off, if it did. */
  error: unknown;
  /** How many milliseconds of silence end the wait; a case may shorten it. */
  patience: number;

  constructor(socket: RawSocket, timeout: number) {
    this.#socket = socket;
    this.#timeout = timeout;
    this.patience = timeout;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => {
      // A plain view: `Buffer.subarray` and others behave in another way.
      this.#chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      this.#length += chunk.byteLength;
      if (this.#length >= Math.max(this.#wanted, ENOUGH)) socket.pause();
      this.#wake();
    });
    const connected = (): void => {
      this.#isConnected = true;
      this.#wake();
    };
    socket.on("connect", connected);
    socket.on("secureConnect", connected);
    socket.on("end", () => this.#end("eof"));
    socket.on("error", (error) => {
      this.error = error;
      this.#end("reset");
    });
    socket.on("close", () => this.#end("eof"));
  }

  /** How the other side has ended; `null` while it hasn't. Bytes may be left to read. */
  get ended(): Ended | null {
    return this.#ended;
  }

  #end(how: Ended): void {
    this.#ended ??= how;
    this.#wake();
  }

  /** Waits until TCP is connected, or can't be. @throws {Silence} */
  async connected(): Promise<void> {
    while (!this.#isConnected && this.#ended === null) await this.#more();
  }

  /** Sends bytes, if the other side still takes them. */
  send(bytes: Uint8Array): void {
    // An error comes as an event; writing behind an end is no fault of the peer's.
    if (this.#ended !== "reset") this.#socket.write(bytes);
  }

  /** Sends bytes in pieces, each in a turn of its own. */
  async sendInPieces(bytes: Uint8Array, length: number): Promise<void> {
    for (let at = 0; at < bytes.length && this.#ended === null; at += length) {
      this.send(bytes.subarray(at, at + length));
      await turns(1);
    }
  }

  /** Waits until bytes have arrived or the other side has ended. @throws {Silence} */
  async #more(): Promise<void> {
    this.#socket.resume();
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        timer = setTimeout(() => reject(new Silence()), Math.min(this.patience, this.#timeout));
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Takes so many bytes; `null`: the other side has ended before. @throws {Silence} */
  async take(length: number): Promise<Uint8Array | null> {
    this.#wanted = length;
    while (this.#length < length) {
      if (this.#ended !== null) return null;
      await this.#more();
    }
    const parts: Uint8Array[] = [];
    let left = length;
    while (left > 0) {
      const [chunk = new Uint8Array()] = this.#chunks;
      const part = chunk.subarray(0, left);
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(left);
      parts.push(part);
      left -= part.length;
    }
    this.#length -= length;
    return concat(parts);
  }

  /**
   * Takes the bytes up to and with an empty line.
   *
   * @returns The text, or `null` when the other side has ended before.
   * @throws {Silence}
   * @throws {Fault} When it has more than 64 KiB.
   */
  async takeHead(): Promise<string | null> {
    let text = "";
    // How many characters of the empty line have arrived.
    for (let found = 0; found < 4;) {
      const [byte] = await this.take(1) ?? [];
      if (byte === undefined) return null;
      if (byte === (found % 2 === 0 ? CR : LF)) found++;
      else found = byte === CR ? 1 : 0;
      text += String.fromCharCode(byte);
      if (text.length > MAX_HEAD) throw new Fault("its head has more than 64 KiB");
    }
    return text;
  }

  /** Waits until 1 MiB has arrived that isn't read, and the peer is probably stopped. @throws {Silence} */
  async untilFull(): Promise<void> {
    while (this.#length < ENOUGH && this.#ended === null) await this.#more();
    await turns(100);
  }

  /** Ends our half. */
  end(): void {
    this.#socket.end();
  }

  /** Resets TCP; where the runtime has no reset, or none through TLS, ends it at once. */
  async reset(): Promise<void> {
    // Until a write is done, Node 20 ends TCP instead.
    await turns(4);
    try {
      this.#socket.resetAndDestroy?.();
    } catch {
      // Deno has none through TLS.
    }
    this.#socket.destroy();
  }

  /** Ends both halves at once. */
  destroy(): void {
    this.#socket.destroy();
  }
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => void nextTurn(resolve));
}

const MAX_HEAD = 65_536;
const CR = 13;
const LF = 10;
/** With so many bytes that no case has asked for, the socket is paused. */
const ENOUGH = 1 << 20;
