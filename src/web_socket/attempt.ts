import type { Clock } from "./clock.ts";
import { type ConnectDeadlineOptions, DEFAULT_CONNECT_TIMEOUT } from "./options.ts";
import { Deadline } from "./deadline.ts";
import type { CloseInitiator } from "./close_info.ts";

/** What an {@linkcode Attempt} bounds. */
export interface Attempted {
  /** What it is doing. */
  phase(): string;
  /** It is to be given up. */
  giveUp(error: unknown, initiator: CloseInitiator): void;
}

/** The bounds of an attempt to connect: a timeout and a signal, until {@linkcode Attempt.end}. */
export class Attempt {
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  readonly #deadline: Deadline | null;

  /**
   * Bounds an attempt.
   *
   * @param attempted The attempt.
   * @param options The bounds; the signal hasn't aborted yet.
   * @param clock Where times come from.
   */
  constructor(attempted: Attempted, options: ConnectDeadlineOptions, clock: Clock) {
    const { signal, connectTimeout = DEFAULT_CONNECT_TIMEOUT } = options;
    this.#signal = signal;
    this.#onAbort = () => attempted.giveUp(signal?.reason, "local");
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    const onTime = (): void => {
      const message =
        `Connecting took longer than ${connectTimeout} ms, in phase ${attempted.phase()}`;
      attempted.giveUp(new DOMException(message, "TimeoutError"), "timeout");
    };
    this.#deadline = connectTimeout === 0
      ? null
      : new Deadline(clock, { ms: connectTimeout, onTime });
  }

  /** It is over, one way or the other. */
  end(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#deadline?.clear();
  }
}
