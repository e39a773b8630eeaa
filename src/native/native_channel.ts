import { abnormalClosure, goingAway, normalClosure, noStatusReceived } from "../../status.ts";
import { protocolFault } from "../handshake/client_handshake.ts";
import { isBinary, plainBytes } from "../realm/bytes.ts";
import { adopted, isPromiseLike } from "../realm/kinds.ts";
import { type OptionKinds, readOptions } from "../stream_channel/options.ts";
import { type Capabilities, NO_CAPABILITIES } from "../web_socket/capabilities.ts";
import { type Clock, systemClock } from "../web_socket/clock.ts";
import { closeContent, type Ending } from "../web_socket/closing.ts";
import {
  ATTEMPT_KINDS,
  type ChannelOptions,
  type ConnectDeadlineOptions,
  type ConnectRequest,
  DEFAULT_MAX_QUEUE_SIZE,
  parseProtocols,
  type ReceiveQueueOptions,
} from "../web_socket/connect_options.ts";
import { shownUrl, withoutQuery } from "../web_socket/shown_url.ts";
import { ConnectError, WebSocketChannelError } from "../web_socket/errors.ts";
import type { CloseFrameContent } from "../web_socket/close_info.ts";
import type { Message } from "../web_socket/web_socket_channel.ts";
import { WebSocketChannelBase } from "../web_socket/web_socket_channel_base.ts";
import { type MessageInput, unsendable } from "../web_socket/web_socket_sink.ts";
import { nativeCapabilities } from "./native_capabilities.ts";
import { checkSocket, createSocket, faultOf, hintOf, statusOf, urlOf } from "./native_socket.ts";
import { Polling } from "./polling.ts";
import type { WebSocketEventLike, WebSocketLike } from "./web_socket_like.ts";

const OPEN = 1;
const CLOSING = 2;

/** Options of a channel over a W3C-shaped socket. */
export interface FromOptions extends ChannelOptions, ConnectDeadlineOptions, ReceiveQueueOptions {
  /** The subprotocols that were offered: one that the socket reports must be among them. */
  protocols?: string | readonly string[] | undefined;
}

const FROM_KINDS: OptionKinds<FromOptions> = { ...ATTEMPT_KINDS, protocols: "string|list" };

/** A channel over the global `WebSocket`, or any socket with its interface. */
export class NativeChannel extends WebSocketChannelBase {
  protected readonly errorCode = undefined;

  readonly #maxQueueSize: number;
  /** The subprotocols that were offered; `null` when that isn't known. */
  readonly #offered: readonly string[] | null;
  /** `null` when it isn't known. */
  #url: URL | null;
  readonly #polling: Polling;
  #socket: WebSocketLike | null = null;
  #capabilities: Capabilities;
  #hint: unknown;
  /** What the socket had buffered when it was last asked. */
  #amount = 0;
  /** What it had not sent when it was lost; `null` before. */
  #unsent: number | null = null;
  #closeStarted = false;
  #isInClose = false;

  private constructor(
    options: FromOptions,
    clock: Clock,
    { offered, url, capabilities }: {
      offered: readonly string[] | null;
      url: URL | null;
      capabilities: Capabilities;
    },
  ) {
    super(options, clock);
    this.#maxQueueSize = options.maxQueueSize ?? DEFAULT_MAX_QUEUE_SIZE;
    this.#offered = offered;
    this.#url = url;
    this.#capabilities = capabilities;
    this.#polling = new Polling(clock, options.closeTimeout);
  }

