import { isSendable } from "../../status.ts";
import { sinkControl } from "../stream_channel/channel_sink.ts";
import { MessageStream, type StreamEvents, streamFeed } from "../stream_channel/channel_stream.ts";
import {
  CountedQueue,
  DEFAULT_HIGH_WATER_MARK,
  sizeOfMessage,
} from "../stream_channel/counted_queue.ts";
import { abortable, invalidState, preHandled } from "../stream_channel/errors.ts";
import { Attempt } from "./attempt.ts";
import { type Capabilities, lacking } from "./capabilities.ts";
import { ChannelLife, type Closing, type Ending } from "./channel_state.ts";
import type { Clock } from "./clock.ts";
import {
  type ChannelOptions,
  type ConnectDeadlineOptions,
  DEFAULT_CLOSE_TIMEOUT,
  type ProtocolOptions,
  streamsLarge,
} from "./options.ts";
import { type HandshakeResponse, WebSocketChannelError } from "./errors.ts";
import type { ConnectionEvents } from "./connection_events.ts";
import { checkMessage, type EarlyMessage, keepMessage } from "./message_input.ts";
import { OutgoingMessage } from "./outgoing_message.ts";
import type {
  OpenTransport,
  OutgoingMessages,
  OutgoingMessagesEvents,
  Transport,
} from "./transport.ts";
import type { CloseInfo, CloseInitiator } from "./close_info.ts";
import type { ConnectionInfo } from "./connection_info.ts";
import type { ChannelState, Message, WebSocketChannel } from "./web_socket_channel.ts";
import {
  type AddMessageOptions,
  checkCloseArguments,
  checkCode,
  type MessageInput,
  type MessageSource,
  OwnWebSocketSink,
  readSendOptions,
  type SendOptions,
  type WebSocketSinkTarget,
} from "./web_socket_sink.ts";

/** The result of an opening handshake. */
export interface Opening {
  readonly protocol: string | null;
  readonly extensions: string;
  readonly response: HandshakeResponse | null;
}

const NOTHING_AGREED: Opening = Object.freeze({ protocol: null, extensions: "", response: null });

/** The properties of a channel that are known before it is open. */
export interface ChannelIdentity {
  /** The kind of its transport, as an inspection prints it. */
  readonly transport: "native" | "bytes" | "net" | "http2" | "server";
  readonly capabilities: Capabilities;
  /** Returns its URL for texts; empty if it is unknown. */
  readonly url: () => string;
  /**
   * Returns the close code for an error without one. By default, and with `undefined`, the transport's code
   * is used.
   */
  readonly closeCodeOf?: (error: unknown) => number | undefined;
}

/** Messages that wait for room. */
export interface Holder {
  /** The size of their payloads, in bytes. */
  readonly size: number;
  /** Sends all of them, even if there is no room. Called when this side starts to close. */
  handOver(): void;
}

/** An attempt that will result in a transport. */
export interface Opener {
  /** Abandons the attempt, and releases its resources. */
  destroy(): void;
  /** Lets the connection keep the process alive. */
  ref(): void;
  /** Lets the process end although the connection is open. */
  unref(): void;
}

/**
 * The common part of all WebSocket channels, over any transport. It has the states, the messages that wait
 * until the channel is open, closing with a deadline, and the order of events at the end. Users hold a
 * `Channel`, which has only the public members. A {@linkcode Transport} reports events to the core. The file
 * is long because these parts share one state.
 */
