import { Utf8Validator } from "../protocol/utf8.ts";
import { bytesOf, plainBytes } from "../realm/bytes.ts";
import type { Pull } from "../stream_channel/add_stream.ts";
import { loopGuard } from "../stream_channel/loop_guard.ts";
import { checkMessage } from "./message_input.ts";
import type { MessageInput } from "./web_socket_sink.ts";

/** The maximum size of a fragment in bytes, which is also encoded at a time. */
const LARGEST_FRAGMENT = 0x1_0000;

const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();

/** The bytes of a message in pieces of a limited size, from a user's source of any chunks. */
export class Fragments implements Pull<Uint8Array> {
  readonly #source: Pull<MessageInput>;
  /** Validates the bytes of a text. */
  readonly #validator: Utf8Validator | null;
  /** The current chunk, of which `#at` is read. */
  #chunk: MessageInput = EMPTY;
  #at = 0;
  /** The high surrogate at the end of a chunk, whose other half is in the next one. */
  #surrogate = "";
  #isCancelled = false;

  /**
   * Creates the pieces of one message.
   *
   * @param source The source of chunks of any size.
   * @param isText Whether the bytes must be UTF-8.
   */
  constructor(source: Pull<MessageInput>, isText: boolean) {
    this.#source = source;
    this.#validator = isText ? new Utf8Validator() : null;
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#source.cancel();
  }

  async next(): Promise<IteratorResult<Uint8Array, unknown>> {
    for (;;) {
      const piece = this.#cut();
      if (piece.length > 0) return { done: false, value: piece };
      // An endless number of empty chunks must not block the event loop.
      const turn = loopGuard.step();
      if (turn !== null) await turn;
      if (this.#isCancelled) return { done: true, value: undefined };
      const result = await this.#source.next();
      if (!result.done) this.#take(result.value);
      else if (this.#surrogate === "") return this.#end(result);
      else this.#takeSurrogate();
    }
  }

  #end(result: IteratorReturnResult<unknown>): IteratorReturnResult<unknown> {
    if (this.#validator?.isComplete === false) throw this.#invalid();
    return result;
  }

  #take(chunk: MessageInput): void {
    checkMessage(chunk);
    if ((typeof chunk === "string" ? chunk.length : chunk.byteLength) === 0) return;
    if (typeof chunk === "string") {
      // A lone surrogate becomes U+FFFD, as in a message that is added whole.
      const text = this.#surrogate + chunk;
      const isCut = isHigh(text.charCodeAt(text.length - 1));
      this.#surrogate = isCut ? text.slice(-1) : "";
      this.#chunk = isCut ? text.slice(0, -1) : text;
    } else if (this.#surrogate === "") this.#chunk = plainBytes(bytesOf(chunk));
    else {
      const bytes = plainBytes(bytesOf(chunk));
      const before = encoder.encode(this.#surrogate);
      this.#surrogate = "";
      const all = new Uint8Array(before.length + bytes.length);
      all.set(before);
      all.set(bytes, before.length);
      this.#chunk = all;
    }
    this.#at = 0;
  }

  /** Takes a high surrogate without another half. */
  #takeSurrogate(): void {
    this.#chunk = this.#surrogate;
    this.#surrogate = "";
    this.#at = 0;
  }

  /** Returns the next piece of the current chunk; an empty one after the last. */
  #cut(): Uint8Array {
    const chunk = this.#chunk;
    const start = this.#at;
    if (typeof chunk === "string") return this.#encode(chunk, start);
    const piece = (chunk as Uint8Array).subarray(start, start + LARGEST_FRAGMENT);
    this.#at = start + piece.length;
    if (piece.length === 0) this.#chunk = EMPTY;
    return this.#checked(piece);
  }

  #encode(text: string, start: number): Uint8Array {
    let end = Math.min(text.length, start + LARGEST_FRAGMENT / 4);
    if (end < text.length && isHigh(text.charCodeAt(end - 1))) end--;
    this.#at = end;
    if (start === end) this.#chunk = EMPTY;
    return this.#checked(encoder.encode(text.slice(start, end)));
  }

  #checked(piece: Uint8Array): Uint8Array {
    if (this.#validator?.push(piece, 0, piece.length) === false) throw this.#invalid();
    return piece;
  }

  #invalid(): TypeError {
    return new TypeError("Cannot add a message: the bytes of its text are not UTF-8");
  }
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
