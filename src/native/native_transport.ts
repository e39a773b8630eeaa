import { abnormalClosure, goingAway, normalClosure, noStatusReceived } from "../../status.ts";
import { protocolFault } from "../handshake/subprotocol.ts";
import type { PreparedMessage } from "../protocol/prepared_message.ts";
import { isBinary, plainBytes } from "../realm/bytes.ts";
import { adopted } from "../realm/kinds.ts";
import { sinkControl } from "../stream_channel/channel_sink.ts";
import { streamFeed } from "../stream_channel/channel_stream.ts";
import type { Capabilities } from "../web_socket/capabilities.ts";
import type { ChannelCore } from "../web_socket/channel_core.ts";
import { closeContent, type Ending } from "../web_socket/channel_state.ts";
import type { Clock } from "../web_socket/clock.ts";
import type { ConnectRequest } from "../web_socket/connect_request.ts";
import {
  type ChannelOptions,
  DEFAULT_MAX_QUEUE_SIZE,
  type ReceiveQueueOptions,
} from "../web_socket/options.ts";
import type { ConnectionEvents } from "../web_socket/connection_events.ts";
import { ConnectError, LimitError, WebSocketChannelError } from "../web_socket/errors.ts";
import { shownUrl, withoutQuery } from "../web_socket/shown_url.ts";
import type { Transport } from "../web_socket/transport.ts";
import type { CloseFrameContent } from "../web_socket/close_info.ts";
import type { Message } from "../web_socket/web_socket_channel.ts";
import { type MessageInput, unsendable } from "../web_socket/web_socket_sink.ts";
import type { ConnectFailure } from "./connect_failure.ts";
import { checkSocket, hintOf, urlOf } from "./native_socket.ts";
import { Polling } from "./polling.ts";
import type { WebSocketEventLike, WebSocketLike } from "./web_socket_like.ts";

const OPEN = 1;
const CLOSING = 2;

/** Interprets what a socket has reported about a failed attempt. */
export type ReadFailure = (cause: unknown, url: URL | null) => ConnectFailure;

/** The knowledge about the global `WebSocket`. */
export interface SocketKnowledge {
  readonly capabilities: Capabilities;
  readonly readFailure: ReadFailure;
  /** The observer of the connection's events. */
  readonly observer?: ConnectionEvents | null;
  /** Creates a socket; throws when the platform refuses. */
  create(request: ConnectRequest): WebSocketLike;
}

/** Options of a {@linkcode NativeTransport}. */
export interface NativeSettings extends Omit<SocketKnowledge, "create"> {
  readonly options: ChannelOptions & ReceiveQueueOptions;
  readonly clock: Clock;
  /** The offered subprotocols; `null` when they aren't known. */
  readonly offered: readonly string[] | null;
  /** The URL of the connection; `null` when it isn't known. */
  readonly url: URL | null;
}

/** A transport over a socket with the interface of the global `WebSocket`. */
export class NativeTransport implements Transport {
  readonly #core: ChannelCore;
  readonly #maxQueueSize: number;
  readonly #offered: readonly string[] | null;
  readonly #readFailure: ReadFailure;
  #url: URL | null;
  readonly #polling: Polling;
  #socket: WebSocketLike | null = null;
  #hint: unknown;
  /** The socket's `bufferedAmount` when it was last read. */
  #amount = 0;
  /** The number of unsent bytes when the socket was lost; `null` before that. */
  #unsent: number | null = null;
  #closeStarted = false;
  #isInClose = false;

  /**
   * Creates a transport without a socket.
   *
   * @param core The core of the channel.
   * @param settings The settings, and what is known about the socket.
   */
  constructor(core: ChannelCore, { options, clock, offered, url, readFailure }: NativeSettings) {
    this.#core = core;
    this.#maxQueueSize = options.maxQueueSize ?? DEFAULT_MAX_QUEUE_SIZE;
    this.#offered = offered;
    this.#url = url;
    this.#readFailure = readFailure;
    this.#polling = new Polling(clock, options.closeTimeout);
  }

  /** The wrapped socket; `null` before there is one. */
  get socket(): WebSocketLike | null {
    return this.#socket;
  }

  /** Connects with a socket that `create` returns; fails the channel when the platform refuses. */
  connect(create: () => WebSocketLike): void {
    try {
      this.#attach(create());
    } catch (cause) {
      // The platform refused without trying, because of a permission or a page's policy. It would refuse again.
      this.#core.failToOpen(this.#connectError(cause, { retryable: false }));
    }
  }

