import { Fifo } from "../stream_channel/fifo.ts";

/**
 * What was written to a transport that has not taken it yet. The transport counts bytes on the wire,
 * users count payloads: both are noted once a write, not once a message.
 */
export class InFlight {
  /** How many bytes were written in all. */
  #written = 0;
  /** For each write: `#written` behind it, and the payloads in it. */
  #ends: Fifo<number> | null = null;
  #payloads: Fifo<number> | null = null;
  #payload = 0;
  /** `#written` behind our Close frame; `Infinity` before it was written. */
  #closeEnd = Infinity;

  /** How many bytes were written in all. */
  get written(): number {
    return this.#written;
  }

  /**
   * Notes a write.
   *
   * @param size Its length in bytes.
   * @param payload How many bytes of payload it holds that the transport has not taken.
   */
  add(size: number, payload: number): void {
    this.#written += size;
    if (payload === 0) return;
    (this.#ends ??= new Fifo<number>()).push(this.#written);
    (this.#payloads ??= new Fifo<number>()).push(payload);
    this.#payload += payload;
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
    const ends = this.#ends;
    const payloads = this.#payloads;
    if (this.#payload === 0 || ends === null || payloads === null) return 0;
    const taken = this.#written - buffered;
    while (ends.length > 0 && ends.first <= taken) {
      ends.shift();
      this.#payload -= payloads.shift();
    }
    return this.#payload;
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
