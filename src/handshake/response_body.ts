/**
 * The body of a refused opening handshake: its first bytes, for an error's text.
 *
 * @module
 */

import type { ResponseHead } from "./http_head.ts";

/** How much of a refusal's body is kept, in bytes. */
export const MAX_BODY: number = 64 * 1024;

/** The longest line of a chunked body's framing that is read, in bytes. */
const MAX_LINE = 256;

const LF = 10;

/**
 * Collects a body up to {@linkcode MAX_BODY} bytes: of a known length, chunked, or up to the
 * transport's end (RFC 9112 §6.3).
 */
export class ResponseBody {
  /** Called with what each chunk has of the body, a copy: then the whole body is read. */
  onBytes: ((bytes: Uint8Array) => void) | null = null;
  readonly #chunked: boolean;
  readonly #bytes: Uint8Array = new Uint8Array(MAX_BODY);
  #length = 0;
  /** What the chunk in hand has of the body, where it is wanted. */
  #taken: Uint8Array | null = null;
  #takenLength = 0;
  /** How many bytes are missing: of the body, or of the chunk in hand. */
  #missing: number;
  #line = "";
  #complete = false;
  /** The framing of its chunks is wrong: where it ends can't be known. */
  #malformed = false;
  /** A chunk's bytes are read, and the line end behind them isn't. */
  #isBehindChunk = false;

  /**
   * Makes the reader of one body.
   *
   * @param head The response's head.
   */
  constructor({ status, headers }: Pick<ResponseHead, "status" | "headers">) {
    this.#chunked = headers.lists("transfer-encoding", "chunked");
    const length = headers.get("content-length");
    this.#missing = this.#chunked
      ? 0
      : length !== null && /^\d+$/.test(length)
      ? Number(length)
      : Infinity;
    // RFC 9112 §6.3: these have no body, whatever their fields say.
    const bodiless = status === 204 || status === 304;
    this.#complete = bodiless || !this.#chunked && this.#missing === 0;
  }

  /** Whether nothing more is wanted: the body is whole, or long enough. */
  get isComplete(): boolean {
    return this.#complete || this.onBytes === null && this.#length === MAX_BODY;
  }

  /** Whether a part of it would be missing if the transport ended now. */
  get isUnfinished(): boolean {
    return this.#malformed || !this.#complete && (this.#chunked || this.#missing !== Infinity);
  }

  /** What was collected; a copy. */
  get bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /**
   * Takes the next bytes.
   *
   * @param chunk The bytes as the transport delivered them; not kept.
   */
  push(chunk: Uint8Array): void {
    let at = 0;
    this.#taken = this.onBytes === null ? null : new Uint8Array(chunk.length);
    this.#takenLength = 0;
    while (at < chunk.length && !this.isComplete) {
      at = this.#missing > 0 ? this.#take(chunk, at) : this.#readLine(chunk, at);
    }
    // At once: a piece for each of a peer's chunks, of a byte each, would cost much more than they.
    const taken = this.#taken?.slice(0, this.#takenLength);
    this.#taken = null;
    if (taken !== undefined && taken.length > 0) this.onBytes?.(taken);
  }

  #take(chunk: Uint8Array, at: number): number {
    const size = Math.min(this.#missing, chunk.length - at);
    const bytes = chunk.subarray(at, at + size);
    const room = MAX_BODY - this.#length;
    const kept = size <= room ? bytes : bytes.subarray(0, room);
    this.#bytes.set(kept, this.#length);
    this.#length += kept.length;
    this.#missing -= size;
    this.#taken?.set(bytes, this.#takenLength);
    this.#takenLength += size;
    this.#isBehindChunk = this.#missing === 0;
    if (this.#missing === 0 && !this.#chunked) this.#complete = true;
    return at + size;
  }

  /** RFC 9112 §7.1: a chunk is its size in hexadecimal, a line end, its bytes, a line end. */
  #readLine(chunk: Uint8Array, at: number): number {
    const byte = chunk[at] as number;
    if (byte !== LF) {
      this.#line += String.fromCharCode(byte);
      if (this.#line.length > MAX_LINE) this.#malformed = this.#complete = true;
      return at + 1;
    }
    const line = this.#line.trim();
    this.#line = "";
    if (line === "") {
      // The line end behind a chunk's bytes: there is one, or a peer could send nothing else.
      if (!this.#isBehindChunk) this.#malformed = this.#complete = true;
      this.#isBehindChunk = false;
      return at + 1;
    }
    // 13 digits are less than 2^53.
    const digits = /^0*[0-9a-fA-F]{1,13}(?=$|[;\s])/.exec(line);
    this.#malformed = digits === null;
    this.#missing = digits === null ? 0 : parseInt(digits[0], 16);
    if (this.#missing === 0) this.#complete = true;
    return at + 1;
  }
}
