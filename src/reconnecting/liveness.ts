import type { Clock } from "../web_socket/clock.ts";

/** What a {@linkcode Liveness} asks of its channel, and reports to it. */
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

/** A timer that is later than this may be so because this process stood still: what has arrived is unread. */
const LATE = 10;

/** Whether the peer of one connection is still there: by heartbeats, and by a probe after a sleep. */
export class Liveness {
  readonly #core: LivenessEvents;
  readonly #clock: Clock;
  readonly #times: LivenessTimes;
  #timer: unknown;
  #hasReceived = false;
  #isAsking = false;
  #isProbing = false;

  /**
   * Starts to ask regularly, where that is wanted.
   *
   * @param core The channel, which asks the peer.
   * @param clock Where times come from.
   * @param times See {@linkcode LivenessTimes}.
   */
  constructor(core: LivenessEvents, clock: Clock, times: LivenessTimes) {
    this.#core = core;
    this.#clock = clock;
    this.#times = times;
    this.#rest();
  }

  /** A sign of life. */
  heard(): void {
    this.#hasReceived = true;
    if (this.#isAsking) this.#rest();
  }

  /** Asks at once, and waits for 2 seconds. */
  probe(): void {
    if (!this.#isProbing) this.#ask(PROBE_TIMEOUT, true);
  }

  /** The connection has ended. */
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
      // A background tab's timers are late every time: what has arrived is read before the next one.
      if (late > LATE) this.#wait(Math.min(late, ms), dead);
      else dead();
    });
    // The peer can't be asked, so it isn't to blame.
    if (!this.#core.ask() && this.#isAsking) this.#rest();
  }

  #wait(ms: number, then: (late: number) => void): void {
    const due = this.#clock.now() + ms;
    this.#timer = this.#clock.setTimeout(() => then(this.#clock.now() - due), ms);
    this.#clock.unref?.(this.#timer);
  }
}
