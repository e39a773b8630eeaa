/** A socket with the W3C interface that tests control. */

import type { WebSocketEventLike, WebSocketLike } from "../../src/native/web_socket_like.ts";
import { hex } from "./bytes.ts";

type EventName = "open" | "message" | "error" | "close";

/** A socket with the W3C interface that tests control. It records the calls of its methods. */
export class FakeWebSocket implements WebSocketLike {
  readyState: number;
  protocol = "";
  extensions = "";
  bufferedAmount = 0;
  binaryType = "blob";
  /** The sent messages: texts, and bytes as hexadecimal after "0x". */
  readonly sent: string[] = [];
  /** The arguments of each `close`. */
  readonly closes: unknown[][] = [];
  /** A callback that runs inside `close`, after the call is recorded. */
  onClose: (socket: FakeWebSocket) => void = () => {};
  /** The close codes for which `close` throws. */
  refuses: (code: number) => boolean = () => false;
  readonly #listeners: Record<EventName, ((event: WebSocketEventLike) => void)[]> = {
    open: [],
    message: [],
    error: [],
    close: [],
  };

  /** @param readyState 0 connecting, 1 open, 2 closing, 3 closed. */
  constructor(readyState = 1) {
    this.readyState = readyState;
  }

  send(data: unknown): void {
    if (this.readyState === 0) throw new DOMException("still connecting", "InvalidStateError");
    this.sent.push(typeof data === "string" ? data : `0x${hex(data as ArrayBuffer)}`);
  }

  close(...args: unknown[]): void {
    this.closes.push(args);
    const [code] = args;
    if (typeof code === "number" && this.refuses(code)) {
      throw new DOMException("The close code must be 1000 or 3000-4999", "InvalidAccessError");
    }
    if (this.readyState < 2) this.readyState = 2;
    this.onClose(this);
  }

  addEventListener(type: EventName, listener: (event: WebSocketEventLike) => void): void {
    this.#listeners[type].push(listener);
  }

  /** Calls the listeners of an event. */
  emit(type: EventName, event: WebSocketEventLike = {}): void {
    for (const listener of this.#listeners[type]) listener(event);
  }

  /** Opens the connection. */
  open(protocol = ""): void {
    this.readyState = 1;
    this.protocol = protocol;
    this.emit("open");
  }

  /** Receives a message of the peer. */
  message(data: unknown): void {
    this.emit("message", { data });
  }

  /** Closes the connection. */
  closed(event: WebSocketEventLike): void {
    this.readyState = 3;
    this.emit("close", event);
  }
}
