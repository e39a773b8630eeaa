/** Reproducible random numbers: every failure's message should contain the seed. */

import process from "node:process";

const DEFAULT_SEED = 0x5eed;

/** A seeded source of random numbers. Don't use it for secrets. */
export interface Random {
  /** Put it into the message of every assertion that depends on this source. */
  readonly seed: number;
  /** A number of at least 0 and less than 1. */
  fraction(): number;
  /** A whole number from `min` to `max`, both included. */
  integer(min: number, max: number): number;
  /** Returns true with this probability, from 0 to 1. Default: 0.5. */
  chance(probability?: number): boolean;
  /** One of the values. */
  pick<T>(values: readonly T[]): T;
  /** This many random bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
  /** The same values in another order. */
  shuffle<T>(values: readonly T[]): T[];
  /** The value cut into pieces of random lengths from 1 to `longest`; none for no bytes. */
  split(bytes: Uint8Array, longest: number): Uint8Array[];
}

/** The seed to use: the environment's `TEST_SEED` if it is a number, otherwise a constant. */
export function testSeed(): number {
  const text = environment("TEST_SEED");
  if (text === undefined || text === "") return DEFAULT_SEED;
  const seed = Number(text);
  if (!Number.isInteger(seed)) throw new RangeError(`TEST_SEED must be a whole number: ${text}`);
  return seed >>> 0;
}

function environment(name: string): string | undefined {
  try {
    return process.env[name];
  } catch {
    // Deno without the permission to read it.
    return undefined;
  }
}

/**
 * A seeded source of random numbers (mulberry32).
 *
 * @param seed A whole number; its lower 32 bits count. Default: {@linkcode testSeed}.
 */
export function seededRandom(seed: number = testSeed()): Random {
  let state = seed >>> 0;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const integer = (min: number, max: number): number =>
    min + Math.floor(fraction() * (max - min + 1));
  return {
    seed: seed >>> 0,
    fraction,
    integer,
    chance: (probability = 0.5) => fraction() < probability,
    pick: (values) => pickOne(values, integer),
    bytes: (length) => Uint8Array.from({ length }, () => integer(0, 255)),
    shuffle: (values) => shuffled(values, integer),
    split: (bytes, longest) => splitUp(bytes, longest, integer),
  };
}

type Integer = (min: number, max: number) => number;

function pickOne<T>(values: readonly T[], integer: Integer): T {
  if (values.length === 0) throw new RangeError("Cannot pick one of no values");
  return values[integer(0, values.length - 1)] as T;
}

function shuffled<T>(values: readonly T[], integer: Integer): T[] {
  const rest = [...values];
  const result: T[] = [];
  while (rest.length > 0) result.push(...rest.splice(integer(0, rest.length - 1), 1));
  return result;
}

function splitUp(bytes: Uint8Array, longest: number, integer: Integer): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = Math.min(bytes.length, start + integer(1, longest));
    pieces.push(bytes.subarray(start, end));
    start = end;
  }
  return pieces;
}
