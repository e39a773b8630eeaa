import type { WorkBudget } from "../protocol/work_budget.ts";
import { platform } from "./platform.ts";
import { type NextTurn, nextTurn } from "../stream_channel/loop_guard.ts";

/** Work that was put off to a later turn of the event loop. */
export interface Task {
  /** Goes on, and stops when the budget is spent; what is left is put off again. */
  run(): void;
}

/** What peers may cause in one turn, in units of about a nanosecond. */
const TURN = 4_000_000;

/** What of it is for work that was put off: the rest is for what arrives meanwhile. */
const SHARE: number = TURN / 2;

/** What one task gets before it is the next one's turn. */
const SLICE: number = TURN / 8;

/** When no more than this is left, a new turn is waited for: a turn without much work costs nothing. */
const LOW: number = (TURN * 3) / 4;

const IS_DENO: boolean = platform() === "deno";

/** A socket that gives chunks of this size has more: the least that TLS gives then. */
const LARGE_CHUNK = 16_384;

/** What a task counts at least. */
const MIN_COST = 1000;

/**
 * Shares each turn of the event loop among the connections of a process, so that one whose peer causes
 * much work doesn't hold up the others. What arrives is worked on at once, until the budget of the turn
 * is spent. The connections then take turns with the rest, in small slices.
 */
export class Turns {
  /** What is left of this turn. */
  readonly budget: WorkBudget = { left: TURN };
  readonly #nextTurn: NextTurn;
  /** In the order in which they go on. */
  readonly #tasks = new Set<Task>();
  readonly #mustIdle: boolean;
  readonly #onTurn = (): void => this.#run();
  /** Forgets the next turn, if one is planned. */
  #cancel: (() => void) | null = null;
  #isRunning = false;
  #members = 0;

  /**
   * Makes the turns of a process.
   *
   * @param next Calls back in a later turn.
   * @param mustIdle Whether the platform polls sockets only when it has nothing else to do.
   */
  constructor(
    next: NextTurn = nextTurn,
    mustIdle: boolean = IS_DENO,
  ) {
    this.#nextTurn = next;
    this.#mustIdle = mustIdle;
  }

  /** A connection begins to speak. */
  enter(): void {
    this.#members++;
  }

  /** A connection has ended. The last one leaves no scheduled turn behind. */
  leave(): void {
    if (--this.#members > 0) return;
    this.#cancel?.();
    this.#cancel = null;
    this.budget.left = TURN;
  }

  /** Work was done: the budget is filled again in the next turn, if that was much. */
  watch(): void {
    if (this.budget.left < LOW) this.#plan();
  }

  /**
   * A chunk was worked on, as {@linkcode watch}. Deno polls its sockets only when it has nothing else to
   * do, and that it has as long as one of them gives large chunks: then the budget runs out, and what
   * gives them is put off.
   */
  watchChunk(size: number): void {
    if (size < LARGE_CHUNK || !this.#mustIdle) this.watch();
  }

  /** Takes what some work has cost from the budget; who does it again and again puts itself off. */
  spend(cost: number): void {
    this.budget.left -= cost;
    if (!this.#mustIdle) this.watch();
  }

  /** Puts a task off, unless it is already. */
  add(task: Task): void {
    this.#tasks.add(task);
    this.#plan();
  }

  /** Forgets a task. */
  delete(task: Task): void {
    this.#tasks.delete(task);
  }

  #plan(): void {
    if (!this.#isRunning) this.#cancel ??= this.#nextTurn(this.#onTurn);
  }

  #run(): void {
    let share = SHARE;
    this.#isRunning = true;
    this.#cancel = null;
    try {
      // A task that puts itself off again comes last, and this loop comes to it.
      for (const task of this.#tasks) {
        this.#tasks.delete(task);
        share -= this.#cost(task, Math.min(SLICE, share));
        if (share <= 0) break;
      }
    } finally {
      this.budget.left = TURN - SHARE + share;
      // Not before: a timer would be due by now, and leave no time for sockets between two turns.
      this.#isRunning = false;
      if (this.#tasks.size > 0) this.#plan();
    }
  }

  /** Lets a task go on for a while. */
  #cost(task: Task, slice: number): number {
    this.budget.left = slice;
    task.run();
    return Math.max(MIN_COST, slice - this.budget.left);
  }
}

/** Those of this process: all its connections share one event loop. */
export const turns: Turns = new Turns();
