/**
 * The compressor of messages, over the platform's zlib.
 *
 * Every message is one synchronous call that leaves no zlib stream behind: a connection keeps at
 * most the two windows themselves (RFC 7692 §7.2.3.2), and none while it is idle.
 *
 * - Compressing, the window is zlib's preset dictionary. A platform whose zlib ignores dictionaries
 *   compresses each message by itself, which the other end can't tell from any other choice of a
 *   compressor's.
 * - Decompressing, the window stands before the message as a stored block (RFC 1951 §3.2.4), and is
 *   cut off the result. This works on every platform.
 */

import type { CompressionOptions, DeflateParameters } from "../handshake/deflate_parameters.ts";
import type { Side } from "../protocol/frame.ts";
import { InflateError, type MessageDeflate } from "../protocol/permessage_deflate.ts";
import { SlidingWindow } from "./sliding_window.ts";

/** Messages of fewer bytes are sent uncompressed, unless the options say otherwise. */
const THRESHOLD = 1024;

/** RFC 7692 §7.2.1: an empty stored block, aligned to a byte, ends a message and is not sent. */
const TAIL_LENGTH = 4;

/**
 * What is put behind a message: the end that wasn't sent (RFC 7692 §7.2.2), and an empty final
 * block. A message that is cut short doesn't reach the latter, and so is noticed.
 */
const END = Uint8Array.of(0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff);

/** A stored block's header: one byte, the length, and the length's complement. */
const STORED_HEADER = 5;

const MAX_WINDOW = 1 << 15;

/** Room before a message for a window as a stored block. */
const ROOM = STORED_HEADER + MAX_WINDOW;

/** A larger scratch buffer is dropped after use. */
const KEPT_SCRATCH = 256 * 1024;

/**
 * How many DEFLATE streams (runs of blocks up to one with BFINAL=1) a message may be made of. Each
 * costs a call, so a peer must not have a million of them for two bytes each.
 */
const MAX_STREAMS = 1000;

/** zlib takes no larger limit on some platforms. */
const MAX_OUTPUT = 2 ** 31 - 1;

/** The part of node:zlib that is used. */
interface Zlib {
  readonly constants: { readonly Z_SYNC_FLUSH: number };
  deflateRawSync(bytes: Uint8Array, options: object): Uint8Array;
  inflateRawSync(
    bytes: Uint8Array,
    options: object,
  ): { readonly buffer: Uint8Array; readonly engine: { readonly bytesWritten: number } };
}

/** What the platform's zlib can do. */
export interface ZlibAbilities {
  /** Whether there is a zlib at all; browsers have none. */
  readonly available: boolean;
  /** Whether a message can be compressed with those before it as its dictionary. */
  readonly dictionary: boolean;
}

let zlib: Zlib | null | undefined;
let abilities: ZlibAbilities | undefined;

/** Not an import, so that a browser's bundle contains none. */
function findZlib(): Zlib | null {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (name: string) => Zlib | undefined };
  };
  return zlib ??= process?.getBuiltinModule?.("zlib") ?? null;
}

/**
 * What the platform's zlib can do, tried out once.
 *
 * @returns The abilities.
 */
export function zlibAbilities(): ZlibAbilities {
  return abilities ??= probe(findZlib());
}

function probe(found: Zlib | null): ZlibAbilities {
  if (found === null) return { available: false, dictionary: false };
  const sample = Uint8Array.from({ length: 256 }, (_, i) => i * 89 ^ i >> 3);
  const alone = found.deflateRawSync(sample, {});
  const helped = found.deflateRawSync(sample, { dictionary: sample });
  return { available: true, dictionary: helped.length < alone.length / 2 };
}

/**
 * The wishes for compression that this platform can keep.
 *
 * Where the own end can't keep its window, the other end is told so, and needs to keep none.
 *
 * @param options The user's wishes.
 * @param side Which end of the connection this is.
 * @param able What the platform's zlib can do.
 * @returns What to negotiate with, or `null` where there is no zlib: offer and accept nothing.
 */
export function negotiableCompression(
  options: CompressionOptions,
  side: Side,
  able: ZlibAbilities = zlibAbilities(),
): CompressionOptions | null {
  if (!able.available) return null;
  if (able.dictionary) return options;
  return side === "client"
    ? { ...options, clientNoContextTakeover: true }
    : { ...options, serverNoContextTakeover: true };
}

/**
 * Makes the compressor of one connection.
 *
 * @param parameters What was agreed in the opening handshake.
 * @param side Which end of the connection this is.
 * @param options The own wishes: `threshold` and `level`; the rest is in the parameters.
 * @returns The compressor, or `null` where the platform has no zlib.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.2 RFC 7692 §7.2}
 */
