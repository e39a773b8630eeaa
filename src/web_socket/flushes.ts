import { rethrowLater } from "../stream_channel/errors.ts";

/** Output that waits for the end of the turn. */
export interface Flushable {
  /** Writes what waits. */
  flush(): void;
}

type Schedule = (callback: () => void) => void;

/**
 * What is sent in one turn of the event loop leaves in one write a connection. One callback serves all
 * connections that have something to write in the same turn.
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
        // A user's own channel of bytes may throw: that must not affect the other connections.
        rethrowLater(error);
      }
    }
    now.length = 0;
    this.#spare = now;
  };
  #waiting: Flushable[] = [];
  /** The list that the last turn used, empty. */
  #spare: Flushable[] = [];

  /** @param schedule Calls back in this turn, as late as possible. */
  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  /** Calls back once, in this turn. The caller sees to it that it is called once a turn. */
  add(output: Flushable): void {
    if (this.#waiting.push(output) > 1) return;
    // As a function: browsers' queueMicrotask refuses to be the method of anything.
    const schedule = this.#schedule;
    schedule(this.#flush);
  }
}

/** Of those over channels of bytes: microtasks are all that every platform has. */
export const inMicrotasks: Flushes = new Flushes(queueMicrotask);

const nextTick: Schedule | undefined = (globalThis as { process?: { nextTick?: Schedule } }).process
  ?.nextTick;

/** Of those over sockets: where the platform can, behind all microtasks, as a `for await` loop sends from many. */
export const inTicks: Flushes = nextTick === undefined ? inMicrotasks : new Flushes(nextTick);
