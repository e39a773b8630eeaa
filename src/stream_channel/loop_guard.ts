import { FULFILLED } from "./promises.ts";
import { afterOthers, afterTurn } from "./next_turn.ts";

/** How long loops may go on in one turn of the event loop, in milliseconds. */
const LONGEST = 8;

/** For so long after a turn has ended, the next ones are not watched: watching costs an immediate. */
const UNWATCHED = 4;

/** The clock is asked once in so many steps: while they are quick, and while they are not. */
const QUICK_STEPS = 32;
const SLOW_STEPS = 4;

/** Steps are quick while there are less than so many milliseconds between two looks at the clock. */
const QUICK = 1;

/** What a {@linkcode LoopGuard} depends on. Left out: the platform's own. */
export interface LoopGuardMeans {
  /** Calls back when timers and sockets have had their share. */
  readonly afterOthers?: (callback: () => void) => void;
  /** Calls back when this turn of the event loop has ended. */
  readonly afterTurn?: (callback: () => void) => void;
  /** The time, in milliseconds. */
  readonly now?: () => number;
}

/**
 * Lets timers and sockets have their share where loops of promises would keep the event loop for
 * themselves: a sender that obeys backpressure to a peer that keeps up never waits for anything that
 * happens outside, nor does a reader of what is there already.
 */
export class LoopGuard {
  readonly #means: Required<LoopGuardMeans>;
  /** How many steps may be made before the next look; none while a turn is waited for. */
  #stepsLeft = SLOW_STEPS;
  #lookedAt = -Infinity;
  /** This turn is watched: its end will be noticed. */
  #watching = false;
  /** Since when it is watched, or when the last one that was watched ended. */
  #since = -Infinity;
  /** Fulfils in the next turn, where that is waited for. */
  #turn: Promise<void> | null = null;

  /** @param means What it depends on. */
  constructor(means: LoopGuardMeans = {}) {
    this.#means = { afterOthers, afterTurn, now: () => performance.now(), ...means };
  }

  /**
   * A loop has made one more step.
   *
   * @returns What it must wait for before the next one; `null`: nothing.
   */
  step(): Promise<void> | null {
    return --this.#stepsLeft > 0 ? null : this.#look();
  }

  #look(): Promise<void> | null {
    if (this.#turn !== null) return this.#turn;
    const now = this.#means.now();
    this.#stepsLeft = now - this.#lookedAt < QUICK ? QUICK_STEPS : SLOW_STEPS;
    this.#lookedAt = now;
    if (this.#watching) return now - this.#since < LONGEST ? null : this.#wait();
    if (now - this.#since >= UNWATCHED) this.#watch(now);
    return null;
  }

  /** Notices when the turn ends by itself, as it mostly does soon. */
  #watch(now: number): void {
    this.#watching = true;
    this.#since = now;
    this.#means.afterTurn(() => {
      this.#watching = false;
      this.#since = this.#means.now();
    });
  }

  #wait(): Promise<void> {
    this.#stepsLeft = 0;
    return this.#turn = new Promise((resolve) => {
      this.#means.afterOthers(() => {
        this.#turn = null;
        resolve();
      });
    });
  }

  /**
   * Calls back when this turn of the event loop has ended, and no loop waits for a later one: what
   * readers of promises can do with what they have been given is done by then.
   */
  afterLoops(callback: () => void): void {
    this.#means.afterTurn(() => {
      if (this.#turn === null) callback();
      else this.#turn.then(() => this.afterLoops(callback));
    });
  }

  /** A promise that fulfils with `promise`, and not before the next step may be made. */
  after(promise: Promise<void>): Promise<void> {
    const turn = this.step();
    if (turn === null) return promise;
    return promise === FULFILLED ? turn : bothOf(promise, turn);
  }
}

/** A function of its own: what a closure uses would be allocated for each step. */
async function bothOf(promise: Promise<void>, turn: Promise<void>): Promise<void> {
  await promise;
  await turn;
}

/** That of this process: all its loops share one event loop. */
export const loopGuard: LoopGuard = new LoopGuard();
