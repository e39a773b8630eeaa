/** A small benchmark of delivery: this package delivers every message with resumption, and loses some without it. */

import { assertEquals } from "@std/assert";
import { CONTENDERS } from "../../bench/delivery/contenders.ts";
import { jitter, type JitterPlan } from "../../bench/delivery/jitter.ts";

const PLAN: JitterPlan = {
  clients: 20,
  messages: 40,
  interval: 25,
  uptime: [100, 300],
  offline: 50,
  patience: 30_000,
  seed: 3,
};

Deno.test("delivery: with resumption every message arrives once and in order over unstable connections", async () => {
  const start = CONTENDERS["this package, with resumption"];
  const delivery = await jitter(await start?.() as never, PLAN);
  const { delivered, doubled, disordered, expected } = delivery;
  assertEquals({ delivered, doubled, disordered }, { delivered: 800, doubled: 0, disordered: 0 });
  assertEquals([expected, delivery.resets > 20], [800, true], `${delivery.resets} resets`);
});

Deno.test("delivery: without resumption some messages are lost, which shows that connections are lost", async () => {
  const start = CONTENDERS["this package, without it"];
  const { delivered, doubled, expected } = await jitter(await start?.() as never, {
    ...PLAN,
    patience: 0,
  });
  assertEquals([delivered < expected, doubled], [true, 0]);
});
