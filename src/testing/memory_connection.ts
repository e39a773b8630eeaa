import type { ChannelParts } from "../stream_channel/channel_like.ts";
import type { ChannelWireOptions } from "../web_socket/channel_wire.ts";
import type { Clock } from "../web_socket/clock.ts";
import { type LineFaults, MemoryLine } from "./memory_line.ts";

/** A side of a connection: its bytes, and what goes with them. */
export interface MemorySide extends ChannelParts<Uint8Array, Uint8Array>, ChannelWireOptions {
  /** Ends it at once. */
  readonly destroy: () => void;
}

/** A connection in memory: a line each way, with the ends that TCP has. */
export class MemoryConnection {
  /** One side. */
  readonly client: MemorySide;
  /** The other one. */
  readonly server: MemorySide;

  readonly #toServer: MemoryLine;
  readonly #toClient: MemoryLine;
  #over = false;

  /**
   * @param clock Where delays come from.
   * @param faults What goes wrong; `null`: nothing.
   */
  constructor(clock: Clock, faults: LineFaults | null = null) {
    this.#toServer = new MemoryLine(clock, faults);
    this.#toClient = new MemoryLine(clock, faults);
    this.client = this.#side(this.#toServer, this.#toClient);
    this.server = this.#side(this.#toClient, this.#toServer);
  }

  #side(out: MemoryLine, back: MemoryLine): MemorySide {
    const destroy = (): void => this.#destroy(out, back);
    out.onAbort = destroy;
    out.onEnded = () => {
      // As a socket is closed once both halves have ended.
      if (back.isEnded) this.#finish();
    };
    return { stream: back.incoming.stream, sink: out.outgoing.sink, ownsChunks: true, destroy };
  }

  #finish(error?: unknown): void {
    this.#over = true;
    this.#toServer.outgoing.finish(error);
    this.#toClient.outgoing.finish(error);
  }

  /** One side gives up: nothing reaches it any more, and its end is behind what it has sent. */
  #destroy(out: MemoryLine, back: MemoryLine): void {
    if (this.#over) return;
    back.drop();
    out.end();
    out.outgoing.finish();
    const over = out.onEnded;
    out.onEnded = () => {
      over();
      // The other side has nobody to send to: it learns of it even while it reads nothing.
      back.outgoing.finish(new Error("The connection was ended by the other side"));
    };
    if (out.isEnded) out.onEnded();
  }

  /** Ends it at once for both sides, and what was on the way is lost. */
  reset(): void {
    if (this.#over) return;
    const error = new Error("The connection was reset");
    this.#toServer.drop(error);
    this.#toClient.drop(error);
    this.#finish(error);
  }
}
