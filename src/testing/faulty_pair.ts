import { checkOption, type OptionKinds, readOptions } from "../stream_channel/options.ts";
import { systemClock } from "../web_socket/clock.ts";
import { MemoryConnection } from "./memory_connection.ts";
import type { LineFaults, MemoryLine } from "./memory_line.ts";
import { checkChosen, type Chosen, SeededRandom } from "./random.ts";
import {
  PAIR_KINDS,
  pairOver,
  readPairOptions,
  type WebSocketChannelPair,
  type WebSocketChannelPairOptions,
} from "./web_socket_channel_pair.ts";

/** A direction that stops delivering. */
export interface Stall {
  /** After how many bytes of the direction, at least 0. */
  after: Chosen;
  /** For how long, in milliseconds. Default: for good, as when a cable is pulled. */
  duration?: Chosen | undefined;
}

/**
 * Options of {@linkcode faultyPair}: what goes wrong. A range leaves it to the seed; each direction, and
 * each piece, chooses anew.
 */
export interface FaultyPairOptions extends WebSocketChannelPairOptions {
  /** What all choices depend on: a whole number. Put it into the messages of your assertions. */
  seed: number;
  /** The bytes arrive in pieces of this length, at least 1, wherever they were sent together. */
  split?: Chosen | undefined;
  /** Each piece arrives so many milliseconds, at least 0, after the one before. */
  delay?: Chosen | undefined;
  /** Each direction stops, once. */
  stall?: Stall | undefined;
  /** The connection is lost once so many bytes, at least 0, have arrived: both directions' together. */
  reset?: Chosen | undefined;
}

const FAULTY_KINDS: OptionKinds<FaultyPairOptions> = {
  ...PAIR_KINDS,
  seed: "number",
  split: "number|list",
  delay: "number|list",
  stall: "object",
  reset: "number|list",
};

const STALL_KINDS: OptionKinds<Stall> = { after: "number|list", duration: "number|list" };

/** What goes wrong on a connection: the same for the same seed, and the same bytes. */
class Faults implements LineFaults {
  /** Ends the connection. */
  onReset: () => void = () => {};

  readonly #options: FaultyPairOptions;
  readonly #random: SeededRandom;
  readonly #arrived: Map<MemoryLine, { bytes: number; stallAt: number }> = new Map();
  #resetIn: number;

  constructor(options: FaultyPairOptions) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#resetIn = this.#random.choose(options.reset ?? Infinity);
  }

  pieceSize(): number {
    return this.#random.choose(this.#options.split ?? Infinity);
  }

  delay(): number {
    return this.#random.choose(this.#options.delay ?? 0);
  }

  onArrived(line: MemoryLine, length: number): void {
    this.#resetIn -= length;
    if (this.#resetIn <= 0) return this.onReset();
    const { stall } = this.#options;
    if (stall !== undefined) this.#maybeStall(line, length, stall);
  }

  #maybeStall(line: MemoryLine, length: number, { after, duration }: Stall): void {
    const arrived = this.#arrived.get(line) ??
      { bytes: 0, stallAt: this.#random.choose(after) };
    this.#arrived.set(line, arrived);
    arrived.bytes += length;
    if (arrived.bytes < arrived.stallAt) return;
    arrived.stallAt = Infinity;
    line.stall(duration === undefined ? Infinity : this.#random.choose(duration));
  }
}

/**
 * As {@linkcode webSocketChannelPair}, over a connection with faults: for tests of what code does on a
 * bad network. With the same seed and the same messages the same happens.
 *
 * @param given See {@linkcode FaultyPairOptions}.
 * @throws {RangeError} When a number is out of its range.
 *
 * @example
 * ```ts
 * import { faultyPair } from "@web-socket/channel/testing";
 *
 * const { client, server } = faultyPair({ seed: 7, split: [1, 3], reset: 100 });
 * server.stream.listen((message) => server.sink.add(message));
 * client.sink.add("some of this arrives");
 * client.sink.add("x".repeat(100));
 * const { code, initiator } = await client.closed;
 * console.log(code, initiator); // 1006 transport
 * ```
 */
export function faultyPair(given: FaultyPairOptions): WebSocketChannelPair {
  const options = readPairOptions(readOptions(given, FAULTY_KINDS));
  checkOption("seed", options.seed, "number");
  if (options.stall !== undefined) {
    options.stall = readOptions(options.stall, STALL_KINDS, { within: "stall." });
  }
  const { seed: _seed, split, delay, stall, reset, ...rest } = options;
  checkChosen("split", split, 1);
  checkChosen("delay", delay, 0);
  checkChosen("stall.after", stall?.after, 0);
  checkChosen("stall.duration", stall?.duration, 0);
  checkChosen("reset", reset, 0);
  const { clock = systemClock } = options;
  const faults = new Faults(options);
  const connection = new MemoryConnection(clock, faults);
  faults.onReset = () => connection.reset();
  return pairOver(connection, rest, clock);
}
