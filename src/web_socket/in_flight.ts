import { CountedQueue } from "../stream_channel/counted_queue.ts";

/**
 * Counts what was written to a transport and is not taken yet. The transport counts bytes on the wire, and
 * users count payloads. Both are recorded once for each write, not for each message.
 */
export class InFlight {
  /** The number of written bytes, including those that were not taken when this was created. */
  #written: number;
  /** For each write the value of `#written` after it, with the size of its payloads. */
  readonly #writes: CountedQueue<number> = new CountedQueue<number>();
  /** `#written` after this side's Close frame; `Infinity` before it was written. */
  #closeEnd = Infinity;

  /**
   * Creates a counter for one transport.
   *
   * @param before How many bytes the transport had not taken before the first write.
   */
  constructor(before: number) {
    this.#written = Math.max(before, 0);
  }

  /**
   * Records a write.
   *
   * @param size The size of the write on the wire, in bytes.
   * @param payload The size of its payloads, in bytes.
   * @param buffered The number of bytes that the transport has not taken.
   */
  add(size: number, payload: number, buffered: number): void {
    this.#written += size;
    // This also releases the records of earlier writes, even if the amount is never read.
    this.payload(buffered);
    if (payload > 0) this.#writes.pushSized(this.#written, payload);
  }

  /** Records that this side's Close frame was written. */
  addClose(): void {
    this.#closeEnd = Math.min(this.#closeEnd, this.#written);
  }

  /**
   * Returns the number of payload bytes that the transport has not taken.
   *
   * @param buffered The number of bytes that the transport has not taken.
   */
  payload(buffered: number): number {
    const taken = this.#written - buffered;
    const writes = this.#writes;
    while (writes.length > 0 && writes.first <= taken) writes.shift();
    return writes.size;
  }

  /**
   * Returns whether the transport has taken this side's Close frame.
   *
   * @param buffered The number of bytes that the transport has not taken.
   */
  hasClose(buffered: number): boolean {
    return this.#closeEnd <= this.#written - buffered;
  }
}
