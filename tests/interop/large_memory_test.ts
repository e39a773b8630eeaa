// Not in browsers: it serves
/**
 * One message, far larger than the memory that both ends may use for it, is sent and echoed in one process, compared with
 * a bare copy of the same bytes. `LARGE_BYTES` has its size, `LARGE_COMPRESSED_BYTES` that of the compressed one.
 */

import { assert, assertEquals } from "@std/assert";
import { connect as dial, createServer, type Socket } from "node:net";
import process from "node:process";
import type { AddressInfo } from "node:net";
import {
  type IncomingMessage,
  type Message,
  type MessageInput,
  WebSocketChannel,
} from "../../mod.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import { collectGarbage } from "../support/leaks.ts";
import { deferred } from "../support/promises.ts";
import { until } from "../support/turns.ts";

const MIB = 2 ** 20;
const SIZE = Number(process.env["LARGE_BYTES"] ?? 64 * MIB);
const COMPRESSED_SIZE = Number(process.env["LARGE_COMPRESSED_BYTES"] ?? 8 * MIB);
/** How much each end may keep, in bytes. Bun releases buffers late. */
const KEPT = "Bun" in globalThis ? 3 * MIB : MIB;
/** How much more memory than the bare copy the process may use at its peak, in bytes, for garbage not collected yet. */
const GARBAGE = Math.min(256 * MIB, 2 * SIZE);
/** How often the memory is measured. */
const SAMPLES = 2;
const CHUNK = Uint8Array.from({ length: 65_536 }, (_, i) => i * 89 ^ i >> 3);
const STREAMED = { streamLargerThan: 65_536, maxMessageSize: Infinity } as const;

function used(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Collects garbage until the heap stops shrinking: buffers are released later than their objects. */
async function settled(): Promise<number> {
  let least = Infinity;
  for (let same = 0, rounds = 0; same < 2 && rounds < 20; rounds++) {
    await collectGarbage();
    const now = used();
    same = now > least - 16_384 ? same + 1 : 0;
    least = Math.min(least, now);
  }
  return least;
}

/** The bytes to send, and a count of the echoed bytes; it pauses sending while it measures the memory. */
class Copy {
  readonly size: number;
  received = 0;
  /** The process's peak memory, and the peak of objects and buffers while sending was paused. */
  peak = 0;
  used = 0;
  #next: number;
  #held: { promise: Promise<void>; resolve(): void } | null = null;

  constructor(size: number) {
    this.size = size;
    this.#next = size / SAMPLES;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < this.size; at += CHUNK.length) {
      if (this.#held !== null) await this.#held.promise;
      yield CHUNK.subarray(0, this.size - at);
    }
  }

  /** Counts received bytes; `true` when it is time to measure the memory. */
  isDue(count: number): boolean {
    this.received += count;
    if (this.received < this.#next) return false;
    this.#next += this.size / SAMPLES;
    return true;
  }

  /** Measures the memory; the caller must read nothing meanwhile. */
  async look(): Promise<void> {
    this.peak = Math.max(this.peak, process.memoryUsage().rss);
    const held = this.#held = deferred();
    this.used = Math.max(this.used, await settled());
    this.#held = null;
    held.resolve();
  }
}

async function bare(copy: Copy): Promise<void> {
  const server = createServer((socket) => socket.pipe(socket));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const socket: Socket = dial((server.address() as AddressInfo).port, "127.0.0.1");
  socket.on("data", (bytes: Uint8Array) => {
    if (!copy.isDue(bytes.length)) return;
    socket.pause();
    void copy.look().then(() => socket.resume());
  });
  for await (const chunk of copy.chunks()) {
    if (!socket.write(chunk)) await new Promise((drained) => socket.once("drain", drained));
  }
  await until(() => copy.received === copy.size);
  socket.destroy();
  server.close();
}

async function streamed(copy: Copy, compression: boolean): Promise<void> {
  const server = await WebSocketServer.bind({
    ...STREAMED,
    compression,
    handler: async (channel) => {
      for await (const it of channel.cast<Message | IncomingMessage, MessageInput>().stream) {
        assert(typeof it === "object" && "readable" in it);
        await channel.sink.addMessage(it.readable, { kind: it.kind });
      }
    },
  });
  const channel = await WebSocketChannel.open(server.url, {
    ...STREAMED,
    compression,
    transport: "net",
  });
  const sent = channel.sink.addMessage(copy.chunks(), { kind: "binary" });
  const { value } = await channel.stream.next();
  assert(typeof value === "object" && "readable" in value);
  let at = 0;
  for await (const part of value.readable) {
    // Only a sample: comparing each byte takes longer than sending it.
    assertEquals(part[0], CHUNK[at % CHUNK.length]);
    at += part.length;
    if (copy.isDue(part.length)) await copy.look();
  }
  await sent;
  assertEquals([copy.received, value.received], [copy.size, copy.size]);
  await channel.sink.close(1000);
  assertEquals((await channel.closed).wasClean, true);
  await server.close();
}

/** The memory that a copy uses beyond what the process used before. */
async function measure(
  name: string,
  size: number,
  body: (copy: Copy) => Promise<void>,
): Promise<{ peak: number; kept: number }> {
  // A first run compiles the code and fills the buffer pools.
  await body(new Copy(Math.min(size, 16 * MIB)));
  const before = await settled();
  const copy = new Copy(size);
  await body(copy);
  const kept = copy.used - before;
  const behind = await settled() - before;
  const text = [size, copy.peak, kept, behind].map((it) => `${(it / MIB).toFixed(2)} MiB`);
  console.log(`${name}: ${text[0]}; peak ${text[1]}, keeps ${text[2]}, behind it ${text[3]}`);
  return { peak: copy.peak, kept };
}

for (const compression of [false, true]) {
  const size = compression ? COMPRESSED_SIZE : SIZE;
  const how = compression ? "compressed" : "uncompressed";
  Deno.test(`large messages: ${size / MIB} MiB echoed, ${how}, keep at most ${KEPT / MIB} MiB per end beyond a bare copy`, async () => {
    const floor = await measure("node:net", size, bare);
    const ours = await measure(`ours, ${how}`, size, (copy) => streamed(copy, compression));
    assert(ours.kept < 2 * KEPT + Math.max(0, floor.kept), `${ours.kept} bytes`);
    assert(ours.peak < floor.peak + GARBAGE, `${ours.peak} bytes, beside ${floor.peak}`);
  });
}
