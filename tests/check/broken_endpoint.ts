/**
 * A small echo endpoint of RFC 6455 and RFC 7692 for tests of the check. Tests can switch on each fault of a list,
 * one at a time. Without a fault the endpoint is correct. It shares no code with the check.
 */

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";

/** The agreed parameters of permessage-deflate. */
export interface Deflate {
  ownBits: number;
  ownForgets: boolean;
  peerForgets: boolean;
}

type Bytes = Buffer;
const none: Bytes = Buffer.alloc(0);
const TAIL = Buffer.from([0, 0, 255, 255]);
const WINDOW = 32_768;

interface Frame {
  fin: boolean;
  rsv: number;
  opcode: number;
  payload: Bytes;
}

/** One side of a connection. */
export class Endpoint {
  readonly #socket: Socket;
  readonly #isServer: boolean;
  readonly #fault: string;
  readonly #deflate: Deflate | null;
  #buffer: Bytes = none;
  #parts: Bytes[] = [];
  #opcode = 0;
  #isCompressed = false;
  #isClosed = false;
  #isOver = false;
  #history: Bytes = none;
  #maskAt = 0;
  #count = 0;
  #held: Bytes[] = [];
  #textTail: Bytes = none;
  #isBroken = false;
  #isFull = false;
  #ending: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: Socket, isServer: boolean, fault: string, deflate: Deflate | null) {
    this.#socket = socket;
    this.#isServer = isServer;
    this.#fault = fault;
    this.#deflate = deflate;
    socket.on("drain", () => this.#isFull = false);
    if (this.#has("extra-message")) this.#send(1, Buffer.from("welcome"));
  }

  #has(fault: string): boolean {
    return this.#fault === fault;
  }

