import {
  BINARY,
  CLOSE,
  CONTINUATION,
  decodeHeader,
  FrameHeader,
  MAX_HEADER_LENGTH,
  PING,
  PONG,
  RSV1,
  TEXT,
} from "../protocol/frame.ts";

/** A frame that has passed. */
export interface SeenFrame {
  readonly opcode: number;
  /** What the opcode stands for, such as `"text"`. */
  readonly name: string;
  readonly fin: boolean;
  /** The bits RSV1, RSV2 and RSV3 as a number: 4 is a compressed message. */
  readonly rsv: number;
  readonly masked: boolean;
  /** The payload's length in bytes, on the wire. */
  readonly size: number;
}

/** A message that has passed. */
export interface SeenMessage {
  readonly kind: "text" | "binary";
  /** The payload's length in bytes, on the wire. */
  readonly size: number;
  /** How many frames it had. */
  readonly frames: number;
  readonly isCompressed: boolean;
  /** The payload; `null` when it is compressed or larger than the limit. */
  readonly content: Uint8Array | null;
}

/** Who gets what passes. */
export interface FrameEvents {
  /** A whole frame has passed. */
  onFrame(frame: SeenFrame): void;
  /** The last frame of a message has passed. */
  onMessage(message: SeenMessage): void;
  /** A control frame has passed: Close, Ping or Pong. */
  onControl(name: string, payload: Uint8Array): void;
}

const NAMES: Readonly<Record<number, string>> = {
  [CONTINUATION]: "continuation",
  [TEXT]: "text",
  [BINARY]: "binary",
  [CLOSE]: "close",
  [PING]: "ping",
  [PONG]: "pong",
};

/**
 * Reads the frames of one direction as they pass, and judges nothing: it shows what a peer does wrong, too. It keeps no
 * more than the content of one message, up to a limit.
 */
export class FrameReader {
  readonly #events: FrameEvents;
  readonly #limit: number;
  readonly #header = new FrameHeader();
  /** The bytes of a header that isn't whole. */
  #head = new Uint8Array(MAX_HEADER_LENGTH);
  #headSize = 0;
  /** How many bytes of the frame's payload are still to come; -1: a header is. */
  #left = -1;
  #payload: Payload;
  // The message that isn't whole yet.
  #message: Payload;
  #kind: "text" | "binary" | null = null;
  #frames = 0;
  #isCompressed = false;

  /**
   * @param events See {@linkcode FrameEvents}.
   * @param limit How many bytes of a message are kept.
   */
  constructor(events: FrameEvents, limit: number) {
    this.#events = events;
    this.#limit = limit;
    this.#payload = this.#message = new Payload(0);
  }

  /** Takes the next bytes. They are not kept. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left < 0) {
        this.#head[this.#headSize++] = chunk[at++] as number;
        this.#begin();
      } else {
        const end = Math.min(at + this.#left, chunk.length);
        this.#payload.push(chunk.subarray(at, end), this.#header);
        this.#left -= end - at;
        at = end;
      }
      if (this.#left === 0) this.#end();
    }
  }

  #begin(): void {
    const header = this.#header;
    if (decodeHeader(this.#head, 0, this.#headSize, header) === 0) return;
    this.#headSize = 0;
    // A length that nothing can have: what follows can't be read.
    this.#left = header.length < 0 ? Infinity : header.length;
    if (header.isControl) this.#payload = new Payload(125);
    else {
      if (header.opcode !== CONTINUATION) {
        this.#message = new Payload(this.#limit);
        this.#kind = header.opcode === TEXT ? "text" : "binary";
        this.#frames = 0;
        this.#isCompressed = (header.flags & RSV1) !== 0;
      }
      this.#payload = this.#message;
      this.#frames++;
    }
    this.#payload.phase = 0;
  }

  #end(): void {
    const header = this.#header;
    const { opcode, fin, masked, flags, length: size } = header;
    this.#left = -1;
    const name = NAMES[opcode] ?? `reserved ${opcode}`;
    this.#events.onFrame({ opcode, name, fin, rsv: (flags >> 4) & 7, masked, size });
    if (header.isControl) return this.#events.onControl(name, this.#payload.bytes() ?? EMPTY);
    if (!fin || this.#kind === null) return;
    const message = this.#message;
    this.#events.onMessage({
      kind: this.#kind,
      size: message.size,
      frames: this.#frames,
      isCompressed: this.#isCompressed,
      content: this.#isCompressed ? null : message.bytes(),
    });
    this.#kind = null;
    this.#message = this.#payload = new Payload(0);
  }
}

const EMPTY = new Uint8Array(0);

/** A payload, unmasked, up to a limit. */
class Payload {
  size = 0;
  /** How many bytes of the frame have been unmasked. */
  phase = 0;
  readonly #limit: number;
  /** The content so far, with room for more; `null`: it is larger than the limit. */
  #bytes: Uint8Array<ArrayBuffer> | null = EMPTY;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(part: Uint8Array, { masked, key }: FrameHeader): void {
    const start = this.size;
    this.size += part.length;
    if (this.size > this.#limit) this.#bytes = null;
    const bytes = this.#room();
    bytes?.set(part, start);
    if (masked && bytes !== null) {
      for (let i = start; i < this.size; i++) {
        const shift = 24 - 8 * ((this.phase + i - start) & 3);
        bytes[i] = (bytes[i] as number) ^ (key >>> shift);
      }
    }
    this.phase += part.length;
  }

  /** One array, however small the parts are: a peer may send each byte in a frame of its own. */
  #room(): Uint8Array<ArrayBuffer> | null {
    const bytes = this.#bytes;
    if (bytes === null || this.size <= bytes.length) return bytes;
    const larger = new Uint8Array(Math.min(Math.max(2 * bytes.length, this.size), this.#limit));
    larger.set(bytes);
    return this.#bytes = larger;
  }

  bytes(): Uint8Array | null {
    return this.#bytes?.slice(0, this.size) ?? null;
  }
}
