/** Assigns processors to processes. */

import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import process from "node:process";

/**
 * Assigns a processor to this process, and another one to others. The time that a process takes to wake up depends
 * on whether it shares its processor with the process that wakes it. Without an assignment that changes from
 * round to round, by more than the differences to measure.
 *
 * @param others The others' process ids.
 * @returns A function that lets all of them use all processors again. It does nothing if the system can't do it.
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
