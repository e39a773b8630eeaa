import type { Protocol, ProtocolEvents } from "../protocol/protocol.ts";
import type { PreparedMessage } from "../protocol/prepared_message.ts";
import { bytesOf } from "../realm/bytes.ts";
import type { ChannelSinkController } from "../stream_channel/sink_controller.ts";
import type { ChannelStreamController } from "../stream_channel/stream_controller.ts";
import {
  ByteConnection,
  type ByteEvents,
  type ByteTransport,
  type TransportFailure,
} from "./byte_transport.ts";
import type { ClientOpening } from "./client_opening.ts";
import type { Clock } from "./clock.ts";
import { InFlight } from "./in_flight.ts";
import { Keepalive, type KeepaliveOwner, type KeepaliveTimes } from "./keepalive.ts";
import { type Task, type Turns, turns as sharedTurns } from "./turns.ts";
import type { ChannelState, Message } from "./web_socket_channel.ts";
import type { CloseFrameContent } from "./close_info.ts";
import type { MessageInput, SendOptions } from "./web_socket_sink.ts";

/** The channel that a {@linkcode ProtocolConnection} carries. */
export interface ConnectionOwner {
  readonly incoming: ChannelStreamController<Message>;
  readonly outgoing: ChannelSinkController<MessageInput>;
  readonly clock: Clock;
  readonly highWaterMark: number;
  readonly state: ChannelState;
  /** The peer's Close, or its fault, is in, before the reader is done: calls back when it may end. */
  onEarlyEnding(conclude: () => void): void;
  /** The peer's Close is in. */
  onClose(code: number, reason: string): void;
  /** The peer broke the protocol. */
  onFailure(code: number, reason: string): void;
  /** Nothing can be written any more; {@linkcode onEnd} should follow. */
  onOver(): void;
  /** The transport has ended. */
  onEnd(failure: TransportFailure | null): void;
  /** No sign of life came in time. */
  onDead(): void;
}

/**
 * When making what waits to leave has cost so much, the end of the turn isn't waited for: about as
 * much as it costs to write twice.
 */
const MUCH = 0x8000;

const NEVER: KeepaliveTimes = { pingInterval: 0, pingTimeout: 0 };

/**
 * Bytes that a WebSocket connection is spoken over: first the opening handshake, where that is still
 * to be done, then the protocol. All that is sent in one turn leaves in one write, unless it is much,
 * and as fast as the transport takes it.
 */
export class ProtocolConnection implements ByteEvents, ProtocolEvents, KeepaliveOwner, Task {
  readonly bytes: ByteConnection;
  /** What shares its work with that of other connections. */
  readonly turns: Turns;
  readonly #owner: ConnectionOwner;
  #opening: ClientOpening | null = null;
  #protocol: Protocol | null = null;
  #keepalive: Keepalive | null = null;
  readonly #inFlight: InFlight = new InFlight();
  /** How many bytes of payload could not be written any more. */
  #lost = 0;
  #flushPlanned = false;
  #flushNow: (() => void) | null = null;
  /** Output waits for the transport to have room. */
  #blocked = false;
  #watching = false;
  /** What was written goes back when all of it is handed on. */
  #lending = false;
  #reading = true;
  /** What was received is worked on in later turns, and nothing more is taken meanwhile. */
  #behind = false;
  #isMember = false;
  /** The transport has ended, but what it gave before isn't worked on yet. */
  #heldEnd: { readonly failure: TransportFailure | null } | null = null;
  /** The transport is over: what it still has to give is taken, room or not. */
  #draining = false;
  /** The peer's Close, or its fault, is in, and waits for the reader. */
  #ending = false;
  /** The transport has ended behind it. */
  #endedBehind = false;

  /**
   * Begins to read.
   *
   * @param owner The channel.
   * @param transport The bytes.
   * @param turns Where work goes on that is too much for one turn.
   */
  constructor(owner: ConnectionOwner, transport: ByteTransport, turns: Turns = sharedTurns) {
    this.#owner = owner;
    this.turns = turns;
    this.bytes = new ByteConnection(transport, this);
  }

  /** The opening handshake that is still to be done. */
  get opening(): ClientOpening | null {
    return this.#opening;
  }

  /** Whether the opening handshake is done. */
  get isSpeaking(): boolean {
    return this.#protocol !== null;
  }

  /** What our Close frame said, if one was sent. */
  get sentClose(): CloseFrameContent | undefined {
    return this.#protocol?.sentClose ?? undefined;
  }

  /** Whether the closing handshake is done. */
  get isClosed(): boolean {
    return this.#protocol !== null && this.#protocol.sentClose !== null &&
      this.#protocol.receivedClose !== null;
  }

  /** Begins the opening handshake. */
  open(opening: ClientOpening): void {
    this.#opening = opening;
    this.bytes.write([opening.head]);
  }

  /** Speaks the protocol from now on. */
  speak(protocol: Protocol): void {
    this.#opening = null;
    this.#protocol = protocol;
    this.turns.enter();
    this.#isMember = true;
  }

