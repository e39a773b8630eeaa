/**
 * The state machine of a WebSocket connection: it turns received bytes into messages, and messages into bytes
 * ({@link https://www.rfc-editor.org/rfc/rfc6455#section-5 RFC 6455 §5–§7}). It owns no socket and no timer;
 * its owner transports the bytes.
 *
 * The file is long because a message passes through one object: another would cost a call for each message.
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

/** The longest string in V8, rounded down to a length that every engine supports. */
const LARGEST_MESSAGE = 2 ** 29 - 24;

/**
 * The cost of a message beside its bytes, in bytes copied and masked. It was measured, as was
 * `COMPRESSED_BYTE_COST`.
 */
const MESSAGE_COST = 0x200;
const COMPRESSED_BYTE_COST = 8;

/** The reasons to stop reading, as bits of a number. */
const PAUSED = 1;
const BUSY = 2;
const STOPPED = 4;

// The properties of a connection, as bits of a number: an idle connection must take little memory.
const READING = 1;
/** The protocol owns the received chunks. */
const OWNS_CHUNKS = 2;
const AUTO_PONG = 4;
/** The owner releases chunks of output. */
const RECYCLES = 8;
/** Received messages are delivered. */
const TAKES = 16;
/** Received messages are delivered also after this side's Close. */
const TAKES_AFTER_CLOSE = 32;
/** Each binary message gets a buffer of its own. */
const OWN_BUFFERS = 64;

/** How a connection ends. */
class End {
  sent: CloseFrame | null = null;
  received: CloseFrame | null = null;
  /** The last step of the end, which is pending until the owner calls `conclude`. */
  pending: (() => void) | null = null;
}

const EMPTY = new Uint8Array(0);
const UNLIMITED: WorkBudget = { left: Infinity };
const encoder = new TextEncoder();

/** The header that was decoded last. It isn't valid after a call that may decode another one. */
const HEADER = new FrameHeader();

/**
 * One side of a WebSocket connection after the opening handshake.
 *
 * The owner passes received bytes to {@linkcode receive}, and writes the bytes that `output.takeChunk()` or
 * `output.takeAll()` returns. Once the state is `"closed"` and the output is taken, the owner ends the
 * transport: a server at once, a client after the server (RFC 6455 §7.1.1).
 */
export class Protocol {
  readonly #events: ProtocolEvents;
  /** The masking keys of a client. */
  readonly #keys: MaskingKeySource | null;
  /** The {@linkcode output}, or `null` if there is none to send or to release. */
  pendingOutput: Output | null = null;
  readonly #budget: WorkBudget;
  #state: ConnectionState = "open";

  // The fields that every received message needs. The owner's chunks are read in place. Only bytes that can't
  // be read at once are kept, in objects that are created for them.

  /** The number of bytes of the current chunk that are read. */
  #at = 0;
  /** A combination of `PAUSED`, `BUSY` and `STOPPED`. */
  #halted = 0;
  /** A combination of `READING` and the flags that follow it. */
  #flags: number;
  readonly #invalidText: InvalidText;
  /** The context of `checkHeader`. */
  #context: number;
  readonly #maxSize: number;
  /** A message of more bytes is delivered in parts. */
  readonly #largerThan: number;
  /** A frame of more bytes isn't processed in a single step. */
  readonly #largestWhole: number;
  readonly #deflate: MessageDeflate | null;

  /** Received bytes that are pending. */
  #input: ByteQueue | null = null;
  /** The beginning of an incomplete header. */
  #head: Uint8Array | null = null;
  /** A frame whose payload is incomplete. It may be a control frame between the pieces of a message. */
  #frame: FrameInPieces | null = null;
  /** An incomplete message. */
  #message: MessageInPieces | LargeMessage | InflatingLarge | null = null;
  /** A message that is being decompressed. */
  #inflating: InflatingMessage | InflatingLarge | null = null;

  /** How the connection ends; `null` while nothing has ended. */
  #end: End | null = null;

