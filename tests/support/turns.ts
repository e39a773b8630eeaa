/** Counts turns of the event loop, so that no test measures time. */

import { nextTurn } from "../../src/stream_channel/loop_guard.ts";

/** Waits for a later turn of the event loop, so that timers and sockets run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void nextTurn(resolve));
}

/** The maximum time until a condition must hold, in milliseconds. */
const PATIENCE = 60_000;

/**
 * Waits, turn by turn, until a condition holds.
 *
 * @throws {Error} When it doesn't hold after a minute.
 */
export async function until(isSo: () => boolean, onTurn: () => void = () => {}): Promise<void> {
  for (const start = performance.now(); !isSo(); await turn()) {
    if (performance.now() - start > PATIENCE) throw new Error(`Not so after a minute: ${isSo}`);
    onTurn();
  }
}

/** The result of a {@linkcode TurnCounter}. */
export interface TurnCount {
  /** The number of turns until the condition held. */
  readonly turns: number;
  /** The maximum number of steps within one turn. */
  readonly most: number;
}

/** Counts steps of some work, turn by turn. */
export class TurnCounter {
  #inTurn = 0;
  #most = 0;

  /** Counts a step. */
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
