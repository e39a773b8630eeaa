import type { ListenOptions, StreamSubscription } from "./channel_stream.ts";
import { rethrowLater } from "./errors.ts";

/** What a {@linkcode Listening} can ask for. */
export interface Listened {
  readonly isReaderPaused: boolean;
  pauseReader(): void;
  resumeReader(): void;
  cancelReader(): void;
}

/** A listener's subscription, and what the stream reports to it besides values. */
export class Listening implements StreamSubscription {
  readonly #listened: Listened;
  readonly #options: ListenOptions;
  #abort: (() => void) | null = null;

  /**
   * Makes a subscription.
   *
   * @param listened What is listened to.
   * @param options The options of `listen`, read.
   */
  constructor(listened: Listened, options: ListenOptions) {
    this.#listened = listened;
    this.#options = options;
  }

  get isPaused(): boolean {
    return this.#listened.isReaderPaused;
  }

  pause(): void {
    this.#listened.pauseReader();
  }

  resume(): void {
    this.#listened.resumeReader();
  }

  cancel(): void {
    this.#listened.cancelReader();
  }

  /** Watches the signal, if there is one; it may have aborted. */
  watch(): void {
    const signal = this.#options.signal;
    if (signal === undefined) return;
    this.#abort = () => this.cancel();
    if (signal.aborted) this.cancel();
    else signal.addEventListener("abort", this.#abort, { once: true });
  }

  /** Tells the listener of the end. */
  finish(failure: { readonly error: unknown } | null): void {
    const options = this.#options;
    try {
      if (failure !== null) options.onError?.(failure.error);
    } catch (error) {
      rethrowLater(error);
    }
    try {
      options.onDone?.();
    } catch (error) {
      rethrowLater(error);
    }
  }

  /** Lets go of the signal. */
  release(): void {
    if (this.#abort !== null) this.#options.signal?.removeEventListener("abort", this.#abort);
  }
}
