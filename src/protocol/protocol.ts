/**
 * A WebSocket connection as a value: bytes in, messages out, and back
 * ({@link https://www.rfc-editor.org/rfc/rfc6455#section-5 RFC 6455 §5–§7}). It owns no socket and no
 * timer; its owner carries the bytes.
 *
 * It is long because a message passes through this one object: another would cost a call for each message.
 *
 * @module
 */

import { messageTooBig } from "../../status.ts";
import { ByteQueue } from "./byte_queue.ts";
import { type CloseFrame, decodeClose, encodeClose } from "./close_frame.ts";
import { type ConnectionState, stateAfter } from "./connection_state.ts";
import { BAD_UTF8, type Failure, MESSAGE_TOO_BIG } from "./failure.ts";
import {
  BINARY,
  checkHeader,
  CLOSE,
  COMPRESSIBLE,
  CONTINUATION,
  decodeHeader,
  FIN,
  FrameHeader,
  MAX_CONTROL_PAYLOAD,
  PEER_MASKS,
  PING,
  PONG,
  RSV1,
  TEXT,
  UNFINISHED,
} from "./frame.ts";
import { applyMask, type MaskingKeySource } from "./mask.ts";
import { InflatingLarge, LargeMessage, type LargeMessageEvents } from "./large_message.ts";
import { inflateFailure, type MessageDeflate } from "./message_deflate.ts";
import { Output } from "./output.ts";
import {
  FrameInPieces,
  InflatingMessage,
  joinHeader,
  MessageInPieces,
  type MessageOptions,
  type PayloadTarget,
} from "./pieces.ts";
import type { PreparedMessage } from "./prepared_message.ts";
import type { Fragment, ProtocolEvents, ProtocolOptions, SendOptions } from "./protocol_events.ts";
import { bytesOf, copyOf, countBytes, lengthOf, ownBytes, plainBytes } from "../realm/bytes.ts";
import { decodeInvalid, decodeWithin, type InvalidText } from "./utf8.ts";
import { CONTROL_COST, FRAME_COST, LARGEST_PIECE, type WorkBudget } from "./work_budget.ts";

/** The longest string in V8, rounded down to what every engine can do. */
const LARGEST_MESSAGE = 2 ** 29 - 24;

/** What a message costs beside its bytes, and what compressing a byte does. Measured. */
const MESSAGE_COST = 0x200;
const COMPRESSED_BYTE_COST = 8;

/** Why nothing is read, as bits of a number. */
const PAUSED = 1;
const BUSY = 2;
const STOPPED = 4;

// What is so of a connection, as bits of a number: an idle one is to take little memory.
const READING = 1;
/** The chunks that are received are its own. */
const OWNS_CHUNKS = 2;
const AUTO_PONG = 4;
/** Chunks of output are released. */
const RECYCLES = 8;
/** Messages that are received are wanted. */
const TAKES = 16;
/** They are so behind our Close. */
const TAKES_AFTER_CLOSE = 32;
/** Each binary message gets a buffer of its own. */
const OWN_BUFFERS = 64;

/** What is known of the end of a connection. */
class End {
  sent: CloseFrame | null = null;
  received: CloseFrame | null = null;
  /** What the peer's Close, or its fault, still has to bring about. */
  pending: (() => void) | null = null;
}

const EMPTY = new Uint8Array(0);
const UNLIMITED: WorkBudget = { left: Infinity };
const encoder = new TextEncoder();

/** The header that was decoded last: of no use after anything is called that may decode another. */
const HEADER = new FrameHeader();

/**
 * One end of a WebSocket connection whose opening handshake is done.
 *
 * The owner passes received bytes to {@linkcode receive}, and writes the bytes that
 * `output.takeChunk()` or `output.takeAll()` returns. When the state is `"closed"` and the output
 * is taken, the owner ends the transport: a server at once, a client when the server has
 * (RFC 6455 §7.1.1).
 */
