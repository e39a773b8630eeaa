import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { FULFILLED } from "../../src/stream_channel/promises.ts";
import { LoopGuard, loopGuard } from "../../src/stream_channel/loop_guard.ts";
import { settled } from "../support/events.ts";

/** A guard whose time and turns are the test's. */
class Rig {
  now = 0;
  readonly ends: (() => void)[] = [];
  readonly turns: (() => void)[] = [];
  readonly guard: LoopGuard = new LoopGuard({
    now: () => this.now,
    afterTurn: (callback) => void this.ends.push(callback),
    afterOthers: (callback) => void this.turns.push(callback),
  });

  /** How many of so many steps had nothing to wait for, each of which takes so long. */
  steps(count: number, ms: number): number {
    let free = 0;
    for (let i = 0; i < count; i++) {
      if (this.guard.step() === null) free++;
      this.now += ms;
    }
    return free;
  }
}

Deno.test("loop guard: many steps in little time, and few steps, wait for nothing", () => {
  const it = new Rig();
  assertEquals(it.steps(10_000, 0.0005), 10_000);
  const slow = new Rig();
  for (let i = 0; i < 100; i++) {
    assertEquals(slow.steps(50, 0.1), 50);
    for (const end of slow.ends.splice(0)) end();
    slow.now += 1000;
  }
  assertEquals([it.turns, slow.turns], [[], []]);
});

Deno.test("loop guard: a loop that goes on too long in a turn waits for the next, and so do the others", async () => {
  const it = new Rig();
  const free = it.steps(1000, 0.1);
  assert(free > 50 && free < 150, `${free}`);
  assertEquals([it.turns.length, it.ends.length], [1, 1]);
  const one = it.guard.step() as Promise<void>;
  assertStrictEquals(it.guard.step(), one);
  assertStrictEquals(it.guard.after(FULFILLED), one);
  const mine = it.guard.after(new Promise<void>((resolve) => resolve()));
  assertEquals([await settled(one), await settled(mine)], [false, false]);
  for (const callback of [...it.ends.splice(0), ...it.turns.splice(0)]) callback();
  assertEquals([await settled(one), await settled(mine)], [true, true]);
  assertEquals(it.steps(50, 0.1), 50);
  const promise = Promise.resolve();
  assertStrictEquals(it.guard.after(promise), promise);
});

Deno.test("loop guard: what comes after loops waits for those that wait for a turn", async () => {
  const it = new Rig();
  let called = 0;
  it.guard.afterLoops(() => called++);
  for (const end of it.ends.splice(0)) end();
  assertEquals(called, 1);
  it.steps(1000, 0.1);
  it.guard.afterLoops(() => called++);
  for (const end of it.ends.splice(0)) end();
  await Promise.resolve();
  assertEquals([called, it.ends.length], [1, 0]);
  for (const turn of it.turns.splice(0)) turn();
  await Promise.resolve();
  assertEquals([called, it.ends.length], [1, 1]);
  for (const end of it.ends.splice(0)) end();
  assertEquals(called, 2);
});

Deno.test("loop guard: the process has one, which lets timers be called", async () => {
  let called = false;
  setTimeout(() => called = true, 0);
  const start = performance.now();
  while (!called && performance.now() - start < 20_000) await loopGuard.step();
  assert(called);
});
