import { builtinModule } from "./builtin_module.ts";

/**
 * Returns the port to the thread that started this worker of `node:worker_threads`. Closing it would end all
 * messages between the two, including those of other code.
 *
 * @returns The port, or `null` outside a worker.
 */
export function parentPort(): object | null {
  return builtinModule<{ parentPort?: object | null }>("node:worker_threads")?.parentPort ?? null;
}
