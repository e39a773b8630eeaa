import { internalServerError } from "../../status.ts";
import { type Failure, RATE_EXCEEDED } from "../protocol/failure.ts";
import type { Side } from "../protocol/frame.ts";
import type { PreparedMessage } from "../protocol/prepared_message.ts";
import { Protocol } from "../protocol/protocol.ts";
import type { Fragment, ProtocolEvents } from "../protocol/protocol_events.ts";
import type { MessageDeflate } from "../protocol/message_deflate.ts";
import { sinkControl } from "../stream_channel/channel_sink.ts";
import { type MessageStream, streamFeed } from "../stream_channel/channel_stream.ts";
import { Deferred, FULFILLED, rethrowLater } from "../stream_channel/errors.ts";
import type { ChannelCore } from "./channel_core.ts";
import type { Ending } from "./channel_state.ts";
import type { ConnectionInfo } from "./connection_info.ts";
import {
  type ControlFrameOptions,
  DEFAULT_MAX_MESSAGE_SIZE,
  type ProtocolOptions,
} from "./options.ts";
import { Deadline } from "./deadline.ts";
import { LimitError, ProtocolError, WebSocketChannelError } from "./errors.ts";
import type { Flushable } from "./flushes.ts";
import { InFlight } from "./in_flight.ts";
import { type IncomingMessageEvents, OwnIncomingMessage } from "./incoming_message.ts";
import { Keepalive, type KeepaliveEvents } from "./keepalive.ts";
import { randomMaskingKeys } from "./masking_keys.ts";
import type { MessageRate, RateKind, RateVerdict } from "./message_rate.ts";
import { OutgoingQueue } from "./outgoing_queue.ts";
import type { OutgoingMessages, OutgoingMessagesEvents, Transport } from "./transport.ts";
import type { Traffic } from "./traffic.ts";
import { type Task, turns } from "./turns.ts";
import type { CloseFrameContent } from "./close_info.ts";
import type { Message } from "./web_socket_channel.ts";
import { endsEarly, failConnection, onPeerClose } from "./peer_ending.ts";
import type { MessageInput, SendOptions } from "./web_socket_sink.ts";
import type { Wire, WireEvents, WireFailure } from "./wire.ts";

/**
 * The transport flushes before the end of the turn once the pending output has cost this much to produce:
 * about the cost of two writes.
 */
const EARLY_FLUSH_COST = 0x8000;

/** The states of pending output: none, waiting for the end of the turn, waiting for room on the wire. */
const IDLE = 0;
const SCHEDULED = 1;
const BLOCKED = 2;

// The flags of a transport, in one number: an idle connection must take little memory.
const SERVER = 1;
/** Reasons to stop reading: the reader has no room, or the peer has exceeded its rate. */
const READER = 2;
const RATE = 4;
/** A reason to stop reading: the reader of a message in parts has no room. */
const CONTENT = 256;
const HELD = READER | RATE | CONTENT;
/** Received bytes are processed in later turns, and no more are read until then. */
const BEHIND = 8;
/** Written chunks are to be released once the wire has taken everything. */
const AWAITING_RELEASE = 16;
/** The transport shares the turns of the event loop. */
const MEMBER = 32;
/** The wire has ended: its remaining bytes are read even without room. */
const DRAINING = 64;
const CLOSE_WRITTEN = 128;

/**
 * The peer's Close or its fault: not received; received and waiting for the reader; and the same after the
 * wire has ended.
 */
const NONE = 0;
const EARLY = 1;
const EARLY_AND_ENDED = 2;

/** Options of a {@linkcode ProtocolTransport}. */
export interface ProtocolTransportOptions {
  readonly side: Side;
  readonly options: ProtocolOptions;
  readonly deflate: MessageDeflate | null;
  /** Counts messages and bytes, if given. */
  readonly traffic?: Traffic | undefined;
  /** Limits how much the peer sends. Default: no limit. */
  readonly rate?: MessageRate | undefined;
}

