/**
 * The time and timers. Everything that needs them takes a clock as an argument, so that tests can control it.
 */
export interface Clock {
  /** Returns the milliseconds since a fixed moment. */
  now(): number;
  /**
   * Returns the time of day, in milliseconds since 1970. It may jump, and shows that the machine was asleep.
   */
  wall?(): number;
  /** Calls `callback` once after `ms` milliseconds, and returns a handle. */
  setTimeout(callback: () => void, ms: number): unknown;
  /** Cancels a timer. */
  clearTimeout(handle: unknown): void;
  /** Lets a timer keep the process alive again, if the platform supports it. */
  ref?(handle: unknown): void;
  /** Lets the process end although this timer is running, if the platform supports it. */
  unref?(handle: unknown): void;
}

/** The maximum time of a platform's timer, in milliseconds: about 24 days. */
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

/** The handle of a timer: an object on Node and Bun, a number on Deno. */
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
