/**
 * The compressor of messages, based on the platform's zlib.
 *
 * Each message is one synchronous call that leaves no zlib stream behind. So a connection keeps at most the
 * two windows (RFC 7692 §7.2.3.2), and none while it is idle.
 *
 * The compressor passes its window to zlib as a preset dictionary. On a platform whose zlib ignores
 * dictionaries, it compresses each message on its own, which RFC 7692 allows.
 */

import type { DeflateParameters } from "./deflate_parameters.ts";
import type { CompressionOptions } from "./compression_options.ts";
import type { Side } from "../protocol/frame.ts";
import type {
  InflateEvents,
  InflatePartsEvents,
  MessageDeflate,
  PartsInflater,
  SharedDeflate,
} from "../protocol/message_deflate.ts";
import { builtinModule } from "../realm/builtin_module.ts";
import { chunkSize, Decompressor, type InflateTurns, TAIL_LENGTH, type Zlib } from "./inflate.ts";
import { InflationInParts } from "./inflate_parts.ts";
import { SlidingWindow } from "./sliding_window.ts";

/** The default of the option `threshold`, in bytes. */
const THRESHOLD = 1024;

/** The minimum part of the window that is used as a dictionary, in bytes. */
const MIN_DICTIONARY = 2048;

/** The capabilities of the platform's zlib. */
export interface ZlibAbilities {
  /** Whether the platform has zlib. Browsers have none. */
  readonly available: boolean;
  /** Whether zlib can use earlier messages as a dictionary. */
  readonly dictionary: boolean;
}

/** The beginning of an empty stored block. */
const EMPTY_BLOCK = Uint8Array.of(0);

let abilities: ZlibAbilities | undefined;

/**
 * Tests once what the platform's zlib can do.
 *
 * @returns The capabilities.
 */
export function zlibAbilities(): ZlibAbilities {
  return abilities ??= probe(builtinModule<Zlib>("zlib"));
}

function probe(found: Zlib | null): ZlibAbilities {
  if (found === null) return { available: false, dictionary: false };
  const sample = Uint8Array.from({ length: 256 }, (_, i) => i * 89 ^ i >> 3);
  const alone = found.deflateRawSync(sample, {});
  const helped = found.deflateRawSync(sample, { dictionary: sample });
  return { available: true, dictionary: helped.length < alone.length / 2 };
}

/**
 * Adapts compression options to the platform.
 *
 * If this side can't use its window, it announces that to the peer, which then needs to keep none.
 *
 * @param options The user's options.
 * @param side The role of this side.
 * @param able The capabilities of the platform's zlib.
 * @returns The options to negotiate with. `null` if there is no zlib: offer and accept nothing.
 */
export function negotiableCompression<T extends CompressionOptions>(
  options: T,
  side: Side,
  able: ZlibAbilities = zlibAbilities(),
): T | null {
  if (!able.available) return null;
  if (able.dictionary) return options;
  return side === "client"
    ? { ...options, clientNoContextTakeover: true }
    : { ...options, serverNoContextTakeover: true };
}

/**
 * Creates the compressor and decompressor of one connection.
 *
 * @param parameters The agreed parameters.
 * @param side The role of this side.
 * @param options This side's options, and the turns of the event loop.
 * @returns The compressor, or `null` if the platform has no zlib.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7692#section-7.2 RFC 7692 §7.2}
 */
export function createMessageDeflate(
  parameters: DeflateParameters,
  side: Side,
  options: MessageDeflateOptions,
): MessageDeflate | null {
  const found = builtinModule<Zlib>("zlib");
  return found && new ZlibMessageDeflate(found, directionsOf(parameters, side), options);
}

/** Options of {@linkcode createMessageDeflate}. */
export interface MessageDeflateOptions extends Pick<CompressionOptions, "threshold" | "level"> {
  /** Continues work that is too much for one turn of the event loop. */
  readonly turns: InflateTurns;
}

/** The parameters of both directions, as seen from this side. */
interface Directions {
  readonly ownBits: number;
  readonly ownTakeover: boolean;
  readonly peerBits: number;
  readonly peerTakeover: boolean;
}