export class ChannelCore implements StreamEvents, WebSocketSinkTarget, OutgoingMessagesEvents {
  /** The stream of received messages. */
  readonly incoming: MessageStream<Message>;
  /** The sink for outgoing messages. */
  readonly sink: OwnWebSocketSink;
  /** The source of times. */
  readonly clock: Clock;
  /** The high-water mark for outgoing bytes. It is at least 1, because with 0 there would never be room. */
  readonly highWaterMark: number;
  /** The time for the peer to answer a Close that is sent from now on, in milliseconds. */
  closeTimeout: number;
  /** The properties that are known before it is open. */
  identity: ChannelIdentity;
  /** The public object of the channel. Set before anything is received. */
  face: WebSocketChannel | null = null;
  /** Receives the connection's events. Set before the attempt starts. */
  observer: ConnectionEvents | null = null;
  /** Called once with the public object, after the end. */
  onClosed: ((channel: WebSocketChannel) => void) | null = null;
  /** Delays the peer's end in its own way, instead of the default of `endsEarly`. */
  onEarlyEnding: ((conclude: () => void) => void) | null = null;
  /** Called each time the queue of received messages is full and has no reader. */
  onUnread: ((core: ChannelCore) => void) | null = null;
  /** Its state and how it ends. */
  readonly life: ChannelLife = new ChannelLife();
  /** Whether messages between this side's Close and the peer's are delivered. */
  deliversAfterClose = false;
  /** Whether large messages are delivered in parts. */
  readonly deliversInParts: boolean;
  /** Objects that have messages waiting for this channel. */
  holders: Set<Holder> | null = null;
  /** The size of messages that were to be sent, but weren't added and won't be sent, in bytes. */
  dropped = 0;
  #opening: Opening = NOTHING_AGREED;
  /** The transport; `null` before there is one. */
  #transport: Transport | null = null;
  /** The target of messages: the transport, while the connection is open. */
  #open: OpenTransport | null = null;
  // The following fields are set on demand: many channels never need them.
  #attempt: Attempt | null = null;
  /** The attempt that will result in a transport. */
  #opener: Opener | null = null;
  #early: CountedQueue<EarlyMessage | OutgoingMessage> | null = null;
  /** Queues messages while one is sent in parts. */
  #outgoing: OutgoingMessages | null = null;
  /** Whether the end cut off a message that was sent in parts. */
  #isCutOff = false;
  /** The content of the Close frame while another sink is closed first. */
  #closeContent: { readonly code: number | undefined; readonly reason: string | undefined } | null =
    null;
  #isRef = true;
  #connectionInfo: ConnectionInfo | null = null;

  /**
   * Creates a channel in the state `"connecting"`.
   *
   * @param options The sizes and times.
   * @param clock The source of times.
   * @param identity The properties that are known before it is open.
   */
  constructor(
    options: ChannelOptions & Pick<ProtocolOptions, "streamLargerThan">,
    clock: Clock,
    identity: ChannelIdentity,
  ) {
    const { highWaterMark = DEFAULT_HIGH_WATER_MARK, closeTimeout = DEFAULT_CLOSE_TIMEOUT } =
      options;
    this.deliversInParts = streamsLarge(options);
    this.clock = clock;
    this.closeTimeout = closeTimeout;
    this.highWaterMark = Math.max(highWaterMark, 1);
    this.identity = identity;
    this.incoming = new MessageStream<Message>(this, {
      highWaterMark,
      sizeOf: sizeOfMessage,
    });
    this.sink = new OwnWebSocketSink(this, {
      highWaterMark: this.highWaterMark,
      closeWins: true,
    });
  }

  get state(): ChannelState {
    return this.life.state;
  }

  get opening(): Opening {
    return this.#opening;
  }

  get transport(): Transport | null {
    return this.#transport;
  }

  /** The transport, while it is open for messages. */
  get openTransport(): OpenTransport | null {
    return this.#open;
  }

  /** The addresses, the proxy and TLS of the connection. */
  get connectionInfo(): ConnectionInfo | null {
    return this.#connectionInfo ??= this.#transport?.connectionInfo ?? null;
  }

  set connectionInfo(info: ConnectionInfo | null) {
    this.#connectionInfo = info;
  }

  // Requests of the sink.

