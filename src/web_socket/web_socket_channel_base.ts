import { isSendable } from "../../status.ts";
import type { PreparedMessage } from "../protocol/prepared_message.ts";
import type { ChannelStream } from "../stream_channel/channel_stream.ts";
import { ignore } from "../stream_channel/errors.ts";
import { readOptions } from "../stream_channel/options.ts";
import { ChannelSinkController } from "../stream_channel/sink_controller.ts";
import { DEFAULT_HIGH_WATER_MARK } from "../stream_channel/size.ts";
import { StreamChannelBase } from "../stream_channel/stream_channel.ts";
import { ChannelStreamController } from "../stream_channel/stream_controller.ts";
import { Attempt } from "./attempt.ts";
import { type Capabilities, lacking } from "./capabilities.ts";
import { type ChannelCore, Inlet, Outlet } from "./channel_ends.ts";
import type { Clock } from "./clock.ts";
import { Closing, type Ending } from "./closing.ts";
import {
  type ChannelOptions,
  type ConnectDeadlineOptions,
  DEFAULT_CLOSE_TIMEOUT,
} from "./connect_options.ts";
import { type HandshakeResponse, WebSocketChannelError } from "./errors.ts";
import { inspectAs, shownProtocol } from "./inspection.ts";
import { Milestones } from "./milestones.ts";
import type { ChannelState, Message, WebSocketChannel } from "./web_socket_channel.ts";
import type { CloseFrameContent, CloseInfo, CloseInitiator } from "./close_info.ts";
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

const NOTHING_AGREED: Opening = Object.freeze({ protocol: null, extensions: "", response: null });

/** Messages that are held back until there is room. */
export interface Holder {
  /** How many bytes of payload it holds. */
  readonly size: number;
  /** Sends all of them, room or not: called when this side begins to close. */
  handOver(): void;
}

/**
 * What every WebSocket channel does alike, whatever carries it: its states, what waits until it is
 * open, closing with a deadline, and the order of an ending. A subclass is a transport: it sends,
 * and reports what happens through the protected methods.
 */
