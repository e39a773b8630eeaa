/** A W3C-shaped socket that does only what a test makes it do. */

import type { WebSocketEventLike, WebSocketLike } from "../../src/native/web_socket_like.ts";
import { hex } from "./bytes.ts";

type EventName = "open" | "message" | "error" | "close";

/** A W3C-shaped socket that does only what a test makes it do, and keeps what was done to it. */
export class FakeWebSocket implements WebSocketLike {
  readyState: number;
  protocol = "";
  extensions = "";
  bufferedAmount = 0;
  binaryType = "blob";
  /** What was sent: texts, and bytes as hexadecimal after "0x". */
  readonly sent: string[] = [];
  /** The arguments of each `close`. */
  readonly closes: unknown[][] = [];
  /** What happens inside `close`, after it was noted. */
  onClose: (socket: FakeWebSocket) => void = () => {};
  /** Close codes that `close` throws for. */
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

  /** The connection is open. */
  open(protocol = ""): void {
    this.readyState = 1;
    this.protocol = protocol;
    this.emit("open");
  }

  /** The peer has sent a message. */
  message(data: unknown): void {
    this.emit("message", { data });
  }

  /** The connection is closed. */
  closed(event: WebSocketEventLike): void {
    this.readyState = 3;
    this.emit("close", event);
  }
}
