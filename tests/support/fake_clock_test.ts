import { assertEquals, assertThrows } from "@std/assert";
import { FakeClock } from "./fake_clock.ts";

Deno.test("fake clock: calls back in order of time, then of setting, each at its time", () => {
  const clock = new FakeClock(100);
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

Deno.test("fake clock: a cleared callback isn't called, also when cleared by another", () => {
  const clock = new FakeClock();
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

Deno.test("fake clock: what a callback sets is called in the same advance, if due", () => {
  const clock = new FakeClock();
  const times: number[] = [];
  const again = (): void => {
    times.push(clock.now());
    clock.setTimeout(again, 10);
  };
  clock.setTimeout(again, 10);
  clock.advance(35);
  assertEquals([times, clock.pending, clock.nextIn], [[10, 20, 30], 1, 5]);
});

Deno.test("fake clock: after a stall all that was due is called late", () => {
  const clock = new FakeClock();
  const calls: [string, number][] = [];
  clock.setTimeout(() => calls.push(["b", clock.now()]), 20);
  clock.setTimeout(() => calls.push(["a", clock.now()]), 10);
  clock.setTimeout(() => calls.push(["c", clock.now()]), 60);
  clock.stall(50);
  assertEquals([calls, clock.pending], [[["a", 50], ["b", 50]], 1]);
});

Deno.test("fake clock: time doesn't go back", () => {
  const clock = new FakeClock();
  assertThrows(() => clock.advance(-1), RangeError);
  assertThrows(() => clock.stall(NaN), RangeError);
  assertThrows(() => clock.setTimeout(() => {}, -1), RangeError);
});
