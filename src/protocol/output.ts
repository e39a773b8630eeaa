/**
 * The sending half of a connection: encodes messages and control frames, each as one frame, and holds
 * them until the owner takes them
 * ({@link https://www.rfc-editor.org/rfc/rfc6455#section-6.1 RFC 6455 §6.1}).
 *
 * It is long because a frame is encoded, masked and placed by one object: a second one would cost a call
 * for each message.
 *
 * @module
 */

import { encodeHeader, encodeKey, FIN, headerLength, MAX_HEADER_LENGTH, PONG } from "./frame.ts";
import { applyMask, copyMasked, type MaskingKeySource, rotate } from "./mask.ts";
import { freshSlab, type Slab, SLAB_SIZE, slabFor } from "./slab.ts";
import { copyOf, plainBytes, SMALL } from "../realm/bytes.ts";

/** Payloads of at least this size are written in parts; encoded frames of at least this size aren't copied. */
const LARGE = 0x4000;

/** Text that needs more room than a slab has gets a buffer of its own. */
const LARGE_TEXT = SLAB_SIZE - MAX_HEADER_LENGTH;

/** Up to this many UTF-16 code units a loop is faster than a call into the platform's encoder. */
const SHORT = 48;

/** The maximum number of bytes that a connection reserves beyond what it needs at the moment. */
const MAX_AHEAD = 0x4000;

/** Less room than this is left unused. */
const MIN_ROOM = 0x400;

/** How many Pongs the output may hold, beside the latest. */
const MAX_PONGS = 64;

const encoder = new TextEncoder();

/** A chunk of the output. */
interface Part {
  /** The slab that holds the chunk; `null`: a buffer of its own, which isn't reused. */
  readonly slab: Slab | null;
  readonly length: number;
}

/**
 * The output of one connection. A payload is copied once, and masked at the same time, into a part of
 * a slab: a buffer that all connections share. After everything was taken and released, the connection
 * holds no buffer. Nearly always the output of a turn is in one part: then the chunk that
 * {@linkcode takeChunk} returns is the only object.
 *
 * A transport that doesn't give chunks back may keep them, transfer them to another thread, or read the
 * whole buffer. It never gets a view of a slab: it gets a copy whose buffer is as long as the chunk.
 */
export class Output {
  /** The estimated cost of encoding the messages in the output, as a number of bytes copied and masked. */
  cost = 0;
  /** The bytes of the messages in the output: as the user gave them, before any compressing. */
  payloadSize = 0;

  #keys: MaskingKeySource | null;
  /** Whether chunks are released after they were taken. */
  #recycles: boolean;
  #size = 0;

  #slab: Slab | null = null;
  /** The part of `#slab` that is this connection's; it is written up to `#end`. */
  #start = 0;
  #end = 0;
  #limit = 0;
  /** A chunk outside the slabs that is all the output so far; then there is no `#slab`. */
  #alone: Uint8Array | null = null;
  /** Finished chunks, before the part in hand. */
  #chunks: Uint8Array[] | null = null;

  /** How many bytes were taken and not released. */
  #unreleased = 0;
  /** The slab that holds them, unless there are `#parts`. */
  #takenSlab: Slab | null = null;
  /** The finished chunks that were not released: taken or not. */
  #parts: Part[] | null = null;

  /** How many Pongs were written and not taken. */
  #pongs = 0;
  /** The payload of the latest Pong if {@linkcode MAX_PONGS} are in the output already, or `null`. */
  #pong: Uint8Array | null = null;

  /**
   * Creates an empty output.
   *
   * @param keys The source of masking keys, or `null` if frames aren't masked: RFC 6455 §5.1, a client
   * masks all frames and a server none.
   * @param recycles Whether {@linkcode release} will be called. Otherwise chunks are copies.
   */
  constructor(keys: MaskingKeySource | null, recycles: boolean) {
    this.#keys = keys;
    this.#recycles = recycles;
  }

  /**
   * Takes an output of the pool, or creates one, as the constructor does: connections that have something to
   * send one after the other do so with the same object, which is in the CPU's cache then.
   */
  static take(keys: MaskingKeySource | null, recycles: boolean): Output {
    const output = pool.pop();
    if (output === undefined) return new Output(keys, recycles);
    output.#keys = keys;
    output.#recycles = recycles;
    return output;
  }

  /** Puts an output that is {@linkcode isUnused} into the pool. */
  static release(output: Output): void {
    pool.push(output);
  }