export class Protocol {
  readonly #events: ProtocolEvents;
  /** The masking keys of a client. */
  readonly #keys: MaskingKeySource | null;
  /**
   * The {@linkcode output}, for its owner to read; `null` where nothing is to be sent, and everything that was taken
   * was released.
   */
  pendingOutput: Output | null = null;
  readonly #budget: WorkBudget;
  #state: ConnectionState = "open";

  // What each message needs that is received. The owner's chunks are read in place; only what can't
  // be read at once is kept, in objects that are created for it.

  /** How much of the chunk in hand is read. */
  #at = 0;
  /** What of `PAUSED`, `BUSY` and `STOPPED` is so. */
  #halted = 0;
  /** What of `READING` and those behind it is so. */
  #flags: number;
  readonly #invalidText: InvalidText;
  /** What headers are judged by. */
  #context: number;
  readonly #maxSize: number;
  /** A message of more bytes comes in parts. */
  readonly #largerThan: number;
  /** A frame of more bytes isn't delivered in one piece of work. */
  readonly #largestWhole: number;
  readonly #deflate: MessageDeflate | null;

  /** Bytes that wait to be read. */
  #input: ByteQueue | null = null;
  /** A header that isn't whole. */
  #head: Uint8Array | null = null;
  /** A frame whose payload isn't whole. It may be a control frame between the pieces of a message. */
  #frame: FrameInPieces | null = null;
  /** A message that isn't whole. */
  #message: MessageInPieces | LargeMessage | InflatingLarge | null = null;
  /** A message that is being decompressed. */
  #inflating: InflatingMessage | InflatingLarge | null = null;

  /** What there is of an end; `null` before there is any. */
  #end: End | null = null;

  /**
   * Creates one end of a connection, in state `"open"`.
   *
   * @param options Which end, and its limits.
   * @param events Its owner.
   */
  constructor(options: ProtocolOptions, events: ProtocolEvents) {
    const { side, maskingKeys, maxMessageSize, deflate = null } = options;
    this.#events = events;
    this.#deflate = deflate;
    this.#budget = options.budget ?? UNLIMITED;
    const largerThan = this.#largerThan = options.streamLargerThan ?? Infinity;
    const largest = largerThan < Infinity ? Number.MAX_SAFE_INTEGER : LARGEST_MESSAGE;
    this.#maxSize = Math.min(maxMessageSize, largest);
    this.#largestWhole = Math.min(LARGEST_PIECE, largerThan);
    this.#context = (side === "server" ? PEER_MASKS : 0) | (deflate === null ? 0 : COMPRESSIBLE);
    this.#invalidText = options.invalidText ?? "fail";
    this.#keys = side === "client" ? maskingKeys : null;
    this.#flags = TAKES | (options.ownsChunks ? OWNS_CHUNKS : 0) |
      (options.autoPong === false ? 0 : AUTO_PONG) | (options.recycles ? RECYCLES : 0) |
      (options.takesAfterClose ? TAKES_AFTER_CLOSE : 0) | (options.ownBuffers ? OWN_BUFFERS : 0);
  }

  #is(flag: number): boolean {
    return (this.#flags & flag) !== 0;
  }

