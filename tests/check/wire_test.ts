import { assertEquals } from "@std/assert";
import { type RawSocket, Wire } from "../../src/check/wire.ts";

const MIB = 1 << 20;

/** A socket that delivers data until it is paused. */
class Flood {
  isPaused = false;
  #onData: (chunk: Uint8Array) => void = () => {};

  on(event: string, listener: (chunk: Uint8Array) => void): void {
    if (event === "data") this.#onData = listener;
  }

  setNoDelay(): void {}

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  /** Sends up to this many bytes. Returns how many the reader accepted. */
  pour(most: number): number {
    let sent = 0;
    for (; sent < most && !this.isPaused; sent += MIB / 4) this.#onData(new Uint8Array(MIB / 4));
    return sent;
  }
}

Deno.test("check wire: W56 the socket is paused when 1 MiB is buffered that no case has read", async () => {
  const socket = new Flood();
  const wire = new Wire(socket as unknown as RawSocket, 1000);
  assertEquals(socket.pour(64 * MIB), MIB);
  // A larger message still arrives.
  const taken = wire.take(3 * MIB);
  assertEquals([socket.isPaused, socket.pour(64 * MIB)], [false, 2 * MIB]);
  assertEquals((await taken)?.length, 3 * MIB);
});
