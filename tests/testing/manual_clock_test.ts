import { assertEquals, assertThrows } from "@std/assert";
import { ManualClock } from "../../src/testing/manual_clock.ts";

Deno.test("a manual clock: it calls back in order of time, then of creation, each at its time", () => {
  const clock = new ManualClock(100);
  const calls: [string, number][] = [];
  const note = (name: string) => (): void => void calls.push([name, clock.now()]);
  clock.setTimeout(note("late"), 30);
  clock.setTimeout(note("first"), 10);
  clock.setTimeout(note("second"), 10);
  assertEquals([clock.pending, clock.nextIn], [3, 10]);
  clock.advance(9);
  assertEquals(calls, []);
  clock.advance(1);
  assertEquals(calls, [["first", 110], ["second", 110]]);
  clock.advance(100);
  assertEquals(calls[2], ["late", 130]);
  assertEquals([clock.now(), clock.pending, clock.nextIn], [210, 0, null]);
});

Deno.test("a manual clock: a cleared callback is not called, also if another callback clears it", () => {
  const clock = new ManualClock();
  const calls: string[] = [];
  const second = clock.setTimeout(() => calls.push("second"), 5);
  clock.setTimeout(() => clock.clearTimeout(third), 6);
  const third = clock.setTimeout(() => calls.push("third"), 6);
  clock.clearTimeout(second);
  clock.clearTimeout(second);
  clock.clearTimeout(undefined);
  clock.advance(10);
  assertEquals([calls, clock.pending], [[], 0]);
});

Deno.test("a manual clock: a timer that a callback starts is called in the same advance, if due", () => {
  const clock = new ManualClock();
  const times: number[] = [];
  const again = (): void => {
    times.push(clock.now());
    clock.setTimeout(again, 10);
  };
  clock.setTimeout(again, 10);
  clock.advance(35);
  assertEquals([times, clock.pending, clock.nextIn], [[10, 20, 30], 1, 5]);
});

Deno.test("a manual clock: after a stall, all due timers are called late", () => {
  const clock = new ManualClock();
  const calls: [string, number][] = [];
  clock.setTimeout(() => calls.push(["b", clock.now()]), 20);
  clock.setTimeout(() => calls.push(["a", clock.now()]), 10);
  clock.setTimeout(() => calls.push(["c", clock.now()]), 60);
  clock.stall(50);
  assertEquals([calls, clock.pending], [[["a", 50], ["b", 50]], 1]);
});

Deno.test("a manual clock: time never moves backwards", () => {
  const clock = new ManualClock();
  assertThrows(() => clock.advance(-1), RangeError);
  assertThrows(() => clock.stall(NaN), RangeError);
  assertThrows(() => clock.setTimeout(() => {}, -1), RangeError);
});

Deno.test("a manual clock: while the machine sleeps, only the time of day advances", () => {
  const clock = new ManualClock(100);
  let calls = 0;
  clock.setTimeout(() => calls++, 10);
  clock.sleep(1000);
  assertEquals([clock.now(), clock.wall(), clock.nextIn, calls], [100, 1100, 10, 0]);
  clock.advance(10);
  assertEquals([clock.now(), clock.wall(), calls], [110, 1110, 1]);
  clock.stall(5);
  assertEquals([clock.now(), clock.wall()], [115, 1115]);
  assertThrows(() => clock.sleep(-1), RangeError, "Cannot move the clock");
});
