import { builtinModule } from "./builtin_module.ts";

/**
 * The port to the thread that started this worker of `node:worker_threads`. Closing it would end all
 * messages between the two, also those of others.
 *
 * @returns `null` anywhere else.
 */
export function parentPort(): object | null {
  return builtinModule<{ parentPort?: object | null }>("node:worker_threads")?.parentPort ?? null;
}
