import { Deferred, FULFILLED } from "../stream_channel/errors.ts";
import type { Clock } from "../web_socket/clock.ts";
import { EngineError, TopicsError } from "./topics_error.ts";
import type { TopicsState } from "./topics_options.ts";

/** How long to wait before another attempt, where the engine failed and has not reported that it is lost. */
const RETRY_DELAY = 100;

/** How a call waits while the connection is lost. */
export interface EngineWait {
  /** The action, as error texts name it: `"publish"`. */
  readonly what: string;
  /** Rejects when the caller has given up. */
  readonly interrupted?: Promise<never> | undefined;
  /**
   * Whether a lost connection rejects the call. Default: as `whileLost` says, and a refusal of the server rejects it.
   * `false`: it waits, whatever the reason.
   */
  readonly mayFail?: boolean;
}

/**
 * The connection of one `Topics` to its log: its state, its epoch, and how calls wait while it is lost. `Topics` passes
 * on what the engine reports.
 */
export class EngineLink {
  /** The log's epoch; empty until the engine has reported it. */
  epoch = "";
  readonly #clock: Clock;
  readonly #mayFail: boolean;
  #state: TopicsState = { name: "live" };
  #isClosed = false;
  /** Fulfils when the state or the epoch may have changed. */
  #changed: Deferred = new Deferred();
  #retry: Deferred | null = null;
  #retryTimer: unknown;
  /** How many calls of {@linkcode ask} wait until the connection is live. */
  #waiting = 0;

  /**
   * Creates the link of a log that is still to be opened.
   *
   * @param clock Where times come from.
   * @param mayFail Whether a lost connection rejects calls: `whileLost` is `"fail"`.
   */
  constructor(clock: Clock, mayFail: boolean) {
    this.#clock = clock;
    this.#mayFail = mayFail;
  }

  /** The state of the connection. */
  get state(): TopicsState {
    return this.#state;
  }

  /** Enters a state. Calls that wait look at it. */
  enter(state: TopicsState): void {
    this.#state = state;
    if (state.name === "ended") this.#endPause();
    this.wake();
  }

  /** Calls that wait look at the state and the epoch again. */
  wake(): void {
    const changed = this.#changed;
    this.#changed = new Deferred();
    changed.resolve();
  }

  /** The user has closed the topics: the end is not the engine's. */
  close(): void {
    this.#isClosed = true;
  }

  /** The error of a call after the end. */
  endedError(what: string): TopicsError {
    const cause = this.#state.name === "ended" ? this.#state.error : undefined;
    const text = this.#isClosed ? "the topics are closed" : "the engine has ended";
    return new TopicsError(`Cannot ${what}: ${text}`, { reason: "closed", cause });
  }

  /** @throws {TopicsError} When the topics are closed or the engine has ended. */
  checkOpen(what: string): void {
    if (this.#state.name === "ended") throw this.endedError(what);
  }

  /**
   * Waits until the log is open and its connection live.
   *
   * @param mayBePublished Whether an attempt was made before that may have succeeded.
   * @throws {TopicsError} When the topics have ended, the server refuses this process, or the connection is lost and that
   * rejects the call.
   */
  async whenLive(
    { what, interrupted, mayFail }: EngineWait,
    mayBePublished = false,
  ): Promise<void> {
    for (;;) {
      this.checkOpen(what);
      const state = this.#state;
      if (state.name === "lost") {
        const isRejected = mayFail ?? (this.#mayFail || isRefusal(state.error));
        if (isRejected) throw lostError(what, state.error, mayBePublished);
      } else if (this.epoch !== "") return;
      await within(this.#changed.promise, interrupted);
    }
  }

  /**
   * Calls the engine, and again while its failure may pass, if the options say so. Calls keep their order: a new one waits
   * for those that wait.
   */
  async ask<T>(wait: EngineWait, call: () => Promise<T>): Promise<T> {
    const { what, interrupted, mayFail = this.#mayFail } = wait;
    for (let attempts = 0;; attempts++) {
      const mayBePublished = what === "publish" && attempts > 0;
      if (this.#retry !== null && !mayFail) await within(this.#retry.promise, interrupted);
      // Nothing is awaited while the connection is live: a publish in memory is sent at once.
      if (this.#state.name !== "live" || this.epoch === "" || this.#waiting > 0) {
        const isFirst = this.#waiting++ === 0;
        try {
          if (!isFirst) await within(FULFILLED, interrupted);
          await this.whenLive(wait, mayBePublished);
        } finally {
          this.#waiting--;
        }
      }
      try {
        return await within(call(), interrupted);
      } catch (error) {
        if (isRefusal(error)) throw error;
        this.checkOpen(what);
        if (mayFail) throw lostError(what, error, what === "publish");
        if (this.#state.name === "live") await within(this.#pause(), interrupted);
      }
    }
  }

  /** A short time: the same for all calls that try again. */
  #pause(): Promise<void> {
    const retry = this.#retry ??= new Deferred();
    this.#retryTimer ??= this.#clock.setTimeout(() => this.#endPause(), RETRY_DELAY);
    return retry.promise;
  }

  #endPause(): void {
    this.#clock.clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    this.#retry?.resolve();
    this.#retry = null;
  }
}

/** Whether the engine's server refuses something: waiting does not help. */
export function isRefusal(error: unknown): boolean {
  return !(error instanceof EngineError);
}

/** Takes equally long with and without an interruption, so that calls keep their order. */
function within<T>(promise: Promise<T>, interrupted: Promise<never> | undefined): Promise<T> {
  return Promise.race(interrupted === undefined ? [promise] : [promise, interrupted]);
}

function lostError(what: string, cause: unknown, mayBePublished: boolean): TopicsError {
  const isRefused = isRefusal(cause);
  const text = isRefused
    ? "the engine's server refuses it"
    : "the connection to the engine is lost";
  return new TopicsError(`Cannot ${what}: ${text}`, {
    reason: isRefused ? "refused" : "lost",
    cause,
    mayBePublished,
  });
}
