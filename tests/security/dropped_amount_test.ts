/** `closed` reports how many added or broadcast bytes were never sent, however a channel ends. */

import { assert, assertEquals } from "@std/assert";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import { Broadcaster, type BroadcastOptions } from "../../src/server/broadcast.ts";
import { faultyPair } from "../../src/testing/faulty_pair.ts";
import type { WebSocketChannelPair } from "../../src/testing/web_socket_channel_pair.ts";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import { over } from "../../src/web_socket/over.ts";
import { WebSocketChannel } from "../../src/web_socket_channel.ts";
import { hasNativeWebSocket } from "../../src/native/native_capabilities.ts";
import { microtasks } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { withRecipe } from "../support/recipes.ts";

const MESSAGE = "x".repeat(10_000);
const COUNT = 20;
const TOTAL = COUNT * MESSAGE.length;

/** A server's channel that has broadcast and added messages to a client that reads none. */
function stalled(options?: BroadcastOptions, reset = Infinity): WebSocketChannelPair & {
  clock: ManualClock;
  broadcast: (count: number, text?: string) => void;
} {
  const clock = new ManualClock();
  const pair = faultyPair({ seed: 5, stall: { after: 0 }, reset, clock, highWaterMark: 1000 });
  const broadcaster = new Broadcaster(clock);
  const broadcast = (count: number, text = MESSAGE): void => {
    for (let i = 0; i < count; i++) broadcaster.send([pair.server], text, options);
  };
  return { ...pair, clock, broadcast };
}

/** Asserts the same amount in `closed`, in the error and in `bufferedAmount`. */
async function assertDropped(channel: WebSocketChannel, bytes: number): Promise<void> {
  const { dropped, error } = await channel.closed;
  assertEquals([dropped, channel.sink.bufferedAmount], [bytes, bytes]);
  assert((error as Error).message.includes(`${bytes} bytes`), String(error));
}

Deno.test("attack 58: messages queued for a slow receiver count as buffered", async () => {
  const { server, broadcast } = stalled();
  broadcast(COUNT);
  server.sink.add(MESSAGE);
  assertEquals(server.sink.bufferedAmount, TOTAL + MESSAGE.length);
  server.terminate();
  await server.closed;
});

Deno.test("attack 58: terminate drops the queued broadcasts, and counts them", async () => {
  const { server, broadcast } = stalled();
  broadcast(COUNT);
  server.sink.add(MESSAGE);
  server.terminate();
  await assertDropped(server, TOTAL + MESSAGE.length);
  await microtasks();
  assertEquals(server.sink.bufferedAmount, TOTAL + MESSAGE.length);
});

Deno.test("attack 58: a receiver is disconnected as too slow: its queued broadcasts are counted", async () => {
  const { server, clock, broadcast } = stalled({ stallTimeout: 1000 });
  broadcast(COUNT);
  for (let i = 0; i < 20 && server.state === "open"; i++) clock.advance(100);
  assertEquals([server.state, server.sink.bufferedAmount], ["closing", TOTAL]);
  clock.advance(10_000);
  await assertDropped(server, TOTAL);
  assertEquals(clock.pending, 0);
});

Deno.test("attack 58: dropped messages are not counted; a receiver that reads nothing is still closed", async () => {
  for (const [slow, kept] of [["drop-oldest", 3], ["latest", 2]] as const) {
    const { server, clock, broadcast } = stalled({
      slow,
      maxQueueSize: 2 * MESSAGE.length,
      stallTimeout: 1000,
    });
    broadcast(COUNT);
    assertEquals(server.sink.bufferedAmount, kept * MESSAGE.length);
    // The peer takes nothing: dropping alone makes the queue smaller each time.
    let size = MESSAGE.length;
    while (size > 1000 && server.state === "open") {
      size -= 100;
      broadcast(kept - 1, "x".repeat(size));
      clock.advance(100);
    }
    assertEquals(server.state, "closing", slow);
    clock.advance(10_000);
    await assertDropped(server, MESSAGE.length + (kept - 1) * size);
  }
});

