/**
 * A WebSocket connection as a value: bytes in, messages out, and back
 * ({@link https://www.rfc-editor.org/rfc/rfc6455#section-5 RFC 6455 §5–§7}). It owns no socket and no
 * timer; its owner carries the bytes.
 *
 * @module
 */

import { type CloseFrame, decodeClose, encodeClose } from "./close_frame.ts";
import { ConnectionLifecycle, type ConnectionState } from "./connection_state.ts";
import type { Failure } from "./failure.ts";
import {
  BINARY,
  CLOSE,
  FIN,
  MAX_CONTROL_PAYLOAD,
  PING,
  PONG,
  RSV1,
  type Side,
  TEXT,
} from "./frame.ts";
import { FrameReader } from "./frame_reader.ts";
import { FrameWriter } from "./frame_writer.ts";
import type { MaskingKeySource } from "./mask.ts";
import { MessageAssembler, type MessageEvents } from "./message_assembler.ts";
import type { MessageDeflate } from "./message_deflate.ts";
import type { PreparedMessage } from "./prepared_message.ts";
import { lengthOf, plainBytes } from "../realm/bytes.ts";
import type { WorkBudget } from "./work_budget.ts";

/**
 * What a {@linkcode Protocol} tells its owner, synchronously. All but `onOutput` and `onUnblocked` are
 * called from within {@linkcode Protocol.receive}, {@linkcode Protocol.resume} or
 * {@linkcode Protocol.proceed} only, or when a message is decompressed that took long; and never one
 * from within the other.
 *
 * A method may call anything of the protocol. One that throws harms nothing: the error comes out of
 * the call that led to it, and the bytes behind the frame are read by the next `receive` or `resume`.
 */
export interface ProtocolEvents {
  /**
   * A message is in.
   *
   * @param message Text, a BOM included; or bytes, which may be a view of a larger buffer.
   */
  onMessage(message: string | Uint8Array): void;

  /**
   * A Ping is in. Its Pong is on its way already.
   *
   * @param payload 0–125 bytes.
   */
  onPing?(payload: Uint8Array): void;

  /**
   * A Pong is in, asked for or not.
   *
   * @param payload 0–125 bytes.
   */
  onPong(payload: Uint8Array): void;

  /**
   * The peer's Close, or its fault, is in: nothing more is received.
   *
   * @returns `false` to leave the connection open for sending until {@linkcode Protocol.conclude}.
   * Left out: it ends at once.
   */
  onEnding?(): boolean;

  /**
   * The peer's Close is in and, unless ours was first, answered: the state is `"closed"`.
   *
   * @param code The close code; 1005 when the frame held none.
   * @param reason The close reason.
   */
  onClose(code: number, reason: string): void;

  /**
   * The peer broke a rule, and the connection was failed (RFC 6455 §7.1.7): the state is `"closed"`.
   *
   * @param code The close code that went out, unless a Close had gone out before.
   * @param reason The phrase that went with it.
   */
  onFailure(code: number, reason: string): void;

  /** There is output, and there was none: {@linkcode Protocol.takeOutput} it. */
  onOutput(): void;

  /** The message that {@linkcode Protocol.isBusy} reported has ended: call {@linkcode Protocol.proceed}, later. */
  onUnblocked?(): void;
}

/** What a {@linkcode Protocol} needs to know. */
export interface ProtocolOptions {
  /** Which end this is. */
  readonly side: Side;

  /** Where the masking keys come from; only a client asks for them, one a frame. */
  readonly maskingKeys: MaskingKeySource;

  /**
   * The largest message to receive, in bytes, before and after decompressing: 1 to `Infinity`. In
   * any case it is no more than 512 MiB less 24 bytes, the longest string that JavaScript engines
   * agree on. A larger message fails the connection with 1009.
   */
  readonly maxMessageSize: number;

  /** Compression, when permessage-deflate was agreed. */
  readonly deflate?: MessageDeflate | undefined;

  /**
   * Whether chunks given to {@linkcode Protocol.receive} are given away: they are unmasked in place,
   * and messages are views of them. Otherwise they are copied, and not kept.
   */
  readonly ownsChunks?: boolean | undefined;

  /** Whether {@linkcode Protocol.giveBack} will be called. */
  readonly recycles?: boolean | undefined;

  /**
   * What the work that the peer causes is taken from. When it is spent, nothing is read until the
   * owner calls {@linkcode Protocol.proceed} with more. Left out: there is no limit.
   */
  readonly budget?: WorkBudget | undefined;
}

/** How to send one message. */
export interface SendOptions {
  /** `false` sends this message uncompressed, where compression was agreed (RFC 7692 §6). */
  readonly compress?: boolean | undefined;
}