export function createMessageDeflate(
  parameters: DeflateParameters,
  side: Side,
  options: CompressionOptions = {},
): MessageDeflate | null {
  const found = findZlib();
  return found && new ZlibMessageDeflate(found, ends(parameters, side), options);
}

/** The parameters of this end's direction and of the other's. */
interface Ends {
  readonly ownBits: number;
  readonly ownTakeover: boolean;
  readonly peerBits: number;
  readonly peerTakeover: boolean;
}

function ends(parameters: DeflateParameters, side: Side): Ends {
  const client = side === "client";
  const { clientMaxWindowBits, serverMaxWindowBits } = parameters;
  const clientTakeover = !parameters.clientNoContextTakeover;
  const serverTakeover = !parameters.serverNoContextTakeover;
  return {
    ownBits: client ? clientMaxWindowBits : serverMaxWindowBits,
    ownTakeover: client ? clientTakeover : serverTakeover,
    peerBits: client ? serverMaxWindowBits : clientMaxWindowBits,
    peerTakeover: client ? serverTakeover : clientTakeover,
  };
}

class ZlibMessageDeflate implements MessageDeflate {
  readonly #compressor: Compressor;
  readonly #decompressor: Decompressor;

  constructor(found: Zlib, ends: Ends, options: CompressionOptions) {
    this.#compressor = new Compressor(found, ends, options);
    this.#decompressor = new Decompressor(found, ends);
  }

  compress(payload: Uint8Array): Uint8Array | null {
    return this.#compressor.compress(payload);
  }

  decompress(payload: Uint8Array, maxLength: number): Uint8Array {
    return this.#decompressor.decompress(payload, maxLength);
  }
}

class Compressor {
  readonly #zlib: Zlib;
  readonly #bits: number;
  readonly #threshold: number;
  readonly #level: number;
  readonly #window: SlidingWindow | null;

  constructor(found: Zlib, { ownBits, ownTakeover }: Ends, options: CompressionOptions) {
    this.#zlib = found;
    this.#bits = ownBits;
    this.#threshold = options.threshold ?? THRESHOLD;
    this.#level = options.level ?? -1;
    const keeps = ownTakeover && ownBits > 8 && zlibAbilities().dictionary;
    this.#window = keeps ? new SlidingWindow(1 << ownBits) : null;
  }

  compress(payload: Uint8Array): Uint8Array | null {
    const { length } = payload;
    // zlib's raw deflate silently takes 9 for 8, whose window the other end may not have.
    if (this.#bits === 8 || length < this.#threshold || length === 0) return null;
    const dictionary = this.#dictionary(length);
    const compressed = this.#zlib.deflateRawSync(payload, {
      finishFlush: this.#zlib.constants.Z_SYNC_FLUSH,
      level: this.#level,
      windowBits: this.#windowBits(length + (dictionary?.length ?? 0)),
      chunkSize: chunkSize(length + (length >> 10) + 64),
      dictionary,
    });
    const sent = compressed.length - TAIL_LENGTH;
    // RFC 7692 §6: a message may go uncompressed; the other end's window doesn't see it then.
    if (sent >= length) return null;
    this.#window?.push(payload);
    return new Uint8Array(compressed.buffer, compressed.byteOffset, sent);
  }

  /**
   * zlib takes time for each byte of a dictionary, so a short message gets a part of the window:
   * the last eight times its own length.
   */
  #dictionary(length: number): Uint8Array | undefined {
    const window = this.#window;
    return window === null || window.length === 0
      ? undefined
      : window.last(Math.max(4096, 8 * length));
  }

  /** The smallest window in which all fits, with the 262 bytes that zlib looks ahead. */
  #windowBits(length: number): number {
    const needed = 32 - Math.clz32(length + 262);
    return Math.min(this.#bits, Math.max(9, needed));
  }
}

class Decompressor {
  readonly #zlib: Zlib;
  readonly #window: SlidingWindow | null;

  constructor(found: Zlib, { peerBits, peerTakeover }: Ends) {
    this.#zlib = found;
    this.#window = peerTakeover ? new SlidingWindow(1 << peerBits) : null;
  }

  decompress(payload: Uint8Array, maxLength: number): Uint8Array {
    // An empty message is a single zero byte (RFC 7692 §7.2.3.6); be liberal with one without it.
    if (payload.length === 0) return new Uint8Array(0);
    const input = prepare(payload);
    const end = ROOM + payload.length;
    const first = this.#inflate(input, ROOM, this.#window, maxLength);
    this.#window?.push(first.output);
    if (isOver(first.consumed, end, input.length)) return first.output;
    return this.#inflateRest(input, first, maxLength);
  }

