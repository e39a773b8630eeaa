/** Messages added or broadcast before an orderly close are sent, or reported as lost. */

import { assert, assertEquals } from "@std/assert";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { broadcast, WebSocketServer } from "../../src/server/mod.ts";
import { webSocketChannelPair } from "../../src/testing/web_socket_channel_pair.ts";
import { faultyPair } from "../../src/testing/faulty_pair.ts";
import { hex } from "../support/bytes.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { seededRandom } from "../support/random.ts";

const COUNT = 100;
const MESSAGE = "x".repeat(100_000);
/** As long, but compresses to few bytes. */
const MIXED = hex(seededRandom().bytes(50_000));
const hasNet = "process" in globalThis;

for (const how of ["server.close", "sink.close"] as const) {
  for (const compression of [false, true]) {
    Deno.test({
      name: `attack 58: broadcast, then ${how}: all messages arrive${
        compression ? ", compressed" : ""
      }`,
      ignore: !hasNet,
      fn: async () => {
        const server = await WebSocketServer.bind({ port: 0, compression });
        const client = NetWebSocketChannel.connect(server.url, { compression });
        let received = 0;
        client.stream.listen((message) => {
          if (message === MIXED) received++;
        });
        await client.ready;
        const iterator = server[Symbol.asyncIterator]();
        const channel = (await iterator.next()).value!;
        for (let i = 0; i < COUNT; i++) server.broadcast(MIXED);
        if (how === "sink.close") await channel.sink.close(1000, "that's all");
        await server.close({ drainTimeout: 60_000 });
        const { wasClean, code, received: close } = await client.closed;
        assertEquals([received, wasClean], [COUNT, true]);
        assertEquals(close?.code, how === "sink.close" ? 1000 : 1001);
        assertEquals(code, how === "sink.close" ? 1000 : 1001);
        const story = await channel.closed;
        assertEquals([story.wasClean, story.error], [true, undefined]);
      },
    });
  }
}

Deno.test("attack 58: broadcast and add, then close: all messages arrive, broadcasts in their order", async () => {
  const { client, server } = webSocketChannelPair({ highWaterMark: 1000 });
  const received: string[] = [];
  client.stream.listen((message) => received.push(String(message)));
  for (let i = 0; i < 50; i++) broadcast([server], `${i} `.padEnd(500, "b"));
  server.sink.add("added");
  await server.sink.close(1000);
  await client.closed;
  const broadcasts = received.filter((it) => it !== "added").map((it) => parseInt(it));
  assertEquals(broadcasts, Array.from({ length: 50 }, (_, i) => i));
  assert(received.includes("added"));
});

Deno.test("attack 58: messages not sent until closeTimeout are reported as dropped", async () => {
  const clock = new ManualClock();
  const { client, server } = faultyPair({
    seed: 1,
    stall: { after: 0 },
    clock,
    client: { closeTimeout: 50 },
    server: { closeTimeout: 50 },
  });
  for (let i = 0; i < 10; i++) broadcast([server], MESSAGE);
  server.sink.add(MESSAGE);
  const flushed = server.sink.flush();
  const closing = server.sink.close(1000, "that's all");
  clock.advance(50);
  await closing;
  const info = await server.closed;
  assertEquals([info.initiator, info.wasClean, info.sent], ["timeout", false, undefined]);
  const error = info.error as Error;
  assert(/\d+ bytes/.test(error?.message), String(error));
  const rejected = await flushed.then(() => null, (error) => error);
  assertEquals(rejected, error);
  assert(server.sink.bufferedAmount > 1_000_000, `${server.sink.bufferedAmount} bytes`);
  client.terminate();
});