/** The longest string in V8, rounded down to what every engine can do. */
const LARGEST_MESSAGE = 2 ** 29 - 24;

/** What a message costs beside its bytes, and what compressing a byte does. Measured. */
const MESSAGE_COST = 0x200;
const COMPRESSED_BYTE_COST = 8;

/** How many Pongs may wait to be taken, beside the latest. */
const MAX_PONGS = 64;

const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();

/**
 * One end of a WebSocket connection whose opening handshake is done.
 *
 * The owner gives it what arrives, with {@linkcode receive}, and writes what
 * {@linkcode takeOutput} gives. When the state is `"closed"` and the output is taken there is nothing
 * left to do but to end the transport: a server at once, a client when the server has
 * (RFC 6455 §7.1.1).
 */
export class Protocol implements MessageEvents {
  readonly #events: ProtocolEvents;
  readonly #deflate: MessageDeflate | null;
  readonly #lifecycle: ConnectionLifecycle = new ConnectionLifecycle();
  readonly #assembler: MessageAssembler;
  readonly #reader: FrameReader;
  readonly #writer: FrameWriter;

  /** The payload of a Pong that had no room among those that wait, or `null`. */
  #pong: Uint8Array | null = null;
  /** How many Pongs were written and not taken. */
  #pongs = 0;
  #cost = 0;
  #payloadSize = 0;
  #sentClose: CloseFrame | null = null;
  #receivedClose: CloseFrame | null = null;
  /** What the peer's Close, or its fault, still has to bring about. */
  #ending: (() => void) | null = null;

