import type { Wire } from "./wire.ts";

/** The number of unread bytes in the stream from which the wire is paused. */
const HIGH_WATER_MARK = 64 * 1024;

/** The approximate memory of a piece beside its content, in bytes: there may be many small ones. */
const OVERHEAD = 256;

/** The body of an answer as a stream, with backpressure. After a cancel, the rest is dropped. */
export class BodyStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #wire: Wire;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;

  /**
   * Creates the stream.
   *
   * @param wire The wire on which the body arrives.
   */
  constructor(wire: Wire) {
    this.#wire = wire;
    this.readable = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#controller = controller),
      pull: () => wire.resume(),
      cancel: () => this.#leave(),
    }, { highWaterMark: HIGH_WATER_MARK, size: (chunk) => chunk.length + OVERHEAD });
  }

  /** Adds a piece of the body, which belongs to the reader. */
  add(bytes: Uint8Array): void {
    const controller = this.#controller;
    if (controller === null) return;
    controller.enqueue(bytes);
    if ((controller.desiredSize ?? 0) <= 0) this.#wire.pause();
  }

  /** Ends the stream after the whole body. */
  end(): void {
    this.#controller?.close();
    this.#leave();
  }

  /** Fails the stream. It has no effect after the end. */
  fail(error: Error): void {
    this.#controller?.error(error);
    this.#leave();
  }

  #leave(): void {
    this.#controller = null;
    this.#wire.resume();
  }
}
