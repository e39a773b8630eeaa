import type { Clock } from "./clock.ts";
import { type ConnectDeadlineOptions, DEFAULT_CONNECT_TIMEOUT } from "./options.ts";
import { Deadline } from "./deadline.ts";
import type { CloseInitiator } from "./close_info.ts";

/** The attempt that an {@linkcode Attempt} limits in time. */
export interface ConnectDeadlineEvents {
  /** Returns the phase of the attempt; `null` if it is unknown. */
  phase(): string | null;
  /** Returns the URL for texts; empty if it is unknown. */
  url(): string;
  /** Abandon the attempt. */
  giveUp(error: unknown, initiator: CloseInitiator): void;
}

/** The limits of an attempt to connect, until {@linkcode Attempt.end}: a timeout and a signal. */
export class Attempt {
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  readonly #deadline: Deadline | null;
  /** The stack of the call that started the attempt. The stacks of its errors don't show that. */
  readonly #trace: Error | null;

  /**
   * Starts to limit an attempt.
   *
   * @param events The attempt.
   * @param options The limits. The signal hasn't aborted yet.
   * @param clock The source of times.
   * @param trace An error created in the call that started the attempt; `null` if no user code made that
   * call.
   */
  constructor(
    events: ConnectDeadlineEvents,
    options: ConnectDeadlineOptions,
    clock: Clock,
    trace: Error | null = null,
  ) {
    this.#trace = trace;
    const { signal, connectTimeout = DEFAULT_CONNECT_TIMEOUT } = options;
    this.#signal = signal;
    this.#onAbort = () => events.giveUp(signal?.reason, "local");
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    const onTime = (): void => {
      const [url, phase] = [events.url(), events.phase()];
      const message = `Cannot connect${url === "" ? "" : ` to ${url}`}: ` +
        `it took longer than ${connectTimeout} ms${phase === null ? "" : `, in phase ${phase}`}`;
      const error = new DOMException(message, "TimeoutError");
      this.locate(error);
      events.giveUp(error, "timeout");
    };
    this.#deadline = connectTimeout === 0
      ? null
      : new Deadline(clock, { ms: connectTimeout, onTime });
  }

  /**
   * Sets an error's stack to that of the call that started the attempt, so that an uncaught error shows the
   * caller's line.
   *
   * @param error An error of this package.
   */
  locate(error: Error): void {
    // A program can replace stacks with values that aren't strings.
    const stack: unknown = this.#trace?.stack;
    // All engines have frames here; some have a line with the error's name before them.
    const frames = typeof stack === "string" ? stack.replace(/^Error.*\n?/, "") : "";
    if (frames === "") return;
    const value = `${error.name}: ${error.message}\n${frames}`;
    Reflect.defineProperty(error, "stack", { value, configurable: true, writable: true });
  }

  /** Whether its timer keeps the process alive. */
  set isRef(isRef: boolean) {
    if (this.#deadline !== null) this.#deadline.isRef = isRef;
  }

  /** Stops limiting the attempt, which has ended. */
  end(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#deadline?.clear();
  }
}
