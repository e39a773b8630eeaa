/** Counting turns of the event loop, so that no test needs to measure time. */

import { nextTurn } from "../../src/stream_channel/next_turn.ts";

/** Waits for a later turn: timers and sockets get their share meanwhile. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void nextTurn(resolve));
}

/** What {@linkcode TurnCounter} has seen. */
export interface TurnCount {
  /** How many turns began until the condition was met. */
  readonly turns: number;
  /** The most steps that were made within one turn. */
  readonly most: number;
}

/** Counts steps of some work, turn by turn. */
export class TurnCounter {
  #inTurn = 0;
  #most = 0;

  /** One more step. */
  step(): void {
    this.#most = Math.max(this.#most, ++this.#inTurn);
  }

  /**
   * Waits, turn by turn, until something is so.
   *
   * @throws {Error} When it isn't after a very long time.
   */
  async until(condition: () => boolean): Promise<TurnCount> {
    const start = performance.now();
    for (let turns = 0; performance.now() - start < 60_000; turns++) {
      if (condition()) return { turns, most: this.#most };
      this.#inTurn = 0;
      await turn();
    }
    throw new Error("It isn't so after a minute");
  }
}
