/**
 * Messages of 4 GiB each way through both ends, one process: what each keeps, beside a bare copy of the same bytes.
 * `LARGE_BYTES` makes them smaller, `LARGE_COMPRESSION=1` compresses them.
 */

import { assert, assertEquals } from "@std/assert";
import { connect as dial, createServer, type Socket } from "node:net";
import process from "node:process";
import { WebSocketChannel } from "../../mod.ts";
import type { IncomingMessage, Message, MessageInput } from "../../mod.ts";
import { turn } from "../support/turns.ts";
import { WebSocketServer } from "../../src/server/mod.ts";

const SIZE = Number(process.env["LARGE_BYTES"] ?? 4 * 2 ** 30);
const compression = process.env["LARGE_COMPRESSION"] === "1";
const CHUNK = Uint8Array.from({ length: 65_536 }, (_, i) => i * 89 ^ i >> 3);
const MIB = 2 ** 20;

function* chunks(size: number): Generator<Uint8Array> {
  for (let at = 0; at < size; at += CHUNK.length) yield CHUNK.subarray(0, size - at);
}

/** Looks at the memory while nothing moves. */
type Sample = () => Promise<void>;

/** The peak of what the process has taken while something runs, and what it keeps afterwards, in MiB. */
async function measure(name: string, body: (sample: Sample, size: number) => Promise<void>) {
  const { gc } = globalThis as { gc?: () => void };
  // Buffers are released after the collection that finds them unused.
  const collect = async () => {
    for (let i = 0; i < 4; i++) {
      gc?.();
      await turn();
    }
  };
  const used = () => {
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  // Code is compiled, and buffers are pooled, once.
  await body(collect, 32 * MIB);
  await collect();
  const before = used();
  let peak = 0;
  let retained = 0;
  await body(async () => {
    peak = Math.max(peak, process.memoryUsage().rss);
    await collect();
    retained = Math.max(retained, used() - before);
  }, SIZE);
  console.log(
    `${name}: peak ${Math.round(peak / MIB)} MiB, retained ${(retained / MIB).toFixed(2)} MiB`,
  );
  return { peak, retained };
}

/** Counts bytes; each so many, it says that it is time for a sample. */
class Counter {
  total = 0;
  readonly #step: number;
  #next: number;

  constructor(size: number) {
    this.#step = this.#next = size / 16;
  }

  isDue(count: number): boolean {
    this.total += count;
    if (this.total < this.#next) return false;
    this.#next += this.#step;
    return true;
  }
}

async function bare(sample: Sample, size: number): Promise<void> {
  const counter = new Counter(size);
  const server = createServer((socket) => socket.pipe(socket));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const socket: Socket = dial((server.address() as { port: number }).port, "127.0.0.1");
  const read = new Promise<void>((done) => {
    socket.on("data", (bytes: Uint8Array) => {
      if (counter.isDue(bytes.length)) {
        socket.pause();
        void sample().then(() => socket.resume());
      }
      if (counter.total === size) done();
    });
  });
  for (const chunk of chunks(size)) {
    if (!socket.write(chunk)) await new Promise((drained) => socket.once("drain", drained));
  }
  await read;
  socket.destroy();
  server.close();
}

async function streamed(sample: Sample, size: number): Promise<void> {
  const counter = new Counter(size);
  const server = await WebSocketServer.bind({
    compression,
    streamLargerThan: 65_536,
    maxMessageSize: Infinity,
    handler: async (channel) => {
      for await (const it of channel.cast<Message | IncomingMessage, MessageInput>().stream) {
        if (typeof it === "string" || it instanceof Uint8Array) continue;
        await channel.sink.addMessage(it.readable, { kind: it.kind });
      }
    },
  });
  const channel = await WebSocketChannel.open(server.url, {
    transport: "net",
    compression,
    streamLargerThan: 65_536,
    maxMessageSize: Infinity,
  });
  const sent = channel.sink.addMessage(chunks(size), { kind: "binary" });
  const { value } = await channel.stream.next();
  assert(typeof value === "object" && "readable" in value);
  for await (const part of value.readable) if (counter.isDue(part.length)) await sample();
  await sent;
  assertEquals(counter.total, size);
  await channel.sink.close(1000);
  assertEquals((await channel.closed).wasClean, true);
  await server.close();
}

Deno.test(`large messages: ${SIZE} bytes each way through both ends retain at most 1 MiB a side beyond a bare copy`, async () => {
  const floor = await measure("node:net", bare);
  const ours = await measure("addMessage and streamLargerThan", streamed);
  // Without a forced collection only the peak can be measured.
  if ("gc" in globalThis) {
    assert(ours.retained < 2 * MIB + Math.max(0, floor.retained), `${ours.retained} bytes`);
  }
  assert(ours.peak < floor.peak + 256 * MIB, `${ours.peak} bytes, beside ${floor.peak}`);
});
