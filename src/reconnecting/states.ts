import { MessageStream, type StreamEvents, streamFeed } from "../stream_channel/channel_stream.ts";
import type { ReconnectingState } from "./state.ts";

/** So many states may wait for a reader. */
const MAX_STATES = 16;

/** The states for a reader that may be slow: the latest is never missed. */
export class States implements StreamEvents {
  readonly stream: MessageStream<ReconnectingState>;
  /** What the reader gets when it has room again. */
  #latest: ReconnectingState | null = null;
  #isFull = false;

  /** @param first The state now. */
  constructor(first: ReconnectingState) {
    this.stream = new MessageStream<ReconnectingState>(this, {
      highWaterMark: MAX_STATES,
      sizeOf: () => 1,
    });
    this.add(first);
    if (first.name === "closed") this.end();
  }

  /** Another state. */
  add(state: ReconnectingState): void {
    if (this.#isFull) this.#latest = state;
    else streamFeed.add(this.stream, state);
  }

  /** There will be no other. */
  end(): void {
    if (this.#latest !== null) streamFeed.add(this.stream, this.#latest);
    streamFeed.end(this.stream);
  }

  pause(): void {
    this.#isFull = true;
  }

  resume(): void {
    const state = this.#latest;
    this.#isFull = false;
    this.#latest = null;
    if (state !== null) streamFeed.add(this.stream, state);
  }
}
