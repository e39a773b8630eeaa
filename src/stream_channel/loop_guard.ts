/** Later turns of the event loop, and loops that leave others their share. */

import { FULFILLED } from "./errors.ts";

/** What is used of the global object. */
export interface TurnGlobals {
  readonly Deno?: { readonly version?: { readonly deno?: string } } | undefined;
  readonly setTimeout: (callback: () => void, ms: number) => unknown;
  readonly clearTimeout: (handle: unknown) => void;
  readonly setImmediate?: ((callback: () => void) => unknown) | undefined;
  readonly clearImmediate?: ((handle: unknown) => void) | undefined;
  readonly MessageChannel?: typeof MessageChannel | undefined;
}

/**
 * Calls back, once, in a later turn of the event loop: timers and sockets get their share before that.
 *
 * @returns Forgets the callback.
 */
export type NextTurn = (callback: () => void) => () => void;

/** The platform's way into a later turn. */
export const nextTurn: NextTurn = /* @__PURE__ */ chooseNextTurn(
  globalThis as unknown as TurnGlobals,
);

/**
 * Calls back when this turn of the event loop has ended: behind all microtasks, and what they lead to.
 * Unlike {@linkcode nextTurn} it need not leave sockets their share.
 */
export const afterTurn: NextTurn = /* @__PURE__ */ chooseNextTurn(
  globalThis as unknown as TurnGlobals,
  false,
);

/** Deno polls its sockets at least once in so many rounds of its event loop. */
const DENO_ROUNDS = 64;

/**
 * Calls back, once, when timers and sockets have had their share. It leaves no timer behind, which
 * Deno would report in a test, and can't be cancelled.
 *
 * @param callback Called once.
 * @param rounds How many rounds of the event loop to wait for.
 */
export function afterOthers(
  callback: () => void,
  rounds: number = isDeno(globalThis as unknown as TurnGlobals) ? DENO_ROUNDS : 1,
): void {
  afterTurn(rounds <= 1 ? callback : () => afterOthers(callback, rounds - 1));
}

function isDeno({ Deno }: TurnGlobals): boolean {
  return typeof Deno?.version?.deno === "string";
}

/**
 * Chooses the fastest way into a later turn.
 *
 * Deno polls its sockets only when it has nothing else to do, and an immediate is something to do:
 * a timer is the only way there that leaves sockets their share. In browsers nested timers take four
 * milliseconds, and a message to oneself takes none.
 *
 * @param globals The global object. What is used of it is read once.
 * @param usesTimer Whether sockets must get their share.
 * @returns The way.
 */
export function chooseNextTurn(
  globals: TurnGlobals,
  usesTimer: boolean = isDeno(globals),
): NextTurn {
  const { setTimeout, clearTimeout, setImmediate, clearImmediate, MessageChannel } = globals;
  if (!usesTimer && setImmediate !== undefined) {
    return (callback) => {
      const handle = setImmediate(callback);
      return () => clearImmediate?.(handle);
    };
  }
  if (!usesTimer && MessageChannel !== undefined) return byMessages(MessageChannel);
  return (callback) => {
    const handle = setTimeout(callback, 0);
    return () => clearTimeout(handle);
  };
}

/** One port for all callbacks. */
function byMessages(Channel: typeof MessageChannel): NextTurn {
  const callbacks = new Set<() => void>();
  let port: MessagePort | null = null;
  const callFirst = (): void => {
    for (const callback of callbacks) {
      callbacks.delete(callback);
      return callback();
    }
  };
  return (callback) => {
    const once = (): void => callback();
    callbacks.add(once);
    if (port === null) {
      const { port1, port2 } = new Channel();
      port1.onmessage = callFirst;
      port = port2;
    }
    port.postMessage(null);
    return () => void callbacks.delete(once);
  };
}

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
