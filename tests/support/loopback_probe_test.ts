import { assertEquals } from "@std/assert";
import { LoopbackProbe } from "./loopback_probe.ts";

Deno.test("loopback probe: bytes come back in order, and nothing is left behind", async () => {
  const probe = new LoopbackProbe();
  const order: number[] = [];
  await Promise.all([1, 2, 3].map((it) => probe.roundTrip().then(() => order.push(it))));
  await probe.roundTrip();
  assertEquals(order, [1, 2, 3]);
  await probe.close();
  await probe.close();
});

Deno.test("loopback probe: one that was never used has nothing to close", async () => {
  await new LoopbackProbe().close();
});
