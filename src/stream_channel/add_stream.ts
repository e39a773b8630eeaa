import type { AddStreamOptions, ChannelSink } from "./channel_sink.ts";
import { ignore } from "./errors.ts";
import { loopGuard } from "./loop_guard.ts";
import type { Pull } from "./pull.ts";

/** Takes a value; `false`: there is nobody left to give anything to. */
type Take<T> = (value: T) => boolean;

/** One `addStream` that runs: takes from its source as long as there is room. */
export class AddStream<T> {
  readonly #target: Pick<ChannelSink<T>, "hasRoom" | "ready">;
  readonly #source: Pull<T>;
  readonly #signal: AbortSignal | undefined;
  #ended = false;
  #wake: () => void = ignore;

  /**
   * Makes one that is to {@linkcode run}.
   *
   * @param target Says when there is room.
   * @param source Where they come from.
   * @param options Its signal.
   */
  constructor(
    target: Pick<ChannelSink<T>, "hasRoom" | "ready">,
    source: Pull<T>,
    { signal }: AddStreamOptions,
  ) {
    this.#target = target;
    this.#source = source;
    this.#signal = signal;
  }

  /** Whether it was ended, or aborted. */
  get isInterrupted(): boolean {
    return this.#ended || this.#signal?.aborted === true;
  }

  /** Ends it: the source is cancelled. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /**
   * Adds everything.
   *
   * @param take Where the values go.
   * @returns Whether the source has ended; `false` when it was cancelled before.
   */
  async run(take: Take<T>): Promise<boolean> {
    const signal = this.#signal;
    const onAbort = (): void => this.#wake();
    signal?.addEventListener("abort", onAbort);
    try {
      for (;;) {
        const turn = this.#target.hasRoom ? loopGuard.step() : this.#target.ready;
        if (turn !== null) await this.#wait(turn);
        const result = this.isInterrupted ? undefined : await this.#wait(this.#source.next());
        if (result?.done) return true;
        if (result === undefined || this.isInterrupted) return this.#interrupt();
        if (!this.#give(result.value, take)) return false;
      }
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #interrupt(): false {
    this.#source.cancel();
    if (!this.#ended && this.#signal?.aborted) throw this.#signal.reason;
    return false;
  }

  /** Waits for `promise`, or for the end. A race would leave a reaction behind on each round. */
  #wait<V>(promise: PromiseLike<V>): Promise<V | undefined> {
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve(undefined);
      promise.then(resolve, reject);
    });
  }

  /** Cancels the source where the value isn't taken. */
  #give(value: T, take: Take<T>): boolean {
    let taken = false;
    try {
      return taken = take(value);
    } finally {
      if (!taken) this.#source.cancel();
    }
  }
}
