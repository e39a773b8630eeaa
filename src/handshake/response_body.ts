/**
 * The beginning of the body of a refused opening handshake, for an error.
 *
 * @module
 */

import type { ResponseHead } from "./http_head.ts";

/** How many bytes of a refusal's body are kept. */
export const MAX_BODY: number = 64 * 1024;

/** The maximum length of a line in the framing of a chunked body, in bytes. */
const MAX_LINE = 256;

const LF = 10;

/**
 * Collects up to {@linkcode MAX_BODY} bytes of a body. The body has a known length, is chunked, or ends with
 * the transport (RFC 9112 §6.3).
 */
export class ResponseBody {
  /** Called with a copy of each part of the body. If it is set, the whole body is read. */
  onBytes: ((bytes: Uint8Array) => void) | null = null;
  readonly #chunked: boolean;
  readonly #bytes: Uint8Array = new Uint8Array(MAX_BODY);
  #length = 0;
  /** The part of the body in the current chunk, for `onBytes`. */
  #taken: Uint8Array | null = null;
  #takenLength = 0;
  /** The number of missing bytes: of the body, or of its current chunk. */
  #missing: number;
  #line = "";
  #complete = false;
  /** Whether the framing of the chunks is malformed, so that the end of the body can't be found. */
  #malformed = false;
  /** Whether the line end after a chunk's bytes is still missing. */
  #isBehindChunk = false;

  /**
   * Creates a collector for one body.
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
    // RFC 9112 §6.3: these never have a body.
    const bodiless = status === 204 || status === 304;
    this.#complete = bodiless || !this.#chunked && this.#missing === 0;
  }

  /** Whether no more bytes are needed: the body is complete, or long enough. */
  get isComplete(): boolean {
    return this.#complete || this.onBytes === null && this.#length === MAX_BODY;
  }

  /** Whether the body would be truncated if the transport ended now. */
  get isUnfinished(): boolean {
    return this.#malformed || !this.#complete && (this.#chunked || this.#missing !== Infinity);
  }

  /** A copy of the collected bytes. */
  get bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /**
   * Takes the next bytes.
   *
   * @param chunk The bytes, in pieces of any size. They are not kept.
   */
  push(chunk: Uint8Array): void {
    let at = 0;
    this.#taken = this.onBytes === null ? null : new Uint8Array(chunk.length);
    this.#takenLength = 0;
    while (at < chunk.length && !this.isComplete) {
      at = this.#missing > 0 ? this.#take(chunk, at) : this.#readLine(chunk, at);
    }
    // One call for all: a peer can send chunks of a single byte, and a call for each would cost much more.
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

  /** RFC 9112 §7.1: a chunk has its size in hexadecimal, a line end, its bytes, and a line end. */
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
      // Only one empty line may follow a chunk's bytes, or a peer could send nothing else.
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