Deno.test("attack 58: a lost connection: the amount is reported beside the connection's error", async () => {
  const pair = faultyPair({ seed: 5, split: 1000, reset: 30_000, highWaterMark: 1000 });
  new Broadcaster(new ManualClock()).send([pair.server], MESSAGE);
  for (let i = 1; i < COUNT; i++) new Broadcaster(new ManualClock()).send([pair.server], MESSAGE);
  pair.client.stream.listen(() => {});
  const { dropped, error, initiator } = await pair.server.closed;
  assert(!/bytes/.test((error as Error).message), String(error));
  assertEquals(initiator, "transport");
  assert(dropped !== undefined && dropped > 0 && dropped < TOTAL, `${dropped}`);
  assertEquals(pair.server.sink.bufferedAmount, dropped);
});

Deno.test("attack 58: an orderly end that drops nothing reports no amount", async () => {
  const { client, server } = faultyPair({ seed: 5, split: 1000, highWaterMark: 1000 });
  const broadcaster = new Broadcaster(new ManualClock());
  for (let i = 0; i < COUNT; i++) broadcaster.send([server], MESSAGE);
  let bytes = 0;
  client.stream.listen((message) => void (bytes += message.length));
  await server.sink.close(1000);
  const info = await server.closed;
  assertEquals([bytes, "dropped" in info, server.sink.bufferedAmount], [TOTAL, false, 0]);
  await client.closed;
});

Deno.test("attack 58: small messages over a byte stream that ends: messages that arrived do not count, also if bufferedAmount was read before", async () => {
  for (const isAsked of [false, true]) {
    const { local, foreign } = channelPair<Uint8Array>();
    const clock = new ManualClock();
    const client = over(local, { side: "client" }, clock);
    const server = over(foreign, { side: "server" }, clock);
    const got: unknown[] = [];
    server.stream.listen((message) => got.push(message));
    for (const text of ["0", "1", "2"]) {
      client.sink.add(text);
      await microtasks();
    }
    if (isAsked) assertEquals(client.sink.bufferedAmount, 0);
    server.sink.add("so that the client's messages leave before it sees the end");
    server.terminate();
    client.sink.add("late");
    void client.sink.close();
    assertEquals((await client.closed).dropped, 4);
    assertEquals(got, ["0", "1", "2"]);
  }
});

const hasNet = "process" in globalThis;
const LARGE = "x".repeat(100_000);
const MANY = 400;

for (
  const [how, leave] of Object.entries<
    (server: WebSocketChannel, client: WebSocketChannel) => void
  >(
    {
      "the peer closes": (_server, client) => void client.sink.close(),
      "the peer is destroyed": (_server, client) => client.terminate(),
      "this side is destroyed": (server) => server.terminate(),
    },
  )
) {
  Deno.test({
    name:
      `attack 58: 40 MB broadcast to a client that doesn't read, then ${how}: the rest is counted`,
    ignore: !hasNet,
    fn: async () => {
      const server = await WebSocketServer.bind({ port: 0 });
      const client = NetWebSocketChannel.connect(server.url, { highWaterMark: 1000 });
      let received = 0;
      const reading = client.stream.listen((message) => void (received += message.length));
      reading.pause();
      await client.ready;
      const channel = (await server[Symbol.asyncIterator]().next()).value!;
      for (let i = 0; i < MANY; i++) server.broadcast(LARGE);
      const buffered = channel.sink.bufferedAmount;
      assert(buffered > 20_000_000, `${buffered} bytes`);
      leave(channel, client);
      const { dropped = 0, error } = await channel.closed;
      assert(error !== undefined);
      assertEquals(channel.sink.bufferedAmount, dropped);
      assert(dropped > 20_000_000 && dropped <= buffered, `${dropped} of ${buffered} bytes`);
      assert(received + dropped <= MANY * LARGE.length, `${received} + ${dropped}`);
      // It doesn't read, so it doesn't notice the end.
      client.terminate();
      await server.close();
    },
  });
}

Deno.test({
  name: "attack 58: a native socket ends before it has sent everything: the amount is reported",
  ignore: !hasNativeWebSocket(),
  fn: () =>
    withRecipe("silent", {}, async ({ url }) => {
      const client = WebSocketChannel.connect(url, { transport: "native" });
      for (let i = 0; i < 3; i++) client.sink.add(MESSAGE);
      client.terminate();
      const { dropped, error } = await client.closed;
      assertEquals([dropped, (error as Error).name], [3 * MESSAGE.length, "AbortError"]);
    }),
});