export abstract class WebSocketChannelBase extends StreamChannelBase<Message, MessageInput>
  implements WebSocketChannel, ChannelCore {
  abstract readonly capabilities: Capabilities;
  abstract readonly url: string;
  /** The transport, as an inspection of the channel prints it. */
  protected abstract readonly transport: string;
  readonly stream: ChannelStream<Message>;
  readonly sink: WebSocketSink;

  /** Where received messages go. */
  readonly incoming: ChannelStreamController<Message>;
  /** Where sent messages come from. */
  readonly outgoing: ChannelSinkController<MessageInput>;
  /** Where times come from. */
  readonly clock: Clock;
  /** How many bytes may wait, each way. */
  readonly highWaterMark: number;
  /** How long the peer has to answer a Close that is sent from now on, in milliseconds. */
  protected closeTimeout: number;

  readonly #outlet: Outlet;
  readonly #milestones: Milestones = new Milestones();
  #state: ChannelState = "connecting";
  #opening: Opening = NOTHING_AGREED;
  // What many channels never need is made when it is needed.
  #attempt: Attempt | null = null;
  #closing: Closing | null = null;
  #holders: Set<Holder> | null = null;
  /** How many bytes were held back, and will never be sent. */
  #dropped = 0;

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
    this.incoming = new ChannelStreamController<Message>(new Inlet(this), { highWaterMark });
    this.#outlet = new Outlet(this);
    this.outgoing = new ChannelSinkController<MessageInput>(this.#outlet, {
      // With none there would never be room.
      highWaterMark: Math.max(highWaterMark, 1),
      closeWins: true,
    });
    this.stream = this.incoming.stream;
    this.sink = new ControlledWebSocketSink(this.outgoing, this.#outlet);
  }

  /** What is printed of it. */
  get description(): object {
    return {
      url: this.url,
      state: this.state,
      transport: this.transport,
      protocol: shownProtocol(this.protocol),
      bufferedAmount: this.sink.bufferedAmount,
      queuedAmount: this.incoming.queuedSize,
      closeCode: this.closeCode,
    };
  }

  get ready(): Promise<void> {
    return this.#milestones.ready;
  }

  get closed(): Promise<CloseInfo> {
    return this.#milestones.closed;
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
    return this.#closing === null ? null : this.#closing.code;
  }

  get closeReason(): string | null {
    return this.#closing === null ? null : this.#closing.reason;
  }

  /** See {@linkcode ChannelCore.ending}. */
  get ending(): string | undefined {
    return this.#closing?.text;
  }

  get latency(): number | null {
    return null;
  }

  ping(options?: Record<string, never>): Promise<number> {
    // It takes none yet: one from plain JavaScript must not be ignored.
    readOptions(options, {});
    return this.sendPing();
  }

  /** Pings, where the transport can. */
  protected sendPing(): Promise<number> {
    const rejected = Promise.reject(lacking("ping"));
    rejected.catch(ignore);
    return rejected;
  }

  terminate(): void {
    if (this.#state === "closed") return;
    if (this.#state === "connecting") return this.#abandon(givenUp());
    this.incoming.discard();
    this.#story().closer = "local";
    this.destroyTransport();
    this.end({ wasClean: false, initiator: "local" });
  }

  ref(): void {}

  unref(): void {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeWith(undefined, undefined).catch(ignore);
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

  /**
   * Registers messages that are held back until there is room.
   *
   * @returns Ends that: what is still held then counts as dropped.
   */
  addHolder(holder: Holder): () => void {
    const holders = this.#holders ??= new Set();
    holders.add(holder);
    return () => {
      if (holders.delete(holder)) this.drop(holder.size);
    };
  }

  /** Counts bytes of payload that were to be sent, beside those that were added, and won't be. */
  drop(bytes: number): void {
    this.#dropped += bytes;
  }

  /** See {@linkcode ChannelCore.heldAmount}. */
  heldAmount(): number {
    let amount = this.#dropped;
    if (this.#holders !== null) { for (const { size } of this.#holders) amount += size; }
    return amount;
  }

  // What a transport does.

  /** See {@linkcode ChannelCore.sendMessage}. */
  abstract sendMessage(message: MessageInput, options: SendOptions | undefined): boolean | void;
  /** See {@linkcode ChannelCore.transportAmount}. */
  abstract transportAmount(): number;
  /** See {@linkcode ChannelCore.transportLoad}. */
  transportLoad(): number {
    return this.transportAmount();
  }
  /**
   * Begins the closing handshake, on an open connection.
   *
   * @returns The Close frame that goes out; `undefined` when the peer turns out to have closed.
   * @throws {RangeError} When this transport can't send `code`; nothing has changed then.
   */
  protected abstract startClosing(
    code: number | undefined,
    reason: string,
  ): CloseFrameContent | undefined;
  /** Whether our Close frame was handed to the transport, and with it all that was sent before. */
  protected abstract hasSentClose(ending: Ending): boolean;
  /** Ends the transport without more ado, as far as it can. */
  protected abstract destroyTransport(): void;
  /** The close code for an error that was put into the sink. */
  protected abstract readonly errorCode: number | undefined;
  /** Enough waits to be read. */
  pauseTransport(): void {}
  /** There is room to read again. */
  resumeTransport(): void {}
  /** Somebody waits for `transportAmount` to fall. */
  watchTransport(): void {}

  // What a transport reports.

  /** Gives an attempt its bounds: a time-out and a signal. */
  protected watchAttempt(options: ConnectDeadlineOptions, phase: () => string): void {
    const { signal } = options;
    if (signal?.aborted) return this.#giveUp(signal.reason, "local");
    const giveUp = (error: unknown, by: CloseInitiator): void => this.#giveUp(error, by);
    this.#attempt = new Attempt({ phase, giveUp }, options, this.clock);
  }

  #endAttempt(): void {
    this.#attempt?.end();
    this.#attempt = null;
  }

  /** The connection is open. */
  protected open(opening: Opening): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    const { protocol, extensions, response } = opening;
    const isBare = protocol === null && extensions === "" && response === null;
    if (!isBare) this.#opening = opening;
    this.#endAttempt();
    this.#sendEarly();
    this.outgoing.drained();
    if (this.outgoing.isWaitedFor) this.watchTransport();
    this.#milestones.opened();
  }

  #sendEarly(): void {
    try {
      this.#outlet.sendEarly();
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
    this.#story().received = received;
    this.#peerIsDone(answer);
  }

  /** The peer broke the protocol (RFC 6455 §7.1.7): the stream ends; {@linkcode end} follows. */
  protected failConnection(error: unknown, sent: CloseFrameContent | undefined): void {
    const story = this.#story();
    story.isFailed = true;
    story.error ??= error;
    this.#peerIsDone(sent);
  }

  #peerIsDone(sent: CloseFrameContent | undefined): void {
    const story = this.#story();
    story.sent ??= sent;
    this.peerCloses();
    story.isKnown = true;
    this.incoming.end();
  }

  /** The peer has begun to close; how, isn't known yet. */
  protected peerCloses(): void {
    if (this.#state === "open") {
      this.#story().closer ??= "remote";
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
    this.#story().error = error;
    this.#beginClosing(undefined, undefined);
    this.outgoing.disconnect();
    this.incoming.end();
  }

  /** The transport has ended: the channel is over. Only the first call counts. */
  protected end(ending: Ending): void {
    const before = this.#state;
    if (before === "closed") return;
    this.#state = "closed";
    this.#outlet.dropEarly();
    const story = this.#story();
    story.received ??= ending.received;
    story.error ??= ending.error;
    story.isKnown = true;
    this.#endAttempt();
    story.stopTimer();
    const isCloseLost = story.sent !== undefined && !this.hasSentClose(ending);
    if (isCloseLost) story.sent = undefined;
    story.dropped = this.#outlet.bufferedAmount;
    if (story.dropped > 0) story.error ??= droppedError(story);
    // RFC 6455 §7.1.4: no closing handshake was completed with a Close that never left.
    const info = story.info(isCloseLost ? { ...ending, wasClean: false } : ending);
    this.outgoing.disconnect(story.error);
    if (before === "connecting") {
      this.incoming.fail(story.error);
      this.#milestones.failed(story.error);
    } else this.incoming.end();
    this.outgoing.finish(story.error);
    this.#milestones.ended(info);
  }

  /** What is known of how it closes, from the moment on in which something is. */
  #story(): Closing {
    return this.#closing ??= new Closing();
  }

  // Closing.

  /** See {@linkcode WebSocketSink.close}. */
  closeWith(code: number | undefined, reason: string | undefined): Promise<void> {
    if (this.outgoing.isClosed) return this.outgoing.done;
    checkCloseArguments(code, reason, isSendable);
    this.endHere(code, reason);
    return this.outgoing.close(ignore);
  }

  /** The user closes: the stream ends at once. */
  endHere(code: number | undefined, reason: string | undefined): void {
    if (this.#state === "connecting") this.#abandon(givenUp());
    else if (this.#state === "open") this.#beginClosing(code, reason);
    this.incoming.discard();
  }

  /** An error was put into the sink: it can't be sent, so it closes the channel. */
  endWith(error: unknown): void {
    if (this.#state === "connecting") return this.#abandon(error);
    this.#story().error ??= error;
    try {
      this.endHere(closeCodeOf(error) ?? this.errorCode, undefined);
    } catch {
      // This transport can't send the error's own code.
      this.endHere(this.errorCode, undefined);
    }
  }

  #beginClosing(code: number | undefined, reason: string | undefined): void {
    for (const holder of [...this.#holders ?? []]) holder.handOver();
    if (this.#state !== "open") return;
    const story = this.#story();
    // Set first: a transport may report its end from inside the call.
    story.closer = "local";
    try {
      story.sent = this.startClosing(code, reason ?? "");
      if (story.sent === undefined) story.closer = "remote";
    } catch (error) {
      story.closer = null;
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
    if (this.#state === "closed") return;
    const story = this.#story();
    story.startTimer(this.clock, this.closeTimeout, () => {
      this.destroyTransport();
      this.end({ wasClean: story.isDone, initiator: "timeout" });
    });
    // Deno runs microtasks inside a program's first setTimeout: all may be over by now.
    if (this.state === "closed") story.stopTimer();
  }
}

/** The `closeCode` that an error carries, such as a transformer's, if a Close frame can have it. */
function closeCodeOf(error: unknown): number | undefined {
  try {
    const { closeCode } = error as { closeCode?: unknown };
    return typeof closeCode === "number" && isSendable(closeCode) ? closeCode : undefined;
  } catch {
    return undefined;
  }
}

inspectAs(WebSocketChannelBase.prototype, "WebSocketChannel", (it) => it.description);

function droppedError({ text, dropped }: Closing): WebSocketChannelError {
  return new WebSocketChannelError(
    `Cannot send everything: ${text} before the transport took ${dropped} bytes`,
  );
}

function givenUp(): DOMException {
  return new DOMException("Connecting was given up: the channel was closed", "AbortError");
}