  /**
   * RFC 7692 §7.2.3.4: blocks may follow one with BFINAL=1. For zlib that is another stream, so the
   * rest is given to it as such. The window goes on, whether or not the other end still uses it.
   */
  #inflateRest(input: Uint8Array, first: Inflated, maxLength: number): Uint8Array {
    const parts = [first.output];
    const window = this.#window ?? new SlidingWindow(MAX_WINDOW);
    if (this.#window === null) window.push(first.output);
    const end = input.length - END.length;
    let total = first.output.length;
    let { consumed } = first;
    while (!isOver(consumed, end, input.length)) {
      if (parts.length === MAX_STREAMS) throw new InflateError("corrupt");
      const next = this.#inflate(input, consumed, window, maxLength - total);
      window.push(next.output);
      parts.push(next.output);
      total += next.output.length;
      consumed = next.consumed;
    }
    return join(parts, total);
  }

  /** Inflates one stream that begins at `start`, with the window written before it. */
  #inflate(
    input: Uint8Array,
    start: number,
    window: SlidingWindow | null,
    maxLength: number,
  ): Inflated {
    const past = window === null ? 0 : window.length;
    const from = window === null || past === 0 ? start : writeStored(input, start, window);
    const source = input.subarray(from);
    const estimate = Math.min(4 * (input.length - start), 64 * 1024);
    const result = this.#run(source, {
      info: true,
      maxOutputLength: Math.min(Math.max(past + maxLength, 1), MAX_OUTPUT),
      chunkSize: chunkSize(past + Math.max(estimate, 1024)),
    });
    const { buffer } = result;
    if (buffer.length - past > maxLength) throw new InflateError("too-big");
    return { output: own(buffer, past), consumed: from + result.engine.bytesWritten };
  }

  #run(source: Uint8Array, options: object): ReturnType<Zlib["inflateRawSync"]> {
    try {
      return this.#zlib.inflateRawSync(source, options);
    } catch (cause) {
      const { code } = cause as { code?: unknown };
      if (code === "ERR_BUFFER_TOO_LARGE") throw new InflateError("too-big", { cause });
      if (code === "Z_DATA_ERROR" || code === "Z_BUF_ERROR") {
        throw new InflateError("corrupt", { cause });
      }
      throw cause;
    }
  }
}

/** One DEFLATE stream, inflated. */
interface Inflated {
  readonly output: Uint8Array;
  /** The index in the input behind the stream. */
  readonly consumed: number;
}

/**
 * Whether a stream that ended at `consumed` was the message's last: all of {@linkcode END} was
 * needed, or none of it as the message ends with BFINAL=1, or all but END's own final block.
 */
function isOver(consumed: number, end: number, length: number): boolean {
  if (consumed === length || consumed === end || consumed === end + TAIL_LENGTH) return true;
  if (consumed > end) throw new InflateError("corrupt");
  return false;
}

let scratch = new Uint8Array(0);

/** The message with room before it and {@linkcode END} behind it; valid until the next call. */
function prepare(payload: Uint8Array): Uint8Array {
  const length = ROOM + payload.length + END.length;
  let buffer = scratch;
  if (buffer.length < length) {
    buffer = new Uint8Array(Math.max(length, 2 * ROOM));
    if (buffer.length <= KEPT_SCRATCH) scratch = buffer;
  }
  buffer.set(payload, ROOM);
  buffer.set(END, ROOM + payload.length);
  return buffer.subarray(0, length);
}

/**
 * Writes the window as a stored block that ends at `start`, over what has been read before.
 *
 * @returns Where the block begins.
 */
function writeStored(input: Uint8Array, start: number, window: SlidingWindow): number {
  const { length } = window;
  const from = start - length - STORED_HEADER;
  input[from] = 0;
  input[from + 1] = length;
  input[from + 2] = length >> 8;
  input[from + 3] = ~length;
  input[from + 4] = ~length >> 8;
  input.set(window.last(length), from + STORED_HEADER);
  return from;
}

/** zlib's output without what was there before; copied where a view would pin much more memory. */
function own(output: Uint8Array, past: number): Uint8Array {
  const view = new Uint8Array(output.buffer, output.byteOffset + past, output.length - past);
  return 2 * view.length < output.buffer.byteLength ? view.slice() : view;
}

function join(parts: readonly Uint8Array[], total: number): Uint8Array {
  const joined = new Uint8Array(total);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** zlib's buffers for output: at least 64 bytes; beyond 128 KiB several are cheaper than one. */
function chunkSize(expected: number): number {
  return Math.min(Math.max(expected, 64), 128 * 1024);
}
