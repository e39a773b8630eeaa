import type { Wire } from "./wire.ts";

/** How many bytes wait in the stream before the wire is paused. */
const HIGH_WATER_MARK = 64 * 1024;

/** About how many bytes a piece takes beside its own: there may be many small ones. */
const OVERHEAD = 256;

/** The body of an answer as a stream, with backpressure. Who cancels it gets the rest thrown away. */
export class BodyStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #wire: Wire;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;

  /**
   * Creates the stream.
   *
   * @param wire What the body arrives over.
   */
  constructor(wire: Wire) {
    this.#wire = wire;
    this.readable = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#controller = controller),
      pull: () => wire.resume(),
      cancel: () => this.#leave(),
    }, { highWaterMark: HIGH_WATER_MARK, size: (chunk) => chunk.length + OVERHEAD });
  }

  /** A piece of the body, from now on its reader's. */
  add(bytes: Uint8Array): void {
    const controller = this.#controller;
    if (controller === null) return;
    controller.enqueue(bytes);
    if ((controller.desiredSize ?? 0) <= 0) this.#wire.pause();
  }

  /** The body is whole. */
  end(): void {
    this.#controller?.close();
    this.#leave();
  }

  /** No more of the body can be read. Without effect after its end. */
  fail(error: Error): void {
    this.#controller?.error(error);
    this.#leave();
  }

  #leave(): void {
    this.#controller = null;
    this.#wire.resume();
  }
}
