/**
 * The sending half of a connection: it encodes messages and control frames, each as one frame, and holds them
 * until the owner takes them ({@link https://www.rfc-editor.org/rfc/rfc6455#section-6.1 RFC 6455 §6.1}).
 *
 * The file is long because one object encodes, masks and places a frame: a second object would cost a call
 * for each message.
 *
 * @module
 */

import { encodeHeader, encodeKey, FIN, headerLength, MAX_HEADER_LENGTH, PONG } from "./frame.ts";
import { applyMask, copyMasked, type MaskingKeySource, rotate } from "./mask.ts";
import { freshSlab, type Slab, SLAB_SIZE, slabFor } from "./slab.ts";
import { copyOf, plainBytes, SMALL } from "../realm/bytes.ts";

/**
 * Payloads of at least this size are written in parts. Encoded frames of at least this size aren't copied.
 */
const LARGE = 0x4000;

/** Text that needs more room than a slab has gets a buffer of its own. */
const LARGE_TEXT = SLAB_SIZE - MAX_HEADER_LENGTH;

/** Up to this many UTF-16 code units, a loop is faster than the platform's encoder. */
const SHORT = 48;

/** The maximum number of bytes that a connection reserves in advance. */
const MAX_AHEAD = 0x4000;

/** The rest of a chunk below this size, in bytes, stays unused. */
const MIN_ROOM = 0x400;

/** The maximum number of Pongs in the output, not counting the latest. */
const MAX_PONGS = 64;

const encoder = new TextEncoder();

/** A chunk of the output. */
interface Part {
  /** The slab that holds the chunk; `null` if the chunk has a buffer of its own, which isn't reused. */
  readonly slab: Slab | null;
  readonly length: number;
}

/**
 * The output of one connection. A payload is copied once, and masked at the same time, into a part of a slab:
 * a buffer that all connections share. A connection holds no buffer once everything is taken and released.
 * The output of a turn nearly always fits into one part; {@linkcode takeChunk} then creates no object but the
 * chunk.
 *
 * A transport that doesn't release chunks may keep them, transfer them to another thread, or read the whole
 * buffer. So it never gets a view of a slab, but a copy whose buffer is as long as the chunk.
 */
export class Output {
  /** The estimated cost of encoding the messages in the output, measured in bytes copied and masked. */
  cost = 0;
  /** The size of the messages in the output as the user sent them, before compression, in bytes. */
  payloadSize = 0;

  #keys: MaskingKeySource | null;
  /** Whether the owner releases the chunks that it takes. */
  #recycles: boolean;
  #size = 0;

  #slab: Slab | null = null;
  /** The part of `#slab` that belongs to this connection; it is written up to `#end`. */
  #start = 0;
  #end = 0;
  #limit = 0;
  /** A chunk outside the slabs that is the whole output so far. There is no `#slab` then. */
  #alone: Uint8Array | null = null;
  /** Finished chunks, before the current part. */
  #chunks: Uint8Array[] | null = null;

  /** The number of bytes that were taken and not released. */
  #unreleased = 0;
  /** The slab that holds them, unless there are `#parts`. */
  #takenSlab: Slab | null = null;
  /** The finished chunks that were not released, whether they were taken or not. */
  #parts: Part[] | null = null;

  /** The number of Pongs that were written and not taken. */
  #pongs = 0;
  /** The payload of the latest Pong if the output has {@linkcode MAX_PONGS} already; otherwise `null`. */
  #pong: Uint8Array | null = null;

  /**
   * Creates an empty output.
   *
   * @param keys The source of masking keys, or `null` if frames aren't masked. RFC 6455 §5.1: a client masks
   * all frames and a server none.
   * @param recycles Whether the owner calls {@linkcode release}. Otherwise it gets copies of the chunks.
   */
  constructor(keys: MaskingKeySource | null, recycles: boolean) {
    this.#keys = keys;
    this.#recycles = recycles;
  }

  /**
   * Takes an output from the pool, or creates one. So connections that send one after the other use the same
   * object, which is in the CPU's cache.
   */
  static take(keys: MaskingKeySource | null, recycles: boolean): Output {
    const output = pool.pop();
    if (output === undefined) return new Output(keys, recycles);
    output.#keys = keys;
    output.#recycles = recycles;
    return output;
  }

  /** Returns an output to the pool. It must be {@linkcode isUnused}. */
  static release(output: Output): void {
    pool.push(output);
  }

  /** Whether the output is empty, and everything taken from it was released. */
  get isUnused(): boolean {
    return this.#size === 0 && this.#unreleased === 0 && this.#slab === null &&
      this.#chunks === null &&
      this.#parts === null;
  }

  /** Whether there is no output. */
  get isEmpty(): boolean {
    return this.#size === 0;
  }

