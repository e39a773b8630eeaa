/** Which processors processes run on. */

import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import process from "node:process";

/**
 * Gives this process a processor, and others another one. How long a process takes to wake up depends
 * on whether it shares its processor with the one that wakes it: left to the system, that changes from
 * round to round, and is more than what is looked for.
 *
 * @param others The others' process ids.
 * @returns Gives all of them all processors again. Where the system can't do it, nothing is done.
 */
export function apart(others: readonly number[]): () => void {
  const count = availableParallelism();
  if (process.platform !== "linux" || count < 2) return () => {};
  const pin = (pid: number, processors: string): void => {
    spawnSync("taskset", ["--all-tasks", "--cpu-list", "--pid", processors, String(pid)]);
  };
  pin(process.pid, "0");
  for (const pid of others) pin(pid, "1");
  return () => {
    for (const pid of [process.pid, ...others]) pin(pid, `0-${count - 1}`);
  };
}
