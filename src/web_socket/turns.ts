import type { WorkBudget } from "../protocol/work_budget.ts";
import { platform } from "./platform.ts";
import { type NextTurn, nextTurn } from "../stream_channel/loop_guard.ts";

/** Work that continues in a later turn of the event loop. */
export interface Task {
  /** Continues, and stops when the budget is used up. It adds itself again for the rest. */
  run(): void;
}

/** The budget for work that peers cause in one turn, in units of about a nanosecond. */
const TURN_BUDGET = 4_000_000;

/** The part of the budget for deferred work. The rest is for new input. */
const DEFERRED_SHARE: number = TURN_BUDGET / 2;

/** The part of the budget for one task, before the next task continues. */
const TASK_SLICE: number = TURN_BUDGET / 8;

/** At or below this rest, a new turn is scheduled. So a turn without much work costs nothing. */
const LOW_BUDGET: number = (TURN_BUDGET * 3) / 4;

const IS_DENO: boolean = platform() === "deno";

/**
 * A socket that delivers chunks of at least this size has more. It is the minimum size of TLS in that case.
 */
const LARGE_CHUNK = 16_384;

/** The minimum cost of a task. */
const MIN_COST = 1000;

/**
 * Shares each turn of the event loop among the connections of a process, so that a peer that causes much work
 * doesn't block the others. New input is processed at once, until the budget of the turn is used up. Then the
 * connections alternate, in small slices.
 */
export class Turns {
  /** The remaining budget of this turn. */
  readonly budget: WorkBudget = { left: TURN_BUDGET };
  readonly #nextTurn: NextTurn;
  /** The tasks, in the order in which they continue. */
  readonly #tasks = new Set<Task>();
  readonly #mustIdle: boolean;
  readonly #onTurn = (): void => this.#run();
  /** Cancels the next turn, if one is scheduled. */
  #cancel: (() => void) | null = null;
  #isRunning = false;
  #members = 0;

  /**
   * Creates the turns of a process.
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

  /** Adds a connection. */
  enter(): void {
    this.#members++;
  }

  /** Removes a connection. The last one leaves no scheduled turn behind. */
  leave(): void {
    if (--this.#members > 0) return;
    this.#cancel?.();
    this.#cancel = null;
    this.budget.left = TURN_BUDGET;
  }

  /** Call it after work: if that was much, the budget is refilled in the next turn. */
  watch(): void {
    if (this.budget.left < LOW_BUDGET) this.#plan();
  }

  /**
   * Call it after processing a chunk, like {@linkcode watch}. Deno polls its sockets only when it has nothing
   * else to do, which isn't the case while one of them delivers large chunks. So the budget is not refilled
   * then, and that socket has to wait.
   */
  watchChunk(size: number): void {
    if (size < LARGE_CHUNK || !this.#mustIdle) this.watch();
  }

  /** Subtracts the cost of some work from the budget. Repeated work must add itself as a task. */
  spend(cost: number): void {
    this.budget.left -= cost;
    if (!this.#mustIdle) this.watch();
  }

  /** Adds a task for a later turn, unless it is already added. */
  add(task: Task): void {
    this.#tasks.add(task);
    this.#plan();
  }

  /** Cancels a task. */
  delete(task: Task): void {
    this.#tasks.delete(task);
  }

  #plan(): void {
    if (!this.#isRunning) this.#cancel ??= this.#nextTurn(this.#onTurn);
  }

  #run(): void {
    let share = DEFERRED_SHARE;
    this.#isRunning = true;
    this.#cancel = null;
    try {
      // A task that adds itself again comes last, and this loop reaches it.
      for (const task of this.#tasks) {
        this.#tasks.delete(task);
        share -= this.#cost(task, Math.min(TASK_SLICE, share));
        if (share <= 0) break;
      }
    } finally {
      this.budget.left = TURN_BUDGET - DEFERRED_SHARE + share;
      // Not before: a timer would be due by now, and sockets would get no time between two turns.
      this.#isRunning = false;
      if (this.#tasks.size > 0) this.#plan();
    }
  }

  /** Runs a task for a slice, and returns its cost. */
  #cost(task: Task, slice: number): number {
    this.budget.left = slice;
    task.run();
    return Math.max(MIN_COST, slice - this.budget.left);
  }
}

/** The turns of this process, because all its connections share one event loop. */
export const turns: Turns = new Turns();
