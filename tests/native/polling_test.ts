import { assertEquals } from "@std/assert";
import { Polling } from "../../src/native/polling.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

Deno.test("polling: checks the state at its interval until look returns false", () => {
  const clock = new ManualClock();
  const polling = new Polling(clock, 100);
  const looks: number[] = [];
  polling.watchState(() => looks.push(clock.now()) < 3);
  clock.advance(1000);
  assertEquals([looks, clock.pending], [[100, 200, 300], 0]);
});

Deno.test("polling: checks the state at most every 32 ms, and every 5 s by default", () => {
  const clock = new ManualClock();
  new Polling(clock, 0).watchState(() => false);
  assertEquals(clock.nextIn, 32);
  clock.advance(32);
  new Polling(clock).watchState(() => false);
  assertEquals(clock.nextIn, 5000);
});

Deno.test("polling: checks the amount often at first, then less often, until look returns false", () => {
  const clock = new ManualClock();
  const looks: number[] = [];
  new Polling(clock).watchAmount(() => looks.push(clock.now()) < 8);
  clock.advance(1000);
  assertEquals([looks, clock.pending], [[1, 3, 7, 15, 31, 63, 95, 127], 0]);
});

Deno.test("polling: a second watch of the amount has no effect, but the amount can be watched again later", () => {
  const clock = new ManualClock();
  const polling = new Polling(clock);
  let looks = 0;
  polling.watchAmount(() => ++looks < 2);
  polling.watchAmount(() => ++looks < 2);
  assertEquals(clock.pending, 1);
  clock.advance(100);
  assertEquals([looks, clock.pending], [2, 0]);
  polling.watchAmount(() => false);
  assertEquals(clock.nextIn, 1);
});

Deno.test("polling: stop ends both; with nothing to stop it does nothing", () => {
  const clock = new ManualClock();
  const polling = new Polling(clock);
  polling.stop();
  const fail = (): never => {
    throw new Error("looked");
  };
  polling.watchState(fail);
  polling.watchAmount(fail);
  assertEquals(clock.pending, 2);
  polling.stop();
  assertEquals(clock.pending, 0);
  clock.advance(10_000);
});

Deno.test("polling: stop inside look also ends the polling", () => {
  const clock = new ManualClock();
  const polling = new Polling(clock, 50);
  polling.watchState(() => {
    polling.stop();
    return false;
  });
  polling.watchAmount(() => true);
  clock.advance(1000);
  assertEquals(clock.pending, 0);
});
