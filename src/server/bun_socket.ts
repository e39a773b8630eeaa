import { copyOf } from "../realm/bytes.ts";
import type { WebSocketEventLike, WebSocketLike } from "../native/web_socket_like.ts";

/** What is used of the server-side socket of Bun. */
export interface BunServerSocket {
  /** What was given to `server.upgrade`. */
  readonly data: unknown;
  /** 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  /** How binary messages come. */
  binaryType?: string;
  /** Sends a message. */
  send(message: string | Uint8Array): unknown;
  /** Begins the closing handshake. */
  close(code?: number, reason?: string): void;
  /** Ends the connection at once. */
  terminate(): void;
  /** How many bytes wait to be sent. */
  getBufferedAmount(): number;
}

type Listener = (event: WebSocketEventLike) => void;

/** Bun's server-side socket, which tells a server's handlers, with the interface of `WebSocket`. */
export class BunSocket implements WebSocketLike {
  readonly protocol: string;
  binaryType = "arraybuffer";
  readonly #listeners: Map<string, Listener[]> = new Map<string, Listener[]>();
  #socket: BunServerSocket | null = null;
  #closing = false;
  #closed = false;

  /**
   * Creates a socket that is connecting.
   *
   * @param protocol The subprotocol that was agreed on, or the empty text.
   */
  constructor(protocol: string) {
    this.protocol = protocol;
  }

  get readyState(): number {
    if (this.#closed) return 3;
    if (this.#closing) return 2;
    return this.#socket === null ? 0 : 1;
  }

  get bufferedAmount(): number {
    return this.#closed ? 0 : this.#socket?.getBufferedAmount() ?? 0;
  }

  send(message: string | ArrayBuffer | ArrayBufferView): void {
    if (this.readyState !== 1) return;
    this.#socket?.send(typeof message === "string" ? message : copyOf(message));
  }

  close(code?: number, reason?: string): void {
    if (this.readyState >= 2) return;
    this.#closing = true;
    if (code === undefined) this.#socket?.close();
    else this.#socket?.close(code, reason);
  }

  terminate(): void {
    this.#closing = true;
    this.#socket?.terminate();
  }

  addEventListener(type: string, listener: Listener): void {
    const listeners = this.#listeners.get(type);
    if (listeners === undefined) this.#listeners.set(type, [listener]);
    else listeners.push(listener);
  }

  // What Bun's handlers tell.

  /** The connection is open. */
  onOpen(socket: BunServerSocket): void {
    this.#socket = socket;
    // It was given up meanwhile.
    if (this.#closing) return socket.terminate();
    this.#tell("open", {});
  }

  /** A message is in. */
  onMessage(data: string | Uint8Array): void {
    // What Bun hands over may be its own buffer, used again.
    this.#tell("message", { data: typeof data === "string" ? data : copyOf(data) });
  }

  /** It has ended. */
  onClose(code: number, reason: string): void {
    this.#closed = true;
    this.#socket = null;
    this.#tell("close", { code, reason, wasClean: code !== 1006 });
  }

  #tell(type: string, event: WebSocketEventLike): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event);
  }
}
