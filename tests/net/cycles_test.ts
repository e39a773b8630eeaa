/** Opens thousands of connections, one after the other, and counts the resources left. `CYCLES` sets their number. */

import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import * as dialling from "../../src/net/dialer.ts";
import { connectNet } from "../../src/net/connect_net.ts";
import { parseConnect } from "../../src/web_socket/connect_request.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import {
  collectGarbage,
  CountingSignal,
  heapSize,
  openHandles,
  Watched,
} from "../support/leaks.ts";
import { startEcho } from "../support/processes.ts";

const CYCLES = Number(process.env["CYCLES"] ?? 6_000);
/** The warm-up: the runtime compiles and fills its caches. */
const WARM_UP = 2_000;
/** The heap's size isn't exact, but a leak of one closure and its context per connection exceeds this. */
const MAX_GROWTH = 512_000;

class Cycles {
  readonly clock = new ManualClock();
  readonly signal = new CountingSignal();
  readonly channels = new Watched();
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async run(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.#once();
  }

  async #once(): Promise<void> {
    const options = { signal: this.signal as AbortSignal };
    const channel = connectNet(
      parseConnect(this.#url, {}),
      options,
      this.clock,
      { dialling },
    );
    this.channels.add(channel);
    channel.sink.add("hello");
    const { value } = await channel.stream.next();
    if (value !== "hello") throw new Error(`Not the echo: ${value}`);
    await channel.sink.close();
    const { wasClean } = await channel.closed;
    if (!wasClean) throw new Error("Not a clean end");
  }
}

Deno.test(`net: ${CYCLES} connections, one after the other, leave no timer, socket or object`, async () => {
  // The server runs in its own process, so that this heap is only the client's.
  const server = startEcho();
  try {
    const cycles = new Cycles(`ws://127.0.0.1:${(await server.next())["port"]}`);
    await cycles.run(WARM_UP);
    await collectGarbage();
    const heap = heapSize();
    const handles = openHandles();
    await cycles.run(CYCLES - WARM_UP);
    await collectGarbage();
    // Timers, and listeners of objects that outlive a connection.
    assertEquals(cycles.clock.pending, 0);
    assertEquals([cycles.signal.added, cycles.signal.listeners], [CYCLES, 0]);
    // Sockets: those open before may have closed since. Objects: JavaScriptCore takes
    // stack values that look like an address for a reference.
    const open = openHandles();
    assert((open ?? 0) <= (handles ?? 0), `${open} files and sockets are open, ${handles} were`);
    const { alive } = cycles.channels;
    assert(alive <= 10, `${alive} channels are left`);
    cycles.channels.clear();
    await collectGarbage();
    const growth = heapSize() - heap;
    assert(growth < MAX_GROWTH, `the heap grew by ${growth} bytes`);
  } finally {
    await server.close();
  }
});
