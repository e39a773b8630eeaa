import type { Clock } from "../web_socket/clock.ts";

/** The actions and events of a {@linkcode Liveness}; its channel implements them. */
export interface LivenessEvents {
  /**
   * Asks the peer to answer.
   *
   * @returns Whether it could ask.
   */
  ask(): boolean;
  /**
   * Called when the peer has sent nothing in time.
   *
   * @param isProbe Whether it was asked after a sleep.
   */
  onDead(isProbe: boolean): void;
}

/** The times of heartbeats, in milliseconds. */
export interface LivenessTimes {
  /** How long without a message before the peer is asked; 0: never. */
  readonly interval: number;
  readonly timeout: number;
}

/** How long the answer of a probe may take, in milliseconds. */
export const PROBE_TIMEOUT = 2000;

/**
 * If a timer is later than this, the process may have been blocked, with unread data in its sockets. In milliseconds.
 */
const LATE = 10;

/** Detects that the peer of one connection is gone, by heartbeats, and by a probe after a sleep. */
export class Liveness {
  readonly #core: LivenessEvents;
  readonly #clock: Clock;
  readonly #times: LivenessTimes;
  #timer: unknown;
  #hasReceived = false;
  #isAsking = false;
  #isProbing = false;

  /**
   * Starts asking regularly, if `interval` isn't 0.
   *
   * @param core The channel, which asks the peer.
   * @param clock The clock for its timers.
   * @param times The interval and the timeout.
   */
  constructor(core: LivenessEvents, clock: Clock, times: LivenessTimes) {
    this.#core = core;
    this.#clock = clock;
    this.#times = times;
    this.#rest();
  }

  /** Records that the peer has sent something. */
  heard(): void {
    this.#hasReceived = true;
    if (this.#isAsking) this.#rest();
  }

  /** Asks at once, and waits 2 seconds for an answer. */
  probe(): void {
    if (!this.#isProbing) this.#ask(PROBE_TIMEOUT, true);
  }

  /** Stops its timers, because the connection has ended. */
  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#isAsking = this.#isProbing = false;
  }

  #rest(): void {
    this.stop();
    const { interval, timeout } = this.#times;
    if (interval === 0) return;
    this.#hasReceived = false;
    this.#wait(interval, () => this.#hasReceived ? this.#rest() : this.#ask(timeout, false));
  }

  #ask(ms: number, isProbe: boolean): void {
    this.stop();
    this.#isAsking = true;
    this.#isProbing = isProbe;
    const dead = (): void => this.#core.onDead(isProbe);
    this.#wait(ms, (late) => {
      // Timers of a background tab are always late, so pending data is read before the next one.
      if (late > LATE) this.#wait(Math.min(late, ms), dead);
      else dead();
    });
    // If the peer can't be asked, its silence means nothing.
    if (!this.#core.ask() && this.#isAsking) this.#rest();
  }

  #wait(ms: number, then: (late: number) => void): void {
    const due = this.#clock.now() + ms;
    this.#timer = this.#clock.setTimeout(() => then(this.#clock.now() - due), ms);
    this.#clock.unref?.(this.#timer);
  }
}
