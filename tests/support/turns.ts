/** Counting turns of the event loop, so that no test needs to measure time. */

import { nextTurn } from "../../src/stream_channel/loop_guard.ts";

/** Waits for a later turn of the event loop, so that timers and sockets run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void nextTurn(resolve));
}

/** How long something may take that should be so soon, in milliseconds. */
const PATIENCE = 60_000;

/**
 * Waits, turn by turn, until something is so.
 *
 * @throws {Error} When it isn't after a minute.
 */
export async function until(isSo: () => boolean, onTurn: () => void = () => {}): Promise<void> {
  for (const start = performance.now(); !isSo(); await turn()) {
    if (performance.now() - start > PATIENCE) throw new Error(`Not so after a minute: ${isSo}`);
    onTurn();
  }
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

  /** As {@linkcode until}; returns the number of turns. */
  async until(condition: () => boolean): Promise<TurnCount> {
    let turns = 0;
    await until(condition, () => {
      turns++;
      this.#inTurn = 0;
    });
    return { turns, most: this.#most };
  }
}