  /** The number of bytes of the output. */
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
   * @param payload The payload, as `bytesOf` returns it. It is read before this returns and not kept.
   * @param length The payload's true length in bytes. The caller reads it once, so that the header and the
   * payload agree.
   */
  write(flags: number, payload: Uint8Array, length: number): void {
    if (length >= LARGE) return this.#writeLarge(flags, plainBytes(payload));
    const buffer = this.#reserve(MAX_HEADER_LENGTH + length);
    // Another thread can lengthen a payload in shared memory meanwhile, so that more bytes are copied. They
    // overwrite nothing, unless another connection has reserved the part behind this one.
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
   * @param text The payload. Lone surrogates become U+FFFD.
   * @returns The length of the payload in bytes.
   */
  writeText(flags: number, text: string): number {
    // A UTF-16 code unit becomes at most three bytes.
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
   * Writes an encoded frame that other connections send too.
   *
   * @param frame The frame, which is only read. If the transport releases chunks, it is not copied when it is
   * large or when the output is empty.
   */
  writeEncoded(frame: Uint8Array): void {
    const { length } = frame;
    if (length >= LARGE) return this.#append(this.#recycles ? frame : copyOf(frame));
    if (this.#recycles && this.#size === 0) return this.#append(frame);
    this.#reserve(length).set(frame, this.#end);
    this.#commit(this.#end + length);
  }

  /**
   * Answers a Ping. As peers expect, each Ping gets its Pong in its place among the messages. But RFC 6455
   * §5.5.3 demands a Pong for the latest Ping only. So the output holds few Pongs, however many Pings arrive
   * from a peer that reads nothing.
   *
   * @param payload The Ping's payload. It is read before this returns and not kept.
   */
  writePong(payload: Uint8Array): void {
    if (this.#pongs === MAX_PONGS) {
      // The owner of the payload may write to it before the Pong is sent.
      this.#pong = copyOf(payload);
    } else {
      this.#pongs++;
      this.write(FIN | PONG, payload, payload.length);
    }
  }

  /** Writes the latest Pong if it was held back. Call it before a Close, because nothing follows a Close. */
  flushPong(): void {
    const pong = this.#pong;
    if (pong === null) return;
    this.#pong = null;
    this.write(FIN | PONG, pong, pong.length);
  }

  /**
   * Writes a header before a payload that is already in the buffer, and masks the payload. Moves the payload
   * if the header needs more room.
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
   * Writes a large payload in parts. `payload` must be plain: then nothing can throw after the header is
   * written, and the payload has the announced length.
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

  /** Encodes text into room for ASCII first. What doesn't fit tells how much more room it needs. */
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

  /** Reserves up to 65,536 bytes at `#end`, and returns the buffer. */
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

  /** Returns how many bytes of a large payload fit into the chunk. */
  #roomInChunk(slab: Slab): number {
    const left = (this.#limit === slab.used ? SLAB_SIZE : this.#limit) - this.#end;
    return left < MIN_ROOM ? SLAB_SIZE : left;
  }

  /** Adds the bytes up to `end` to the output. */
  #commit(end: number): void {
    this.#size += end - this.#end;
    this.#end = end;
  }

  /**
   * Begins another part. When connections write alternately, parts for a single frame would turn each frame
   * into a chunk. So later parts are as large as all parts before. An output that isn't taken for long gets a
   * slab of its own: a slow connection then doesn't hold slabs that fast ones use.
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

  /** Copies a small frame that was the whole output, so that it shares a chunk with the next one. */
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

  /** Finishes the current part, so that `#chunks` has the whole output. */
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

  /** Ends the current part, and returns its chunk. */
  #cut(slab: Slab): Uint8Array {
    const start = this.#start;
    const end = this.#end;
    // No connection has reserved room behind this part: the next part begins where it ends.
    if (this.#limit === slab.used) slab.used = end;
    this.#slab = null;
    this.#start = this.#end = this.#limit = 0;
    if (this.#recycles) return slab.view(start, end);
    // A copy: the transport may transfer the chunk's buffer, or read the bytes of other connections in it.
    const chunk = slab.bytes.slice(start, end);
    slab.release();
    return chunk;
  }

  /** Drops the current part, which is empty. */
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

  // Taking and releasing.

  /**
   * Takes the whole output if it is one chunk.
   *
   * @returns The chunk. Its memory is not reused until the caller releases it; a caller that never does may
   * keep it. `null` if there is no output, or more than one chunk: see {@linkcode takeAll}.
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
   * Takes the whole output.
   *
   * @returns The chunks in order. Their memory is not reused until the caller releases them; a caller that
   * never does may keep them.
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
   * Releases taken chunks: their memory is written to again.
   *
   * @param kept How many of the taken bytes, counted from the end, the caller still needs.
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

/** Its length is at most the number of connections that had output at the same time. */
const pool: Output[] = [];

/** Writes `text` and returns `true` if it is ASCII. Otherwise the written bytes have no meaning. */
function writeAscii(text: string, buffer: Uint8Array, at: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return false;
    buffer[at + i] = unit;
  }
  return true;
}