  /**
   * The size of all messages that were added and not passed to the transport, including waiting and dropped
   * ones, in bytes of payload.
   */
  get bufferedAmount(): number {
    let amount = this.dropped;
    if (this.#transport !== null) amount += this.#transport.bufferedAmount;
    if (this.#early !== null) amount += this.#early.size;
    if (this.#outgoing !== null) amount += this.#outgoing.size;
    if (this.holders !== null) { for (const { size } of this.holders) amount += size; }
    return amount;
  }

  /** As `bufferedAmount`, but messages without a payload count, too. */
  get load(): number {
    const early = this.#early;
    let waiting = early === null ? 0 : early.size + early.length;
    if (this.#outgoing !== null) waiting += this.#outgoing.size + this.#outgoing.length;
    return this.#transport === null ? waiting : waiting + this.#transport.load;
  }

  get isFull(): boolean | undefined {
    return this.#transport?.isFull;
  }

  /** How the channel ended, in words. See {@linkcode SinkTarget.ending}. */
  get ending(): string | undefined {
    return this.life.known?.text;
  }

  add(message: MessageInput, given?: SendOptions): boolean {
    const options = given === undefined ? undefined : this.#read(given);
    checkMessage(message);
    if (this.#open !== null) return this.#open.send(message, options);
    if (this.state !== "connecting") return false;
    keepMessage(this.#waitingToOpen, message, options);
    return true;
  }

  get #waitingToOpen(): CountedQueue<EarlyMessage | OutgoingMessage> {
    return this.#early ??= new CountedQueue<EarlyMessage | OutgoingMessage>();
  }

  addMessage(source: MessageSource, options: AddMessageOptions): Promise<void> {
    if (!this.identity.capabilities.messageStreams) throw lacking("messageStreams");
    const message = new OutgoingMessage(source, options);
    if (this.#open !== null) this.#stream(message);
    else if (this.state === "connecting") this.#waitingToOpen.push(message);
    else {
      message.source.cancel();
      this.#lose(message);
    }
    return message.done.promise;
  }

  /** Sends a message in parts, after any other one that is being sent in parts. */
  #stream(message: OutgoingMessage): void {
    const outgoing = this.#outgoing;
    if (outgoing !== null) return outgoing.push(message);
    const created = this.#transport?.createOutgoing?.(this);
    if (created === undefined) throw lacking("messageStreams");
    this.#open = this.#outgoing = created;
    created.start(message);
  }

  onSent(): void {
    const outgoing = this.#outgoing;
    this.#outgoing = null;
    if (outgoing === null) return;
    if (this.#open !== outgoing) return this.#dropKept(outgoing);
    this.#open = this.#transport;
    try {
      while (outgoing.length > 0 && this.#open !== null) this.#sendKept(outgoing.shift());
    } catch (error) {
      this.closeOnError(error);
    }
    sinkControl.drained(this.sink);
    if (sinkControl.isWaitedFor(this.sink)) this.#transport?.watch();
  }

  onSourceFailed(error: unknown): void {
    sinkControl.addError(this.sink, error);
  }

  onCutOff(message: OutgoingMessage): void {
    this.#lose(message);
  }

  #endOutgoing(): void {
    const outgoing = this.#outgoing;
    if (outgoing === null) return;
    if (outgoing.hasBegun) this.#isCutOff = true;
    outgoing.end();
  }

  /** Rejects the promise of a message that can't be sent, once the reason is known. */
  #lose(message: OutgoingMessage): void {
    void this.life.closed.then(({ error }) => {
      const { text } = this.life.closing;
      message.done.reject(
        error ?? invalidState(`Cannot send a message: ${text} before the whole message was added`),
      );
    });
  }

  check(message: MessageInput, given?: SendOptions): void {
    if (given !== undefined) this.#read(given);
    checkMessage(message);
  }

  #read(given: SendOptions): SendOptions {
    const options = readSendOptions(given);
    this.checkAbility(options);
    return options;
  }

  /** Throws if the transport doesn't support the options. */
  checkAbility({ compress }: SendOptions): void {
    const { compressionOptions } = this.identity.capabilities;
    if (compress === false && !compressionOptions) throw lacking("compressionOptions");
  }

  /** Closes the channel for its user, without a code: through the sink or its reader. */
  close(): void {
    if (sinkControl.isClosed(this.sink)) this.#endAsAsked(undefined, undefined);
    else void sinkControl.close(this.sink);
  }

  abort(error: unknown): void {
    if (this.state === "connecting") return this.#abandon(error);
    const { closing } = this.life;
    closing.error ??= error;
    const errorCode = this.identity.closeCodeOf?.(error) ?? this.#transport?.errorCode;
    try {
      this.#endLocally(closeCodeOf(error) ?? errorCode, undefined);
    } catch {
      // The transport can't send the error's code.
      this.#endLocally(errorCode, undefined);
    }
  }

  watch(): void {
    if (this.state === "open" || this.state === "closing") this.#transport?.watch();
  }

  // Requests of the stream.

  pause(): void {
    const isReading = this.state === "open" || this.#isDeliveringLast;
    if (!isReading) return;
    this.#transport?.pause?.();
    if (streamFeed.readerOf(this.incoming) === "none") this.onUnread?.(this);
  }

  resume(): void {
    this.#transport?.resume?.();
  }

  cancel(leaves: boolean): void {
    if (leaves) this.#transport?.skipUnread?.();
  }

  // Connecting.

  /** Limits the attempt to connect by a timeout and a signal. */
  startConnectDeadline(options: ConnectDeadlineOptions, phase: () => string | null): void {
    const { signal } = options;
    if (signal?.aborted) return this.#giveUp(signal.reason, "local");
    const giveUp = (error: unknown, by: CloseInitiator): void => this.#giveUp(error, by);
    // The URL of a wrapped socket may be known later.
    const url = (): string => this.identity.url();
    const trace = this.identity.transport === "server" ? null : new Error();
    this.#attempt = new Attempt({ phase, giveUp, url }, options, this.clock, trace);
  }

  /** Sets the attempt that will result in a transport. Not allowed after the end. */
  set opener(opener: Opener) {
    this.#opener = opener;
    if (!this.#isRef) opener.unref();
  }

  /** Sets the transport, which is open or will be. On an open connection, it replaces the other one. */
  attach(transport: Transport): void {
    this.#opener = null;
    this.#transport = transport;
    if (this.#open !== null) this.#open = transport;
    if (!this.#isRef) transport.unref?.();
  }

  /** Opens the channel after the opening handshake. */
  open(opening: Opening): void {
    if (!this.life.apply("open")) return;
    const { protocol, extensions, response } = opening;
    const isBare = protocol === null && extensions === "" && response === null;
    if (!isBare) this.#opening = opening;
    this.#open = this.#transport;
    this.#endAttempt();
    this.observer?.onOpen(extensions, (this.face ?? this).connectionInfo);
    this.#sendEarly();
    sinkControl.drained(this.sink);
    if (sinkControl.isWaitedFor(this.sink)) this.#transport?.watch();
  }

  #endAttempt(): void {
    this.#attempt?.end();
    this.#attempt = null;
  }

  /** Sends the messages that waited for the connection. */
  #sendEarly(): void {
    const early = this.#early;
    this.#early = null;
    try {
      while (early !== null && early.length > 0 && this.#open !== null) {
        this.#sendKept(early.shift());
      }
    } catch (error) {
      // No call of `add` is running that could throw the error.
      this.closeOnError(error);
    }
  }

  #sendKept(kept: EarlyMessage | OutgoingMessage): void {
    if (kept instanceof OutgoingMessage) this.#stream(kept);
    else this.#open?.send(kept.message, kept.options);
  }

  /** Ends the channel, because the connection could not be opened. */
  failToOpen(error: unknown, initiator: CloseInitiator = "transport"): void {
    if (this.state !== "connecting") return;
    if (error instanceof WebSocketChannelError) this.#attempt?.locate(error);
    this.end({ wasClean: false, initiator, error });
    this.#opener = null;
  }

  #abandon(error: unknown): void {
    streamFeed.discard(this.incoming);
    this.#giveUp(error, "local");
  }

  #giveUp(error: unknown, initiator: CloseInitiator): void {
    if (this.state !== "connecting") return;
    this.end({ wasClean: false, initiator, error });
    this.#destroy();
  }

  #destroy(): void {
    const opener = this.#opener;
    this.#opener = null;
    opener?.destroy();
    this.#transport?.destroy();
  }

  // The peer ends it.

  /** Called when the peer has started to close, in a way that isn't known yet. */
  onPeerCloseStarted(): void {
    if (this.state === "open") this.life.closing.closer ??= "remote";
    if (this.life.apply("peerClose")) this.#open = null;
    this.#endOutgoing();
    sinkControl.disconnect(this.sink);
    this.#startCloseTimer();
  }

  // This side ends it.

  /**
   * Closes the connection from this side, without a request of the user. Messages that were received before
   * can still be read.
   *
   * @param error The reason.
   * @param code The close code, if the transport can send it.
   */
  closeOnError(error: unknown, code?: number): void {
    if (this.state !== "open") return;
    this.life.closing.error = error;
    this.#beginClosing(code, undefined);
    sinkControl.disconnect(this.sink);
    streamFeed.end(this.incoming);
  }

  /** Closes the channel as the sink's {@linkcode closeUnasked} does. */
  closeUnasked(code?: number, reason?: string): void {
    if (sinkControl.isClosed(this.sink)) return;
    checkCloseArguments(code, reason, isSendable);
    this.#endLocally(code, reason);
    sinkControl.disconnect(this.sink);
  }

  /** Closes the channel with a code and a reason. See `WebSocketSink.close`. */
  closeWith(code: number | undefined, reason: string | undefined): Promise<void> {
    if (sinkControl.isClosed(this.sink)) return this.sink.done;
    if (this.#closeContent === null) checkCloseArguments(code, reason, isSendable);
    this.#endAsAsked(code, reason);
    return sinkControl.close(this.sink);
  }

  /**
   * Closes through an outer sink, which may have to send something first.
   *
   * @param close Closes the outer sink, which closes this channel's.
   * @param code The close code, as for `WebSocketSink.close`.
   * @param reason The close reason, as for `WebSocketSink.close`.
   */
  closeThrough(
    close: () => Promise<void>,
    code: number | undefined,
    reason: string | undefined,
  ): Promise<void> {
    // A channel over this one has already begun to close it.
    if (sinkControl.isClosed(this.sink) || this.#closeContent !== null) return close();
    checkCloseArguments(code, reason, isSendable);
    // If the user closed this channel's sink in between, the error could not be thrown.
    checkCode(code, this.identity.capabilities);
    // Used when this channel's sink is closed: in the same call, or when everything else is sent.
    this.#closeContent = { code, reason };
    try {
      const closed = close();
      // The outer sink may never be done.
      if (this.state === "open") this.#startCloseTimer();
      return closed;
    } catch {
      // An `addStream` of the outer sink is running: end it.
      return this.closeWith(code, reason);
    }
  }

  /** Closes the channel with the code and reason that the user gave to the outer sink, if any. */
  #endAsAsked(code: number | undefined, reason: string | undefined): void {
    const content = this.#closeContent ?? { code, reason };
    this.#closeContent = null;
    this.#endLocally(content.code, content.reason);
  }

  /** Closes the channel for its user. The stream ends at once. */
  #endLocally(code: number | undefined, reason: string | undefined): void {
    if (this.state === "connecting") this.#abandon(closedWhileConnecting());
    else if (this.state === "open") this.#beginClosing(code, reason);
    if (!this.#isDeliveringLast) streamFeed.discard(this.incoming);
  }

  /** Whether this side has started to close, and messages until the peer's Close are still delivered. */
  get #isDeliveringLast(): boolean {
    return this.deliversAfterClose && this.state === "closing";
  }

  #beginClosing(code: number | undefined, reason: string | undefined): void {
    for (const holder of [...this.holders ?? []]) holder.handOver();
    const transport = this.#open;
    if (transport === null) return;
    const { closing } = this.life;
    // Set first: the transport may report its end within the call.
    closing.closer = "local";
    try {
      closing.sent = transport.close(code, reason ?? "");
      if (closing.sent === undefined) closing.closer = "remote";
    } catch (error) {
      closing.closer = null;
      throw error;
    }
    if (!this.life.apply("close")) return;
    this.#open = null;
    this.#endOutgoing();
    this.#startCloseTimer();
  }

