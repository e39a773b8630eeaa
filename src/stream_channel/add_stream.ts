import type { AddStreamOptions } from "./channel_sink.ts";
import { ignore } from "./errors.ts";
import { loopGuard } from "./loop_guard.ts";
import type { Pull } from "./pull.ts";

/** Where an {@linkcode AddStream} puts its values. */
export interface AddStreamTarget<T> {
  /** As {@linkcode ChannelSink.hasRoom}. */
  readonly hasRoom: boolean;
  /** As {@linkcode ChannelSink.ready}. */
  readonly ready: Promise<void>;
  /** Takes a value; `false`: there is nobody left to give anything to. */
  take(value: T): boolean;
}

/** One `addStream` that runs: takes from its source as long as there is room. */
export class AddStream<T> {
  readonly #target: AddStreamTarget<T>;
  readonly #source: Pull<T>;
  readonly #signal: AbortSignal | undefined;
  #ended = false;
  #wake: () => void = ignore;

  /**
   * Makes one that is to {@linkcode run}.
   *
   * @param target Where the values go.
   * @param source Where they come from.
   * @param options Its signal.
   */
  constructor(target: AddStreamTarget<T>, source: Pull<T>, { signal }: AddStreamOptions) {
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
   * @returns Whether the source has ended; `false` when it was cancelled before.
   */
  async run(): Promise<boolean> {
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
        if (!this.#give(result.value)) return false;
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
  #give(value: T): boolean {
    let taken = false;
    try {
      return taken = this.#target.take(value);
    } finally {
      if (!taken) this.#source.cancel();
    }
  }
}
