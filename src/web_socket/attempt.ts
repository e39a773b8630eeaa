import type { Clock } from "./clock.ts";
import { type ConnectDeadlineOptions, DEFAULT_CONNECT_TIMEOUT } from "./options.ts";
import { Deadline } from "./deadline.ts";
import type { CloseInitiator } from "./close_info.ts";

/** What an {@linkcode Attempt} bounds. */
export interface ConnectDeadlineEvents {
  /** What it is waiting for; `null` when that is not known. */
  phase(): string | null;
  /** Where it leads, as texts show it; empty when that isn't known. */
  url(): string;
  /** It is to be given up. */
  giveUp(error: unknown, initiator: CloseInitiator): void;
}

/** The bounds of an attempt to connect: a timeout and a signal, until {@linkcode Attempt.end}. */
export class Attempt {
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  readonly #deadline: Deadline | null;
  /** Where it was begun: the stacks of its errors lead nowhere else. */
  readonly #trace: Error | null;

  /**
   * Bounds an attempt.
   *
   * @param events The attempt.
   * @param options The bounds; the signal hasn't aborted yet.
   * @param clock Where times come from.
   * @param trace An error made by the call that begins it; `null` when no user's code called.
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
   * Gives an error the stack of the call that began the attempt, so that an uncaught one shows the caller's line.
   *
   * @param error One that is of this package.
   */
  locate(error: Error): void {
    // A program can make something else of stacks than a text.
    const stack: unknown = this.#trace?.stack;
    // All engines have frames here; some have a line with the error's name in front of them.
    const frames = typeof stack === "string" ? stack.replace(/^Error.*\n?/, "") : "";
    if (frames === "") return;
    const value = `${error.name}: ${error.message}\n${frames}`;
    Reflect.defineProperty(error, "stack", { value, configurable: true, writable: true });
  }

  /** Whether its timer keeps the process alive. */
  set isRef(isRef: boolean) {
    if (this.#deadline !== null) this.#deadline.isRef = isRef;
  }

  /** It has ended, one way or the other. */
  end(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#deadline?.clear();
  }
}
