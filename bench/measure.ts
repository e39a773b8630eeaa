/**
 * Measures contenders beside each other, in interleaved rounds: only ratios taken in one run mean
 * anything on a machine that does other things as well.
 */

import { deadline } from "@std/async";
import { type Result, rounded } from "./row.ts";

/** One thing to measure. */
export interface Contender {
  readonly name: string;
  /**
   * Works for about so many milliseconds.
   *
   * @returns What was measured, in the row's unit.
   */
  measure(milliseconds: number): number | Promise<number>;
}

/** How much to measure. */
export interface Effort {
  /** Rounds that count; one before them warms up. */
  readonly rounds: number;
  /** Of each contender in each round. */
  readonly milliseconds: number;
  /** Only to see that it works. */
  readonly quick: boolean;
}

/** For how long a contender may say nothing, beside the time it is to work. */
const PATIENCE = 10_000;

/** One value; one that comes at once costs no promise. */
function measured(contender: Contender, milliseconds: number): number | Promise<number> {
  const value = contender.measure(milliseconds);
  return typeof value === "number" ? value : deadline(value, milliseconds + PATIENCE);
}

/** Measures all of them. One that fails is left out of the rounds that follow. */
export async function measureAll(
  contenders: readonly Contender[],
  { rounds, milliseconds }: Effort,
): Promise<Result[]> {
  const values = contenders.map((): number[] => []);
  const failed = new Map<Contender, string>();
  for (let round = 0; round <= rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      // Each round begins with another one, so that none always follows the same.
      const at = (i + round) % contenders.length;
      const contender = contenders[at];
      if (contender === undefined || failed.has(contender)) continue;
      try {
        const value = await measured(contender, milliseconds);
        if (round > 0) values[at]?.push(rounded(value));
      } catch (error) {
        failed.set(contender, String(error));
      }
    }
  }
  return contenders.map((contender, at): Result => {
    const why = failed.get(contender);
    const result = { name: contender.name, values: values[at] ?? [] };
    return why === undefined ? result : { ...result, failed: why };
  });
}

/**
 * A contender that does the same work over and over.
 *
 * @param work Does some, and gives how much; a promise where it can't do it at once.
 * @returns It measures how much it does a second.
 */
export function repeated(name: string, work: () => number | Promise<number>): Contender {
  return {
    name,
    async measure(milliseconds) {
      const start = performance.now();
      let done = 0;
      let elapsed = 0;
      do {
        const part = work();
        done += typeof part === "number" ? part : await part;
        elapsed = performance.now() - start;
      } while (elapsed < milliseconds);
      return done / elapsed * 1000;
    },
  };
}
