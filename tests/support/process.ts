/** Simulates another runtime during a call. */

/** Runs a body without `process`, or with another one. */
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
