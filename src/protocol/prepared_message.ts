/**
 * A message for many connections that is framed and compressed only once. A server's frames aren't masked
 * ({@link https://www.rfc-editor.org/rfc/rfc6455#section-5.1 RFC 6455 §5.1}), so they are the same on all of
 * them.
 *
 * @module
 */

import { BINARY, encodeHeader, FIN, headerLength, RSV1, TEXT } from "./frame.ts";
import type { SharedDeflate } from "./message_deflate.ts";
import { plainBytes } from "../realm/bytes.ts";

const encoder = new TextEncoder();

/** A message, ready to be sent on any number of a server's connections. */
export class PreparedMessage {
  /** A copy of the message. */
  readonly content: string | Uint8Array;

  /** The uncompressed frame, which is only read. */
  readonly frame: Uint8Array;

  /** The payload's length in bytes, uncompressed. */
  readonly size: number;

  readonly #opcode: number;
  /** A view of the frame, so that a pending message is in memory only once. */
  readonly #payload: Uint8Array;
  /** The compressed frames by the kind of compressor; `null` if compressing didn't help. */
  readonly #compressed: Map<string, Uint8Array | null> = new Map<string, Uint8Array | null>();

  /**
   * Prepares a message.
   *
   * @param message Text, or bytes, which are copied.
   */
  constructor(message: string | ArrayBuffer | ArrayBufferView) {
    const isText = typeof message === "string";
    const payload = isText ? encoder.encode(message) : plainBytes(message);
    this.#opcode = isText ? TEXT : BINARY;
    this.frame = encode(FIN | this.#opcode, payload);
    this.#payload = this.frame.subarray(this.frame.length - payload.length);
    this.size = payload.length;
    this.content = isText ? message : this.#payload;
  }

  /**
   * Returns the compressed frame.
   *
   * @param deflate The compressor. Only the first one of each kind compresses.
   * @returns The frame, which must not be written to; `null` to send {@linkcode frame}.
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
