/** The time, and timers: an argument of everything that has either, so that tests can set it. */
export interface Clock {
  /** Milliseconds since some fixed moment. */
  now(): number;
  /** Calls `callback` once, after `ms` milliseconds. */
  setTimeout(callback: () => void, ms: number): unknown;
  /** Forgets a timer. */
  clearTimeout(handle: unknown): void;
  /** Lets the process end although this timer runs, where the platform has such a thing. */
  unref?(handle: unknown): void;
}

/** The longest time a platform's timer takes, in milliseconds: about 24 days. */
export const MAX_TIMEOUT = 0x7fff_ffff;

/** The platform's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (handle) => clearTimeout(handle as number),
  unref(handle) {
    if (typeof handle === "object") return (handle as { unref?(): void } | null)?.unref?.();
    const { Deno } = globalThis as { Deno?: { unrefTimer?(id: unknown): void } };
    Deno?.unrefTimer?.(handle);
  },
};
