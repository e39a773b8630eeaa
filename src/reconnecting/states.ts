import { MessageStream, type StreamEvents, streamFeed } from "../stream_channel/channel_stream.ts";
import type { ReconnectingState } from "./state.ts";

/** How many states may be queued for a reader. */
const MAX_STATES = 16;

/** The stream of states. A slow reader may miss some, but never the latest. */
export class States implements StreamEvents {
  readonly stream: MessageStream<ReconnectingState>;
  /** The latest state, if the reader had no room for it. */
  #latest: ReconnectingState | null = null;
  #isFull = false;

  /** @param first The current state. */
  constructor(first: ReconnectingState) {
    this.stream = new MessageStream<ReconnectingState>(this, {
      highWaterMark: MAX_STATES,
      sizeOf: () => 1,
    });
    this.add(first);
    if (first.name === "closed") this.end();
  }

  /** Adds a state. */
  add(state: ReconnectingState): void {
    if (this.#isFull) this.#latest = state;
    else streamFeed.add(this.stream, state);
  }

  /** Ends the stream after the last state. */
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