function directionsOf(parameters: DeflateParameters, side: Side): Directions {
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

class Compressor {
  readonly #zlib: Zlib;
  readonly #bits: number;
  readonly #threshold: number;
  readonly #level: number;
  readonly #window: SlidingWindow | null;
  #shared: SharedDeflate | undefined;

  constructor(found: Zlib, { ownBits, ownTakeover }: Directions, options: MessageDeflateOptions) {
    this.#zlib = found;
    this.#bits = ownBits;
    this.#threshold = options.threshold ?? THRESHOLD;
    this.#level = options.level ?? -1;
    const keeps = ownTakeover && ownBits > 8 && zlibAbilities().dictionary;
    this.#window = keeps ? new SlidingWindow(1 << ownBits) : null;
  }

  get shared(): SharedDeflate {
    return this.#shared ??= {
      kind: `${this.#bits} ${this.#level} ${this.#threshold}`,
      compress: (payload) => this.#deflate(payload, undefined),
      onSent: () => this.#window?.clear(),
    };
  }

  compress(payload: Uint8Array): Uint8Array | null {
    const compressed = this.#deflate(payload, this.#dictionary(payload.length));
    if (compressed !== null) this.#window?.push(payload);
    return compressed;
  }

  /**
   * Compresses a fragment, with earlier ones as its dictionary. Each result ends at a byte, after an empty
   * stored block. The last fragment is the beginning of such a block, whose rest isn't sent (RFC 7692
   * §7.2.1).
   */
  compressFragment(payload: Uint8Array): Uint8Array | null {
    if (this.#bits === 8) return null;
    if (payload.length === 0) return EMPTY_BLOCK;
    const compressed = this.#deflateAll(payload, this.#dictionary(payload.length));
    this.#window?.push(payload);
    return new Uint8Array(compressed.buffer, compressed.byteOffset, compressed.length);
  }

  #deflateAll(payload: Uint8Array, dictionary: Uint8Array | undefined): Uint8Array {
    const { length } = payload;
    return this.#zlib.deflateRawSync(payload, {
      finishFlush: this.#zlib.constants.Z_SYNC_FLUSH,
      level: this.#level,
      windowBits: this.#windowBits(length + (dictionary?.length ?? 0)),
      chunkSize: chunkSize(length + (length >> 10) + 64),
      dictionary,
    });
  }

  #deflate(payload: Uint8Array, dictionary: Uint8Array | undefined): Uint8Array | null {
    const { length } = payload;
    // zlib's raw deflate silently uses 9 for 8, and the peer may not have such a window.
    if (this.#bits === 8 || length < this.#threshold || length === 0) return null;
    const compressed = this.#deflateAll(payload, dictionary);
    const sent = compressed.length - TAIL_LENGTH;
    // RFC 7692 §6: a message may be sent uncompressed. It then doesn't enter the peer's window.
    if (sent >= length) return null;
    return new Uint8Array(compressed.buffer, compressed.byteOffset, sent);
  }

  /**
   * zlib needs time for each byte of a dictionary. So a short message gets only the end of the window, twice
   * its own length. More would save about 1 % and take longer.
   */
  #dictionary(length: number): Uint8Array | undefined {
    const window = this.#window;
    return window === null || window.length === 0
      ? undefined
      : window.last(Math.max(MIN_DICTIONARY, 2 * length));
  }

  /** The smallest window that holds everything, including the 262 bytes that zlib looks ahead. */
  #windowBits(length: number): number {
    const needed = 32 - Math.clz32(length + 262);
    return Math.min(this.#bits, Math.max(9, needed));
  }
}

class ZlibMessageDeflate extends Compressor implements MessageDeflate {
  readonly #decompressor: Decompressor;

  constructor(found: Zlib, directions: Directions, options: MessageDeflateOptions) {
    super(found, directions, options);
    this.#decompressor = new Decompressor(
      { zlib: found, turns: options.turns },
      directions.peerTakeover ? directions.peerBits : null,
    );
  }

  decompress(
    payload: Uint8Array,
    maxLength: number,
    receiver: InflateEvents,
  ): Uint8Array | null {
    return this.#decompressor.decompress(payload, maxLength, receiver);
  }

  inflateInParts(maxLength: number, receiver: InflatePartsEvents): PartsInflater {
    return this.#decompressor.inflateInParts(
      (means, window) => new InflationInParts(means, { maxLength, receiver, window }),
    );
  }

  abandon(): void {
    this.#decompressor.abandon();
  }
}