  /**
   * Makes one end of a connection, in state `"open"`.
   *
   * @param options What to know.
   * @param events What is told.
   */
  constructor(options: ProtocolOptions, events: ProtocolEvents) {
    const { side, maskingKeys, maxMessageSize, deflate = null, ownsChunks = false } = options;
    const { budget = { left: Infinity } } = options;
    this.#events = events;
    this.#deflate = deflate;
    this.#writer = new FrameWriter(
      side === "client" ? maskingKeys : null,
      options.recycles ?? false,
    );
    this.#assembler = new MessageAssembler({
      side,
      maxMessageSize: Math.min(maxMessageSize, LARGEST_MESSAGE),
      deflate,
      budget,
    }, this);
    this.#reader = new FrameReader(this.#assembler, ownsChunks, budget);
  }

  /** The state of the connection. */
  get state(): ConnectionState {
    return this.#lifecycle.state;
  }

  /** What our Close frame said, or `null` when none was sent. */
  get sentClose(): CloseFrame | null {
    return this.#sentClose;
  }

  /** What the peer's Close frame said, or `null` when none was received. */
  get receivedClose(): CloseFrame | null {
    return this.#receivedClose;
  }

  /** How many bytes were received and wait to be read. */
  get pendingInput(): number {
    return this.#reader.pending;
  }

  /**
   * Whether input waits although it isn't paused: for the budget, until {@linkcode proceed}, or for a
   * message that is {@linkcode isBusy being decompressed}. Stop the transport meanwhile.
   */
  get isBehind(): boolean {
    return this.#reader.isBehind;
  }

  /** Whether a message is being decompressed that takes long. `onUnblocked` tells when it is done. */
  get isBusy(): boolean {
    return this.#reader.isBusy;
  }

  /** How many bytes wait to be taken. */
  get outputSize(): number {
    return this.#writer.size + this.#pongSize();
  }

  /** How many bytes of messages wait to be taken: as the user gave them, before any compressing. */
  get payloadSize(): number {
    return this.#payloadSize;
  }

  /**
   * What it took to make the messages that wait to be taken, in bytes that could have been copied
   * and masked meanwhile.
   */
  get outputCost(): number {
    return this.#cost;
  }

  /**
   * Reads what arrived. It never throws for what a peer does; after the peer's Close, or a failure,
   * it ignores everything. Called from within an event it queues the chunk behind the one in hand.
   *
   * @param chunk The bytes, as the transport happened to deliver them.
   */
  receive(chunk: Uint8Array): void {
    this.#reader.receive(chunk);
  }

  /**
   * Stops reading behind the frame in hand: from within `onMessage`, no further message comes.
   * Control frames aren't seen either. What arrives is kept, as bytes: stop the transport before
   * {@linkcode pendingInput} is too much.
   */
  pause(): void {
    this.#reader.pause();
  }

  /** Goes on reading, synchronously. After {@linkcode close} call it, or the peer's Close isn't seen. */
  resume(): void {
    this.#reader.resume();
  }

  /** Goes on reading what waits for the budget, synchronously; unless paused. */
  proceed(): void {
    this.#reader.proceed();
  }

  /**
   * The transport has ended, or failed: nothing is read or sent any more, and no event is told. With
   * no {@linkcode receivedClose} this is what 1006 means (RFC 6455 §7.1.5). What waits to be read is
   * dropped, so {@linkcode resume} first.
   */
  end(): void {
    this.#lifecycle.apply("end");
    this.#ending = null;
    this.#stop();
  }

  /** Ends the connection, if the peer's Close or its fault is in and `onEnding` returned `false`. */
  conclude(): void {
    const ending = this.#ending;
    this.#ending = null;
    ending?.();
  }

  /**
   * Sends a text message.
   *
   * @param text The text; lone surrogates become U+FFFD.
   * @param options How to send it.
   * @returns `false` when nothing may be sent any more; the message is dropped.
   */
  sendText(text: string, options?: SendOptions): boolean {
    if (this.#lifecycle.state !== "open") return false;
    const idle = this.outputSize === 0;
    this.#cost += MESSAGE_COST + text.length;
    if (this.#deflate === null || options?.compress === false) {
      this.#payloadSize += this.#writer.writeText(FIN | TEXT, text);
    } else {
      const payload = encoder.encode(text);
      this.#payloadSize += payload.length;
      this.#writeCompressed(this.#deflate, FIN | TEXT, payload);
    }
    if (idle) this.#events.onOutput();
    return true;
  }

  /**
   * Sends a binary message.
   *
   * @param bytes The payload, as `bytesOf` gives it. It is read before this returns, never written
   * to, and not kept.
   * @param options How to send it.
   * @returns `false` when nothing may be sent any more; the message is dropped.
   */
  sendBinary(bytes: Uint8Array, options?: SendOptions): boolean {
    if (this.#lifecycle.state !== "open") return false;
    const idle = this.outputSize === 0;
    const length = lengthOf(bytes);
    this.#cost += MESSAGE_COST + length;
    this.#payloadSize += length;
    if (this.#deflate === null || options?.compress === false) {
      this.#writer.write(FIN | BINARY, bytes);
    } else {
      this.#writeCompressed(this.#deflate, FIN | BINARY, plainBytes(bytes));
    }
    if (idle) this.#events.onOutput();
    return true;
  }

  /**
   * Sends a message that goes to other connections as well. For servers only: a client's frames are
   * masked, each with a key of its own.
   *
   * @param message The message.
   * @param options How to send it.
   * @returns `false` when nothing may be sent any more; the message is dropped.
   */
  sendPrepared(message: PreparedMessage, options?: SendOptions): boolean {
    if (this.#lifecycle.state !== "open") return false;
    const idle = this.outputSize === 0;
    const deflate = options?.compress === false ? undefined : this.#deflate?.shared;
    const compressed = deflate === undefined ? null : message.compressedFrame(deflate);
    const frame = compressed ?? message.frame;
    this.#cost += MESSAGE_COST + frame.length;
    this.#payloadSize += message.size;
    this.#writer.writeEncoded(frame);
    if (compressed !== null) deflate?.onSent();
    if (idle) this.#events.onOutput();
    return true;
  }

  /**
   * Sends a Ping.
   *
   * @param payload 0–125 bytes.
   * @returns `false` when nothing may be sent any more.
   * @throws {RangeError} When the payload is longer.
   */
  ping(payload: Uint8Array = EMPTY): boolean {
    return this.#sendControl(PING, payload);
  }

  /**
   * Sends a Pong that nobody asked for (RFC 6455 §5.5.3). Pings are answered without this.
   *
   * @param payload 0–125 bytes.
   * @returns `false` when nothing may be sent any more.
   * @throws {RangeError} When the payload is longer.
   */
  pong(payload: Uint8Array = EMPTY): boolean {
    return this.#sendControl(PONG, payload);
  }

  /**
   * Begins the closing handshake: sends a Close. From now on messages that arrive are dropped, and
   * only the peer's Close, its Pings and its Pongs are still looked at.
   *
   * @param code The close code; left out, the frame holds none.
   * @param reason The close reason, at most 123 bytes of UTF-8.
   * @returns `false` when a Close was sent or received before, or the connection failed.
   * @throws {RangeError} When the code may not be sent, or the reason is too long or without a code.
   */
  close(code?: number, reason?: string): boolean {
    const payload = encodeClose(code, reason);
    if (this.#lifecycle.state !== "open") return false;
    const { close } = decodeClose(payload);
    this.#lifecycle.apply("sendClose");
    this.#assembler.drop();
    this.#sendClose(payload, close);
    return true;
  }

  /**
   * Takes all the output. It may be kept as long as need be, but a small chunk keeps up to 64 KiB
   * alive: take it when it can be written, not to queue it.
   *
   * @returns The chunks to write, in order. They aren't written to until they are given back.
   */
  takeOutput(): Uint8Array[] {
    this.#flushPong();
    this.#pongs = 0;
    this.#cost = 0;
    this.#payloadSize = 0;
    return this.#writer.take();
  }

  /**
   * Gives back what was taken and handed on: its memory will be written to again.
   *
   * @param kept How many of the bytes taken, the last ones, aren't handed on yet.
   */
  giveBack(kept: number): void {
    this.#writer.giveBack(kept);
  }

  #writeCompressed(deflate: MessageDeflate, flags: number, payload: Uint8Array): void {
    this.#cost += COMPRESSED_BYTE_COST * payload.length;
    const compressed = deflate.compress(payload);
    if (compressed === null) this.#writer.write(flags, payload);
    else this.#writer.write(flags | RSV1, compressed);
  }

  #sendControl(opcode: number, payload: Uint8Array): boolean {
    const length = lengthOf(payload);
    if (length > MAX_CONTROL_PAYLOAD) {
      throw new RangeError(
        `Sending a control frame failed, it has more than ${MAX_CONTROL_PAYLOAD} bytes: ${length}`,
      );
    }
    if (this.#lifecycle.state !== "open") return false;
    const idle = this.outputSize === 0;
    this.#writer.write(FIN | opcode, payload);
    if (idle) this.#events.onOutput();
    return true;
  }

  // What the assembler tells.

  /** A whole message is in. */
  onMessage(message: string | Uint8Array): void {
    this.#events.onMessage(message);
  }

  /** A whole control frame is in. */
  onControl(opcode: number, payload: Uint8Array): void {
    if (opcode === PING) this.#onPing(payload);
    else if (opcode === PONG) this.#events.onPong(payload);
    else this.#onClose(payload);
  }

  /**
   * RFC 6455 §5.5.2: a Ping is answered unless a Close was received, so also after our own Close.
   * Each gets its Pong, in its place among the messages, as peers expect; but RFC 6455 §5.5.3: only
   * the most recent Ping need be answered. So few Pongs ever wait, however many Pings come while the
   * peer takes nothing.
   */
  #onPing(payload: Uint8Array): void {
    const idle = this.outputSize === 0;
    if (this.#pongs < MAX_PONGS) {
      this.#pongs++;
      this.#writer.write(FIN | PONG, payload);
    } else this.#pong = payload;
    if (idle) this.#events.onOutput();
    this.#events.onPing?.(payload);
  }

  #onClose(payload: Uint8Array): void {
    const { close, failure } = decodeClose(payload);
    if (close === null) return this.onFailure(failure);
    this.#endWith(() => {
      const answer = this.#lifecycle.state === "open";
      this.#receivedClose = close;
      this.#lifecycle.apply("receiveClose");
      if (answer) this.#sendClose(payload, close);
      this.#events.onClose(close.code, close.reason);
    });
  }

  /** A message takes long to decompress. */
  onUnfinished(): void {
    this.#reader.block();
  }

  /** It is decompressed, or isn't wanted any more. */
  onFinished(): void {
    this.#reader.unblock();
    if (!this.#reader.isStopped) this.#events.onUnblocked?.();
  }

  /** A rule was broken. */
  onFailure(failure: Failure): void {
    const { code, reason } = failure;
    this.#endWith(() => {
      const tell = this.#lifecycle.state === "open";
      this.#lifecycle.apply("fail");
      if (tell) this.#sendClose(encodeClose(code, reason), failure);
      this.#events.onFailure(code, reason);
    });
  }

  #endWith(ending: () => void): void {
    this.#stop();
    this.#ending = ending;
    if (this.#events.onEnding?.() !== false) this.conclude();
  }

  /** The last frame of this end, but for Pongs. */
  #sendClose(payload: Uint8Array, close: CloseFrame | null): void {
    const idle = this.outputSize === 0;
    this.#flushPong();
    this.#sentClose = close;
    this.#writer.write(FIN | CLOSE, payload);
    if (idle) this.#events.onOutput();
  }

  #pongSize(): number {
    const pong = this.#pong;
    return pong === null ? 0 : this.#writer.sizeOf(pong);
  }

  #flushPong(): void {
    if (this.#pong === null) return;
    this.#writer.write(FIN | PONG, this.#pong);
    this.#pong = null;
  }

  #stop(): void {
    this.#reader.stop();
    this.#assembler.drop();
  }
}
