import { assertEquals } from "@std/assert";
import { inTime } from "../../src/server/in_time.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

/** A decision that never settles, and its limits. */
function endless(ms: number, signal: AbortSignal = new AbortController().signal) {
  const clock = new ManualClock();
  let calls = 0;
  const giveUp = (): string => `given up ${++calls}`;
  const answer = inTime(new Promise<string>(() => {}), { ms, clock, signal, giveUp });
  return { clock, answer };
}

Deno.test("a decision in time leaves no timer", async () => {
  const clock = new ManualClock();
  const { signal } = new AbortController();
  const giveUp = (): string => "given up";
  const answer = await inTime(Promise.resolve("decided"), { ms: 100, clock, signal, giveUp });
  assertEquals([answer, clock.pending], ["decided", 0]);
});

Deno.test("the server abandons a pending decision at the timeout, or when the client disconnects", async () => {
  const slow = endless(100);
  slow.clock.advance(100);
  assertEquals([await slow.answer, slow.clock.pending], ["given up 1", 0]);
  const abort = new AbortController();
  const left = endless(0, abort.signal);
  assertEquals(left.clock.pending, 0);
  abort.abort();
  assertEquals(await left.answer, "given up 1");
  const before = endless(100, AbortSignal.abort());
  assertEquals([await before.answer, before.clock.pending], ["given up 1", 0]);
});