  /** Takes a chunk of bytes. */
  push(chunk: Bytes): void {
    if (this.#isOver) return void this.#ending?.refresh();
    if (this.#has("whole-frames-only") && chunk.length < 6) return;
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    for (let frame = this.#take(); frame !== null && !this.#isOver; frame = this.#take()) {
      this.#receive(frame);
      if (this.#has("one-frame-a-chunk")) this.#buffer = none;
    }
    if (this.#has("reverse-order")) {
      for (const it of this.#held.splice(0).reverse()) this.#write(it);
    }
  }

  #take(): Frame | null {
    const it = this.#buffer;
    if (it.length < 2) return null;
    const [first = 0, second = 0] = it;
    let length = second & 127;
    let at = 2;
    if (length === 126) {
      if (it.length < 4) return null;
      length = this.#has("length-little-endian") ? it.readUInt16LE(2) : it.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (it.length < 10) return null;
      const long = it.readBigUInt64BE(2);
      if (long >= 1n << 63n && !this.#has("length-top-bit")) return this.#fail(1002);
      if (this.#has("length-top-bit") && long >= 1n << 63n) length = 0;
      else length = this.#has("length-32-bits") ? Number(long & 0xffffffffn) : Number(long);
      at = 10;
    }
    const isMasked = second > 127;
    if (isMasked !== this.#isServer && !this.#has("any-mask")) return this.#fail(1002);
    if (length > 1 << 27) return this.#fail(1009);
    const key = isMasked ? it.subarray(at, at + 4) : none;
    at += key.length;
    if (it.length < at + length) return null;
    const payload = Buffer.from(it.subarray(at, at + length));
    if (key.length === 4) this.#unmask(payload, key, first);
    this.#buffer = it.subarray(at + length);
    if (this.#has("length-65536") && length === 65_536) return this.#take();
    return { fin: first > 127, rsv: first >> 4 & 7, opcode: first & 15, payload };
  }

  #unmask(payload: Bytes, key: Bytes, first: number): void {
    const start = this.#has("mask-goes-on") && (first & 15) === 0 ? this.#maskAt : 0;
    for (let i = 0; i < payload.length; i++) payload[i]! ^= key[(i + start) & 3] ?? 0;
    if (this.#has("mask-first-4") && payload.length > 4) payload.fill(payload[4]!, 5);
    this.#maskAt = start + payload.length;
  }

  /** RFC 6455 §7.1.7. */
  #fail(code: number): null {
    if (this.#has("fails-silently")) return null;
    const payload = Buffer.from([code >> 8, code & 255]);
    if (!this.#has("fails-without-close")) this.#send(8, payload);
    if (this.#has("late-taken")) {
      this.#buffer = none;
      return null;
    }
    this.#isOver = true;
    if (!this.#has("close-waits")) this.#socket.end();
    return null;
  }

  #receive(frame: Frame): void {
    const { opcode, rsv, fin, payload } = frame;
    const mayHaveRsv1 = this.#deflate !== null && rsv === 4 && (opcode === 1 || opcode === 2);
    const isTaken = this.#has("any-rsv") || (this.#has("any-rsv-control") && opcode > 7) ||
      (this.#has("rsv1-continuation") && opcode === 0) || (this.#has("rsv1-anywhere") && rsv === 4);
    if (rsv !== 0 && !mayHaveRsv1 && !isTaken) return void this.#fail(1002);
    if (opcode > 7) return this.#control(frame);
    if (opcode > 2 && !this.#has("any-opcode")) return void this.#fail(1002);
    if (opcode === 0 && this.#opcode === 0 && !this.#has("continuation-first")) {
      return void this.#fail(1002);
    }
    if (opcode !== 0 && this.#opcode !== 0 && !this.#has("data-inside")) {
      return void this.#fail(1002);
    }
    if (opcode !== 0) {
      this.#opcode = opcode > 2 ? 2 : opcode;
      this.#isCompressed = rsv === 4 && mayHaveRsv1 ||
        this.#has("all-compressed") && this.#deflate !== null;
      this.#parts = [];
    }
    if (this.#has("empty-first") && opcode !== 0 && !fin && payload.length === 0) this.#opcode = 0;
    if (this.#has("utf8-per-fragment") && this.#opcode === 1 && !isText(payload)) {
      return void this.#fail(1007);
    }
    this.#parts.push(payload);
    if (fin) this.#message();
  }

  #message(): void {
    const opcode = this.#opcode || 2;
    this.#opcode = 0;
    let payload: Bytes = Buffer.concat(this.#parts);
    if (this.#isCompressed && !this.#has("ignores-rsv1")) {
      const inflated = this.#inflate(payload);
      if (inflated === null) return void this.#fail(1007);
      payload = inflated;
    } else if (this.#has("plain-in-window")) {
      this.#history = Buffer.concat([this.#history, payload]);
    }
    if (this.#has("limit-64-kib") && payload.length > 65_536) return;
    if (this.#has("drops-empty") && payload.length === 0) return;
    if (opcode === 1 && !this.#isGood(payload)) return void this.#fail(1007);
    if (opcode === 2 && this.#has("utf8-binary") && !isText(payload)) return void this.#fail(1007);
    if (this.#has("strips-bom") && payload.subarray(0, 3).equals(BOM)) {
      payload = payload.subarray(3);
    }
    const kind = this.#has("text-as-binary") ? 2 : this.#has("binary-as-text") ? 1 : opcode;
    this.#echo(kind, payload);
  }

  #isGood(payload: Bytes): boolean {
    if (this.#has("utf8-any")) return true;
    if (this.#has("utf8-surrogates") && payload.includes(0xed)) return true;
    if (this.#has("utf8-overlong") && payload.includes(0xc0)) return true;
    if (this.#has("utf8-above") && payload.includes(0xf4)) return true;
    if (this.#has("utf8-compressed") && this.#isCompressed) return true;
    if (this.#has("utf8-cut") && isText(payload.subarray(0, -1))) return true;
    if (this.#has("utf8-across")) {
      const whole = Buffer.concat([this.#textTail, payload]);
      this.#textTail = isText(whole) ? none : whole;
      return true;
    }
    return isText(payload);
  }

  #inflate(payload: Bytes): Bytes | null {
    const kept = this.#has("no-takeover")
      ? none
      : this.#has("window-of-9")
      ? this.#history.subarray(-512)
      : this.#history;
    if (this.#has("breaks-at-final") && this.#isBroken) return none;
    try {
      // An uncompressed block with the kept history stands in front: not every runtime supports a dictionary.
      const whole = Buffer.concat([stored(kept), payload, TAIL]);
      const finishFlush = constants.Z_SYNC_FLUSH;
      const message = Buffer.from(inflateRawSync(whole, { finishFlush })).subarray(kept.length);
      if ((payload[0] ?? 0) & 1) this.#isBroken = true;
      const forgets = this.#deflate?.peerForgets === true;
      this.#history = forgets ? none : Buffer.concat([this.#history, message]).subarray(-WINDOW);
      return message;
    } catch {
      return this.#has("inflate-errors") ? none : null;
    }
  }

  #echo(opcode: number, payload: Bytes): void {
    if (this.#has("cut-fragments") && payload.length > 1000) {
      this.#write(this.#frame(opcode, payload.subarray(0, 500), 0, false));
      return this.#write(this.#frame(opcode, payload.subarray(500)));
    }
    const deflate = this.#deflate;
    if (deflate === null || payload.length < 64) return this.#send(opcode, payload);
    if (deflate.ownBits === 8) return this.#send(opcode, payload);
    const windowBits = this.#has("large-window") ? 15 : deflate.ownBits;
    const packed = deflateRawSync(payload, { windowBits, finishFlush: constants.Z_SYNC_FLUSH });
    const body = this.#has("keeps-context")
      ? Buffer.from("f200110000", "hex")
      : Buffer.from(packed.subarray(0, this.#has("cuts-stream") ? -6 : -4));
    this.#write(this.#frame(opcode, body, this.#has("no-rsv1") ? 0 : 4));
  }

  #control({ opcode, fin, payload }: Frame): void {
    if (opcode > 10) return void (this.#has("any-control") || this.#fail(1002));
    if (!fin && !this.#has("fragmented-control")) return void this.#fail(1002);
    if (payload.length > 125 && !this.#has("long-control")) return void this.#fail(1002);
    if (opcode === 9) this.#ping(payload);
    else if (opcode === 8) this.#close(payload);
    else if (this.#has("pongs-pong")) this.#send(10, payload);
  }

  #ping(payload: Bytes): void {
    if (this.#has("no-pong") || this.#isClosed) return;
    if (this.#has("ping-ends-message")) this.#opcode = 0;
    if (this.#has("pong-inside") && this.#opcode !== 0) return;
    if (this.#has("pong-empty")) return this.#send(10, none);
    if (this.#has("pong-124")) return this.#send(10, payload.subarray(0, 124));
    if (this.#has("pong-as-text")) return this.#send(10, Buffer.from(payload.toString("utf8")));
    if (this.#has("pong-twice")) this.#send(10, payload);
    this.#send(this.#has("pong-as-ping") ? 9 : 10, payload);
  }

  #close(payload: Bytes): void {
    if (this.#isClosed) return;
    const code = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
    if (payload.length === 1 && !this.#has("close-one-byte")) return void this.#fail(1002);
    if (payload.length > 1 && !this.#mayBe(code)) return void this.#fail(1002);
    if (!isText(payload.subarray(2)) && !this.#has("close-any-reason")) {
      return void this.#fail(1007);
    }
    if (this.#has("close-no-answer")) return;
    if (this.#has("close-ends-tcp")) return void this.#socket.end();
    this.#isClosed = true;
    if (this.#has("close-1005") && payload.length === 0) this.#send(8, Buffer.from([3, 237]));
    else if (this.#has("close-other-code")) this.#send(8, Buffer.from([3, 233]));
    else this.#send(8, payload.length === 1 ? none : payload);
    if (this.#has("close-twice")) this.#send(8, payload);
    if (this.#has("close-goes-on")) return;
    if (this.#has("close-keeps-tcp")) {
      this.#isOver = true;
      return;
    }
    this.#isOver = true;
    if (this.#has("close-dribble")) {
      this.#ending = setTimeout(() => this.#socket.end(), 1000);
      this.#socket.on("close", () => clearTimeout(this.#ending));
    } else if (this.#isServer) this.#socket.end();
  }

  #mayBe(code: number): boolean {
    if (this.#has("close-any-code")) return true;
    if (this.#has("close-1005-taken") && code === 1005) return true;
    if (this.#has("close-2999-taken") && code > 1015 && code < 3000) return true;
    if (this.#has("close-no-3000") && code >= 3000) return false;
    return code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code) ||
      code >= 3000 && code <= 4999;
  }

  #send(opcode: number, payload: Bytes): void {
    const frame = this.#frame(opcode, payload, this.#has("sends-rsv") && opcode < 8 ? 2 : 0);
    if (this.#has("reverse-order") && opcode < 8) this.#held.push(frame);
    else this.#write(frame);
  }

  #frame(opcode: number, payload: Bytes, rsv = 0, fin = true): Bytes {
    const isMasked = this.#isServer === this.#has("wrong-mask") &&
      !(this.#has("control-unmasked") && opcode > 7) &&
      !(this.#has("empty-unmasked") && payload.length === 0);
    const bit = isMasked ? 128 : 0;
    const { length } = payload;
    const head = [(fin ? 128 : 0) | rsv << 4 | opcode];
    if (length < 126 && !this.#has("long-lengths")) head.push(bit | length);
    else if (length < 65_536) head.push(bit | 126, length >> 8, length & 255);
    else {head.push(
        bit | 127,
        0,
        0,
        0,
        0,
        length >>> 24,
        length >> 16 & 255,
        length >> 8 & 255,
        length & 255,
      );}
    if (!isMasked) return Buffer.concat([Buffer.from(head), payload]);
    const key = this.#key();
    const masked = Buffer.from(payload);
    for (let i = 0; i < masked.length; i++) masked[i]! ^= key[i & 3] ?? 0;
    return Buffer.concat([Buffer.from(head), key, masked]);
  }

  #key(): Bytes {
    if (this.#has("key-zero")) return Buffer.alloc(4);
    if (this.#has("key-same")) return Buffer.from([1, 2, 3, 4]);
    if (this.#has("key-counted")) return Buffer.from([0, 0, 1, ++this.#count]);
    return randomBytes(4);
  }

  #write(bytes: Bytes): void {
    if (this.#has("drops-unread") && this.#isFull || this.#socket.destroyed) return;
    this.#isFull = !this.#socket.write(bytes);
  }
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** RFC 1951 §3.2.4: a block that isn't compressed. */
function stored(bytes: Bytes): Bytes {
  const { length } = bytes;
  if (length === 0) return none;
  return Buffer.concat([
    Buffer.from([0, length & 255, length >> 8, ~length & 255, ~length >> 8 & 255]),
    bytes,
  ]);
}

function isText(bytes: Bytes): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
