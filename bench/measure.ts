/**
 * Measures contenders in interleaved rounds: on a machine that does other work as well, only ratios of the same run
 * are meaningful.
 */

import { deadline } from "@std/async";
import { type Result, rounded } from "./row.ts";

/** A contender to measure. */
export interface Contender {
  readonly name: string;
  /**
   * Works for about this many milliseconds.
   *
   * @returns The measured value, in the row's unit.
   */
  measure(milliseconds: number): number | Promise<number>;
}

/** How much to measure. */
export interface Effort {
  /** The number of rounds that count, after one warm-up round. */
  readonly rounds: number;
  /** The time for each contender in each round, in milliseconds. */
  readonly milliseconds: number;
  /** A smoke test without meaningful figures. */
  readonly quick: boolean;
}

/** The maximum silence of a contender beyond its working time. */
const PATIENCE = 10_000;

/** One value. A value that is available at once costs no promise. */
function measured(contender: Contender, milliseconds: number): number | Promise<number> {
  const value = contender.measure(milliseconds);
  return typeof value === "number" ? value : deadline(value, milliseconds + PATIENCE);
}

/** Measures all contenders. It leaves a failed one out of later rounds. */
export async function measureAll(
  contenders: readonly Contender[],
  { rounds, milliseconds }: Effort,
): Promise<Result[]> {
  const values = contenders.map((): number[] => []);
  const failed = new Map<Contender, string>();
  for (let round = 0; round <= rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      // Each round begins with another contender, so that none always follows the same one.
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
 * A contender that repeats the same work.
 *
 * @param work Does some work and returns how much; a promise if it can't do it at once.
 * @returns A contender that measures the work per second.
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
