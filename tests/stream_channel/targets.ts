/** Targets and sources for the tests of sinks. */

import type { SinkTarget } from "../../src/stream_channel/channel_sink.ts";
import { SinkController } from "../support/controllers.ts";

/** A target that keeps its values until the test takes them. */
export class Target implements SinkTarget<string> {
  readonly values: string[] = [];
  readonly calls: unknown[] = [];
  bufferedAmount = 0;

  add(value: string): void {
    this.check(value);
    this.values.push(value);
    this.bufferedAmount += value.length;
  }

  check(value: unknown): void {
    if (typeof value !== "string") throw new TypeError(`Cannot send: ${value}`);
  }

  close(): void {
    this.calls.push("close");
  }

  abort(error: unknown): void {
    this.calls.push(["abort", error]);
  }

  watch(): void {
    this.calls.push("watch");
  }
}

/** Opens a sink over a target. */
export function open(
  options?: { highWaterMark?: number; closeWins?: boolean },
): { target: Target; controller: SinkController<string> } {
  const target = new Target();
  return { target, controller: new SinkController<string>(target, options) };
}

/** A source that delivers the test's values, and records that it was cancelled. */
export class Source implements AsyncIterable<string> {
  cancelled = false;
  asked = 0;
  #waiting: ((result: IteratorResult<string>) => void)[] = [];
  #fail: ((error: unknown) => void)[] = [];

  put(value: string): void {
    this.#waiting.shift()?.({ done: false, value });
  }

  end(): void {
    this.#waiting.shift()?.({ done: true, value: undefined });
  }

  fail(error: unknown): void {
    this.#fail.shift()?.(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    return {
      next: () => {
        this.asked++;
        return new Promise((resolve, reject) => {
          this.#waiting.push(resolve);
          this.#fail.push(reject);
        });
      },
      return: () => {
        this.cancelled = true;
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}
