/** The engine of one process. */

import { assertEquals } from "@std/assert";
import { ManualClock, webSocketChannelPair } from "../../src/testing/mod.ts";
import { memory, Topics } from "../../src/topics/mod.ts";
import { testEngine } from "../../src/topics_testing/mod.ts";

testEngine({
  create() {
    const engine = memory();
    return Promise.resolve({ engine: () => engine, end: () => Promise.resolve() });
  },
  lacks: ["stop", "forget", "closeClient"],
  test: (name, run) => Deno.test(`topics, memory: ${name}`, run),
});

Deno.test("topics, memory: an offset of an earlier process is a resync", async () => {
  const before = new Topics({ engine: memory() });
  const { offset } = await before.publish("a", "1");
  await before.close();
  const after = new Topics({ engine: memory() });
  for (let i = 0; i < 5; i++) await after.publish("a", `${i}`);
  const { client, server } = webSocketChannelPair();
  const { resync, replayed } = await after.subscribe(server, "a", { after: offset });
  assertEquals([resync, replayed], [true, 0]);
  await client.sink.close();
  await after.close();
});

Deno.test("topics, memory: removes old messages, and their topics and ids", async () => {
  const clock = new ManualClock();
  const topics = new Topics({ clock, history: { size: 10, age: 1000 } });
  const { offset } = await topics.publish("a", "1", { id: "1" });
  clock.advance(2000);
  const second = await topics.publish("a", "2", { id: "1" });
  assertEquals(second.offset === offset, false);
  const { client, server } = webSocketChannelPair();
  const { resync, replayed } = await topics.subscribe(server, "a", { last: 10 });
  assertEquals([resync, replayed], [false, 1]);
  clock.advance(5000);
  await topics.publish("b", "1");
  // No message of "a" is left, so nothing is known after an old offset.
  const late = webSocketChannelPair();
  assertEquals((await topics.subscribe(late.server, "a", { after: offset })).resync, true);
  const now = await topics.publish("b", "2");
  const next = webSocketChannelPair();
  const known = await topics.subscribe(next.server, "a", { after: now.offset });
  assertEquals(known.resync, false);
  for (const it of [client, late.client, next.client]) await it.sink.close();
  await topics.close();
});

Deno.test("topics, memory: an id can be used again only after it has expired", async () => {
  const clock = new ManualClock();
  const topics = new Topics({ clock, history: { age: 1000 } });
  await topics.publish("a", "0");
  clock.advance(500);
  const first = await topics.publish("a", "1", { id: "1" });
  clock.advance(500);
  await topics.publish("a", "2", { id: "2" });
  clock.advance(500);
  assertEquals(await topics.publish("a", "1", { id: "1" }), first);
  clock.advance(1);
  const again = await topics.publish("a", "1", { id: "1" });
  assertEquals(again === first || again.offset === first.offset, false);
  assertEquals(await topics.publish("a", "1", { id: "1" }), again);
  await topics.close();
});
