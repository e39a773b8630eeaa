import { abnormalClosure, isSendable, noStatusReceived } from "../../status.ts";
import type { SinkTarget } from "../stream_channel/channel_sink.ts";
import { ChannelSinkController } from "../stream_channel/sink_controller.ts";
import type { ChannelStream } from "../stream_channel/channel_stream.ts";
import { ChannelStreamController } from "../stream_channel/stream_controller.ts";
import { Deferred } from "../stream_channel/deferred.ts";
import { ignore } from "../stream_channel/errors.ts";
import { Fifo } from "../stream_channel/fifo.ts";
import { DEFAULT_HIGH_WATER_MARK } from "../stream_channel/size.ts";
import { StreamChannelBase } from "../stream_channel/stream_channel.ts";
import type { PreparedMessage } from "../protocol/prepared_message.ts";
import type { Capabilities } from "./capabilities.ts";
import type { Clock } from "./clock.ts";
import {
  type AttemptOptions,
  type ChannelOptions,
  DEFAULT_CLOSE_TIMEOUT,
  DEFAULT_CONNECT_TIMEOUT,
} from "./connect_options.ts";
import { type HandshakeResponse, UnsupportedError } from "./errors.ts";
import { bytesOf, checkMessage, utf8Length } from "./message_input.ts";
import { platform } from "./platform.ts";
import type {
  ChannelState,
  CloseFrameContent,
  CloseInfo,
  CloseInitiator,
  Message,
  WebSocketChannel,
} from "./web_socket_channel.ts";
import {
  checkCloseArguments,
  ControlledWebSocketSink,
  type MessageInput,
  type SendOptions,
  type WebSocketSink,
} from "./web_socket_sink.ts";

/** What an opening handshake settled. */
export interface Opening {
  readonly protocol: string | null;
  readonly extensions: string;
  readonly response: HandshakeResponse | null;
}

/** How a channel ended, as its transport saw it. */
export interface Ending {
  /** Left out: the peer's Close if one was received, else 1006. */
  readonly received?: CloseFrameContent | undefined;
  readonly wasClean: boolean;
  /** Who ended it, unless this side had begun to close, or the peer had. */
  readonly initiator: CloseInitiator;
  readonly error?: unknown;
}

interface EarlyMessage {
  readonly message: MessageInput;
  readonly options: SendOptions | undefined;
}

/**
 * What every WebSocket channel does alike, whatever carries it: its states, what waits until it is
 * open, closing with a deadline, and the order of an ending. A subclass is a transport: it sends,
 * and reports what happens through the protected methods.
 */
