/** Another runtime, for the time of a call. */

/** Runs a body without, or with another, `process`. */
export function withProcess(process: unknown, body: () => void): void {
  const before = Object.getOwnPropertyDescriptor(globalThis, "process");
  try {
    Object.defineProperty(globalThis, "process", { value: process, configurable: true });
    body();
  } finally {
    if (before === undefined) Reflect.deleteProperty(globalThis, "process");
    else Object.defineProperty(globalThis, "process", before);
  }
}
