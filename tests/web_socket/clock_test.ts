import { assert, assertEquals } from "@std/assert";
import { MAX_TIMEOUT, systemClock } from "../../src/web_socket/clock.ts";

Deno.test("clock: the system's clock advances, in milliseconds", async () => {
  const start = systemClock.now();
  await new Promise<void>((resolve) => systemClock.setTimeout(resolve, 5));
  const passed = systemClock.now() - start;
  assert(passed >= 4 && passed < 30_000, `${passed}`);
});

Deno.test("clock: a cleared timer does not call back", async () => {
  const calls: string[] = [];
  const handle = systemClock.setTimeout(() => calls.push("cleared"), 0);
  systemClock.clearTimeout(handle);
  await new Promise<void>((resolve) => systemClock.setTimeout(resolve, 1));
  assertEquals(calls, []);
});

Deno.test("clock: the maximum time is one that a platform's timer supports", async () => {
  const calls: string[] = [];
  const handle = systemClock.setTimeout(() => calls.push("overflowed"), MAX_TIMEOUT);
  await new Promise<void>((resolve) => systemClock.setTimeout(resolve, 2));
  systemClock.clearTimeout(handle);
  assertEquals(calls, []);
});

Deno.test("clock: an unreferenced timer still calls back while something else keeps the process alive", async () => {
  const calls: string[] = [];
  systemClock.unref?.(systemClock.setTimeout(() => calls.push("called"), 0));
  for (const handle of [undefined, null]) {
    systemClock.unref?.(handle);
    systemClock.ref?.(handle);
  }
  await new Promise<void>((resolve) => systemClock.setTimeout(resolve, 5));
  assertEquals(calls, ["called"]);
});