export abstract class WebSocketChannelBase extends StreamChannelBase<Message, MessageInput>
  implements WebSocketChannel {
  abstract readonly capabilities: Capabilities;
  readonly stream: ChannelStream<Message>;
  readonly sink: WebSocketSink;

  /** Where received messages go. */
  protected readonly incoming: ChannelStreamController<Message>;
  /** Where sent messages come from. */
  protected readonly outgoing: ChannelSinkController<MessageInput>;
  protected readonly clock: Clock;
  /** How many bytes may wait, each way. */
  protected readonly highWaterMark: number;
  /** How long the peer has to answer a Close that is sent from now on, in milliseconds. */
  protected closeTimeout: number;

  readonly #ready = new Deferred();
  readonly #closed = new Deferred<CloseInfo>();
  #state: ChannelState = "connecting";
  #opening: Opening = { protocol: null, extensions: "", response: null };
  readonly #early = new Fifo<EarlyMessage>();
  #earlyAmount = 0;
  #closeCode: number | null = null;
  #closeReason: string | null = null;
  /** Which side began to close an open connection. */
  #closer: "local" | "remote" | null = null;
  #sent: CloseFrameContent | undefined;
  /** The connection was failed. RFC 6455 §7.1.7. */
  #failed = false;
  #sendOptions: SendOptions | undefined;
  #received: CloseFrameContent | undefined;
  #error: unknown;
  #closeTimer: unknown;
  #endAttempt: () => void = ignore;

  /**
   * Makes a channel that is connecting.
   *
   * @param options Sizes and times.
   * @param clock Where times come from.
   */
  constructor(options: ChannelOptions, clock: Clock) {
    super();
    this.clock = clock;
    this.closeTimeout = options.closeTimeout ?? DEFAULT_CLOSE_TIMEOUT;
    const { highWaterMark = DEFAULT_HIGH_WATER_MARK } = options;
    this.highWaterMark = highWaterMark;
    this.incoming = new ChannelStreamController<Message>({
      pause: () => this.pauseTransport(),
      resume: () => this.resumeTransport(),
      close: () => void this.#close(undefined, undefined),
    }, { highWaterMark });
    this.outgoing = new ChannelSinkController<MessageInput>(this.#outlet(), {
      // With none there would never be room.
      highWaterMark: Math.max(highWaterMark, 1),
      closeWins: true,
    });
    this.stream = this.incoming.stream;
    this.sink = new ControlledWebSocketSink(this.outgoing, {
      close: (code, reason) => this.#close(code, reason),
      addWith: (message, options) => this.#addWith(message, options),
    });
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get closed(): Promise<CloseInfo> {
    return this.#closed.promise;
  }

  get state(): ChannelState {
    return this.#state;
  }

  get protocol(): string | null {
    return this.#opening.protocol;
  }

  get extensions(): string {
    return this.#opening.extensions;
  }

  get response(): HandshakeResponse | null {
    return this.#opening.response;
  }

  get closeCode(): number | null {
    return this.#closeCode;
  }

  get closeReason(): string | null {
    return this.#closeReason;
  }

  get latency(): number | null {
    return null;
  }

  ping(): Promise<number> {
    const rejected = Promise.reject(new UnsupportedError("ping", platform()));
    rejected.catch(ignore);
    return rejected;
  }

  terminate(): void {
    if (this.#state === "closed") return;
    if (this.#state === "connecting") return this.#abandon(givenUp());
    this.incoming.discard();
    this.#closer = "local";
    this.destroyTransport();
    this.end({ wasClean: false, initiator: "local" });
  }

  ref(): void {}

  unref(): void {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close(undefined, undefined).catch(ignore);
  }

  /**
   * Sends a message that others get as well, on an open connection; also while somebody's `addStream`
   * has the sink.
   *
   * @returns Whether it was sent.
   */
  sendShared(message: PreparedMessage, options?: SendOptions): boolean {
    return this.#state === "open" && this.sendMessage(message.content, options) !== false;
  }

  // What a transport does.

  /**
   * Sends a message, on an open connection. It is of the right kind. Gives `false` when it drops the
   * message, because the peer turns out to be gone.
   */
  protected abstract sendMessage(
    message: MessageInput,
    options: SendOptions | undefined,
  ): boolean | void;
  /** What was sent and not yet handed on, in bytes. */
  protected abstract transportAmount(): number;
  /**
   * Begins the closing handshake, on an open connection.
   *
   * @returns The Close frame that goes out.
   * @throws {RangeError} When this transport can't send `code`; nothing has changed then.
   */
  protected abstract startClosing(code: number | undefined, reason: string): CloseFrameContent;
  /** Ends the transport without more ado, as far as it can. */
  protected abstract destroyTransport(): void;
  /** The close code for an error that was put into the sink. */
  protected abstract readonly errorCode: number | undefined;
  /** Enough waits to be read. */
  protected pauseTransport(): void {}
  /** There is room to read again. */
  protected resumeTransport(): void {}
  /** Somebody waits for `transportAmount` to fall. */
  protected watchTransport(): void {}

  // What a transport reports.

  /** Gives an attempt its bounds: a time-out and a signal. */
  protected watchAttempt(options: AttemptOptions, phase: () => string): void {
    const { signal, connectTimeout = DEFAULT_CONNECT_TIMEOUT } = options;
    if (signal?.aborted) return this.#giveUp(signal.reason, "local");
    const onAbort = (): void => this.#giveUp(signal?.reason, "local");
    signal?.addEventListener("abort", onAbort, { once: true });
    const timer = connectTimeout === 0 ? undefined : this.clock.setTimeout(() => {
      const message = `Connecting took longer than ${connectTimeout} ms, in phase ${phase()}`;
      this.#giveUp(new DOMException(message, "TimeoutError"), "timeout");
    }, connectTimeout);
    this.#endAttempt = () => {
      this.#endAttempt = ignore;
      signal?.removeEventListener("abort", onAbort);
      if (timer !== undefined) this.clock.clearTimeout(timer);
    };
  }

  /** The connection is open. */
  protected open(opening: Opening): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    this.#opening = opening;
    this.#endAttempt();
    this.#sendEarly();
    this.outgoing.drained();
    if (this.outgoing.isWaitedFor) this.watchTransport();
    this.#ready.resolve();
  }

  #sendEarly(): void {
    this.#earlyAmount = 0;
    try {
      while (this.#early.length > 0 && this.state === "open") {
        const { message, options } = this.#early.shift();
        this.sendMessage(message, options);
      }
    } catch (error) {
      // Nobody called `add` just now who could be told.
      this.closeBecauseOf(error);
    }
  }

  /** The connection could not be opened. */
  protected failToOpen(error: unknown, initiator: CloseInitiator = "transport"): void {
    if (this.#state === "connecting") this.end({ wasClean: false, initiator, error });
  }

  /** The peer's Close frame has come: the stream ends; {@linkcode end} follows with the transport's. */
  protected peerClosed(received: CloseFrameContent, answer?: CloseFrameContent): void {
    this.#received = received;
    this.#sent ??= answer;
    this.peerCloses();
    this.#setClose();
    this.incoming.end();
  }

  /** The peer broke the protocol (RFC 6455 §7.1.7): the stream ends; {@linkcode end} follows. */
  protected failConnection(error: unknown, sent: CloseFrameContent | undefined): void {
    this.#failed = true;
    this.#error ??= error;
    this.#sent ??= sent;
    this.peerCloses();
    this.#setClose();
    this.incoming.end();
  }

  /** The peer has begun to close; how, isn't known yet. */
  protected peerCloses(): void {
    if (this.#state === "open") {
      this.#closer ??= "remote";
      this.#state = "closing";
    }
    this.outgoing.disconnect();
    this.#startCloseTimer();
  }

  /**
   * This side closes the connection although the user didn't ask for it. What was received before
   * can still be read.
   */
  protected closeBecauseOf(error: unknown): void {
    if (this.#state !== "open") return;
    this.#error = error;
    this.#beginClosing(undefined, undefined);
    this.outgoing.disconnect();
    this.incoming.end();
  }

  /** The transport has ended: the channel is over. Only the first call counts. */
  protected end(ending: Ending): void {
    const before = this.#state;
    if (before === "closed") return;
    this.#state = "closed";
    this.#early.clear();
    this.#received ??= ending.received;
    this.#error ??= ending.error;
    this.#endAttempt();
    this.#stopCloseTimer();
    this.#setClose();
    const info = this.#closeInfo(ending);
    this.outgoing.disconnect();
    if (before === "connecting") {
      this.incoming.fail(this.#error);
      this.#ready.reject(this.#error);
    } else this.incoming.end();
    this.outgoing.finish(this.#error);
    this.#closed.resolve(info);
  }

  #closeInfo(ending: Ending): CloseInfo {
    const { wasClean, initiator } = ending;
    const begun = this.#failed
      ? "protocol-error"
      : wasClean || initiator === "transport"
      ? this.#closer
      : null;
    return {
      code: this.#closeCode ?? abnormalClosure,
      reason: this.#closeReason ?? "",
      wasClean,
      initiator: begun ?? initiator,
      ...(this.#sent === undefined ? {} : { sent: this.#sent }),
      ...(this.#received === undefined ? {} : { received: this.#received }),
      ...(this.#error === undefined ? {} : { error: this.#error }),
    };
  }

  // RFC 6455 §7.1.5: the code of the first Close frame received, 1006 when there was none.
  #setClose(): void {
    this.#closeCode = this.#received?.code ?? abnormalClosure;
    this.#closeReason = this.#received?.reason ?? "";
  }

  // Sending, and waiting until the connection is open.

  /** Where the sink's controller hands messages to. */
  #outlet(): SinkTarget<MessageInput> {
    return new Outlet(() => this.#earlyAmount + this.transportAmount(), {
      add: (message) => {
        checkMessage(message);
        if (this.#state === "open") return this.sendMessage(message, this.#sendOptions);
        this.#keep(message);
      },
      close: () => this.#endHere(undefined, undefined),
      abort: (error) => this.#abort(error),
      watch: () => {
        if (this.#state === "open") this.watchTransport();
      },
    });
  }

  #addWith(message: MessageInput, options: SendOptions): boolean {
    if (options.compress === false && !this.capabilities["compression-options"]) {
      throw new UnsupportedError("compression-options", platform());
    }
    this.#sendOptions = options;
    try {
      return this.outgoing.add(message);
    } finally {
      this.#sendOptions = undefined;
    }
  }

  /** Nothing goes out before the handshake is over; the caller's bytes aren't kept meanwhile. */
  #keep(message: MessageInput): void {
    // Not `slice()`, which copies nothing where the bytes are a `Buffer` of Node's.
    const kept = typeof message === "string" ? message : new Uint8Array(bytesOf(message));
    this.#early.push({ message: kept, options: this.#sendOptions });
    this.#earlyAmount += typeof kept === "string" ? utf8Length(kept) : kept.byteLength;
  }

  // Closing.

  #close(code: number | undefined, reason: string | undefined): Promise<void> {
    if (this.outgoing.isClosed) return this.outgoing.done;
    checkCloseArguments(code, reason, isSendable);
    this.#endHere(code, reason);
    return this.outgoing.close(ignore);
  }

  /** The user closes: the stream ends at once. */
  #endHere(code: number | undefined, reason: string | undefined): void {
    if (this.#state === "connecting") this.#abandon(givenUp());
    else if (this.#state === "open") this.#beginClosing(code, reason);
    this.incoming.discard();
  }

  /** An error was put into the sink: it can't be sent, so it closes the channel. */
  #abort(error: unknown): void {
    if (this.#state === "connecting") return this.#abandon(error);
    this.#error ??= error;
    this.#endHere(this.errorCode, undefined);
  }

  #beginClosing(code: number | undefined, reason: string | undefined): void {
    // Set first: a transport may report its end from inside the call.
    this.#closer = "local";
    try {
      this.#sent = this.startClosing(code, reason ?? "");
    } catch (error) {
      this.#closer = null;
      throw error;
    }
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#startCloseTimer();
  }

  #abandon(error: unknown): void {
    this.incoming.discard();
    this.#giveUp(error, "local");
  }

  #giveUp(error: unknown, initiator: CloseInitiator): void {
    if (this.#state !== "connecting") return;
    this.failToOpen(error, initiator);
    this.destroyTransport();
  }

  #startCloseTimer(): void {
    if (this.#closeTimer !== undefined || this.#state === "closed") return;
    this.#closeTimer = this.clock.setTimeout(() => {
      this.destroyTransport();
      const clean = this.#sent !== undefined && this.#received !== undefined;
      this.end({ wasClean: clean, initiator: "timeout" });
    }, this.closeTimeout);
    // Deno runs microtasks inside a program's first setTimeout: all may be over by now.
    if (this.state === "closed") this.#stopCloseTimer();
  }

  #stopCloseTimer(): void {
    if (this.#closeTimer !== undefined) this.clock.clearTimeout(this.#closeTimer);
    this.#closeTimer = undefined;
  }
}

/** A class: an object made with a getter of its own is a hash table, large and slow. */
class Outlet implements SinkTarget<MessageInput> {
  readonly #amount: () => number;
  readonly add: (message: MessageInput) => boolean | void;
  readonly check: (message: MessageInput) => void = checkMessage;
  readonly close: () => void;
  readonly abort: (error: unknown) => void;
  readonly watch: () => void;

  constructor(
    amount: () => number,
    actions: Pick<Outlet, "add" | "close" | "abort" | "watch">,
  ) {
    this.#amount = amount;
    this.add = actions.add;
    this.close = actions.close;
    this.abort = actions.abort;
    this.watch = actions.watch;
  }

  get bufferedAmount(): number {
    return this.#amount();
  }
}

function givenUp(): DOMException {
  return new DOMException("Connecting was given up: the channel was closed", "AbortError");
}

/** The content of a Close frame as this package reports it. */
export function closeContent(code: number | undefined, reason: string): CloseFrameContent {
  return { code: code ?? noStatusReceived, reason };
}