  /** Waits for a socket, and wraps it. */
  async await(promise: PromiseLike<WebSocketLike>): Promise<void> {
    try {
      const socket = await adopted(promise);
      checkSocket(socket);
      this.adopt(socket);
    } catch (cause) {
      this.#core.failToOpen(
        new WebSocketChannelError(
          "Cannot wrap the WebSocket: its promise failed",
          { cause },
        ),
      );
    }
  }

  /** Wraps a socket from the user, of which only its own members are known. */
  adopt(socket: WebSocketLike): void {
    const core = this.#core;
    let { capabilities } = core.identity;
    if (typeof socket.terminate === "function") {
      capabilities = { ...capabilities, terminate: true };
    }
    const url = this.#url = urlOf(socket);
    core.identity = {
      ...core.identity,
      capabilities,
      url: () => url === null ? "" : shownUrl(url),
    };
    this.#attach(socket);
  }

  // Events of the socket.

  #attach(socket: WebSocketLike): void {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => this.#onOpen(socket));
    socket.addEventListener("message", (event) => this.#onMessage(event.data));
    socket.addEventListener("error", (event) => this.#hint = hintOf(event));
    socket.addEventListener("close", (event) => this.#onClose(event));
    // The channel was closed, or timed out, before the promise of the socket fulfilled.
    if (this.#core.state === "closed") return this.destroy();
    if (socket.readyState === OPEN) return this.#onOpen(socket);
    if (socket.readyState < OPEN) return;
    const state = socket.readyState === CLOSING ? "closing" : "closed";
    this.#core.failToOpen(
      new WebSocketChannelError(`Cannot wrap the WebSocket: it is already ${state}`),
    );
  }

  #onOpen(socket: WebSocketLike): void {
    // A socket may still open after `close()`.
    if (this.#core.state === "closed") return this.destroy();
    // A socket that was wrapped in its `open` event may fire the event again.
    if (this.#core.state !== "connecting") return;
    const protocol = socket.protocol ?? "";
    const fault = this.#offered === null ? null : protocolFault(protocol, this.#offered);
    if (fault !== null) {
      const known = { phase: "handshake", status: 101, retryable: false } as const;
      this.#core.failToOpen(new ConnectError(this.#failedBecause(fault), known));
      return this.destroy();
    }
    this.#watchForClosing(socket);
    this.#core.open({
      protocol: protocol === "" ? null : protocol,
      extensions: socket.extensions ?? "",
      response: null,
    });
  }

  #onMessage(data: unknown): void {
    const message = messageOf(data);
    if (message === null) return this.#core.closeOnError(unknownMessage(data));
    streamFeed.add(this.#core.incoming, message);
    if (streamFeed.queuedSize(this.#core.incoming) > this.#maxQueueSize) this.#overflow();
  }

  #overflow(): void {
    const actual = streamFeed.queuedSize(this.#core.incoming);
    const what = `What waits to be read, ${actual} bytes,`;
    const limit = this.#maxQueueSize;
    this.#core.closeOnError(new LimitError(what, { option: "maxQueueSize", limit, actual }));
  }

  // This is the only reliable event. Some platforms report code 0 when there was no Close.
  #onClose(event: WebSocketEventLike): void {
    // Fired inside `close()`, before the sent code and reason are recorded.
    if (this.#isInClose) return queueMicrotask(() => this.#onClose(event));
    const { code, reason, wasClean } = event;
    this.#polling.stop();
    if (this.#core.state === "connecting") {
      return this.#core.failToOpen(this.#connectError(this.#hint));
    }
    const received = code === undefined || code === 0 || code === abnormalClosure
      ? undefined
      : closeContent(code, reason ?? "");
    const ending: Ending = {
      received,
      wasClean: received !== undefined && wasClean !== false,
      initiator: received === undefined ? "transport" : "remote",
    };
    if (received !== undefined) this.#answerClose(received);
    // Some platforms reset `bufferedAmount` when the connection is lost.
    const seen = ending.wasClean ? 0 : this.#amount;
    this.#unsent = Math.max(seen, this.bufferedAmount);
    this.#core.end(
      received === undefined && !this.#closeStarted ? { ...ending, error: this.#lost() } : ending,
    );
  }

  /** Answers the peer's Close. Workerd, with older compatibility dates, leaves that to the program. */
  #answerClose({ code, reason }: CloseFrameContent): void {
    const socket = this.#socket;
    if (socket?.readyState !== CLOSING || this.#closeStarted) return;
    this.#closeAnyhow(() =>
      code === noStatusReceived ? socket.close() : socket.close(code, reason)
    );
  }

  #lost(): WebSocketChannelError {
    return new WebSocketChannelError("The connection was lost: it ended without a Close frame", {
      cause: this.#withoutQuery(this.#hint),
    });
  }

  #withoutQuery(cause: unknown): unknown {
    return this.#url === null ? cause : withoutQuery(cause, this.#url);
  }

  #connectError(reported: unknown, options?: { retryable: boolean }): ConnectError {
    const cause = this.#withoutQuery(reported);
    const { fault, known } = this.#readFailure(cause, this.#url);
    return new ConnectError(this.#failedBecause(fault), { cause, ...known, ...options });
  }

  #failedBecause(fault: string): string {
    const url = this.#core.identity.url();
    const to = url === "" ? "" : ` to ${url}`;
    return `Cannot connect${to}: ${fault}`;
  }

  /** Detects the peer's Close on platforms that report it only at the end of TCP. */
  #watchForClosing(socket: WebSocketLike): void {
    this.#polling.watchState(() => {
      if (socket.readyState < CLOSING) return true;
      this.#core.onPeerCloseStarted();
      return false;
    });
  }

  send(message: MessageInput): boolean {
    const socket = this.#socket;
    if (socket === null) return false;
    // In this state `send` would silently drop the message (WHATWG WebSockets).
    if (socket.readyState >= CLOSING) {
      this.#core.onPeerCloseStarted();
      return false;
    }
    // Platforms and libraries may treat objects differently that report wrong bytes, so plain bytes are passed.
    socket.send(typeof message === "string" ? message : plainBytes(message));
    return true;
  }

  sendPrepared(message: PreparedMessage): boolean {
    return this.send(message.content);
  }

  get bufferedAmount(): number {
    return this.#unsent ?? (this.#amount = this.#socket?.bufferedAmount ?? 0);
  }

  get load(): number {
    return this.bufferedAmount;
  }

  /**
   * Whether the Close was sent, which the platform doesn't report. A Close follows all messages, so nothing buffered is
   * left by then.
   */
  hasSentClose({ wasClean }: Ending): boolean {
    return wasClean || this.bufferedAmount === 0;
  }

  watch(): void {
    this.#polling.watchAmount(() => {
      // A lost socket may reset `bufferedAmount` before its event; that isn't room.
      if ((this.#socket?.readyState ?? CLOSING) < CLOSING) sinkControl.drained(this.#core.sink);
      return sinkControl.isWaitedFor(this.#core.sink) && this.#core.state === "open";
    });
  }

  close(code: number | undefined, reason: string): CloseFrameContent | undefined {
    // The peer closed first, and the platform has answered.
    if ((this.#socket?.readyState ?? CLOSING) >= CLOSING) return undefined;
    const sent = this.#inClose(() => this.#sendClose(code, reason));
    this.#closeStarted = true;
    return sent;
  }

  /** Calls a function during which the socket may fire its close event. */
  #inClose<T>(close: () => T): T {
    const before = this.#isInClose;
    this.#isInClose = true;
    try {
      return close();
    } finally {
      this.#isInClose = before;
    }
  }

  #sendClose(code: number | undefined, reason: string): CloseFrameContent {
    const socket = this.#socket;
    if (code === undefined) {
      this.#closeAnyhow(() => socket?.close());
      return closeContent(noStatusReceived, "");
    }
    try {
      socket?.close(code, reason);
      return closeContent(code, reason);
    } catch {
      // A page may only send 1000 and 3000-4999 (WHATWG WebSockets). It sends 1000 instead of 1001, which is an orderly
      // end, too.
      if (code !== goingAway) throw unsendable(code, "1000, 1001 and 3000-4999 on this transport");
      socket?.close(normalClosure, reason);
      return closeContent(normalClosure, reason);
    }
  }

  destroy(): void {
    this.#polling.stop();
    const socket = this.#socket;
    if (socket === null) return;
    this.#closeAnyhow(() => {
      if (typeof socket.terminate === "function") socket.terminate();
      else socket.close();
    });
  }

  #closeAnyhow(close: () => void): void {
    try {
      this.#inClose(close);
    } catch {
      // The socket can't be closed; the close timer ends the channel.
    }
  }
}

/** Returns a socket's message; `null` when it is neither text nor available bytes. */
function messageOf(data: unknown): Message | null {
  if (typeof data === "string") return data;
  try {
    return isBinary(data) ? plainBytes(data) : null;
  } catch {
    return null;
  }
}

function unknownMessage(data: unknown): WebSocketChannelError {
  const kind = Object.prototype.toString.call(data).slice(8, -1);
  return new WebSocketChannelError(
    `Cannot read a message: it must be text or an ArrayBuffer, got ${kind}`,
  );
}
