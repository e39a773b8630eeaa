import { CountedQueue } from "../stream_channel/counted_queue.ts";

/**
 * What was written to a transport that has not taken it yet. The transport counts bytes on the wire,
 * users count payloads: both are noted once a write, not once a message.
 */
export class InFlight {
  /** How many bytes were written, from the first one on that wasn't taken when this was made. */
  #written: number;
  /** For each write `#written` behind it, counted as the payloads in it. */
  readonly #writes: CountedQueue<number> = new CountedQueue<number>();
  /** `#written` behind our Close frame; `Infinity` before it was written. */
  #closeEnd = Infinity;

  /** @param before How many bytes the transport had not taken before the first write. */
  constructor(before: number) {
    this.#written = Math.max(before, 0);
  }

  /**
   * Notes a write.
   *
   * @param size What the transport counts it, in bytes.
   * @param payload How many bytes of payload it holds.
   * @param buffered How many bytes the transport has not taken.
   */
  add(size: number, payload: number, buffered: number): void {
    this.#written += size;
    // Also releases what earlier writes held, even if the amount is never read.
    this.payload(buffered);
    if (payload > 0) this.#writes.pushSized(this.#written, payload);
  }

  /** Notes that our Close frame was written. */
  addClose(): void {
    this.#closeEnd = Math.min(this.#closeEnd, this.#written);
  }

  /**
   * How many bytes of payload the transport has not taken.
   *
   * @param buffered How many bytes it has not taken.
   */
  payload(buffered: number): number {
    const taken = this.#written - buffered;
    const writes = this.#writes;
    while (writes.length > 0 && writes.first <= taken) writes.shift();
    return writes.size;
  }

  /**
   * Whether the transport has taken our Close frame.
   *
   * @param buffered How many bytes it has not taken.
   */
  hasClose(buffered: number): boolean {
    return this.#closeEnd <= this.#written - buffered;
  }
}
