import type { Clock } from "../web_socket/clock.ts";
import { Deadline } from "../web_socket/deadline.ts";

/** What bounds a decision. */
export interface Bounds<Value> {
  /** How long it may take, in milliseconds; 0: no limit. */
  readonly ms: number;
  readonly clock: Clock;
  /** Aborts when the client has left. */
  readonly signal: AbortSignal;
  /** Called once at most, when the decision is not in time: what counts in its place. */
  readonly giveUp: () => Value;
}

/**
 * Waits for a decision, unless the time is up or the client leaves.
 *
 * @param decision The decision; it never rejects.
 * @param bounds See {@linkcode Bounds}.
 */
export async function inTime<Value>(
  decision: PromiseLike<Value>,
  { ms, clock, signal, giveUp }: Bounds<Value>,
): Promise<Value> {
  let stop = (): void => {};
  const givenUp = new Promise<Value>((resolve) => {
    const onTime = (): void => {
      stop();
      resolve(giveUp());
    };
    const deadline = ms > 0 ? new Deadline(clock, { ms, onTime }) : null;
    stop = () => {
      signal.removeEventListener("abort", onTime);
      deadline?.clear();
    };
    signal.addEventListener("abort", onTime);
    if (signal.aborted) onTime();
  });
  try {
    return await Promise.race([decision, givenUp]);
  } finally {
    stop();
  }
}
