/**
 * A message that goes to many connections: framed once, and compressed once
 * ({@link https://www.rfc-editor.org/rfc/rfc6455#section-5.1 RFC 6455 §5.1}: a server's frames are not
 * masked, so that all of them are the same).
 *
 * @module
 */

import { BINARY, encodeHeader, FIN, headerLength, RSV1, TEXT } from "./frame.ts";
import type { SharedDeflate } from "./permessage_deflate.ts";

const encoder = new TextEncoder();

/** A message, ready to be sent by any number of servers' connections. */
export class PreparedMessage {
  /** The message itself, as a copy. */
  readonly content: string | Uint8Array;

  readonly #opcode: number;
  readonly #payload: Uint8Array;
  #frame: Uint8Array | null = null;
  /** By the kind of compressor; `null` where compressing didn't help. */
  readonly #compressed: Map<string, Uint8Array | null> = new Map<string, Uint8Array | null>();

  /**
   * Prepares a message.
   *
   * @param message Text, or bytes, which are copied.
   */
  constructor(message: string | Uint8Array) {
    const isText = typeof message === "string";
    // A Buffer's own slice wouldn't copy.
    this.#payload = isText ? encoder.encode(message) : new Uint8Array(message);
    this.#opcode = isText ? TEXT : BINARY;
    this.content = isText ? message : this.#payload;
  }

  /** The payload's length in bytes, uncompressed. */
  get size(): number {
    return this.#payload.length;
  }

  /** The uncompressed frame. It must not be written to. */
  get frame(): Uint8Array {
    return this.#frame ??= encode(FIN | this.#opcode, this.#payload);
  }

  /**
   * The compressed frame.
   *
   * @param deflate The compressor; one of each kind does the work.
   * @returns The frame, which must not be written to, or `null` where {@linkcode frame} is to be sent.
   */
  compressedFrame(deflate: SharedDeflate): Uint8Array | null {
    const known = this.#compressed.get(deflate.kind);
    if (known !== undefined) return known;
    const payload = deflate.compress(this.#payload);
    const frame = payload && encode(FIN | RSV1 | this.#opcode, payload);
    this.#compressed.set(deflate.kind, frame);
    return frame;
  }
}

function encode(flags: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(headerLength(payload.length, false) + payload.length);
  frame.set(payload, encodeHeader(frame, 0, flags, payload.length, false));
  return frame;
}
