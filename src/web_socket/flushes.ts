import { rethrowLater } from "../stream_channel/errors.ts";

/** Pending output, which is written at the end of the turn. */
export interface Flushable {
  /** Writes the pending output. */
  flush(): void;
}

type Schedule = (callback: () => void) => void;

/**
 * Collects all output of one turn of the event loop, so that each connection writes once. One callback serves
 * all connections with output in the same turn.
 */
export class Flushes {
  readonly #schedule: Schedule;
  readonly #flush = (): void => {
    const now = this.#waiting;
    this.#waiting = this.#spare;
    for (const output of now) {
      try {
        output.flush();
      } catch (error) {
        // A user's channel of bytes may throw, which must not affect the other connections.
        rethrowLater(error);
      }
    }
    now.length = 0;
    this.#spare = now;
  };
  #waiting: Flushable[] = [];
  /** The empty list of the last turn, for reuse. */
  #spare: Flushable[] = [];

  /**
   * Creates an empty collection.
   *
   * @param schedule Calls back in this turn, as late as possible.
   */
  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  /** Adds output that is flushed in this turn. The caller adds it at most once in each turn. */
  add(output: Flushable): void {
    if (this.#waiting.push(output) > 1) return;
    // Called as a function, because queueMicrotask of browsers throws if it is called as a method.
    const schedule = this.#schedule;
    schedule(this.#flush);
  }
}

/** Flushes for connections over channels of bytes. Every platform has microtasks. */
export const inMicrotasks: Flushes = new Flushes(queueMicrotask);

const nextTick: Schedule | undefined = (globalThis as { process?: { nextTick?: Schedule } }).process
  ?.nextTick;

/**
 * Flushes for connections over sockets. If possible, they run after all microtasks, because a `for await`
 * loop sends from many microtasks.
 */
export const inTicks: Flushes = nextTick === undefined ? inMicrotasks : new Flushes(nextTick);
