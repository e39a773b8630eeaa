import { assertEquals } from "@std/assert";
import { LoopbackProbe } from "./loopback_probe.ts";

Deno.test("loopback probe: returns bytes in order, and leaves no connection behind", async () => {
  const probe = new LoopbackProbe();
  const order: number[] = [];
  await Promise.all([1, 2, 3].map((it) => probe.roundTrip().then(() => order.push(it))));
  await probe.roundTrip();
  assertEquals(order, [1, 2, 3]);
  await probe.close();
  await probe.close();
});

Deno.test("loopback probe: an unused probe can be closed", async () => {
  await new LoopbackProbe().close();
});
