/** The time, and timers: an argument of everything that has either, so that tests can set it. */
export interface Clock {
  /** Milliseconds since some fixed moment. */
  now(): number;
  /** The time of day, in milliseconds since 1970, which may jump: by it a machine's sleep is noticed. */
  wall?(): number;
  /** Calls `callback` once, after `ms` milliseconds. */
  setTimeout(callback: () => void, ms: number): unknown;
  /** Forgets a timer. */
  clearTimeout(handle: unknown): void;
  /** Lets a timer keep the process alive again, where the platform has such a thing. */
  ref?(handle: unknown): void;
  /** Lets the process end although this timer runs, where the platform has such a thing. */
  unref?(handle: unknown): void;
}

/** The longest time a platform's timer takes, in milliseconds: about 24 days. */
export const MAX_TIMEOUT = 0x7fff_ffff;

/** The platform's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (handle) => clearTimeout(handle as number),
  ref: (handle) => hold(handle, "ref"),
  unref: (handle) => hold(handle, "unref"),
};

/** A timer of Node's and Bun's is an object, of Deno's a number. */
type Timer = { ref?(): void; unref?(): void } | number | null | undefined;

interface DenoTimers {
  refTimer?(id: unknown): void;
  unrefTimer?(id: unknown): void;
}

function hold(handle: unknown, how: "ref" | "unref"): void {
  const timer = handle as Timer;
  if (typeof timer === "object") return timer?.[how]?.();
  const { Deno } = globalThis as { Deno?: DenoTimers };
  Deno?.[`${how}Timer`]?.(timer);
}