/**
 * This package's implementation of RFC 6455 over a wire after the opening handshake, for either side. All
 * messages of a turn are sent in one write, unless they are large, and at the pace of the wire. The file is
 * long because another object between protocol, wire and channel would cost a call for each message.
 */
export class ProtocolTransport
  implements
    Transport,
    WireEvents,
    ProtocolEvents,
    KeepaliveEvents,
    IncomingMessageEvents,
    Task,
    Flushable {
  readonly #wire: Wire;
  readonly #protocol: Protocol;
  readonly #incoming: MessageStream<Message>;
  readonly #core: ChannelCore;
  /** A combination of `SERVER` and the flags that follow it. */
  #flags: number;
  /** The state of the output: `IDLE`, `SCHEDULED` or `BLOCKED`. */
  #output = IDLE;
  /** The state of the peer's end: `NONE`, `EARLY` or `EARLY_AND_ENDED`. */
  #ending = NONE;
  #keepalive: Keepalive | null = null;
  /** The written bytes that the wire has not taken, if there are any. */
  #inFlight: InFlight | null = null;
  /** The number of payload bytes that could not be written. */
  #lost = 0;
  /** The end of the wire, if earlier bytes are not processed yet, or have no room. */
  #heldEnd: { readonly failure: WireFailure | null } | null = null;
  /** Limits the wait for the end of a wire that can't be written to. */
  #deadline: Deadline | null = null;
  readonly #traffic: Traffic | null;
  readonly #rate: MessageRate | null;
  /** The exceeded rate that ends the connection. */
  #excess: RateKind | null = null;
  /** The timer that runs while the peer exceeds its rate. */
  #rateTimer: unknown = null;
  /** The message that is arriving in parts, or isn't read to its end. */
  #large: OwnIncomingMessage | null = null;
  /** Fulfils when more of a message in parts can be sent. */
  #room: Deferred | null = null;
  /** The options with the callbacks for control frames. */
  readonly #controlFrames: ControlFrameOptions | null;

  /**
   * Creates the transport. The caller lets the wire report to it.
   *
   * @param core The channel.
   * @param wire The bytes.
   * @param of The side, the options and the agreed compression.
   */
  constructor(core: ChannelCore, wire: Wire, of: ProtocolTransportOptions) {
    const { side, options, deflate, traffic = null, rate = null } = of;
    this.#core = core;
    this.#incoming = core.incoming;
    this.#wire = wire;
    this.#flags = side === "server" ? SERVER : 0;
    this.#traffic = traffic;
    this.#rate = rate;
    core.deliversAfterClose = options.afterClose === "deliver";
    const { onPing, onPong } = options;
    this.#controlFrames = onPing === undefined && onPong === undefined ? null : options;
    this.#protocol = new Protocol({
      side,
      maskingKeys: randomMaskingKeys,
      maxMessageSize: options.maxMessageSize ?? DEFAULT_MAX_MESSAGE_SIZE,
      ownsChunks: wire.ownsChunks,
      recycles: wire.releasesChunks,
      deflate: deflate ?? undefined,
      budget: turns.budget,
      autoPong: options.autoPong,
      invalidText: options.invalidText,
      takesAfterClose: core.deliversAfterClose,
      ownBuffers: options.ownBuffers,
      streamLargerThan: options.streamLargerThan,
    }, this);
  }

  /**
   * Starts the transport. The wire may have reported to it before.
   *
   * @param times The times of its Pings.
   */
  start({ pingInterval = 0, pingTimeout = pingInterval }: ProtocolOptions): void {
    const { state } = this.#core;
    if (state === "closed") return;
    turns.enter();
    this.#flags |= MEMBER;
    if (pingInterval === 0 || state !== "open" || this.#ending !== NONE) return;
    this.#keepalive ??= new Keepalive(this, this.#core.clock);
    this.#keepalive.start({ pingInterval, pingTimeout });
  }

  #is(flag: number): boolean {
    return (this.#flags & flag) !== 0;
  }

  get errorCode(): number {
    return internalServerError;
  }

  // Events of the wire.

  onChunk(chunk: Uint8Array): void {
    if (this.#heldEnd !== null) return;
    const { length } = chunk;
    if (this.#traffic !== null) this.#traffic.received.bytes += length;
    this.#keepalive?.heard();
    const verdict = this.#rate === null ? "allow" : this.#verdictOn("bytes", length);
    if (verdict === "close") return;
    // Output of this chunk is flushed directly after it, because no other chunk arrives in this turn.
    const isLast = this.#output === IDLE && this.#wire.endsTurns;
    if (isLast) this.#output = SCHEDULED;
    this.#protocol.receive(chunk);
    if (isLast) this.flush();
    turns.watchChunk(length);
    if (verdict === "pause") this.#pauseForRate();
    this.#regulate();
  }

  onDrain(): void {
    if (this.#output === BLOCKED && this.#hasRoom) this.#write();
    if (this.#is(AWAITING_RELEASE)) this.#releaseTaken();
    const { sink } = this.#core;
    if (sinkControl.isWaitedFor(sink)) sinkControl.drained(sink);
    if (this.#room !== null) this.#openRoom();
    const isWatching = this.#output === BLOCKED || this.#is(AWAITING_RELEASE) || this.#isWaitedFor;
    if (isWatching && this.#core.state !== "closed") this.#wire.watch();
  }

  onEnded(failure: WireFailure | null): void {
    // If only the writing half has failed, the reading half may never end.
    this.#deadline ??= new Deadline(this.#core.clock, {
      ms: this.#core.closeTimeout,
      onTime: () => this.onEnd(failure),
    });
    this.#conclude();
    this.#drain();
  }

  /** Reads the rest of the input, even if the reader has no room. */
  #drain(): void {
    this.#flags |= DRAINING;
    // Decompressed content may be endless, so a message whose reader has no room is cut off.
    if (this.#is(CONTENT)) this.#dropLarge();
    this.#release(HELD);
  }

  onEnd(failure: WireFailure | null): void {
    if (failure !== null) this.#drain();
    if (this.#is(BEHIND | HELD)) {
      this.#heldEnd ??= { failure };
      return;
    }
    if (this.#ending === EARLY && failure === null) this.#ending = EARLY_AND_ENDED;
    else {
      this.#conclude();
      this.#end(failure);
    }
  }

  #end(failure: WireFailure | null): void {
    this.#stop();
    const { sentClose, receivedClose } = this.#protocol;
    if (sentClose !== null && receivedClose !== null) {
      return void this.#finish({ wasClean: true, initiator: "remote" });
    }
    // A Close may have followed messages for which the queue had no room.
    const unread = streamFeed.isPaused(this.#incoming)
      ? `, while ${streamFeed.queuedSize(this.#incoming)} bytes of messages were unread`
      : "";
    const message = `The connection was lost: it ended without a Close frame${unread}`;
    const cause = failure === null ? undefined : { cause: failure.error };
    const error = new WebSocketChannelError(message, cause);
    const ending: Ending = { wasClean: false, initiator: "transport", error };
    // Output that this side has started to send, such as its Close, is still sent.
    if (this.#core.state === "closing") return void this.#finish(ending);
    this.#wire.destroy();
    this.#core.end(ending);
  }

  // Work that is too much for one turn.

  /** Continues to process received bytes, in a later turn. */
  run(): void {
    this.#protocol.proceed();
    this.#regulate();
  }

  onUnblocked(): void {
    turns.add(this);
  }

  /**
   * Stops reading from the wire while received bytes are pending: the peer causes too much work for one turn,
   * or decompressing a message takes long. The end of the wire waits as well.
   */
  #regulate(): void {
    const isBehind = this.#protocol.isBehind;
    if (isBehind && !this.#protocol.isBusy) turns.add(this);
    if (isBehind === ((this.#flags & BEHIND) !== 0)) return;
    this.#flags ^= BEHIND;
    if (isBehind) return this.#wire.pause();
    if (this.#heldEnd !== null) return this.#tellHeldEnd();
    if (this.#is(HELD)) return;
    this.#keepalive?.heard();
    this.#wire.resume();
  }

  #tellHeldEnd(): void {
    const held = this.#heldEnd;
    if (held === null || this.#is(BEHIND)) return;
    this.#heldEnd = null;
    this.onEnd(held.failure);
  }

  // Events of the protocol.

  onMessage(message: Message): void {
    if (this.#traffic !== null) this.#traffic.received.messages++;
    if (this.#rate !== null && !this.#mayDeliver()) return;
    streamFeed.add(this.#incoming, message);
  }

  // A message in parts.

  onLargeMessage(kind: "text" | "binary"): void {
    const large = this.#large = new OwnIncomingMessage(kind, this.#core.highWaterMark, this);
    if (this.#traffic !== null) this.#traffic.received.messages++;
    const isWanted = (this.#rate === null || this.#mayDeliver()) &&
      !streamFeed.isLeft(this.#incoming);
    if (isWanted) streamFeed.add(this.#incoming, large as unknown as Message);
    else large.cancel();
  }

  onPart(part: string | Uint8Array, size: number): void {
    this.#large?.add(part, size);
  }

  onLargeEnd(): void {
    const large = this.#large;
    large?.end();
    if (!this.#is(CONTENT)) this.#large = null;
  }

  onContentFull(large: OwnIncomingMessage): void {
    if (large !== this.#large) return;
    if (!this.#is(DRAINING)) this.#hold(CONTENT);
    else if (!large.isWhole) this.#dropLarge();
  }

  onContentRoom(large: OwnIncomingMessage): void {
    if (large !== this.#large) return;
    if (large.isWhole) this.#large = null;
    this.#release(CONTENT);
  }

  onContentLeft(large: OwnIncomingMessage): void {
    if (large === this.#large && !large.isWhole) this.#protocol.skip();
  }

  skipUnread(): void {
    this.#large?.cancel();
  }

  /** Drops the rest of the message and all later ones. */
  #dropLarge(): void {
    this.#protocol.drop();
    this.#cutLarge();
  }

  /**
   * Fails a message in parts whose rest doesn't arrive, because the connection ends or messages are dropped.
   */
  #cutLarge(): void {
    const large = this.#large;
    if (large === null) return;
    this.#large = null;
    if (large.isWhole) large.finish();
    else void this.#core.life.closed.then((info) => large.fail(info));
  }

  onPing(payload: Uint8Array): void {
    this.#tell(this.#controlFrames?.onPing, payload);
  }

  onPong(payload: Uint8Array): void {
    this.#keepalive?.onPong(payload);
    this.#tell(this.#controlFrames?.onPong, payload);
  }

  #tell(listener: ControlFrameOptions["onPing"], payload: Uint8Array): void {
    const { face } = this.#core;
    if (listener === undefined || face === null) return;
    try {
      listener(payload, face);
    } catch (error) {
      rethrowLater(error);
    }
  }

  /**
   * Delays the peer's end if the reader hasn't handled the earlier messages, or hasn't started to read, so
   * that it can still answer.
   */
  onEnding(): boolean {
    const isReady = this.#is(DRAINING) || this.#core.state !== "open" ||
      !streamFeed.isBehind(this.#incoming);
    if (isReady) return true;
    this.#ending = EARLY;
    this.#keepalive?.stop();
    endsEarly(this.#core, () => this.#conclude());
    return false;
  }

  #conclude(): void {
    const ending = this.#ending;
    if (ending === NONE) return;
    this.#ending = NONE;
    this.#protocol.conclude();
    if (ending === EARLY_AND_ENDED) this.#end(null);
  }

  onClose(code: number, reason: string): void {
    this.#keepalive?.stop();
    this.#cutLarge();
    onPeerClose(this.#core, { code, reason }, this.#sentClose);
    // RFC 6455 §7.1.1: the server ends TCP first. The client waits for that, with a timeout.
    if (this.#is(SERVER)) void this.#finish({ wasClean: true, initiator: "remote" });
  }

  onFailure(failure: Failure): void {
    this.#keepalive?.stop();
    this.#cutLarge();
    const error = this.#excess === null ? errorOf(failure) : this.#rate?.errorOf(this.#excess);
    const initiator = error instanceof ProtocolError ? "protocol-error" : "local";
    failConnection(this.#core, error, this.#sentClose, initiator);
    void this.#finish({ wasClean: false, initiator });
    // The fault may have been found in a turn in which nothing was received.
    this.#regulate();
  }

  get #sentClose(): CloseFrameContent | undefined {
    return this.#protocol.sentClose ?? undefined;
  }

  onInputLost(): void {
    this.#core.closeOnError(
      new WebSocketChannelError(
        "Cannot continue to read: the buffer of a received message was transferred, and with it the messages after " +
          "it. Transfer a copy: message.slice().buffer",
      ),
      internalServerError,
    );
  }

  /** Schedules a flush. All messages of a turn are sent in one write, unless they are large. */
  onOutput(): void {
    if (this.#output !== IDLE) return;
    this.#output = SCHEDULED;
    this.#wire.flushes.add(this);
  }

  // Output.

  get bufferedAmount(): number {
    const inFlight = this.#inFlight === null
      ? 0
      : this.#inFlight.payload(this.#wire.bufferedAmount);
    return this.#lost + (this.#protocol.pendingOutput?.payloadSize ?? 0) + inFlight;
  }

  get load(): number {
    const { pendingOutput } = this.#protocol;
    const pending = pendingOutput === null ? 0 : pendingOutput.size;
    return this.#lost + pending + this.#wire.bufferedAmount;
  }

  hasSentClose(): boolean {
    if (this.#inFlight === null) return this.#is(CLOSE_WRITTEN);
    return this.#inFlight.hasClose(this.#wire.bufferedAmount);
  }

  send(message: MessageInput, options: SendOptions | undefined): boolean {
    const protocol = this.#protocol;
    const isSent = typeof message === "string"
      ? protocol.sendText(message, options)
      : protocol.sendBinary(message, options);
    if (isSent && this.#traffic !== null) this.#traffic.sent.messages++;
    if (this.#isCostly) this.#sendAhead();
    return isSent;
  }

  sendPrepared(
    message: PreparedMessage,
    options: SendOptions | undefined,
    isOnly: boolean,
  ): boolean {
    // RFC 6455 §5.3: a client masks each frame with its own key.
    if (!this.#is(SERVER)) return this.send(message.content, options);
    const isNow = isOnly && this.#output === IDLE;
    if (isNow) this.#output = SCHEDULED;
    const isSent = this.#protocol.sendPrepared(message, options);
    if (isSent && this.#traffic !== null) this.#traffic.sent.messages++;
    if (isNow) this.flush();
    else if (this.#isCostly) this.#sendAhead();
    return isSent;
  }

  createOutgoing(events: OutgoingMessagesEvents): OutgoingMessages {
    return new OutgoingQueue(this, events);
  }

  sendFragment(payload: Uint8Array, fragment: Fragment): boolean {
    const isSent = this.#protocol.sendFragment(payload, fragment);
    if (isSent && fragment.fin && this.#traffic !== null) this.#traffic.sent.messages++;
    if (this.#isCostly) this.#sendAhead();
    return isSent;
  }

  get hasRoom(): boolean {
    return this.load < this.#core.highWaterMark;
  }

  whenRoom(): Promise<void> {
    if (this.hasRoom) return FULFILLED;
    this.#wire.watch();
    return (this.#room ??= new Deferred()).promise;
  }

  #openRoom(): void {
    if (!this.hasRoom) return;
    this.#room?.resolve();
    this.#room = null;
  }

  get #isWaitedFor(): boolean {
    return this.#room !== null || sinkControl.isWaitedFor(this.#core.sink);
  }

  get #isCostly(): boolean {
    const { pendingOutput } = this.#protocol;
    return pendingOutput !== null && pendingOutput.cost >= EARLY_FLUSH_COST;
  }

  /** Writes large output before the end of the turn, so that the peer reads it while more is being sent. */
  #sendAhead(): void {
    if (this.#output !== BLOCKED && this.#wire.releasesChunks && this.#hasRoom) this.#write();
  }

  get #hasRoom(): boolean {
    return this.#wire.bufferedAmount < this.#core.highWaterMark;
  }

  flush(): void {
    this.#output = IDLE;
    if (this.#protocol.pendingOutput === null) return;
    const buffered = this.#wire.bufferedAmount;
    if (buffered < this.#core.highWaterMark) return this.#write(buffered);
    // Output that stays in the protocol is counted exactly there, and pongs don't accumulate.
    this.#output = BLOCKED;
    this.#wire.watch();
  }

  #write(before = this.#wire.bufferedAmount): void {
    const output = this.#protocol.pendingOutput;
    if (this.#output === BLOCKED) this.#output = IDLE;
    if (output === null) return;
    const { size, payloadSize } = output;
    if (size === 0) return this.#protocol.releaseOutput();
    const chunk = output.takeChunk();
    const isWritten = chunk === null
      ? this.#wire.writeAll(output.takeAll())
      : this.#wire.write(chunk);
    if (isWritten && this.#traffic !== null) this.#traffic.sent.bytes += size;
    if (isWritten) this.#written(size, payloadSize, before);
    else this.#lost += payloadSize;
    if (this.#wire.releasesChunks) this.#releaseTaken();
    else this.#protocol.releaseOutput();
    if (this.#isWaitedFor) this.watch();
  }

  #written(size: number, payload: number, before: number): void {
    const buffered = this.#wire.bufferedAmount;
    if (buffered === 0) this.#inFlight = null;
    else {
      // A channel of bytes may count more than the real size: 32 for a small chunk.
      const counted = Math.max(buffered - before, size);
      (this.#inFlight ??= new InFlight(buffered - counted)).add(counted, payload, buffered);
    }
    if (this.#protocol.sentClose === null) return;
    this.#flags |= CLOSE_WRITTEN;
    this.#inFlight?.addClose();
  }

  /** Releases the chunks that the wire has taken, for reuse. An idle connection holds no buffer. */
  #releaseTaken(): void {
    const kept = this.#wire.bufferedAmount;
    this.#protocol.pendingOutput?.release(kept);
    if (kept === 0) this.#protocol.releaseOutput();
    if (kept > 0) {
      this.#flags |= AWAITING_RELEASE;
      this.#wire.watch();
    } else this.#flags &= ~AWAITING_RELEASE;
  }

  watch(): void {
    sinkControl.drained(this.#core.sink);
    if (this.#room !== null) this.#openRoom();
    if (this.#isWaitedFor) this.#wire.watch();
  }

  // Backpressure.

  pause(): void {
    this.#hold(READER);
  }

  resume(): void {
    this.#release(READER);
  }

  #hold(why: number): void {
    if (this.#is(DRAINING)) return;
    this.#flags |= why;
    this.#protocol.pause();
    this.#wire.pause();
  }

  #release(why: number): void {
    if (!this.#is(why)) return;
    this.#flags &= ~why;
    if ((why & RATE) !== 0) this.#stopRateTimer();
    if (this.#is(HELD)) return;
    // While nothing was read, no sign of life could arrive.
    this.#keepalive?.heard();
    if (!this.#is(BEHIND)) this.#wire.resume();
    this.#protocol.resume();
    this.#regulate();
    this.#tellHeldEnd();
  }

  /** Counts received messages or bytes, and fails the connection if the verdict on their rate is to close. */
  #verdictOn(kind: RateKind, amount: number): RateVerdict {
    // After a Close of either side, messages are dropped.
    if (this.#rate === null || !this.#isOpen) return "allow";
    const verdict = this.#rate.take(kind, amount, this.#core.face);
    // The user's function may have closed the channel.
    if (!this.#isOpen) return "allow";
    if (verdict !== "close") return verdict;
    this.#excess = kind;
    this.#protocol.fail(RATE_EXCEEDED);
    return verdict;
  }

  /**
   * Returns whether to deliver a message. It is dropped if it exceeds the rate, or if this side has closed
   * meanwhile.
   */
  #mayDeliver(): boolean {
    const verdict = this.#verdictOn("messages", 1);
    if (verdict === "pause") this.#pauseForRate();
    return verdict !== "close" && (this.#isOpen || this.#core.deliversAfterClose);
  }

  /** Whether neither side has started to close. */
  get #isOpen(): boolean {
    return this.#protocol.state === "open" && this.#ending === NONE;
  }

  #pauseForRate(): void {
    const wait = this.#rate?.wait ?? 0;
    if (wait === 0) return this.#release(RATE);
    this.#hold(RATE);
    this.#rateTimer ??= this.#core.clock.setTimeout(() => {
      this.#rateTimer = null;
      // More input may have been processed meanwhile.
      this.#pauseForRate();
    }, wait);
  }

  #stopRateTimer(): void {
    if (this.#rateTimer !== null) this.#core.clock.clearTimeout(this.#rateTimer);
    this.#rateTimer = null;
  }

  // Pings.

  get isReading(): boolean {
    return !this.#is(HELD | BEHIND);
  }

  get latency(): number | null {
    return this.#keepalive?.latency ?? null;
  }

  get connectionInfo(): ConnectionInfo | null {
    return this.#wire.connectionInfo ?? null;
  }

  ping(payload?: Uint8Array, signal?: AbortSignal): Promise<number> {
    this.#keepalive ??= new Keepalive(this, this.#core.clock);
    return this.#keepalive.ping(payload, signal);
  }

  pong(payload: Uint8Array): boolean {
    return this.#protocol.pong(payload);
  }

  sendPing(payload: Uint8Array): void {
    this.#protocol.ping(payload);
  }

  onDead(): void {
    const url = this.#core.identity.url();
    const where = url === "" ? "" : ` to ${url}`;
    const message =
      `The connection${where} was lost: no data arrived within pingTimeout after a Ping`;
    const error = new DOMException(message, "TimeoutError");
    this.destroy();
    this.#core.end({ wasClean: false, initiator: "timeout", error });
  }

  // The end.

  close(code: number | undefined, reason: string): CloseFrameContent | undefined {
    this.#keepalive?.stop();
    this.#protocol.close(code, code === undefined ? undefined : reason);
    this.#conclude();
    const { deliversAfterClose } = this.#core;
    if (!deliversAfterClose) this.#cutLarge();
    // If messages are still delivered, their reader makes room for them.
    this.#release(deliversAfterClose ? RATE : HELD);
    this.#regulate();
    return this.#sentClose;
  }

  /** Ends the wire after all output, and then the channel. The close timer limits it. */
  async #finish(ending: Ending): Promise<void> {
    const wire = this.#wire;
    if (this.#output === BLOCKED) await wire.flush();
    this.#write();
    await wire.flush();
    await wire.end();
    this.#leave();
    this.#core.end(ending);
  }

  destroy(): void {
    this.#stop();
    this.#wire.destroy();
  }

  /** Stops reading and sending. */
  #stop(): void {
    this.#keepalive?.stop();
    this.#cutLarge();
    this.#protocol.end();
    this.#leave();
  }

  /** Clears all timers and pending work. */
  #leave(): void {
    this.#deadline?.clear();
    this.#deadline = null;
    this.#stopRateTimer();
    turns.delete(this);
    if (this.#is(MEMBER)) turns.leave();
    this.#flags &= ~MEMBER;
  }

  ref(): void {
    this.#wire.ref();
  }

  unref(): void {
    this.#wire.unref();
  }
}

/** Creates the error of a failure. A limit or a fault of this side is not a protocol error of the peer. */
function errorOf({ code, reason, excess, cause }: Failure): WebSocketChannelError {
  if (excess !== undefined) {
    const { size, limit, isCompressed } = excess;
    const what = `Message of ${size}${isCompressed ? " compressed" : ""} bytes`;
    return new LimitError(what, { option: "maxMessageSize", limit, actual: size });
  }
  if (code !== internalServerError) {
    return new ProtocolError(`The peer broke the protocol: ${reason}`, code);
  }
  return new WebSocketChannelError("Cannot read a message: it could not be decompressed", {
    cause,
  });
}