  // What the transport tells.

  onChunk(chunk: Uint8Array): void {
    const protocol = this.#protocol;
    if (protocol === null) {
      this.#opening?.receive(chunk);
    } else if (this.#heldEnd === null) {
      this.#keepalive?.heard();
      const { length } = chunk;
      protocol.receive(chunk);
      this.turns.watchChunk(length);
      this.#regulate();
    }
  }

  /** Goes on with what was received, in a turn of its own. */
  run(): void {
    this.#protocol?.proceed();
    this.#regulate();
  }

  onUnblocked(): void {
    this.turns.add(this);
  }

  /**
   * What the peer causes may be too much for one turn, or a message may take long to decompress: then
   * no more is taken from the transport until all is worked on, and its end waits as well.
   */
  #regulate(): void {
    const protocol = this.#protocol;
    if (protocol === null) return;
    const isBehind = protocol.isBehind;
    if (isBehind && !protocol.isBusy) this.turns.add(this);
    if (isBehind === this.#behind) return;
    this.#behind = isBehind;
    if (isBehind) return this.bytes.pause();
    if (this.#heldEnd !== null) return this.onEnd(this.#heldEnd.failure);
    if (!this.#reading) return;
    this.#keepalive?.heard();
    this.bytes.resume();
  }

  onOver(): void {
    this.#conclude();
    this.#owner.onOver();
  }

  onEnd(failure: TransportFailure | null): void {
    if (this.#behind) {
      this.#heldEnd ??= { failure };
      return;
    }
    this.#endedBehind = this.#ending && failure === null;
    if (this.#endedBehind) return;
    this.#conclude();
    this.#owner.onEnd(failure);
  }

  // What the protocol tells.

  onMessage(message: Message): void {
    this.#owner.incoming.add(message);
  }

  onPong(payload: Uint8Array): void {
    this.#keepalive?.onPong(payload);
  }

  /**
   * A reader that hasn't handled what came before, or has not begun to read, gets the chance to answer:
   * the peer's end takes effect later.
   */
  onEnding(): boolean {
    const { incoming, state } = this.#owner;
    if (this.#draining || state !== "open" || !incoming.isBehind) return true;
    this.#ending = true;
    this.stopPings();
    this.#owner.onEarlyEnding(() => this.#conclude());
    return false;
  }

  #conclude(): void {
    if (!this.#ending) return;
    this.#ending = false;
    this.#protocol?.conclude();
    if (this.#endedBehind) this.#owner.onEnd(null);
  }

  onClose(code: number, reason: string): void {
    this.#owner.onClose(code, reason);
  }

  onFailure(code: number, reason: string): void {
    this.#owner.onFailure(code, reason);
    // It may have come to light in a turn in which nothing was received.
    this.#regulate();
  }

  /** All that is sent in one turn leaves in one write, unless it is much. */
  onOutput(): void {
    if (this.#flushPlanned || this.#blocked) return;
    this.#flushPlanned = true;
    this.bytes.soon(this.#flushNow ??= () => this.#flush());
  }

  // What goes out.

  /** How many bytes of payload were sent and not handed on. */
  get amount(): number {
    const protocol = this.#protocol;
    if (protocol === null) return 0;
    return this.#lost + protocol.payloadSize + this.#inFlight.payload(this.bytes.bufferedAmount);
  }

  /** How many bytes wait to be handed on, frames and all: what backpressure is about. */
  get wireAmount(): number {
    const protocol = this.#protocol;
    if (protocol === null) return 0;
    return this.#lost + protocol.outputSize + this.bytes.bufferedAmount;
  }

  /** Whether our Close was handed on, and with it all that was sent before. */
  get hasSentClose(): boolean {
    return this.#inFlight.hasClose(this.bytes.bufferedAmount);
  }

  /**
   * Sends a message.
   *
   * @returns `false` when nothing may be sent any more; the message is dropped.
   */
  send(message: MessageInput, options: SendOptions | undefined): boolean {
    const protocol = this.#protocol;
    if (protocol === null) return false;
    const isSent = typeof message === "string"
      ? protocol.sendText(message, options)
      : protocol.sendBinary(bytesOf(message), options);
    this.#sendAhead();
    return isSent;
  }

  /** Sends a message that goes to others as well; for servers only. */
  sendPrepared(message: PreparedMessage, options: SendOptions | undefined): boolean {
    const isSent = this.#protocol?.sendPrepared(message, options) ?? false;
    this.#sendAhead();
    return isSent;
  }

  /** Sends a Close. */
  close(code: number | undefined, reason: string | undefined): void {
    this.stopPings();
    this.#protocol?.close(code, reason);
    this.#conclude();
    this.resume();
    this.#regulate();
  }

  /** Ends the transport behind what is written; it settles when all that is handed on, or lost. */
  async finish(): Promise<void> {
    const { bytes } = this;
    if (this.#blocked) await bytes.ready;
    this.#write();
    await bytes.flush();
    await bytes.close();
    this.#leave();
  }

  /** Ends it at once. */
  destroy(): void {
    this.end();
    this.bytes.destroy();
  }

  /** Nothing is read or sent any more. */
  end(): void {
    this.stopPings();
    this.#protocol?.end();
    this.#leave();
  }

  /** Nothing is put off any more. */
  #leave(): void {
    this.turns.delete(this);
    if (this.#isMember) this.turns.leave();
    this.#isMember = false;
  }

  /** Much doesn't wait for the turn to end: the peer reads it while more is being sent. */
  #sendAhead(): void {
    const protocol = this.#protocol;
    if (protocol === null || this.#blocked || protocol.outputCost < MUCH) return;
    if (!this.bytes.releasesChunks) return;
    if (this.bytes.bufferedAmount < this.#owner.highWaterMark) this.#write();
  }

  #flush(): void {
    this.#flushPlanned = false;
    const { bytes } = this;
    if (this.#blocked) return;
    if (bytes.bufferedAmount < this.#owner.highWaterMark) return this.#write();
    // What isn't taken from the protocol stays exact there, and pongs don't pile up.
    this.#blocked = true;
    bytes.ready.then(() => {
      this.#blocked = false;
      this.#write();
    });
  }

  #write(): void {
    const protocol = this.#protocol;
    if (protocol === null || protocol.outputSize === 0) return;
    const { bytes } = this;
    const { outputSize, payloadSize } = protocol;
    if (bytes.write(protocol.takeOutput())) {
      const buffered = bytes.bufferedAmount;
      // Also releases what earlier writes held, even if the amount is never read.
      this.#inFlight.payload(buffered);
      this.#inFlight.add(outputSize, buffered === 0 ? 0 : payloadSize);
      if (protocol.sentClose !== null) this.#inFlight.addClose();
    } else this.#lost += payloadSize;
    if (bytes.releasesChunks) this.#giveBack(protocol);
    if (this.#owner.outgoing.isWaitedFor) this.watch();
  }

  /** What is handed on is written to again; a connection that falls silent holds no buffer. */
  #giveBack(protocol: Protocol): void {
    const kept = this.bytes.bufferedAmount;
    protocol.giveBack(kept);
    if (kept === 0 || this.#lending) return;
    this.#lending = true;
    this.bytes.flush().then(() => {
      this.#lending = false;
      // What a socket that has ended counts means nothing.
      if (this.#owner.state !== "closed") protocol.giveBack(this.bytes.bufferedAmount);
    });
  }

  /** Somebody waits for the amount to fall. */
  watch(): void {
    const { outgoing } = this.#owner;
    outgoing.drained();
    if (!outgoing.isWaitedFor || this.#watching) return;
    this.#watching = true;
    this.bytes.ready.then(() => {
      this.#watching = false;
      outgoing.drained();
      if (outgoing.isWaitedFor && this.#owner.state !== "closed") this.#watchLater();
    });
  }

  /** There is room, but not as much as somebody waits for. */
  #watchLater(): void {
    if (this.#watching) return;
    this.#watching = true;
    const { written } = this.#inFlight;
    this.bytes.flush().then(() => {
      this.#watching = false;
      this.#owner.outgoing.drained();
      // What isn't written yet is watched when it is; a sink that has ended would be asked for ever.
      const more = this.#inFlight.written > written;
      if (more && this.#owner.state !== "closed") this.watch();
    });
  }

  // Backpressure.

  /** Nothing more is to be read, as far as that can be helped. */
  pause(): void {
    if (this.#draining) return;
    this.#reading = false;
    this.#protocol?.pause();
    this.bytes.pause();
  }

  /** Goes on reading. */
  resume(): void {
    if (this.#reading) return;
    this.#reading = true;
    // While nothing was read the peer could not show that it lives.
    this.#keepalive?.heard();
    if (!this.#behind) this.bytes.resume();
    this.#protocol?.resume();
    this.#regulate();
  }

  /** Reads what is left, which a reader that makes no room must not hide. */
  drain(): void {
    this.#draining = true;
    this.resume();
  }

  // Pings.

  get isReading(): boolean {
    return this.#reading && !this.#behind;
  }

  /** The latest round trip's time, in milliseconds; `null` before the first. */
  get latency(): number | null {
    return this.#keepalive?.latency ?? null;
  }

  /** Pings regularly. */
  keepAlive(times: KeepaliveTimes): void {
    this.#keepalive = new Keepalive(this, this.#owner.clock, times);
    this.#keepalive.start();
  }

  /** See {@linkcode WebSocketChannel.ping}. */
  ping(): Promise<number> {
    return (this.#keepalive ??= new Keepalive(this, this.#owner.clock, NEVER)).ping();
  }

  /** No more pings, and no more answers. */
  stopPings(): void {
    this.#keepalive?.stop();
  }

  sendPing(payload: Uint8Array): void {
    this.#protocol?.ping(payload);
  }

  onDead(): void {
    this.#owner.onDead();
  }
}
