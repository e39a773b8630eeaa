/** Scheduling in later turns of the event loop, and loops that don't block it. */

import { FULFILLED } from "./errors.ts";

/** The globals that are used here. */
export interface TurnGlobals {
  readonly Deno?: { readonly version?: { readonly deno?: string } } | undefined;
  readonly setTimeout: (callback: () => void, ms: number) => unknown;
  readonly clearTimeout: (handle: unknown) => void;
  readonly setImmediate?: ((callback: () => void) => unknown) | undefined;
  readonly clearImmediate?: ((handle: unknown) => void) | undefined;
  readonly MessageChannel?: typeof MessageChannel | undefined;
}

/**
 * Calls back once, in a later turn of the event loop, after timers and sockets.
 *
 * @returns A function that cancels the callback.
 */
export type NextTurn = (callback: () => void) => () => void;

/** Calls back in a later turn of the event loop, in the way that is fastest on this platform. */
export const nextTurn: NextTurn = /* @__PURE__ */ chooseNextTurn(
  globalThis as unknown as TurnGlobals,
);

/**
 * Calls back at the end of this turn of the event loop, after all microtasks. Unlike {@linkcode nextTurn},
 * sockets may not have been served.
 */
export const afterTurn: NextTurn = /* @__PURE__ */ chooseNextTurn(
  globalThis as unknown as TurnGlobals,
  false,
);

/** Deno polls its sockets at least once in this many rounds of its event loop. */
const DENO_ROUNDS = 64;

/**
 * Calls back once, after timers and sockets were served. It can't be cancelled, and leaves no timer behind,
 * which Deno would report in a test.
 *
 * @param callback Called once.
 * @param rounds The number of rounds of the event loop to wait.
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
 * Chooses the fastest way to call back in a later turn.
 *
 * Deno polls its sockets only when it has nothing else to do, and an immediate counts as work. So on Deno
 * only a timer lets sockets be served. In browsers nested timers take four milliseconds, and a posted message
 * takes none.
 *
 * @param globals The global object, which is read once.
 * @param usesTimer Whether sockets must be served before the callback.
 * @returns The function that calls back.
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

/** Calls back from messages on one port, which all callbacks share. */
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

/** The maximum time of loops in one turn of the event loop, in milliseconds. */
const MAX_LOOP_TIME = 8;

/**
 * For this time after a watched turn, in milliseconds, the next ones are not watched, because watching costs
 * an immediate.
 */
const UNWATCHED_TIME = 4;

/** The clock is read once in this many steps, while they are quick and while they are slow. */
const QUICK_STEPS = 32;
const SLOW_STEPS = 4;

/** Steps are quick while the clock advances by less than this between two readings, in milliseconds. */
const QUICK_TIME = 1;

/** The dependencies of a {@linkcode LoopGuard}. Default: the platform's own. */
export interface LoopGuardMeans {
  /** Calls back after timers and sockets were served. */
  readonly afterOthers?: (callback: () => void) => void;
  /** Calls back at the end of this turn of the event loop. */
  readonly afterTurn?: (callback: () => void) => void;
  /** The time, in milliseconds. */
  readonly now?: () => number;
}

/**
 * Makes loops of promises wait for timers and sockets from time to time. Otherwise two kinds of loops would
 * block the event loop: a sender that waits for room while its peer keeps up, and a reader of messages that
 * have already arrived.
 */
export class LoopGuard {
  readonly #means: Required<LoopGuardMeans>;
  /** The number of steps before the clock is read again; 0 while a turn is awaited. */
  #stepsLeft = SLOW_STEPS;
  #lookedAt = -Infinity;
  /** Whether the end of this turn will be noticed. */
  #watching = false;
  /** The start of the watched turn, or the end of the last one. */
  #since = -Infinity;
  /** Fulfils in the next turn, if a loop waits for it. */
  #turn: Promise<void> | null = null;

  /**
   * Creates a guard.
   *
   * @param means Its dependencies.
   */
  constructor(means: LoopGuardMeans = {}) {
    this.#means = { afterOthers, afterTurn, now: () => performance.now(), ...means };
  }

  /**
   * Counts a step of a loop.
   *
   * @returns The promise to await before the next step, or `null`.
   */
  step(): Promise<void> | null {
    return --this.#stepsLeft > 0 ? null : this.#look();
  }

  #look(): Promise<void> | null {
    if (this.#turn !== null) return this.#turn;
    const now = this.#means.now();
    this.#stepsLeft = now - this.#lookedAt < QUICK_TIME ? QUICK_STEPS : SLOW_STEPS;
    this.#lookedAt = now;
    if (this.#watching) return now - this.#since < MAX_LOOP_TIME ? null : this.#wait();
    if (now - this.#since >= UNWATCHED_TIME) this.#watch(now);
    return null;
  }

  /** Notices when the turn ends by itself, which is usually soon. */
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
   * Calls back at the end of this turn of the event loop, once no loop waits for a later one. By then,
   * readers of promises have handled all messages that they got.
   */
  afterLoops(callback: () => void): void {
    this.#means.afterTurn(() => {
      if (this.#turn === null) callback();
      else this.#turn.then(() => this.afterLoops(callback));
    });
  }

  /** Returns a promise that fulfils after `promise`, once the next step is allowed. */
  after(promise: Promise<void>): Promise<void> {
    const turn = this.step();
    if (turn === null) return promise;
    return promise === FULFILLED ? turn : bothOf(promise, turn);
  }
}

/** A separate function: the variables of a closure would be allocated for each step. */
async function bothOf(promise: Promise<void>, turn: Promise<void>): Promise<void> {
  await promise;
  await turn;
}

/** The guard of this process, because all its loops share one event loop. */
export const loopGuard: LoopGuard = new LoopGuard();
