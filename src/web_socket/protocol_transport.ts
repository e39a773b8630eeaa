import { internalServerError } from "../../status.ts";
import { type Failure, RATE_EXCEEDED } from "../protocol/failure.ts";
import type { Side } from "../protocol/frame.ts";
import type { PreparedMessage } from "../protocol/prepared_message.ts";
import { Protocol } from "../protocol/protocol.ts";
import type { ProtocolEvents } from "../protocol/protocol_events.ts";
import type { MessageDeflate } from "../protocol/message_deflate.ts";
import { outlet } from "../stream_channel/channel_sink.ts";
import { inlet, type MessageStream } from "../stream_channel/channel_stream.ts";
import { rethrowLater } from "../stream_channel/errors.ts";
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
import { Keepalive, type KeepaliveEvents, type KeepaliveTimes } from "./keepalive.ts";
import { randomMaskingKeys } from "./masking_keys.ts";
import type { MessageRate, RateKind, RateVerdict } from "./message_rate.ts";
import type { Transport } from "./transport.ts";
import type { Traffic } from "./traffic.ts";
import { type Task, turns } from "./turns.ts";
import type { CloseFrameContent } from "./close_info.ts";
import type { Message } from "./web_socket_channel.ts";
import { endsEarly, failConnection, peerClosed } from "./peer_ending.ts";
import type { MessageInput, SendOptions } from "./web_socket_sink.ts";
import type { Wire, WireEvents, WireFailure } from "./wire.ts";

/**
 * The transport flushes before the end of the turn once the pending output has cost this much to produce:
 * about the cost of two writes.
 */
const EARLY_FLUSH_COST = 0x8000;

const NEVER: KeepaliveTimes = { pingInterval: 0, pingTimeout: 0 };

/** What waits to leave, and for what: nothing, the end of the turn, room on the wire. */
const IDLE = 0;
const PLANNED = 1;
const BLOCKED = 2;

/** Why nothing is read: the reader has no room, the peer has sent more than its rate allows. */
const READER = 1;
const RATE = 2;

/** The peer's Close, or its fault: not in, in and waiting for the reader, and the wire has ended behind it. */
const NONE = 0;
const EARLY = 1;
const EARLY_AND_ENDED = 2;

/** Which end it is, and what was agreed on. */
export interface ProtocolTransportOptions extends ProtocolOptions {
  readonly side: Side;
  readonly deflate: MessageDeflate | null;
  /** Where what passes is counted. Left out: nowhere. */
  readonly traffic?: Traffic | undefined;
  /** What bounds how much the peer sends. Left out: nothing does. */
  readonly rate?: MessageRate | undefined;
}

/**
 * Our own implementation of RFC 6455 over a wire whose opening handshake is done, on either side. All
 * messages of a turn leave in one write, unless they are large, and as fast as the wire takes them. The file
 * is long because another object between protocol, wire and channel would cost a call for each message.
 */
