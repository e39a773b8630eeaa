/**
 * The port to the thread that started this worker of `node:worker_threads`. Closing it would end all
 * messages between the two, also those of others.
 *
 * @returns `null` anywhere else.
 */
export function parentPort(): object | null {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (name: string) => { parentPort?: object | null } | undefined };
  };
  return process?.getBuiltinModule?.("node:worker_threads")?.parentPort ?? null;
}
