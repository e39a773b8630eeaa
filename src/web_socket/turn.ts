interface Macrotasks {
  setImmediate?(callback: () => void): unknown;
}

/**
 * Calls back in a later turn of the event loop: behind all microtasks, and what they lead to. It is
 * not a time, so no clock is asked.
 *
 * @param callback Called once.
 */
export function afterTurn(callback: () => void): void {
  const { setImmediate } = globalThis as Macrotasks;
  if (setImmediate !== undefined) setImmediate(callback);
  else setTimeout(callback, 0);
}
