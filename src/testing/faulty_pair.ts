import { ignore } from "../stream_channel/errors.ts";
import { checkOption, type OptionKinds, readOptions } from "../stream_channel/options.ts";
import { type Clock, systemClock } from "../web_socket/clock.ts";
import { type LineFaults, MemoryConnection } from "./memory_connection.ts";
import { checkRange, type NumberOrRange, SeededRandom } from "./random.ts";
import {
  PAIR_KINDS,
  pairOver,
  readPairOptions,
  type WebSocketChannelPair,
  type WebSocketChannelPairOptions,
} from "./web_socket_channel_pair.ts";

/** A direction that stops delivering. */
export interface Stall {
  /**
   * The number of bytes of the direction after which it stops, at least 0. The piece that reaches this number
   * still arrives, even the first one.
   */
  after: NumberOrRange;
  /** How long it stops, in milliseconds. Default: permanently, as when a cable is unplugged. */
  duration?: NumberOrRange | undefined;
}

/**
 * Options of {@linkcode faultyPair}: the faults. For a range, the seed chooses a value, separately for each
 * direction and each piece.
 */
export interface FaultyPairOptions extends WebSocketChannelPairOptions {
  /** The seed of all choices: an integer. Add it to the messages of your assertions. */
  seed: number;
  /** The length of the pieces in which the bytes arrive, at least 1, however they were sent. */
  split?: NumberOrRange | undefined;
  /** The time between two pieces, in milliseconds, at least 0. */
  delay?: NumberOrRange | undefined;
  /** Stops each direction once. */
  stall?: Stall | undefined;
  /**
   * The number of arrived bytes, of both directions together, after which the connection is lost: at least 0.
   * With 0 it is lost after the first piece.
   */
  reset?: NumberOrRange | undefined;
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

/** The faults of a connection. They are the same for the same seed and the same bytes. */
class Faults {
  /** Ends the connection. */
  onReset: () => void = ignore;
  readonly options: FaultyPairOptions;
  readonly random: SeededRandom;
  readonly clock: Clock;
  #resetIn: number;

  constructor(options: FaultyPairOptions, clock: Clock) {
    this.options = options;
    this.random = new SeededRandom(options.seed);
    this.clock = clock;
    this.#resetIn = this.random.choose(options.reset ?? Infinity);
  }

  /**
   * Counts bytes that have arrived in either direction.
   *
   * @returns Whether the connection continues.
   */
  onArrived(length: number): boolean {
    this.#resetIn -= length;
    if (this.#resetIn > 0) return true;
    this.onReset();
    return false;
  }
}

/** The faults of one direction. */
class FaultyLine implements LineFaults {
  isStalled = false;
  readonly #faults: Faults;
  #arrived = 0;
  #stallAt: number | null = null;
  #timer: unknown;
  /** Called when a stall has ended. */
  #arrive: (() => void) | null = null;

  constructor(faults: Faults) {
    this.#faults = faults;
  }

  pieceSize(): number {
    const { random, options } = this.#faults;
    return random.choose(options.split ?? Infinity);
  }

  plan(arrive: () => void): void {
    if (this.isStalled) {
      this.#arrive = arrive;
      return;
    }
    const { random, options } = this.#faults;
    const delay = random.choose(options.delay ?? 0);
    if (delay > 0) this.#setTimer(arrive, delay);
    else queueMicrotask(arrive);
  }

  onArrived({ length }: Uint8Array): void {
    const { random, options: { stall } } = this.#faults;
    if (!this.#faults.onArrived(length) || stall === undefined) return;
    this.#stallAt ??= random.choose(stall.after);
    this.#arrived += length;
    if (this.#arrived >= this.#stallAt) this.#stall(random.choose(stall.duration ?? Infinity));
  }

  #stall(duration: number): void {
    this.#stallAt = Infinity;
    this.isStalled = true;
    if (duration === Infinity) return;
    this.#setTimer(() => {
      this.isStalled = false;
      if (this.#arrive !== null) this.plan(this.#arrive);
    }, duration);
  }

  #setTimer(callback: () => void, ms: number): void {
    this.#timer = this.#faults.clock.setTimeout(() => {
      this.#timer = undefined;
      callback();
    }, ms);
  }

  cancel(): void {
    if (this.#timer !== undefined) this.#faults.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/**
 * Creates a pair like {@linkcode webSocketChannelPair}, over a connection with faults, for tests of code on a
 * bad network. The same seed and the same messages give the same events.
 *
 * @param given The seed, the faults, and options of the channels.
 * @throws {RangeError} If a number is out of its range.
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
  checkRange("split", split, 1);
  checkRange("delay", delay, 0);
  checkRange("stall.after", stall?.after, 0);
  checkRange("stall.duration", stall?.duration, 0);
  checkRange("reset", reset, 0);
  const { clock = systemClock } = options;
  const faults = new Faults(options, clock);
  const connection = new MemoryConnection(() => new FaultyLine(faults));
  faults.onReset = () => connection.reset();
  return pairOver(connection, rest, clock);
}
