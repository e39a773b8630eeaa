import type { Clock } from "../web_socket/clock.ts";
import { Deadline } from "../web_socket/deadline.ts";

/** What a {@linkcode Liveness} asks of the channel. */
export interface LivenessEvents {
  /**
   * Asks the peer for a sign of life.
   *
   * @returns Whether it could.
   */
  ask(): boolean;
  /**
   * No sign of life came in time.
   *
   * @param isProbe Whether it was asked for after a sleep.
   */
  onDead(isProbe: boolean): void;
}

/** How often to ask, and how long to wait, in milliseconds. */
export interface LivenessTimes {
  /** How often to look whether there was a sign of life, and to ask otherwise; 0: never. */
  readonly interval: number;
  readonly timeout: number;
}

/** How long the answer of a probe may take, in milliseconds. */
export const PROBE_TIMEOUT = 2000;

/** Whether the peer of one connection is still there: by heartbeats, and by a probe after a sleep. */
export class Liveness {
  readonly #events: LivenessEvents;
  readonly #clock: Clock;
  readonly #times: LivenessTimes;
  #timer: unknown;
  #deadline: Deadline | null = null;
  #heard = false;
  #isProbing = false;

  /**
   * Starts to ask regularly, where that is wanted.
   *
   * @param events See {@linkcode LivenessEvents}.
   * @param clock Where times come from.
   * @param times See {@linkcode LivenessTimes}.
   */
  constructor(events: LivenessEvents, clock: Clock, times: LivenessTimes) {
    this.#events = events;
    this.#clock = clock;
    this.#times = times;
    this.#wait();
  }

  /** A sign of life. */
  heard(): void {
    this.#heard = true;
    if (this.#deadline === null) return;
    this.stop();
    this.#wait();
  }

  /** Asks at once, and waits for 2 seconds. */
  probe(): void {
    if (!this.#isProbing) this.#ask(PROBE_TIMEOUT, true);
  }

  /** The connection has ended. */
  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#deadline?.clear();
    this.#deadline = null;
    this.#isProbing = false;
  }

  #wait(): void {
    const { interval } = this.#times;
    if (interval === 0) return;
    this.#heard = false;
    this.#timer = this.#clock.setTimeout(() => {
      if (this.#heard) this.#wait();
      else this.#ask(this.#times.timeout, false);
    }, interval);
    this.#clock.unref?.(this.#timer);
  }

  /** Not a word until then: the peer is gone. The deadline blames it for no stall of this side. */
  #ask(ms: number, isProbe: boolean): void {
    this.stop();
    const onTime = (): void => {
      this.#deadline = null;
      this.#events.onDead(isProbe);
    };
    const deadline = new Deadline(this.#clock, { ms, onTime, unref: true });
    this.#deadline = deadline;
    this.#isProbing = isProbe;
    // Nothing can be asked: nobody is to be blamed.
    if (!this.#events.ask() && this.#deadline === deadline) this.heard();
  }
}
