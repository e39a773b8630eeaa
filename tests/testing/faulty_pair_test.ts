import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { faultyPair, type FaultyPairOptions } from "../../src/testing/faulty_pair.ts";
import { microtasks } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { testSeed } from "../support/random.ts";

/** Sends messages of 100 bytes until the connection ends, and returns those that arrived. */
async function arrivals(options: FaultyPairOptions): Promise<number> {
  const { client, server } = faultyPair(options);
  let arrived = 0;
  const over = new Promise<void>((resolve) => {
    server.stream.listen(() => arrived++, { onDone: resolve });
  });
  for (let i = 0; i < 100; i++) client.sink.add("x".repeat(100));
  void client.sink.close();
  await over;
  await Promise.all([client.closed, server.closed]);
  return arrived;
}

Deno.test("without faults it is an ordinary pair", async () => {
  assertEquals(await arrivals({ seed: 1 }), 100);
});

Deno.test("splits lose nothing", async () => {
  const seed = testSeed();
  for (const split of [1, 2, 7, [1, 300]] as const) {
    assertEquals(await arrivals({ seed, split }), 100, `seed ${seed}, split ${split}`);
  }
});

Deno.test("a reset after the given number of bytes is a lost connection for both sides", async () => {
  const { client, server } = faultyPair({ seed: 1, reset: 500, split: 50 });
  for (let i = 0; i < 10; i++) client.sink.add("x".repeat(100));
  for (const channel of [client, server]) {
    const { code, initiator, error } = await channel.closed;
    assertEquals([code, initiator], [1006, "transport"]);
    assertEquals((error as Error).cause instanceof Error, true);
  }
  // Four frames of 106 bytes fit into 500 bytes.
  assertEquals(await arrivals({ seed: 1, reset: 500, split: 50 }), 4);
});

Deno.test("the same seed causes the same faults, and another seed other ones", async () => {
  const run = (seed: number): Promise<number> => arrivals({ seed, reset: [0, 10_000], split: 20 });
  const first: number[] = [];
  for (let seed = 0; seed < 8; seed++) first.push(await run(seed));
  for (let seed = 0; seed < 8; seed++) assertEquals(await run(seed), first[seed], `seed ${seed}`);
  assertNotEquals(new Set(first).size, 1);
});

Deno.test("delays keep the order", async () => {
  const clock = new ManualClock();
  const seed = testSeed();
  const { client, server } = faultyPair({ seed, delay: [0, 30], split: [1, 9], clock });
  const got: unknown[] = [];
  server.stream.listen((message) => got.push(message));
  const sent = Array.from({ length: 20 }, (_, i) => `message ${i}`);
  for (const message of sent) client.sink.add(message);
  for (let i = 0; i < 500 && got.length < sent.length; i++) {
    await microtasks();
    clock.advance(30);
  }
  assertEquals(got, sent, `seed ${seed}`);
  client.terminate();
  server.terminate();
  await microtasks();
  assertEquals(clock.pending, 0);
});

Deno.test("only pings detect a permanent stall", async () => {
  const clock = new ManualClock();
  const { client, server } = faultyPair({
    seed: 1,
    stall: { after: 10 },
    clock,
    client: { pingInterval: 1000, pingTimeout: 500 },
  });
  client.sink.add("this much arrives");
  assertEquals((await server.stream.next()).value, "this much arrives");
  client.sink.add("this doesn't");
  await microtasks();
  assertEquals(client.state, "open");
  for (let i = 0; i < 20 && client.state === "open"; i++) {
    clock.advance(500);
    await microtasks();
  }
  const { code, initiator } = await client.closed;
  assertEquals([code, initiator], [1006, "timeout"]);
  assertEquals(server.state, "open");
  server.terminate();
  await server.closed;
});

Deno.test("a temporary stall delays messages, and loses nothing", async () => {
  const clock = new ManualClock();
  const { client, server } = faultyPair({ seed: 1, stall: { after: 0, duration: 200 }, clock });
  const got: unknown[] = [];
  server.stream.listen((message) => got.push(message));
  client.sink.add("first");
  await microtasks();
  client.sink.add("second");
  await microtasks();
  assertEquals(got, ["first"]);
  clock.advance(200);
  await microtasks();
  assertEquals(got, ["first", "second"]);
  client.terminate();
  await server.closed;
});

Deno.test("a stall also delays the end, temporarily or permanently", async () => {
  for (const duration of [100, Infinity]) {
    const clock = new ManualClock();
    const stall = { after: 1, duration };
    const { client, server } = faultyPair({ seed: 1, stall, clock, closeTimeout: 1_000 });
    const got: unknown[] = [];
    server.stream.listen((message) => got.push(message), { onDone: () => got.push("done") });
    client.sink.add("first");
    await microtasks();
    void client.sink.close();
    await microtasks();
    assertEquals(got, ["first"]);
    clock.advance(100);
    await microtasks();
    assertEquals(got, duration === 100 ? ["first", "done"] : ["first"]);
    for (let i = 0; i < 10; i++) {
      clock.advance(1_000);
      await microtasks();
    }
    server.terminate();
    await Promise.all([client.closed, server.closed]);
    assertEquals(clock.pending, 0);
  }
});

Deno.test("malformed options are rejected", () => {
  const bad: Partial<FaultyPairOptions>[] = [
    { seed: 0.1 },
    { seed: 1, split: 0 },
    { seed: 1, delay: -1 },
    { seed: 1, delay: [5, 1] },
    { seed: 1, stall: { after: -1 } },
    { seed: 1, stall: { after: 1, duration: NaN } },
    { seed: 1, reset: NaN },
  ];
  for (const options of bad) {
    assertThrows(
      () => faultyPair(options as FaultyPairOptions),
      RangeError,
      undefined,
      JSON.stringify(options),
    );
  }
});