  #startCloseTimer(): void {
    if (this.life.isOver) return;
    const { closing } = this.life;
    closing.startTimer(this.clock, this.closeTimeout, () => {
      this.#destroy();
      this.end({ wasClean: closing.isDone, initiator: "timeout" });
    });
    // Deno runs microtasks inside a program's first setTimeout, so the channel may have ended by now.
    if (this.life.isOver) closing.stopTimer();
  }

  /** Destroys the connection without a closing handshake. */
  terminate(): void {
    if (this.state === "closed") return;
    if (this.state === "connecting") return this.#abandon(closedWhileConnecting());
    streamFeed.discard(this.incoming);
    this.life.closing.closer = "local";
    this.#destroy();
    this.end({ wasClean: false, initiator: "local" });
  }

  // The end.

  /** Ends the channel after its transport. Only the first call counts. */
  end(ending: Ending): void {
    const before = this.state;
    if (!this.life.apply("end")) return;
    this.#open = null;
    this.#endOutgoing();
    if (this.#early !== null) this.#dropKept(this.#early);
    this.#endAttempt();
    const info = this.#infoOf(ending);
    const { error } = this.life.closing;
    sinkControl.disconnect(this.sink, error);
    if (before === "connecting") {
      streamFeed.fail(this.incoming, error);
      this.life.fail(error);
    } else streamFeed.end(this.incoming);
    sinkControl.finish(this.sink, error);
    this.life.conclude(info);
    this.observer?.onEnd(before, info);
    if (this.face !== null) this.onClosed?.(this.face);
  }

  /** Drops messages that can't be sent any more. */
  #dropKept(kept: Pick<OutgoingMessages, "length" | "size" | "shift">): void {
    this.dropped += kept.size;
    while (kept.length > 0) {
      const message = kept.shift();
      if (!(message instanceof OutgoingMessage)) continue;
      message.source.cancel();
      this.#lose(message);
    }
  }

  #infoOf(ending: Ending): CloseInfo {
    const { closing } = this.life;
    closing.received ??= ending.received;
    closing.error ??= ending.error;
    closing.isKnown = true;
    closing.stopTimer();
    const isCloseLost = closing.sent !== undefined &&
      this.#transport?.hasSentClose(ending) !== true;
    if (isCloseLost) closing.sent = undefined;
    closing.dropped = this.bufferedAmount;
    closing.unacknowledged = this.#transport?.unacknowledged;
    if (this.#isCutOff) closing.error ??= cutOffError(closing);
    if (closing.dropped > 0) closing.error ??= droppedError(closing);
    // RFC 6455 §7.1.4: a closing handshake whose Close was not sent isn't complete.
    const info = closing.info(isCloseLost ? { ...ending, wasClean: false } : ending);
    const isLate = ending.initiator === "timeout" && closing.error === undefined && !closing.isDone;
    // Not set as the error before: all messages are sent, so `flush` has nothing to report.
    return isLate ? { ...info, error: unansweredError(closing, this.closeTimeout) } : info;
  }

  // Calls that are passed to the transport.

  /** Sends a Ping, and returns the round-trip time. See `WebSocketChannel.ping`. */
  ping(payload?: Uint8Array, signal?: AbortSignal): Promise<number> {
    const { state } = this;
    if (!this.identity.capabilities.ping) return preHandled(Promise.reject(lacking("ping")));
    const pong = this.#open?.ping?.(payload, signal);
    if (pong !== undefined) return pong;
    if (state === "connecting") {
      const ping = this.life.ready.then(() => this.ping(payload, signal));
      return abortable(preHandled(ping), signal);
    }
    const error = new WebSocketChannelError(`Cannot ping: the channel is ${state}`);
    return preHandled(Promise.reject(error));
  }

  /** Sends an unsolicited Pong. See `WebSocketChannel.pong`. */
  pong(payload: Uint8Array): boolean {
    if (!this.identity.capabilities.ping) throw lacking("ping");
    return this.#open?.pong?.(payload) ?? false;
  }

  /** Lets the connection keep the process alive. */
  ref(): void {
    this.#isRef = true;
    if (this.#attempt !== null) this.#attempt.isRef = true;
    this.#opener?.ref();
    this.#transport?.ref?.();
  }

  /** Lets the process end although the connection is open. */
  unref(): void {
    this.#isRef = false;
    if (this.#attempt !== null) this.#attempt.isRef = false;
    this.#opener?.unref();
    this.#transport?.unref?.();
  }
}

/** Returns the `closeCode` of an error, such as a transformer's, if a Close frame can have it. */
function closeCodeOf(error: unknown): number | undefined {
  try {
    const { closeCode } = error as { closeCode?: unknown };
    return typeof closeCode === "number" && isSendable(closeCode) ? closeCode : undefined;
  } catch {
    return undefined;
  }
}

function droppedError({ text, dropped }: Closing): WebSocketChannelError {
  return new WebSocketChannelError(
    `Cannot send everything: ${text} before the transport took ${dropped} bytes`,
  );
}

function cutOffError({ text }: Closing): WebSocketChannelError {
  return new WebSocketChannelError(`Cannot send everything: ${text} in the middle of a message`);
}

function unansweredError({ closer, sent }: Closing, timeout: number): DOMException {
  let why = "the peer did not answer the Close, and may have stopped reading";
  if (closer !== "local") why = "the connection stayed open after the peer's Close";
  else if (sent === undefined) why = "the transport did not send the Close";
  return new DOMException(`Cannot close within ${timeout} ms: ${why}`, "TimeoutError");
}

function closedWhileConnecting(): DOMException {
  return new DOMException("Cannot connect: the channel was closed meanwhile", "AbortError");
}