  /**
   * Creates one side of a connection, in the state `"open"`.
   *
   * @param options The side and its limits.
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

  /** The output, which the owner takes; afterwards it calls {@linkcode releaseOutput}. */
  get output(): Output {
    return this.pendingOutput ??= Output.take(this.#keys, (this.#flags & RECYCLES) !== 0);
  }

  /** Returns an unused {@linkcode output} to the pool: an idle connection holds none. */
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

  /** The content of this side's Close frame, or `null` if it has sent none. */
  get sentClose(): CloseFrame | null {
    return this.#end === null ? null : this.#end.sent;
  }

  /** The content of the peer's Close frame, or `null` if none has arrived. */
  get receivedClose(): CloseFrame | null {
    return this.#end === null ? null : this.#end.received;
  }

  /** The number of received bytes that are not read yet. */
  get pendingInput(): number {
    return this.#input === null ? 0 : this.#input.size;
  }

  /**
   * Whether input is pending although the protocol isn't paused: it waits for the budget, until
   * {@linkcode proceed}, or for a message that is {@linkcode isBusy being decompressed}. Pause the transport
   * meanwhile.
   */
  get isBehind(): boolean {
    return this.isBusy || (this.#halted === 0 && this.pendingInput > 0);
  }

  /** Whether a message that takes long is being decompressed. `onUnblocked` reports its end. */
  get isBusy(): boolean {
    return (this.#halted & BUSY) !== 0;
  }

  /**
   * Reads received bytes. Nothing that a peer sends makes it throw. After the peer's Close, or a failure, it
   * ignores everything. A call from within an event queues the chunk behind the current one.
   *
   * @param chunk The bytes, in pieces of any size.
   */
  receive(chunk: Uint8Array): void {
    if ((this.#halted & STOPPED) !== 0) return;
    const mayRead = (this.#flags & READING) === 0 && this.#halted === 0 && this.#budget.left > 0;
    if (mayRead && this.#input === null) this.#read(chunk, (this.#flags & OWNS_CHUNKS) !== 0);
    else (this.#input ??= new ByteQueue()).push(chunk, this.#is(OWNS_CHUNKS));
    if (this.#input !== null) this.proceed();
  }

  /**
   * Stops reading after the current frame: after a call from within `onMessage`, no further message arrives.
   * Control frames wait, too. Bytes that arrive are kept: pause the transport before {@linkcode pendingInput}
   * is too large.
   */
  pause(): void {
    this.#halted |= PAUSED;
    if (this.#inflating instanceof InflatingLarge) this.#inflating.inflater?.pause();
  }

  /**
   * Continues reading, synchronously. Call it after {@linkcode close} as well: otherwise the protocol doesn't
   * see the peer's Close.
   */
  resume(): void {
    this.#halted &= ~PAUSED;
    if (this.#inflating instanceof InflatingLarge) this.#inflating.inflater?.resume();
    this.proceed();
  }

  /** Reports no more parts of the large message that is arriving. Its end is still reported. */
  skip(): void {
    const message = this.#inflating ?? this.#message;
    if (message instanceof LargeMessage || message instanceof InflatingLarge) message.skip();
  }

  /** Drops all further messages. The peer's Close, Pings and Pongs are still processed. */
  drop(): void {
    this.#drop();
  }

  /** Continues reading the input that waits for the budget, synchronously, unless paused. */
  proceed(): void {
    while (!this.#is(READING) && this.#halted === 0 && this.#input !== null) {
      if (this.#input.size === 0) this.#input = null;
      else if (this.#budget.left > 0) this.#read(this.#input.shift(), true);
      else return;
    }
  }

  /**
   * Reports that the transport has ended or failed. Nothing more is read or sent, and no event follows.
   * Without a {@linkcode receivedClose}, this is code 1006 (RFC 6455 §7.1.5). Pending input is dropped, so
   * call {@linkcode resume} first.
   */
  end(): void {
    this.#state = stateAfter(this.#state, "end");
    if (this.#end !== null) this.#end.pending = null;
    this.#stop();
  }

  /** Ends the connection after `onEnding` has returned `false`. */
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
   * @param options How to send the message.
   * @returns `false` if nothing may be sent any more; the message is dropped.
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
   * @param value The payload, of any kind and realm. It is only read, before this returns, and not kept.
   * @param options How to send the message.
   * @returns `false` if nothing may be sent any more; the message is dropped.
   * @throws {TypeError} If the buffer is detached.
   */
  sendBinary(value: ArrayBuffer | ArrayBufferView, options?: SendOptions): boolean {
    const count = countBytes(value);
    // The length is read once: nearly all messages are arrays of bytes.
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
   * Sends a message that other connections send as well. Only a server can: a client masks each frame with a
   * key of its own.
   *
   * @param message The message.
   * @param options How to send the message.
   * @returns `false` if nothing may be sent any more; the message is dropped.
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
   * Sends a fragment of a message. Until the last one, only further fragments and control frames may be sent
   * (RFC 6455 §5.4).
   *
   * @param payload Its content; text as UTF-8, which may end within a code point.
   * @param fragment How to send it.
   * @returns `false` if nothing may be sent any more; the fragment is dropped.
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
      // RFC 7692 §6.1: only the first fragment has RSV1.
      output.write(opcode === CONTINUATION ? flags : flags | RSV1, compressed, compressed.length);
    }
    if (isIdle) this.#events.onOutput();
    return true;
  }

  /**
   * Sends a Ping.
   *
   * @param payload 0–125 bytes.
   * @returns `false` if nothing may be sent any more.
   * @throws {RangeError} If the payload is longer.
   */
  ping(payload: Uint8Array = EMPTY): boolean {
    return this.#sendControl(PING, payload);
  }

  /**
   * Sends an unsolicited Pong (RFC 6455 §5.5.3). Pings are answered automatically.
   *
   * @param payload 0–125 bytes.
   * @returns `false` if nothing may be sent any more.
   * @throws {RangeError} If the payload is longer.
   */
  pong(payload: Uint8Array = EMPTY): boolean {
    return this.#sendControl(PONG, payload);
  }

  /**
   * Starts the closing handshake: sends a Close. Messages that arrive afterwards are dropped, unless the
   * option `takesAfterClose` is set. The peer's Close, Pings and Pongs are still processed.
   *
   * @param code The close code. Without it the frame has no payload.
   * @param reason The close reason, at most 123 bytes of UTF-8.
   * @returns `false` if a Close was sent or received before, or the connection failed.
   * @throws {RangeError} If the code may not be sent, or the reason is too long or without a code.
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
        `Cannot send a control frame: its payload must have at most ${MAX_CONTROL_PAYLOAD} bytes, got ${length}`,
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
   * Reads all frames of a chunk in one loop, while reading is allowed. An error that an event throws reaches
   * the caller, and the bytes after that frame are kept for the next call.
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
      // A listener may have transferred the chunk's buffer, which a message is a view of.
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
      // An incomplete header takes the whole chunk.
      this.#head = head;
      this.#at = chunk.length;
    }
  }

  /** A message that is whole in the chunk is delivered at once, unless it is too large for a single step. */
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

  /** Whether the frame is a whole message that is to be delivered. */
  #isWholeMessage({ flags }: FrameHeader): boolean {
    const kind = flags & ~RSV1;
    return (kind === (FIN | BINARY) || kind === (FIN | TEXT)) && (this.#flags & TAKES) !== 0;
  }

  /**
   * RFC 6455 §10.4: checks the limit of the whole message. A message that will be dropped may have any length
   * up to the largest safe integer.
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

  /** Delivers a message; `null` means text that is not valid UTF-8. */
  #hand(message: string | Uint8Array | null): void {
    if (message === null) this.fail(BAD_UTF8);
    else if (!this.#is(OWN_BUFFERS) || typeof message === "string") this.#events.onMessage(message);
    else this.#events.onMessage(ownBytes(message));
  }

  // Reading frames and messages in pieces.

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

  /** Delivers a message in parts if this frame makes it larger than `streamLargerThan`. */
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
      // These bytes were validated before.
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

  /** Decompresses a message as it arrives, because it may be large. */
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

  /** Stops reading frames while much input is waiting for the decompressor. */
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
      // Read no frame until the message is complete.
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

  /** Continues reading once a message is decompressed or abandoned. */
  #unblock(): void {
    if (!this.isBusy) return;
    this.#halted &= ~BUSY;
    this.#events.onUnblocked?.();
  }

  // Control frames, and the end.

  #onControl(opcode: number, payload: Uint8Array): void {
    if (opcode === PONG) return this.#events.onPong(payload);
    if (opcode === CLOSE) return this.#onClose(payload);
    // RFC 6455 §5.5.2: a Ping is answered unless a Close was received. So it is answered also after this
    // side's Close.
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

  /** Fails the connection: the peer broke a rule, or the owner asks for it. */
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

  /** Sends a Close, after which this side sends only Pongs. */
  #sendClose(payload: Uint8Array, close: CloseFrame | null): void {
    const isIdle = this.output.isEmpty;
    this.output.flushPong();
    this.#ended.sent = close;
    this.output.write(FIN | CLOSE, payload, payload.length);
    if (isIdle) this.#events.onOutput();
  }

  /** Stops reading permanently. */
  #stop(): void {
    this.#halted = STOPPED;
    this.#input = null;
    this.#drop();
  }

  /** Drops the current and all further messages. ~* isTold sendsClose */
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
