/** One TCP connection of a recipe's server: its bytes, its request, its 101. */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import type { RecipeEvent, RequestEvent } from "./recipe_events.ts";
import type { RecipeOptions } from "./recipes.ts";
import { turn } from "./turns.ts";

/** The text that is appended to the key before hashing (RFC 6455 §1.3). */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The part of a server that its connections use. */
export interface RecipeHost {
  readonly options: RecipeOptions;
  /** Reports an event to the test. */
  report(event: RecipeEvent): void;
  /** Fulfils with the next unused `release()`. */
  released(): Promise<void>;
}

/** One TCP connection of a recipe's server. */
export class RecipeConnection {
  readonly socket: Socket;
  readonly host: RecipeHost;
  /** Whether the client's FIN is answered with our own; false leaves TCP half open. */
  endsWithClient = true;
  #early: Buffer[] = [];
  #onBytes: ((bytes: Uint8Array) => void) | undefined;
  #onEarly: (() => void) | undefined;
  #isClosed = false;
  #isReset = false;
  readonly #receive = (chunk: Uint8Array): void => this.#take(chunk);

  constructor(socket: Socket, host: RecipeHost) {
    this.socket = socket;
    this.host = host;
    socket.on("data", this.#receive);
    socket.on("end", () => {
      host.report({ kind: "end" });
      if (this.endsWithClient) this.socket.end();
    });
    socket.on("error", (error: Error & { code?: string }) => {
      if (error.code === "ECONNRESET" || error.code === "EPIPE") this.#reportReset();
    });
    socket.on("close", () => {
      this.#isClosed = true;
      host.report({ kind: "disconnect" });
    });
  }

  #reportReset(): void {
    if (this.#isReset) return;
    this.#isReset = true;
    this.host.report({ kind: "reset" });
  }

  #take(chunk: Uint8Array): void {
    if (this.#onBytes !== undefined) return this.#onBytes(chunk);
    this.#early.push(Buffer.from(chunk));
    this.#onEarly?.();
  }

  /** Whether writing is no longer possible. */
  get isOver(): boolean {
    return this.#isClosed || this.socket.destroyed || this.socket.writableEnded;
  }

  /**
   * The client's request, once its head is complete. Later bytes are buffered.
   *
   * @returns A promise that stays pending if no complete head arrives.
   */
  readRequest(): Promise<RequestEvent> {
    return new Promise((resolve) => {
      this.#onEarly = () => {
        const bytes = Buffer.concat(this.#early);
        const end = bytes.indexOf("\r\n\r\n");
        if (end < 0) return;
        this.#onEarly = undefined;
        this.#early = [bytes.subarray(end + 4)];
        resolve(parseRequest(bytes.subarray(0, end).toString("latin1")));
      };
    });
  }

  /** Passes the bytes received so far, and all later ones, to a callback. */
  onBytes(callback: (bytes: Uint8Array) => void): void {
    this.#onBytes = callback;
    const early = Buffer.concat(this.#early.splice(0));
    if (early.length > 0) callback(early);
  }

  /** Hands the socket to another reader. Returns the bytes received so far. */
  detach(): Buffer {
    this.socket.removeListener("data", this.#receive);
    return Buffer.concat(this.#early.splice(0));
  }

  /** Writes. Fulfils when the operating system has accepted all bytes, or the connection has ended. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.isOver) return resolve();
      this.socket.write(bytes, () => resolve());
    });
  }

  /** Writes in pieces of at most this many bytes, each in a turn of its own. */
  async writePieces(bytes: Uint8Array, size: number | undefined): Promise<void> {
    if (size === undefined) return await this.write(bytes);
    for (let start = 0; start < bytes.length && !this.isOver; start += size) {
      await this.write(bytes.subarray(start, start + size));
      await turn();
    }
  }

  /** Writes the same bytes repeatedly, as fast as the client reads, until the client leaves. */
  async writeForever(bytes: Uint8Array): Promise<void> {
    const times = Math.max(1, Math.floor(65536 / bytes.length));
    const block = Buffer.concat(new Array<Uint8Array>(times).fill(bytes));
    while (!this.isOver) await this.write(block);
  }

  /** Continues as `options.then` specifies. */
  finish(then: RecipeOptions["then"]): void {
    if (then === "end") this.socket.end();
    else if (then === "destroy") this.socket.destroy();
    else if (then === "reset") this.socket.resetAndDestroy();
  }
}

/** RFC 6455 §4.2.2: the value of Sec-WebSocket-Accept. */
export function acceptFor(request: RequestEvent): string {
  const key = request.headers["sec-websocket-key"] ?? "";
  return createHash("sha1").update(key + GUID).digest("base64");
}

/** A correct 101, with additional header lines. */
export function switchingProtocols(request: RequestEvent, extra: Record<string, string>): string {
  return head("HTTP/1.1 101 Switching Protocols", {
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Accept": acceptFor(request),
    ...extra,
  });
}

/** A response's head, with its empty line. */
export function head(statusLine: string, headers: Record<string, string>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${statusLine}\r\n${lines.join("")}\r\n`;
}

function parseRequest(text: string): RequestEvent {
  const [requestLine = "", ...rest] = text.split("\r\n");
  const [method = "", path = ""] = requestLine.split(" ");
  const lines = rest.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const headers: Record<string, string> = {};
  for (const [name, value] of lines) {
    const key = name.toLowerCase();
    headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`;
  }
  return { kind: "request", method, path, headers, lines };
}