  /** Connects with the global `WebSocket`. */
  static connect(request: ConnectRequest, options: FromOptions, clock: Clock): NativeChannel {
    const { url, protocols, headers } = request;
    const channel = new NativeChannel(options, clock, {
      offered: protocols,
      url,
      capabilities: nativeCapabilities(),
    });
    channel.watchAttempt(options, () => "handshake");
    if (channel.state === "closed") return channel;
    try {
      channel.#attach(createSocket(url.href, protocols, headers));
    } catch (cause) {
      // Refused before anything was tried, by a permission or a page's policy: so it will be again.
      channel.failToOpen(channel.#connectError(cause, { retryable: false }));
    }
    return channel;
  }

  /** Wraps a socket, or a promise of one. */
  static from(
    socket: WebSocketLike | PromiseLike<WebSocketLike>,
    given?: FromOptions,
    clock: Clock = systemClock,
  ): NativeChannel {
    const options = readOptions(given, FROM_KINDS);
    const isPromise = isPromiseLike(socket);
    if (!isPromise) checkSocket(socket);
    const channel = new NativeChannel(options, clock, {
      offered: options.protocols === undefined ? null : parseProtocols(options.protocols),
      url: null,
      capabilities: NO_CAPABILITIES,
    });
    channel.watchAttempt(options, () => "handshake");
    if (isPromise) void channel.#await(socket);
    else channel.#adopt(socket);
    return channel;
  }

  /** A channel that has failed before it began. */
  static failed(error: unknown, { url, clock }: { url: URL; clock: Clock }): NativeChannel {
    const channel = new NativeChannel({}, clock, {
      offered: null,
      url,
      capabilities: NO_CAPABILITIES,
    });
    channel.failToOpen(error);
    return channel;
  }

  /** The wrapped socket: `null` before the promise of it has fulfilled. */
  get socket(): WebSocketLike | null {
    return this.#socket;
  }

  get url(): string {
    return this.#url === null ? "" : shownUrl(this.#url);
  }

  protected get transport(): string {
    return "native";
  }

  get capabilities(): Capabilities {
    return this.#capabilities;
  }

  async #await(promise: PromiseLike<WebSocketLike>): Promise<void> {
    try {
      const socket = await adopted(promise);
      checkSocket(socket);
      this.#adopt(socket);
    } catch (cause) {
      this.failToOpen(
        new WebSocketChannelError("Cannot wrap the WebSocket: there is none", { cause }),
      );
    }
  }