  /** Whether nothing is in it, and everything that was taken was released. */
  get isUnused(): boolean {
    return this.#size === 0 && this.#unreleased === 0 && this.#slab === null &&
      this.#chunks === null &&
      this.#parts === null;
  }

  /** Whether there is nothing to take. */
  get isEmpty(): boolean {
    return this.#size === 0;
  }

  /** How many bytes there are to take. */
  get size(): number {
    const pong = this.#pong;
    if (pong === null) return this.#size;
    return this.#size + headerLength(pong.length, this.#keys !== null) + pong.length;
  }

  // Frames.

  /**
   * Encodes a frame.
   *
   * @param flags The first byte: FIN, RSV1–3 and the opcode.
   * @param payload The payload, as `bytesOf` returns it; it is read before this returns and not kept.
   * @param length The payload's true length, read once: what the header says is what is written.
   */
  write(flags: number, payload: Uint8Array, length: number): void {
    if (length >= LARGE) return this.#writeLarge(flags, plainBytes(payload));
    const buffer = this.#reserve(MAX_HEADER_LENGTH + length);
    // Another thread can make a payload in shared memory longer meanwhile, so that more of it is copied.
    // That overwrites nothing, unless another connection has reserved a part behind this one.
    const isLast = this.#limit === (this.#slab as Slab).used;
    if (!isLast && length > SMALL) return this.#writeLarge(flags, plainBytes(payload));
    const keys = this.#keys;
    const at = encodeHeader(buffer, this.#end, flags, length, keys !== null);
    if (keys !== null) {
      const key = keys();
      const payloadAt = encodeKey(buffer, at, key);
      copyMasked(payload, length, buffer, payloadAt, key);
      this.#commit(payloadAt + length);
    } else {
      if (length > SMALL) buffer.set(payload, at);
      else for (let i = 0; i < length; i++) buffer[at + i] = payload[i] as number;
      this.#commit(at + length);
    }
  }

  /**
   * Encodes a frame of text.
   *
   * @param flags The first byte: FIN, RSV1–3 and the opcode.
   * @param text The payload; lone surrogates become U+FFFD.
   * @returns The length of the payload in bytes.
   */
  writeText(flags: number, text: string): number {
    // A UTF-16 code unit becomes three bytes at most.
    if (3 * text.length > LARGE_TEXT) return this.#writeLargeText(flags, text);
    const buffer = this.#reserve(MAX_HEADER_LENGTH + 3 * text.length);
    const shortest = this.#end + headerLength(text.length, this.#keys !== null);
    let length = text.length;
    if (length > SHORT || !writeAscii(text, buffer, shortest)) {
      const room = buffer.subarray(shortest, shortest + 3 * text.length);
      length = encoder.encodeInto(text, room).written;
    }
    this.#commit(this.#encodeAround(buffer, this.#end, flags, shortest, length));
    return length;
  }

  /**
   * Writes a frame that is encoded already, for this side, and that other connections send, too.
   *
   * @param frame The frame, which is never written to. If chunks are released, so that the transport
   * only reads them, the frame isn't copied when it is large or all the output.
   */
  writeEncoded(frame: Uint8Array): void {
    const { length } = frame;
    if (length >= LARGE) return this.#append(this.#recycles ? frame : copyOf(frame));
    if (this.#recycles && this.#size === 0) return this.#append(frame);
    this.#reserve(length).set(frame, this.#end);
    this.#commit(this.#end + length);
  }

  /**
   * Answers a Ping: each gets its Pong, in its place among the messages, as peers expect; but RFC 6455
   * §5.5.3: only the most recent Ping need be answered. So the output holds few Pongs, however many Pings
   * arrive while the peer reads nothing.
   *
   * @param payload The Ping's payload; it is read before this returns and not kept.
   */
  writePong(payload: Uint8Array): void {
    if (this.#pongs === MAX_PONGS) {
      // Its owner may write to it before it goes out.
      this.#pong = copyOf(payload);
    } else {
      this.#pongs++;
      this.write(FIN | PONG, payload, payload.length);
    }
  }

  /** Writes the latest Pong, if it was held back: before a Close, because nothing follows a Close. */
  flushPong(): void {
    const pong = this.#pong;
    if (pong === null) return;
    this.#pong = null;
    this.write(FIN | PONG, pong, pong.length);
  }

  /**
   * Puts a header before a payload that is in the buffer already, and masks the payload. The
   * payload is moved if the header is longer than the room left for it.
   */
  #encodeAround(
    buffer: Uint8Array,
    start: number,
    flags: number,
    payloadAt: number,
    length: number,
  ): number {
    const keys = this.#keys;
    const at = start + headerLength(length, keys !== null);
    if (at > payloadAt) buffer.copyWithin(at, payloadAt, payloadAt + length);
    const keyAt = encodeHeader(buffer, start, flags, length, keys !== null);
    if (keys !== null) {
      const key = keys();
      encodeKey(buffer, keyAt, key);
      applyMask(buffer, at, at + length, key, 0);
    }
    return at + length;
  }

  /**
   * Nothing here can throw between the header and the payload's last byte, and nothing more than that is
   * written: `payload` is plain.
   */
  #writeLarge(flags: number, payload: Uint8Array): void {
    const keys = this.#keys;
    const buffer = this.#reserve(MAX_HEADER_LENGTH);
    const at = encodeHeader(buffer, this.#end, flags, payload.length, keys !== null);
    const key = keys === null ? 0 : keys();
    this.#commit(keys === null ? at : encodeKey(buffer, at, key));
    for (let from = 0; from < payload.length;) {
      const length = Math.min(payload.length - from, this.#roomInChunk(this.#slab as Slab));
      const target = this.#reserve(length);
      const part = payload.subarray(from, from + length);
      if (keys === null) target.set(part, this.#end);
      else copyMasked(part, length, target, this.#end, rotate(key, from));
      this.#commit(this.#end + length);
      from += length;
    }
  }

  /** Text is encoded into room for ASCII first: what doesn't fit tells how much more is needed. */
  #writeLargeText(flags: number, text: string): number {
    const payloadAt = MAX_HEADER_LENGTH + 2;
    let buffer = new Uint8Array(payloadAt + text.length);
    let { read, written } = encoder.encodeInto(text, buffer.subarray(payloadAt));
    if (read < text.length) {
      const grown = new Uint8Array(payloadAt + written + 3 * (text.length - read));
      grown.set(buffer.subarray(0, payloadAt + written));
      buffer = grown;
      const rest = encoder.encodeInto(text.slice(read), buffer.subarray(payloadAt + written));
      written += rest.written;
    }
    const start = payloadAt - headerLength(written, this.#keys !== null);
    const end = this.#encodeAround(buffer, start, flags, payloadAt, written);
    this.#append(buffer.subarray(start, end));
    return written;
  }

  // Room.

  /** Makes room for up to 65,536 bytes at `#end`, and returns the buffer. */
  #reserve(length: number): Uint8Array {
    const slab = this.#slab;
    const end = this.#end + length;
    if (slab !== null) {
      if (end <= this.#limit) return slab.bytes;
      if (this.#limit === slab.used && end <= SLAB_SIZE) {
        this.#limit = slab.used = end;
        return slab.bytes;
      }
      this.#finishPart(slab);
    }
    return this.#beginPart(length);
  }

  /** How many bytes of a large payload go into one chunk. */
  #roomInChunk(slab: Slab): number {
    const left = (this.#limit === slab.used ? SLAB_SIZE : this.#limit) - this.#end;
    return left < MIN_ROOM ? SLAB_SIZE : left;
  }

  /** Counts the bytes up to `end` as output. */
  #commit(end: number): void {
    this.#size += end - this.#end;
    this.#end = end;
  }

  /**
   * Begins another part. If connections take turns at writing, parts for a single frame would make
   * each frame a chunk, so later parts are as large as all before. If the output isn't taken for long,
   * a slab of its own keeps a slow connection from holding on to slabs that fast ones use.
   */
  #beginPart(length: number): Uint8Array {
    const before = this.#alone;
    if (before !== null) {
      this.#alone = null;
      if (before.length < LARGE && before.length + length <= SLAB_SIZE) {
        return this.#beginBehind(before, length);
      }
      this.#add(null, before);
    }
    const isMuch = this.#size >= SLAB_SIZE;
    const room = isMuch ? SLAB_SIZE : Math.max(length, Math.min(this.#size, MAX_AHEAD));
    const slab = isMuch ? freshSlab() : slabFor(room);
    this.#slab = slab;
    this.#start = this.#end = slab.used;
    this.#limit = slab.used = slab.used + room;
    slab.parts++;
    return slab.bytes;
  }

  /** Copies a small frame that was all the output, so that it shares a chunk with the next one. */
  #beginBehind(before: Uint8Array, length: number): Uint8Array {
    this.#size = 0;
    const bytes = this.#beginPart(before.length + length);
    bytes.set(before, this.#end);
    this.#commit(this.#end + before.length);
    return bytes;
  }

  /** Adds a chunk outside the slabs. */
  #append(chunk: Uint8Array): void {
    if (this.#size === 0) {
      this.#dropPart();
      this.#alone = chunk;
    } else {
      this.#finish();
      this.#add(null, chunk);
    }
    this.#size += chunk.length;
  }

  /** Finishes the part in hand, so that all output is in `#chunks`. */
  #finish(): void {
    const alone = this.#alone;
    this.#alone = null;
    if (alone !== null) this.#add(null, alone);
    if (this.#slab !== null) this.#finishPart(this.#slab);
  }

  #finishPart(slab: Slab): void {
    if (this.#end === this.#start) this.#dropPart();
    else this.#add(slab, this.#cut(slab));
  }

  /** Ends the part in hand, and returns its chunk. */
  #cut(slab: Slab): Uint8Array {
    const start = this.#start;
    const end = this.#end;
    // No connection has reserved anything behind this part: the next part begins where it ends.
    if (this.#limit === slab.used) slab.used = end;
    this.#slab = null;
    this.#start = this.#end = this.#limit = 0;
    if (this.#recycles) return slab.view(start, end);
    // Not shared: the transport may transfer the chunk's buffer, or read other connections' bytes in it.
    const chunk = slab.bytes.slice(start, end);
    slab.release();
    return chunk;
  }

  /** Drops the part in hand, to which nothing was written. */
  #dropPart(): void {
    const slab = this.#slab;
    if (slab === null) return;
    this.#cut(slab);
    if (this.#recycles) slab.release();
  }

  #add(slab: Slab | null, chunk: Uint8Array): void {
    (this.#chunks ??= []).push(chunk);
    if (this.#recycles) this.#listParts().push({ slab, length: chunk.length });
  }

  #listParts(): Part[] {
    if (this.#parts !== null) return this.#parts;
    const parts: Part[] = [];
    if (this.#unreleased > 0) parts.push({ slab: this.#takenSlab, length: this.#unreleased });
    this.#takenSlab = null;
    return this.#parts = parts;
  }

  // Taking, and giving back.

  /**
   * Takes all the output if it is one chunk.
   *
   * @returns The chunk. It isn't written to until the caller gives it back; a caller that never does
   * may keep it. `null` if there is no output, or more than one chunk: see {@linkcode takeAll}.
   */
  takeChunk(): Uint8Array | null {
    if (this.#chunks !== null || this.#pong !== null || this.#size === 0) return null;
    const slab = this.#slab;
    const chunk = slab === null ? this.#alone as Uint8Array : this.#cut(slab);
    this.#alone = null;
    if (this.#recycles) {
      if (this.#parts !== null || this.#unreleased > 0) {
        this.#listParts().push({ slab, length: chunk.length });
      } else this.#takenSlab = slab;
      this.#unreleased += chunk.length;
    }
    this.#clear();
    return chunk;
  }

  /**
   * Takes all the output.
   *
   * @returns The chunks in order. They aren't written to until the caller gives them back; a caller
   * that never does may keep them.
   */
  takeAll(): Uint8Array[] {
    this.flushPong();
    this.#finish();
    const chunks = this.#chunks ?? [];
    this.#chunks = null;
    if (this.#recycles) this.#unreleased += this.#size;
    this.#clear();
    return chunks;
  }

  #clear(): void {
    this.#size = 0;
    this.#pongs = 0;
    this.cost = 0;
    this.payloadSize = 0;
  }

  /**
   * Gives chunks back that were taken: their memory will be written to again.
   *
   * @param kept How many bytes, the last ones that were taken, are still needed.
   */
  release(kept: number): void {
    if (this.#parts !== null) return this.#releaseParts(this.#parts, kept);
    if (kept > 0) return;
    this.#unreleased = 0;
    this.#takenSlab?.release();
    this.#takenSlab = null;
  }

  #releaseParts(parts: Part[], kept: number): void {
    let count = 0;
    for (const { slab, length } of parts) {
      if (this.#unreleased - length < kept) break;
      this.#unreleased -= length;
      slab?.release();
      count++;
    }
    if (count === parts.length) this.#parts = null;
    else parts.splice(0, count);
  }
}

/** As many as connections had output at the same time, at most. */
const pool: Output[] = [];

/** Writes `text` and returns `true` if it is ASCII; otherwise the bytes written are meaningless. */
function writeAscii(text: string, buffer: Uint8Array, at: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return false;
    buffer[at + i] = unit;
  }
  return true;
}