  /** What is to be sent: the owner takes it, and then calls {@linkcode releaseOutput}. */
  get output(): Output {
    return this.pendingOutput ??= Output.take(this.#keys, (this.#flags & RECYCLES) !== 0);
  }

  /** Lets the {@linkcode output} serve other connections if this one doesn't need it now: an idle one holds none. */
  releaseOutput(): void {
    const output = this.pendingOutput;
    if (output === null || !output.isUnused) return;
    this.pendingOutput = null;
    Output.release(output);
  }

  /** The state of the connection. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** What our Close frame said, or `null` when none was sent. */
  get sentClose(): CloseFrame | null {
    return this.#end === null ? null : this.#end.sent;
  }

  /** What the peer's Close frame said, or `null` when none was received. */
  get receivedClose(): CloseFrame | null {
    return this.#end === null ? null : this.#end.received;
  }

  /** How many bytes were received and wait to be read. */
  get pendingInput(): number {
    return this.#input === null ? 0 : this.#input.size;
  }

  /**
   * Whether input waits although it isn't paused: for the budget, until {@linkcode proceed}, or for a
   * message that is {@linkcode isBusy being decompressed}. Stop the transport meanwhile.
   */
  get isBehind(): boolean {
    return this.isBusy || (this.#halted === 0 && this.pendingInput > 0);
  }

  /** Whether a message is being decompressed that takes long. `onUnblocked` tells when it is done. */
  get isBusy(): boolean {
    return (this.#halted & BUSY) !== 0;
  }

  /**
   * Reads what arrived. It never throws for what a peer does; after the peer's Close, or a failure,
   * it ignores everything. Called from within an event it queues the chunk behind the one in hand.
   *
   * @param chunk The bytes, as the transport happened to deliver them.
   */
  receive(chunk: Uint8Array): void {
    if ((this.#halted & STOPPED) !== 0) return;
    const mayRead = (this.#flags & READING) === 0 && this.#halted === 0 && this.#budget.left > 0;
    if (mayRead && this.#input === null) this.#read(chunk, (this.#flags & OWNS_CHUNKS) !== 0);
    else (this.#input ??= new ByteQueue()).push(chunk, this.#is(OWNS_CHUNKS));
    if (this.#input !== null) this.proceed();
  }

  /**
   * Stops reading behind the frame in hand: from within `onMessage`, no further message comes.
   * Control frames aren't seen either. What arrives is kept, as bytes: stop the transport before
   * {@linkcode pendingInput} is too much.
   */
  pause(): void {
    this.#halted |= PAUSED;
    if (this.#inflating instanceof InflatingLarge) this.#inflating.inflater?.pause();
  }

  /** Goes on reading, synchronously. After {@linkcode close} call it, or the peer's Close isn't seen. */
  resume(): void {
    this.#halted &= ~PAUSED;
    if (this.#inflating instanceof InflatingLarge) this.#inflating.inflater?.resume();
    this.proceed();
  }

  /** Reports no more parts of the large message that is arriving: only its end. */
  skip(): void {
    const message = this.#inflating ?? this.#message;
    if (message instanceof LargeMessage || message instanceof InflatingLarge) message.skip();
  }

  /** Drops messages from now on: only the peer's Close, its Pings and its Pongs are still looked at. */
  drop(): void {
    this.#drop();
  }

  /** Goes on reading what waits for the budget, synchronously; unless paused. */
  proceed(): void {
    while (!this.#is(READING) && this.#halted === 0 && this.#input !== null) {
      if (this.#input.size === 0) this.#input = null;
      else if (this.#budget.left > 0) this.#read(this.#input.shift(), true);
      else return;
    }
  }

  /**
   * The transport has ended, or failed: nothing is read or sent any more, and no event is emitted. With
   * no {@linkcode receivedClose} this is what 1006 means (RFC 6455 §7.1.5). What waits to be read is
   * dropped, so {@linkcode resume} first.
   */
  end(): void {
    this.#state = stateAfter(this.#state, "end");
    if (this.#end !== null) this.#end.pending = null;
    this.#stop();
  }

  /** Ends the connection, if the peer's Close or its fault is in and `onEnding` returned `false`. */
  conclude(): void {
    if (this.#end === null) return;
    const { pending } = this.#end;
    this.#end.pending = null;
    pending?.();
  }

  /**
   * Sends a text message.
   *
   * @param text The text; lone surrogates become U+FFFD.
   * @param options How to send it.
   * @returns `false` when nothing may be sent any more; the message is dropped.
   */
  sendText(text: string, options?: SendOptions): boolean {
    if (this.#state !== "open") return false;
    const output = this.output;
    const isIdle = output.isEmpty;
    output.cost += MESSAGE_COST + text.length;
    if (this.#deflate === null || options?.compress === false) {
      output.payloadSize += output.writeText(FIN | TEXT, text);
    } else {
      const payload = encoder.encode(text);
      output.payloadSize += payload.length;
      this.#writeCompressed(this.#deflate, FIN | TEXT, payload);
    }
    if (isIdle) this.#events.onOutput();
    return true;
  }

  /**
   * Sends a binary message.
   *
   * @param value The payload, of any kind and realm. It is read before this returns, never written to,
   * and not kept.
   * @param options How to send it.
   * @returns `false` when nothing may be sent any more; the message is dropped.
   * @throws {TypeError} When the bytes are gone: their buffer is detached.
   */
  sendBinary(value: ArrayBuffer | ArrayBufferView, options?: SendOptions): boolean {
    const count = countBytes(value);
    // Counted once: nearly all messages are arrays of bytes.
    const bytes = count > 0 ? value as Uint8Array : bytesOf(value);
    const length = count > 0 ? count : lengthOf(bytes);
    if (this.#state !== "open") return false;
    const output = this.output;
    const isIdle = output.isEmpty;
    if (this.#deflate === null || options?.compress === false) {
      output.write(FIN | BINARY, bytes, length);
    } else {
      this.#writeCompressed(this.#deflate, FIN | BINARY, plainBytes(bytes));
    }
    output.cost += MESSAGE_COST + length;
    output.payloadSize += length;
    if (isIdle) this.#events.onOutput();
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
    if (this.#state !== "open") return false;
    const output = this.output;
    const isIdle = output.isEmpty;
    const deflate = options?.compress === false ? undefined : this.#deflate?.shared;
    const compressed = deflate === undefined ? null : message.compressedFrame(deflate);
    const frame = compressed ?? message.frame;
    output.cost += MESSAGE_COST + frame.length;
    output.payloadSize += message.size;
    output.writeEncoded(frame);
    if (compressed !== null) deflate?.onSent();
    if (isIdle) this.#events.onOutput();
    return true;
  }

  /**
   * Sends a fragment of a message. Between its first and its last one nothing may be sent but fragments of it, and
   * control frames (RFC 6455 §5.4).
   *
   * @param payload What it holds; text as UTF-8, which may end within a code point.
   * @param fragment See {@linkcode Fragment}.
   * @returns `false` when nothing may be sent any more; it is dropped.
   */
  sendFragment(payload: Uint8Array, { opcode, fin, compress }: Fragment): boolean {
    if (this.#state !== "open") return false;
    const { length } = payload;
    const { output } = this;
    const isIdle = output.isEmpty;
    const flags = fin ? FIN | opcode : opcode;
    const compressed = compress ? this.#deflate?.compressFragment?.(payload) ?? null : null;
    output.cost += MESSAGE_COST + length;
    output.payloadSize += length;
    if (compressed === null) output.write(flags, payload, length);
    else {
      output.cost += COMPRESSED_BYTE_COST * length;
      // RFC 7692 §6.1: only the first fragment has the bit.
      output.write(opcode === CONTINUATION ? flags : flags | RSV1, compressed, compressed.length);
    }
    if (isIdle) this.#events.onOutput();
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
   * Sends an unsolicited Pong (RFC 6455 §5.5.3). Pings are answered without this.
   *
   * @param payload 0–125 bytes.
   * @returns `false` when nothing may be sent any more.
   * @throws {RangeError} When the payload is longer.
   */
  pong(payload: Uint8Array = EMPTY): boolean {
    return this.#sendControl(PONG, payload);
  }

  /**
   * Begins the closing handshake: sends a Close. From now on messages that arrive are dropped, unless
   * the option `takesAfterClose` is set, and only the peer's Close, its Pings and its Pongs are still
   * looked at.
   *
   * @param code The close code; left out, the frame holds none.
   * @param reason The close reason, at most 123 bytes of UTF-8.
   * @returns `false` when a Close was sent or received before, or the connection failed.
   * @throws {RangeError} When the code may not be sent, or the reason is too long or without a code.
   */
  close(code?: number, reason?: string): boolean {
    const payload = encodeClose(code, reason);
    if (this.#state !== "open") return false;
    const { close } = decodeClose(payload);
    this.#state = stateAfter(this.#state, "sendClose");
    if (!this.#is(TAKES_AFTER_CLOSE)) this.#drop();
    this.#sendClose(payload, close);
    return true;
  }

  #writeCompressed(deflate: MessageDeflate, flags: number, payload: Uint8Array): void {
    this.output.cost += COMPRESSED_BYTE_COST * payload.length;
    const compressed = deflate.compress(payload);
    if (compressed === null) this.output.write(flags, payload, payload.length);
    else this.output.write(flags | RSV1, compressed, compressed.length);
  }

  #sendControl(opcode: number, payload: Uint8Array): boolean {
    const length = lengthOf(payload);
    if (length > MAX_CONTROL_PAYLOAD) {
      throw new RangeError(
        `Sending a control frame failed, it has more than ${MAX_CONTROL_PAYLOAD} bytes: ${length}`,
      );
    }
    if (this.#state !== "open") return false;
    const isIdle = this.output.isEmpty;
    this.output.write(FIN | opcode, payload, length);
    if (isIdle) this.#events.onOutput();
    return true;
  }

  // Reading.

  #mayReadOn(chunk: Uint8Array): boolean {
    return this.#at < chunk.length && this.#halted === 0 && this.#budget.left > 0;
  }

  /**
   * Reads all frames of a chunk in one loop, as long as it may. What an event throws comes out of the
   * call that led to it, and the bytes behind that frame are kept for the next call.
   */
  #read(chunk: Uint8Array, owned: boolean): void {
    let bytes = chunk;
    let mine = owned;
    let { length } = chunk;
    this.#flags |= READING;
    this.#at = 0;
    try {
      while (this.#frame !== null && this.#mayReadOn(bytes)) {
        this.#continueFrame(this.#frame, bytes);
      }
      if (!mine && this.#at < bytes.length) {
        bytes = copyOf(bytes.subarray(this.#at));
        mine = true;
        this.#at = 0;
        ({ length } = bytes);
      }
      while (this.#mayReadOn(bytes)) this.#next(bytes);
    } finally {
      this.#flags &= ~READING;
      // A message is a view of the chunk: that keeps the buffer and the bytes behind it.
      if (bytes.length < length && this.#at < length) this.#loseInput();
      else if (this.#at < bytes.length && (this.#halted & STOPPED) === 0) {
        (this.#input ??= new ByteQueue()).unshift(bytes.subarray(this.#at), mine);
      }
    }
  }

  #loseInput(): void {
    this.#stop();
    this.#events.onInputLost?.();
  }

  #next(chunk: Uint8Array): void {
    if (this.#frame !== null) return this.#continueFrame(this.#frame, chunk);
    if (this.#head !== null) return this.#continueHeader(this.#head, chunk);
    const size = decodeHeader(chunk, this.#at, chunk.length, HEADER);
    if (size > 0) return this.#startFrame(chunk, this.#at + size);
    this.#head = joinHeader(EMPTY, chunk, this.#at);
    this.#at = chunk.length;
  }

  #continueHeader(before: Uint8Array, chunk: Uint8Array): void {
    const head = joinHeader(before, chunk, this.#at);
    const size = decodeHeader(head, 0, head.length, HEADER);
    if (size > 0) {
      this.#head = null;
      this.#startFrame(chunk, this.#at + size - before.length);
    } else {
      // A header that isn't whole takes all the chunk.
      this.#head = head;
      this.#at = chunk.length;
    }
  }

  /**
   * A message that is whole in the chunk goes straight to the owner, unless it is too large for one
   * piece of work.
   */
  #startFrame(chunk: Uint8Array, start: number): void {
    this.#at = start;
    this.#budget.left -= FRAME_COST;
    const failure = checkHeader(HEADER, this.#context) ?? this.#checkSize(HEADER);
    if (failure !== null) return this.fail(failure);
    const { flags, masked, length } = HEADER;
    const end = start + length;
    if (this.#isWholeMessage(HEADER) && end <= chunk.length && length <= this.#largestWhole) {
      this.#at = end;
      this.#budget.left -= length;
      if (masked) applyMask(chunk, start, end, HEADER.key, 0);
      this.#deliver(flags, chunk, start, end);
    } else {
      const frame = this.#frame = this.#frameInPieces(HEADER);
      if (this.#largerThan < Infinity) this.#streamLarge(frame);
      if ((this.#halted & STOPPED) === 0) this.#continueFrame(frame, chunk);
    }
  }

  /** Whether the frame is a message, and one that is wanted. */
  #isWholeMessage({ flags }: FrameHeader): boolean {
    const kind = flags & ~RSV1;
    return (kind === (FIN | BINARY) || kind === (FIN | TEXT)) && (this.#flags & TAKES) !== 0;
  }

  /**
   * RFC 6455 §10.4: the limit is for the message. A message that will be
   * dropped may have any length up to the largest safe integer.
   */
  #checkSize(header: FrameHeader): Failure | null {
    if (header.isControl) return null;
    const max = (this.#flags & TAKES) !== 0 ? this.#maxSize : Number.MAX_SAFE_INTEGER;
    const before = this.#message === null ? 0 : this.#message.size;
    const size = before + header.length;
    return size > max ? this.#tooBig(size, false) : null;
  }

  #tooBig(size: number, isCompressed: boolean): Failure {
    return { ...MESSAGE_TOO_BIG, excess: { size, limit: this.#maxSize, isCompressed } };
  }

  #deliver(flags: number, bytes: Uint8Array, start: number, end: number): void {
    if ((flags & RSV1) !== 0) this.#inflate(flags, bytes.subarray(start, end));
    else if ((flags & 0x0f) !== TEXT) {
      const payload = bytes.subarray(start, end);
      this.#events.onMessage((this.#flags & OWN_BUFFERS) !== 0 ? ownBytes(payload) : payload);
    } else {
      const text = decodeWithin(bytes, start, end, this.#budget);
      this.#hand(text ?? decodeInvalid(bytes.subarray(start, end), this.#invalidText));
    }
  }

  /** Hands over a message; `null` is text that isn't UTF-8. */
  #hand(message: string | Uint8Array | null): void {
    if (message === null) this.fail(BAD_UTF8);
    else if (!this.#is(OWN_BUFFERS) || typeof message === "string") this.#events.onMessage(message);
    else this.#events.onMessage(ownBytes(message));
  }

  // Reading what is in pieces.

  #frameInPieces(header: FrameHeader): FrameInPieces {
    const { flags, opcode, fin, isControl } = header;
    if (isControl) return new FrameInPieces(header, this.#messageInPieces(flags));
    if (fin) this.#context &= ~UNFINISHED;
    else this.#context |= UNFINISHED;
    if (opcode !== CONTINUATION && this.#is(TAKES)) {
      this.#message = this.#messageInPieces(flags);
    }
    return new FrameInPieces(header, this.#message);
  }

  #messageInPieces(flags: number): MessageInPieces {
    return new MessageInPieces(flags, this.#messageOptions);
  }

  get #messageOptions(): MessageOptions {
    return { maxSize: this.#maxSize, budget: this.#budget, invalidText: this.#invalidText };
  }

  /** Hands on in parts what a frame makes larger than it may be. */
  #streamLarge(frame: FrameInPieces): void {
    const before = this.#message;
    if (frame.isControl || !(before instanceof MessageInPieces)) return;
    if (before.size + frame.length <= this.#largerThan) return;
    if ((before.flags & RSV1) !== 0) {
      const inflating = this.#inflateInParts(before.flags);
      this.#message = frame.target = inflating;
      this.#pushPart(inflating, before.bytes, false);
    } else {
      const large = new LargeMessage(before.flags, this.#messageOptions, this.#largeEvents);
      this.#message = frame.target = large;
      large.begin();
      const { text, size } = before.decoded;
      large.addText(text, size);
      // What was UTF-8 before is it still.
      large.add(before.bytes);
    }
  }

  get #largeEvents(): LargeMessageEvents {
    return this.#events as LargeMessageEvents;
  }

  #continueFrame(frame: FrameInPieces, chunk: Uint8Array): void {
    const start = this.#at;
    const size = Math.min(frame.remaining, chunk.length - start, LARGEST_PIECE);
    this.#at = start + size;
    this.#budget.left -= size;
    const isValid = frame.take(chunk, start, start + size);
    if (!isValid) return this.fail(BAD_UTF8);
    if (frame.target instanceof InflatingLarge) this.#regulate(frame.target);
    if (frame.remaining > 0) return;
    this.#frame = null;
    if (frame.target !== null) this.#endFrame(frame, frame.target);
  }

  #endFrame({ isControl, opcode, fin }: FrameInPieces, target: PayloadTarget): void {
    if (target instanceof MessageInPieces) this.#endPieces({ isControl, opcode, fin }, target);
    else if (!fin) return;
    else if (target instanceof InflatingLarge) this.#pushPart(target, EMPTY, true);
    else this.#endLarge(target as LargeMessage);
  }

  #endLarge(large: LargeMessage): void {
    this.#message = null;
    if (large.finish()) this.#events.onLargeEnd?.();
    else this.fail(BAD_UTF8);
  }

  #endPieces(
    { isControl, opcode, fin }: Pick<FrameInPieces, "isControl" | "opcode" | "fin">,
    target: MessageInPieces,
  ): void {
    if (isControl) {
      this.#budget.left -= CONTROL_COST;
      this.#onControl(opcode, target.finish() as Uint8Array);
    } else if (fin) {
      this.#message = null;
      const message = target.finish();
      if ((target.flags & RSV1) === 0) this.#hand(message);
      else this.#inflate(target.flags, message as Uint8Array);
    }
  }

  // Decompressing.

  /** Decompresses a message that may be large, as it arrives. */
  #inflateInParts(flags: number): InflatingLarge {
    const plain = flags & ~RSV1;
    const large = new LargeMessage(plain, this.#messageOptions, this.#largeEvents);
    const inflating = new InflatingLarge(large, this.#largerThan, {
      onInflatedSoFar: () => this.#unblock(),
      onInvalid: () => this.fail(BAD_UTF8),
      onInflatedAll: (bytes, error) => this.#endParts(inflating, plain, bytes, error),
    });
    const { inflateInParts } = this.#deflate as MessageDeflate;
    inflating.inflater = inflateInParts?.call(this.#deflate, this.#maxSize, inflating) ?? null;
    this.#inflating = inflating;
    return inflating;
  }

  #pushPart(inflating: InflatingLarge, bytes: Uint8Array, isLast: boolean): void {
    inflating.push(bytes, isLast);
    this.#regulate(inflating);
  }

  /** No frame is read until the input is decompressed, if that is much. */
  #regulate(inflating: InflatingLarge): void {
    if (this.#inflating === inflating && inflating.isBusy) this.#halted |= BUSY;
  }

  #endParts(
    { size }: InflatingLarge,
    flags: number,
    bytes: Uint8Array | null,
    error: unknown,
  ): void {
    this.#message = this.#inflating = null;
    try {
      if (error !== null) {
        const failure = inflateFailure(error);
        this.fail(failure.code === messageTooBig ? this.#tooBig(size, true) : failure);
      } else if (bytes === null) this.#events.onLargeEnd?.();
      else this.#deliver(flags, bytes, 0, bytes.length);
    } finally {
      this.#unblock();
    }
  }

  #inflate(flags: number, payload: Uint8Array): void {
    if (this.#largerThan < Infinity) {
      return this.#pushPart(this.#inflateInParts(flags), payload, true);
    }
    const deflate = this.#deflate as MessageDeflate;
    const message = this.#messageInPieces(flags & ~RSV1);
    const { length } = payload;
    const explain = (failure: Failure): Failure =>
      failure.code === messageTooBig ? this.#tooBig(length, true) : failure;
    const inflating = new InflatingMessage(
      message,
      (failure) => this.#endInflating(message, failure && explain(failure)),
    );
    this.#inflating = inflating;
    let bytes: Uint8Array | null;
    try {
      bytes = deflate.decompress(payload, this.#maxSize, inflating);
    } catch (error) {
      this.#inflating = null;
      return this.fail(explain(inflateFailure(error)));
    }
    if (bytes !== null) {
      this.#inflating = null;
      this.#deliver(flags & ~RSV1, bytes, 0, bytes.length);
    } else if (inflating.outcome !== undefined) {
      const { outcome } = inflating;
      this.#endInflating(message, outcome && explain(outcome));
    } else if (this.#inflating !== null) {
      // No frame is read until the message is whole.
      inflating.isLate = true;
      this.#halted |= BUSY;
    }
  }

  #endInflating(message: MessageInPieces, failure: Failure | null): void {
    try {
      if (failure === null) this.#hand(message.finish());
      else this.fail(failure);
    } finally {
      this.#inflating = null;
      this.#unblock();
    }
  }

  /** Goes on after a message that was decompressed, or isn't wanted any more. */
  #unblock(): void {
    if (!this.isBusy) return;
    this.#halted &= ~BUSY;
    this.#events.onUnblocked?.();
  }

  // Control frames, and the end.

  #onControl(opcode: number, payload: Uint8Array): void {
    if (opcode === PONG) return this.#events.onPong(payload);
    if (opcode === CLOSE) return this.#onClose(payload);
    // RFC 6455 §5.5.2: a Ping is answered unless a Close was received, so also after our own Close.
    if (this.#is(AUTO_PONG)) {
      const isIdle = this.output.isEmpty;
      this.output.writePong(payload);
      if (isIdle) this.#events.onOutput();
    }
    this.#events.onPing?.(payload);
  }

  #onClose(payload: Uint8Array): void {
    const { close, failure } = decodeClose(payload, this.#state === "closing");
    if (close === null) return this.fail(failure);
    this.#endWith(() => {
      const isAnswered = this.#state === "open";
      this.#ended.received = close;
      this.#state = stateAfter(this.#state, "receiveClose");
      if (isAnswered) this.#sendClose(payload, close);
      this.#events.onClose(close.code, close.reason);
    });
  }

  /** The peer broke a rule, or is to be failed by its user. */
  fail(failure: Failure): void {
    const { code, reason } = failure;
    this.#endWith(() => {
      const isTold = this.#state === "open";
      this.#state = stateAfter(this.#state, "fail");
      if (isTold) this.#sendClose(encodeClose(code, reason), { code, reason });
      this.#events.onFailure(failure);
    });
  }

  get #ended(): End {
    return this.#end ??= new End();
  }

  #endWith(ending: () => void): void {
    this.#stop();
    this.#ended.pending = ending;
    if (this.#events.onEnding?.() !== false) this.conclude();
  }

  /** The last frame of this end, but for Pongs. */
  #sendClose(payload: Uint8Array, close: CloseFrame | null): void {
    const isIdle = this.output.isEmpty;
    this.output.flushPong();
    this.#ended.sent = close;
    this.output.write(FIN | CLOSE, payload, payload.length);
    if (isIdle) this.#events.onOutput();
  }

  /** Reads nothing any more. */
  #stop(): void {
    this.#halted = STOPPED;
    this.#input = null;
    this.#drop();
  }

  /** Messages are dropped from now on. */
  #drop(): void {
    this.#flags &= ~TAKES;
    this.#message = null;
    if (this.#frame !== null && !this.#frame.isControl) this.#frame.target = null;
    if (this.#inflating === null) return;
    this.#inflating.abandon();
    this.#inflating = null;
    this.#deflate?.abandon?.();
    this.#unblock();
  }
}