  /** Nothing is known of a socket that was given, but for what it shows. */
  #adopt(socket: WebSocketLike): void {
    if (typeof socket.terminate === "function") {
      this.#capabilities = { ...this.#capabilities, terminate: true };
    }
    this.#url = urlOf(socket);
    this.#attach(socket);
  }

  // From here on: what the socket does.

  #attach(socket: WebSocketLike): void {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => this.#onOpen(socket));
    socket.addEventListener("message", (event) => this.#onMessage(event.data));
    socket.addEventListener("error", (event) => this.#hint = hintOf(event));
    socket.addEventListener("close", (event) => this.#onClose(event));
    // Closed, or timed out, while there was only the promise of a socket.
    if (this.state === "closed") return this.destroyTransport();
    if (socket.readyState === OPEN) return this.#onOpen(socket);
    if (socket.readyState < OPEN) return;
    const state = socket.readyState === CLOSING ? "closing" : "closed";
    this.failToOpen(new WebSocketChannelError(`Cannot wrap the WebSocket: it is already ${state}`));
  }

  #onOpen(socket: WebSocketLike): void {
    // A socket that gave up connecting may open all the same.
    if (this.state === "closed") return this.destroyTransport();
    // Wrapped while it told others that it is open, it may tell again.
    if (this.state !== "connecting") return;
    const protocol = socket.protocol ?? "";
    const fault = this.#offered === null ? null : protocolFault(protocol, this.#offered);
    if (fault !== null) {
      this.failToOpen(new ConnectError(this.#failedBecause(fault), { retryable: false }));
      return this.destroyTransport();
    }
    this.#watchForClosing(socket);
    this.open({
      protocol: protocol === "" ? null : protocol,
      extensions: socket.extensions ?? "",
      response: null,
    });
  }

  #onMessage(data: unknown): void {
    const message = messageOf(data);
    if (message === null) return this.closeBecauseOf(unknownMessage(data));
    this.incoming.add(message);
    if (this.incoming.queuedSize > this.#maxQueueSize) this.#overflow();
  }

  #overflow(): void {
    this.closeBecauseOf(
      new WebSocketChannelError(
        `Too many messages wait to be read: ${this.incoming.queuedSize} bytes, at most ${this.#maxQueueSize} may`,
      ),
    );
  }

  // The only event that is to be relied on. Some platforms give the code 0 where there was no Close.
  #onClose(event: WebSocketEventLike): void {
    // Fired from inside `close()`: what was sent, and why, isn't noted yet.
    if (this.#isInClose) return queueMicrotask(() => this.#onClose(event));
    const { code, reason, wasClean } = event;
    this.#polling.stop();
    if (this.state === "connecting") return this.failToOpen(this.#connectError(this.#hint));
    const received = code === undefined || code === 0 || code === abnormalClosure
      ? undefined
      : closeContent(code, reason ?? "");
    const ending: Ending = {
      received,
      wasClean: received !== undefined && wasClean !== false,
      initiator: received === undefined ? "transport" : "remote",
    };
    // Some platforms forget what a lost connection hasn't sent.
    const seen = ending.wasClean ? 0 : this.#amount;
    this.#unsent = Math.max(seen, this.transportAmount());
    this.end(
      received === undefined && !this.#closeStarted ? { ...ending, error: this.#lost() } : ending,
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
    const message = this.#failedBecause(faultOf(cause));
    return new ConnectError(message, { cause, status: statusOf(cause), ...options });
  }

  #failedBecause(fault: string): string {
    const { url } = this;
    const to = url === "" ? "" : ` to ${url}`;
    return `Cannot connect${to}: ${fault}`;
  }

  /** Notices that the peer closes where the platform doesn't tell before TCP ends. */
  #watchForClosing(socket: WebSocketLike): void {
    this.#polling.watchState(() => {
      if (socket.readyState < CLOSING) return true;
      this.peerCloses();
      return false;
    });
  }

  sendMessage(message: MessageInput): boolean {
    const socket = this.#socket;
    if (socket === null) return false;
    // WHATWG WebSockets: `send` then drops it and says nothing.
    if (socket.readyState >= CLOSING) {
      this.peerCloses();
      return false;
    }
    // What a platform or a library makes of an object that lies about its bytes is not known.
    socket.send(typeof message === "string" ? message : plainBytes(message));
    return true;
  }

  transportAmount(): number {
    return this.#unsent ?? (this.#amount = this.#socket?.bufferedAmount ?? 0);
  }

  /** The platform doesn't tell: what is sure is that a Close goes out behind all messages. */
  protected override hasSentClose({ wasClean }: Ending): boolean {
    return wasClean || this.transportAmount() === 0;
  }

  override watchTransport(): void {
    this.#polling.watchAmount(() => {
      // A socket that is lost may forget what waited before it tells: that isn't room.
      if ((this.#socket?.readyState ?? CLOSING) < CLOSING) this.outgoing.drained();
      return this.outgoing.isWaitedFor && this.state === "open";
    });
  }

  protected startClosing(
    code: number | undefined,
    reason: string,
  ): CloseFrameContent | undefined {
    // The peer was first, and the platform has answered it.
    if ((this.#socket?.readyState ?? CLOSING) >= CLOSING) return undefined;
    const sent = this.#inClose(() => this.#sendClose(code, reason));
    this.#closeStarted = true;
    return sent;
  }

  /** Calls something that may make the socket fire its close event meanwhile. */
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
      // WHATWG WebSockets: a page may send 1000 and 3000-4999 only. Going away is an orderly end.
      if (code !== goingAway) throw unsendable(code, "1000, 1001 and 3000-4999 on this transport");
      socket?.close(normalClosure, reason);
      return closeContent(normalClosure, reason);
    }
  }

  protected destroyTransport(): void {
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
      // Nothing more can be done to it: the close timer ends the channel.
    }
  }
}

/** What a socket tells as a message; `null` when it is neither text nor bytes that are there. */
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
    `Cannot read a message: neither text nor an ArrayBuffer: ${kind}`,
  );
}
