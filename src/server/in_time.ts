import type { Clock } from "../web_socket/clock.ts";
import { Deadline } from "../web_socket/deadline.ts";

/** The limits of a decision. */
export interface Bounds<Value> {
  /** How long the decision may take, in milliseconds; 0: no limit. */
  readonly ms: number;
  readonly clock: Clock;
  /** Aborts when the client has left. */
  readonly signal: AbortSignal;
  /**
   * Called at most once, when the time is up (`isLate`) or the client has left; returns the value that replaces the
   * decision.
   */
  readonly giveUp: (isLate: boolean) => Value;
}

/**
 * Waits for a decision, unless the time is up or the client leaves.
 *
 * @param decision The decision; it never rejects.
 * @param bounds The limits.
 */
export async function inTime<Value>(
  decision: PromiseLike<Value>,
  { ms, clock, signal, giveUp }: Bounds<Value>,
): Promise<Value> {
  let stop = (): void => {};
  const givenUp = new Promise<Value>((resolve) => {
    const end = (isLate: boolean): void => {
      stop();
      resolve(giveUp(isLate));
    };
    const onAbort = (): void => end(false);
    const deadline = ms > 0 ? new Deadline(clock, { ms, onTime: () => end(true) }) : null;
    stop = () => {
      signal.removeEventListener("abort", onAbort);
      deadline?.clear();
    };
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
  });
  try {
    return await Promise.race([decision, givenUp]);
  } finally {
    stop();
  }
}