export class ProtocolTransport
  implements Transport, WireEvents, ProtocolEvents, KeepaliveEvents, Task, Flushable {
  readonly #wire: Wire;
  readonly #protocol: Protocol;
  readonly #incoming: MessageStream<Message>;
  readonly #core: ChannelCore;
  readonly #side: Side;
  /** Which of `IDLE`, `PLANNED` and `BLOCKED` the output is. */
  #output = IDLE;
  /** Which of `READER` and `RATE` keep it from reading, added up. */
  #held = 0;
  /** What was received is worked on in later turns, and nothing more is taken meanwhile. */
  #behind = false;
  /** What was written goes back when all of it is handed on. */
  #lending = false;
  #isMember = false;
  /** The wire is over: what it still has to give is taken, room or not. */
  #draining = false;
  /** Which of `NONE`, `EARLY` and `EARLY_AND_ENDED` is so. */
  #ending = NONE;
  #keepalive: Keepalive | null = null;
  /** What was written and isn't handed on, while there is any. */
  #inFlight: InFlight | null = null;
  /** How many bytes of payload could not be written any more. */
  #lost = 0;
  #isCloseWritten = false;
  /** The wire has ended, but what it gave before isn't worked on yet, or has no room. */
  #heldEnd: { readonly failure: WireFailure | null } | null = null;
  /** Bounds what may never come: the end of a wire that can't be written to. */
  #deadline: Deadline | null = null;
  readonly #traffic: Traffic | null;
  readonly #rate: MessageRate | null;
  /** The kind of rate whose excess ends the connection. */
  #excess: RateKind | null = null;
  /** Runs while the peer has sent more than its rate allows. */
  #rateTimer: unknown = null;
  /** The options with the callbacks for control frames. */
  readonly #controlFrames: ControlFrameOptions | null;

  /**
   * Creates the transport. The caller makes the wire report to it.
   *
   * @param core The channel.
   * @param wire The bytes.
   * @param options See {@linkcode ProtocolTransportOptions}.
   */
  constructor(core: ChannelCore, wire: Wire, options: ProtocolTransportOptions) {
    this.#core = core;
    this.#incoming = core.incoming;
    this.#wire = wire;
    this.#side = options.side;
    this.#traffic = options.traffic ?? null;
    this.#rate = options.rate ?? null;
    core.deliversAfterClose = options.afterClose === "deliver";
    const { onPing, onPong, pingInterval = 0, pingTimeout = pingInterval } = options;
    if (pingInterval > 0) {
      this.#keepalive = new Keepalive(this, core.clock, { pingInterval, pingTimeout });
    }
    this.#controlFrames = onPing === undefined && onPong === undefined ? null : options;
    this.#protocol = new Protocol({
      side: options.side,
      maskingKeys: randomMaskingKeys,
      maxMessageSize: options.maxMessageSize ?? DEFAULT_MAX_MESSAGE_SIZE,
      ownsChunks: wire.ownsChunks,
      recycles: wire.releasesChunks,
      deflate: options.deflate ?? undefined,
      budget: turns.budget,
      autoPong: options.autoPong,
      invalidText: options.invalidText,
      takesAfterClose: core.deliversAfterClose,
      ownBuffers: options.ownBuffers,
    }, this);
  }

  /** The wire reports to it from now on, and may have. It pings regularly, where that is wanted. */
  start(): void {
    const { state } = this.#core;
    if (state === "closed") return;
    turns.enter();
    this.#isMember = true;
    if (state === "open" && this.#ending === NONE) this.#keepalive?.start();
  }

  get errorCode(): number {
    return internalServerError;
  }

  // What the wire reports.

  onChunk(chunk: Uint8Array): void {
    if (this.#heldEnd !== null) return;
    const { length } = chunk;
    if (this.#traffic !== null) this.#traffic.received.bytes += length;
    this.#keepalive?.heard();
    const verdict = this.#rate === null ? "allow" : this.#verdictOn("bytes", length);
    if (verdict === "close") return;
    // What is sent meanwhile leaves right behind this: no other chunk comes in this turn.
    const isLast = this.#output === IDLE && this.#wire.endsTurns;
    if (isLast) this.#output = PLANNED;
    this.#protocol.receive(chunk);
    if (isLast) this.flush();
    turns.watchChunk(length);
    if (verdict === "pause") this.#pauseForRate();
    this.#regulate();
  }

  onDrain(): void {
    if (this.#output === BLOCKED && this.#hasRoom) this.#write();
    if (this.#lending) this.#giveBack();
    const { sink } = this.#core;
    if (outlet.isWaitedFor(sink)) outlet.drained(sink);
    const isWatching = this.#output === BLOCKED || this.#lending || outlet.isWaitedFor(sink);
    if (isWatching && this.#core.state !== "closed") this.#wire.watch();
  }

  onOver(failure: WireFailure | null): void {
    // Where only the writing half is broken the rest may never end.
    this.#deadline ??= new Deadline(this.#core.clock, {
      ms: this.#core.closeTimeout,
      onTime: () => this.onEnd(failure),
    });
    this.#conclude();
    this.#drain();
  }

  /** What is left is read, which a reader that makes no room must not hide. */
  #drain(): void {
    this.#draining = true;
    this.#release(READER | RATE);
  }

  onEnd(failure: WireFailure | null): void {
    if (failure !== null) this.#drain();
    if (this.#behind || this.#held !== 0) {
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
    // A Close may have been behind what the queue had no room for.
    const unread = inlet.isPaused(this.#incoming)
      ? `, while ${
        inlet.queuedSize(this.#incoming)
      } bytes of messages waited for the stream's reader`
      : "";
    const message = `The connection was lost: it ended without a Close frame${unread}`;
    const cause = failure === null ? undefined : { cause: failure.error };
    const error = new WebSocketChannelError(message, cause);
    const ending: Ending = { wasClean: false, initiator: "transport", error };
    // What this end has begun to send, its Close above all, still goes out.
    if (this.#core.state === "closing") return void this.#finish(ending);
    this.#wire.destroy();
    this.#core.end(ending);
  }

  // What is too much for one turn.

  /** Goes on with what was received, in a turn of its own. */
  run(): void {
    this.#protocol.proceed();
    this.#regulate();
  }

  onUnblocked(): void {
    turns.add(this);
  }

  /**
   * What the peer causes may be too much for one turn, or a message may take long to decompress: then
   * no more is taken from the wire until all is worked on, and its end waits as well.
   */
  #regulate(): void {
    const isBehind = this.#protocol.isBehind;
    if (isBehind && !this.#protocol.isBusy) turns.add(this);
    if (isBehind === this.#behind) return;
    this.#behind = isBehind;
    if (isBehind) return this.#wire.pause();
    if (this.#heldEnd !== null) return this.#tellHeldEnd();
    if (this.#held !== 0) return;
    this.#keepalive?.heard();
    this.#wire.resume();
  }

  #tellHeldEnd(): void {
    const held = this.#heldEnd;
    if (held === null || this.#behind) return;
    this.#heldEnd = null;
    this.onEnd(held.failure);
  }

  // What the protocol reports.

  onMessage(message: Message): void {
    if (this.#traffic !== null) this.#traffic.received.messages++;
    if (this.#rate !== null && !this.#mayDeliver()) return;
    inlet.add(this.#incoming, message);
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
   * A reader that hasn't handled what came before, or has not begun to read, gets the chance to answer:
   * the peer's end takes effect later.
   */
  onEnding(): boolean {
    const isReady = this.#draining || this.#core.state !== "open" ||
      !inlet.isBehind(this.#incoming);
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
    peerClosed(this.#core, { code, reason }, this.#sentClose);
    // RFC 6455 §7.1.1: the server ends TCP first, the client waits for that, up to a deadline.
    if (this.#side === "server") void this.#finish({ wasClean: true, initiator: "remote" });
  }

  onFailure(failure: Failure): void {
    this.#keepalive?.stop();
    const error = this.#excess === null ? errorOf(failure) : this.#rate?.errorOf(this.#excess);
    const initiator = error instanceof ProtocolError ? "protocol-error" : "local";
    failConnection(this.#core, error, this.#sentClose, initiator);
    void this.#finish({ wasClean: false, initiator });
    // It may have come to light in a turn in which nothing was received.
    this.#regulate();
  }

  get #sentClose(): CloseFrameContent | undefined {
    return this.#protocol.sentClose ?? undefined;
  }

  onInputLost(): void {
    this.#core.closeBecauseOf(
      new WebSocketChannelError(
        "Cannot read on: the buffer of a received message was transferred, and with it the messages behind " +
          "it. Transfer a copy: message.slice().buffer",
      ),
      internalServerError,
    );
  }

  /** All messages of a turn leave in one write, unless they are large. */
  onOutput(): void {
    if (this.#output !== IDLE) return;
    this.#output = PLANNED;
    this.#wire.flushes.add(this);
  }

  // What goes out.

  get bufferedAmount(): number {
    const inFlight = this.#inFlight === null
      ? 0
      : this.#inFlight.payload(this.#wire.bufferedAmount);
    return this.#lost + this.#protocol.output.payloadSize + inFlight;
  }

  get load(): number {
    return this.#lost + this.#protocol.output.size + this.#wire.bufferedAmount;
  }

  hasSentClose(): boolean {
    if (this.#inFlight === null) return this.#isCloseWritten;
    return this.#inFlight.hasClose(this.#wire.bufferedAmount);
  }

  send(message: MessageInput, options: SendOptions | undefined): boolean {
    const protocol = this.#protocol;
    const isSent = typeof message === "string"
      ? protocol.sendText(message, options)
      : protocol.sendBinary(message, options);
    if (isSent && this.#traffic !== null) this.#traffic.sent.messages++;
    if (protocol.output.cost >= EARLY_FLUSH_COST) this.#sendAhead();
    return isSent;
  }

  sendPrepared(
    message: PreparedMessage,
    options: SendOptions | undefined,
    isOnly: boolean,
  ): boolean {
    // RFC 6455 §5.3: a client masks each frame with a key of its own.
    if (this.#side === "client") return this.send(message.content, options);
    const isNow = isOnly && this.#output === IDLE;
    if (isNow) this.#output = PLANNED;
    const isSent = this.#protocol.sendPrepared(message, options);
    if (isSent && this.#traffic !== null) this.#traffic.sent.messages++;
    if (isNow) this.flush();
    else if (this.#protocol.output.cost >= EARLY_FLUSH_COST) this.#sendAhead();
    return isSent;
  }

  /** Large output doesn't wait for the turn to end: the peer reads it while more is being sent. */
  #sendAhead(): void {
    if (this.#output !== BLOCKED && this.#wire.releasesChunks && this.#hasRoom) this.#write();
  }

  get #hasRoom(): boolean {
    return this.#wire.bufferedAmount < this.#core.highWaterMark;
  }

  flush(): void {
    this.#output = IDLE;
    if (this.#protocol.output.size === 0) return;
    const buffered = this.#wire.bufferedAmount;
    if (buffered < this.#core.highWaterMark) return this.#write(buffered);
    // What isn't taken from the protocol stays exact there, and pongs don't pile up.
    this.#output = BLOCKED;
    this.#wire.watch();
  }

  #write(before = this.#wire.bufferedAmount): void {
    const { output } = this.#protocol;
    const { size, payloadSize } = output;
    if (this.#output === BLOCKED) this.#output = IDLE;
    if (size === 0) return;
    const chunk = output.takeChunk();
    const isWritten = chunk === null
      ? this.#wire.writeAll(output.takeAll())
      : this.#wire.write(chunk);
    if (isWritten && this.#traffic !== null) this.#traffic.sent.bytes += size;
    if (isWritten) this.#written(size, payloadSize, before);
    else this.#lost += payloadSize;
    if (this.#wire.releasesChunks) this.#giveBack();
    if (outlet.isWaitedFor(this.#core.sink)) this.watch();
  }

  #written(size: number, payload: number, before: number): void {
    const buffered = this.#wire.bufferedAmount;
    if (buffered === 0) this.#inFlight = null;
    else {
      // A channel of bytes may count more than there are: 32 for a small chunk.
      const counted = Math.max(buffered - before, size);
      (this.#inFlight ??= new InFlight(buffered - counted)).add(counted, payload, buffered);
    }
    if (this.#protocol.sentClose === null) return;
    this.#isCloseWritten = true;
    this.#inFlight?.addClose();
  }

  /** What is handed on is written to again; a connection that falls silent holds no buffer. */
  #giveBack(): void {
    const kept = this.#wire.bufferedAmount;
    this.#protocol.output.giveBack(kept);
    this.#lending = kept > 0;
    if (this.#lending) this.#wire.watch();
  }

  watch(): void {
    const { sink } = this.#core;
    outlet.drained(sink);
    if (outlet.isWaitedFor(sink)) this.#wire.watch();
  }

  // Backpressure.

  pause(): void {
    this.#hold(READER);
  }

  resume(): void {
    this.#release(READER);
  }

  #hold(why: number): void {
    if (this.#draining) return;
    this.#held |= why;
    this.#protocol.pause();
    this.#wire.pause();
  }

  #release(why: number): void {
    if ((this.#held & why) === 0) return;
    this.#held &= ~why;
    if ((why & RATE) !== 0) this.#stopRateTimer();
    if (this.#held !== 0) return;
    // While nothing was read the peer could not show that it lives.
    this.#keepalive?.heard();
    if (!this.#behind) this.#wire.resume();
    this.#protocol.resume();
    this.#regulate();
    this.#tellHeldEnd();
  }

  /** Counts what the peer has sent, and fails the connection if that is too much and the verdict on it. */
  #verdictOn(kind: RateKind, amount: number): RateVerdict {
    // What comes behind a Close is dropped, whichever end's.
    if (this.#rate === null || !this.#isOpen) return "allow";
    const verdict = this.#rate.take(kind, amount, this.#core.face);
    // The function that decides may have closed the channel.
    if (!this.#isOpen) return "allow";
    if (verdict !== "close") return verdict;
    this.#excess = kind;
    this.#protocol.fail(RATE_EXCEEDED);
    return verdict;
  }

  /** Whether a message is handed on: not if it is too much, nor if it waited until this end closed. */
  #mayDeliver(): boolean {
    const verdict = this.#verdictOn("messages", 1);
    if (verdict === "pause") this.#pauseForRate();
    return verdict !== "close" && (this.#isOpen || this.#core.deliversAfterClose);
  }

  /** Neither end has begun to close. */
  get #isOpen(): boolean {
    return this.#protocol.state === "open" && this.#ending === NONE;
  }

  #pauseForRate(): void {
    const wait = this.#rate?.wait ?? 0;
    if (wait === 0) return this.#release(RATE);
    this.#hold(RATE);
    this.#rateTimer ??= this.#core.clock.setTimeout(() => {
      this.#rateTimer = null;
      // More may have come to light meanwhile.
      this.#pauseForRate();
    }, wait);
  }

  #stopRateTimer(): void {
    if (this.#rateTimer !== null) this.#core.clock.clearTimeout(this.#rateTimer);
    this.#rateTimer = null;
  }

  // Pings.

  get isReading(): boolean {
    return this.#held === 0 && !this.#behind;
  }

  get latency(): number | null {
    return this.#keepalive?.latency ?? null;
  }

  get connectionInfo(): ConnectionInfo | null {
    return this.#wire.connectionInfo ?? null;
  }

  ping(payload?: Uint8Array, signal?: AbortSignal): Promise<number> {
    this.#keepalive ??= new Keepalive(this, this.#core.clock, NEVER);
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
    const message = `The connection${where} was lost: no sign of life came in time after a ping`;
    const error = new DOMException(message, "TimeoutError");
    this.destroy();
    this.#core.end({ wasClean: false, initiator: "timeout", error });
  }

  // The end.

  close(code: number | undefined, reason: string): CloseFrameContent | undefined {
    this.#keepalive?.stop();
    this.#protocol.close(code, code === undefined ? undefined : reason);
    this.#conclude();
    // A reader that still gets messages makes room for them itself.
    this.#release(this.#core.deliversAfterClose ? RATE : READER | RATE);
    this.#regulate();
    return this.#sentClose;
  }

  /** Ends the wire behind what is written, then the channel; the close timer bounds it. */
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

  /** Nothing is read or sent any more. */
  #stop(): void {
    this.#keepalive?.stop();
    this.#protocol.end();
    this.#leave();
  }

  /** Nothing is put off, or waited for, any more. */
  #leave(): void {
    this.#deadline?.clear();
    this.#deadline = null;
    this.#stopRateTimer();
    turns.delete(this);
    if (this.#isMember) turns.leave();
    this.#isMember = false;
  }

  ref(): void {
    this.#wire.ref();
  }

  unref(): void {
    this.#wire.unref();
  }
}

/** A limit or a fault of this end is no fault of the peer's. */
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
