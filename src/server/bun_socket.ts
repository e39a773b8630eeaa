import { copyOf } from "../realm/bytes.ts";
import type { WebSocketEventLike, WebSocketLike } from "../native/web_socket_like.ts";

/** The part of Bun's server-side socket that this package uses. */
export interface BunServerSocket {
  /** The `data` that was passed to `server.upgrade`. */
  readonly data: unknown;
  /** The state: 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  /** The type of received binary messages. */
  binaryType?: string;
  /** Sends a message. */
  send(message: string | Uint8Array): unknown;
  /** Begins the closing handshake. */
  close(code?: number, reason?: string): void;
  /** Ends the connection at once. */
  terminate(): void;
  /** Returns the number of bytes queued for sending. */
  getBufferedAmount(): number;
}

type Listener = (event: WebSocketEventLike) => void;

/** Bun's server-side socket with the interface of `WebSocket`. Bun itself calls the handlers of the server instead. */
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

  // Called by Bun's handlers.

  /** Starts using the open connection. */
  onOpen(socket: BunServerSocket): void {
    this.#socket = socket;
    // The channel was closed before the connection opened.
    if (this.#closing) return socket.terminate();
    this.#emit("open", {});
  }

  /** Emits `message` for a received message. */
  onMessage(data: string | Uint8Array): void {
    // Bun may reuse its buffer.
    this.#emit("message", { data: typeof data === "string" ? data : copyOf(data) });
  }

  /** Emits `close` when the connection has ended. */
  onClose(code: number, reason: string): void {
    this.#closed = true;
    this.#socket = null;
    this.#emit("close", { code, reason, wasClean: code !== 1006 });
  }

  #emit(type: string, event: WebSocketEventLike): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event);
  }
}
