/** Clients for tests of the recipes: npm `ws`, and a bare socket. */

import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
// @ts-types="./ws.d.ts"
import { type ClientOptions, WebSocket } from "ws";
import { clientFrame } from "./frames.ts";

/** The events of a client of npm `ws`, in order. */
export class LoggingClient {
  readonly socket: WebSocket;
  /** "open", "text:…", "binary:hex", "ping:…", "pong:…", "error", "close:code:reason". */
  readonly log: string[] = [];
  #waiting: (() => void) | undefined;

  constructor(url: string, options: ClientOptions & { protocols?: string[] } = {}) {
    const { protocols = [], ...rest } = options;
    this.socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...rest });
    this.socket.on("open", () => this.#note("open"));
    this.socket.on("message", (data, isBinary) => {
      this.#note(isBinary ? `binary:${data.toString("hex")}` : `text:${data}`);
    });
    this.socket.on("ping", (data) => this.#note(`ping:${data}`));
    this.socket.on("pong", (data) => this.#note(`pong:${data}`));
    this.socket.on("error", (error) => this.#note(`error:${error.message}`));
    this.socket.on("close", (code, reason) => this.#note(`close:${code}:${reason}`));
  }

  #note(entry: string): void {
    this.log.push(entry);
    this.#waiting?.();
  }

  /** Fulfils when an entry begins with this text, with its position in the log. */
  async seen(start: string): Promise<number> {
    for (;;) {
      const at = this.log.findIndex((entry) => entry.startsWith(start));
      if (at >= 0) return at;
      await new Promise<void>((resolve) => this.#waiting = resolve);
    }
  }

  /** Fulfils with the whole log once the connection is closed. */
  async closed(): Promise<string[]> {
    await this.seen("close:");
    return this.log;
  }
}

/** RFC 6455 §1.2's key. */
export const SAMPLE_KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** A bare TCP client that records the received bytes. */
export class RawClient {
  readonly socket: Socket;
  #received: Buffer[] = [];
  #hasEnded = false;
  #isClosed = false;
  #waiting: (() => void) | undefined;

  constructor(url: string) {
    const port = Number(new URL(url).port);
    this.socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    this.socket.on("data", (chunk: Buffer) => {
      this.#received.push(chunk);
      this.#waiting?.();
    });
    this.socket.on("end", () => {
      this.#hasEnded = true;
      this.#waiting?.();
    });
    // The event "close" follows.
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.#isClosed = true;
      this.#waiting?.();
    });
  }

  /** Sends an upgrade request with {@linkcode SAMPLE_KEY}. */
  request(path = "/", lines: string[] = []): void {
    const all = [
      `GET ${path} HTTP/1.1`,
      "Host: localhost",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${SAMPLE_KEY}`,
      "Sec-WebSocket-Version: 13",
      ...lines,
    ];
    this.socket.write(all.join("\r\n") + "\r\n\r\n");
  }

  /** Sends a masked frame. */
  send(opcode: number, payload: Uint8Array | string = "", fin = true): void {
    this.socket.write(clientFrame({ opcode, payload, fin }));
  }

  /** All bytes received so far. */
  get bytes(): Buffer {
    return Buffer.concat(this.#received);
  }

  /** The bytes received after the response's head so far. */
  get body(): Buffer {
    const end = this.bytes.indexOf("\r\n\r\n");
    return end < 0 ? Buffer.alloc(0) : this.bytes.subarray(end + 4);
  }

  /** The response's head, without its empty line. */
  get head(): string {
    const text = this.bytes.toString("latin1");
    return text.slice(0, Math.max(0, text.indexOf("\r\n\r\n")));
  }

  /** Fulfils with the response's head. */
  async response(): Promise<string> {
    while (this.head === "") await this.#more("a response");
    return this.head;
  }

  /** Fulfils with this many bytes after the head, in hexadecimal. */
  async hex(length: number): Promise<string> {
    while (this.body.length < length) await this.#more(`${length} bytes`);
    return this.body.subarray(0, length).toString("hex");
  }

  /** Fulfils when the server's FIN has arrived. */
  async end(): Promise<void> {
    while (!this.#hasEnded) await this.#more("the end");
  }

  /** Whether the server's FIN has arrived. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  async #more(what: string): Promise<void> {
    if (this.#isClosed || this.#hasEnded) throw new Error(`The connection ended before ${what}`);
    await new Promise<void>((resolve) => this.#waiting = resolve);
  }

  /** Fulfils when the socket is closed, for any reason. */
  async closed(): Promise<void> {
    while (!this.#isClosed) await new Promise<void>((resolve) => this.#waiting = resolve);
  }

  /** Destroys the socket; fulfils when it is closed. */
  async destroy(): Promise<void> {
    this.socket.destroy();
    await this.closed();
  }
}
