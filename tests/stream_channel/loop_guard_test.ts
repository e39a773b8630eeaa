import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { FULFILLED } from "../../src/stream_channel/errors.ts";
import {
  afterOthers,
  afterTurn,
  chooseNextTurn,
  LoopGuard,
  loopGuard,
  nextTurn,
  type TurnGlobals,
} from "../../src/stream_channel/loop_guard.ts";
import { microtasks, settled } from "../support/events.ts";

/** A guard whose clock and turns the test controls. */
class Rig {
  now = 0;
  readonly ends: (() => void)[] = [];
  readonly turns: (() => void)[] = [];
  readonly guard: LoopGuard = new LoopGuard({
    now: () => this.now,
    afterTurn: (callback) => void this.ends.push(callback),
    afterOthers: (callback) => void this.turns.push(callback),
  });

  /** Makes `count` steps of `ms` milliseconds, and returns how many did not have to wait. */
  steps(count: number, ms: number): number {
    let free = 0;
    for (let i = 0; i < count; i++) {
      if (this.guard.step() === null) free++;
      this.now += ms;
    }
    return free;
  }
}

Deno.test("loop guard: many fast steps, or few slow ones, do not wait", () => {
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

Deno.test("loop guard: a loop that runs too long in a turn waits for the next turn, and so do other loops", async () => {
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

Deno.test("loop guard: messages that arrive after loops wait for the loops that wait for a turn", async () => {
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

Deno.test("loop guard: the process has one guard, which lets timers run", async () => {
  let called = false;
  setTimeout(() => called = true, 0);
  const start = performance.now();
  while (!called && performance.now() - start < 20_000) await loopGuard.step();
  assert(called);
});

/** Global objects that log their calls and run callbacks only when the test asks. */
function globals(log: unknown[]): TurnGlobals & { run(): void } {
  let waiting: () => void = () => {};
  const keep = (name: string) => (callback: () => void, ...rest: unknown[]): string => {
    log.push([name, ...rest]);
    waiting = callback;
    return name;
  };
  const forget = (handle: unknown): void => void log.push(["clear", handle]);
  return {
    setTimeout: keep("timeout"),
    clearTimeout: forget,
    setImmediate: keep("immediate"),
    clearImmediate: forget,
    MessageChannel: FakeMessageChannel as unknown as typeof MessageChannel,
    run: () => waiting(),
  };
}

class FakeMessageChannel {
  static posted = 0;
  static last: FakeMessageChannel;
  readonly port1: { onmessage: () => void } = { onmessage: () => {} };
  readonly port2 = { postMessage: () => void FakeMessageChannel.posted++ };

  constructor() {
    FakeMessageChannel.last = this;
  }
}

Deno.test("next turn: it runs after all microtasks, and before a later timer", async () => {
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    nextTurn(() => {
      order.push("turn");
      resolve();
    });
    microtasks(5).then(() => order.push("microtasks"));
  });
  assertEquals(order, ["microtasks", "turn"]);
  nextTurn(() => order.push("forgotten"))();
  await new Promise<void>((resolve) => void nextTurn(resolve));
  assertEquals(order, ["microtasks", "turn"]);
});

Deno.test("next turn: it uses setImmediate if available, but a timer on Deno", () => {
  const log: unknown[] = [];
  const { run, ...platform } = globals(log);
  const cancel = chooseNextTurn(platform)(() => log.push("called"));
  run();
  cancel();
  assertEquals(log.splice(0), [["immediate"], "called", ["clear", "immediate"]]);
  // On other runtimes, the test runner defines a `Deno` global.
  chooseNextTurn({ ...platform, Deno: {} })(() => {});
  assertEquals(log.splice(0), [["immediate"]]);
  chooseNextTurn({ ...platform, Deno: { version: { deno: "2" } } })(() => {})();
  assertEquals(log.splice(0), [["timeout", 0], ["clear", "timeout"]]);
});

Deno.test("next turn: in browsers it posts one message per callback; otherwise it uses a timer", () => {
  const log: unknown[] = [];
  const { setTimeout, clearTimeout, MessageChannel } = globals(log);
  const next = chooseNextTurn({ setTimeout, clearTimeout, MessageChannel });
  next(() => log.push(1));
  const cancel = next(() => log.push(2));
  next(() => log.push(3));
  cancel();
  assertEquals(FakeMessageChannel.posted, 3);
  for (let i = 0; i < 3; i++) {
    FakeMessageChannel.last.port1.onmessage();
    log.push("-");
  }
  assertEquals(log.splice(0), [1, "-", 3, "-", "-"]);
  chooseNextTurn({ setTimeout, clearTimeout })(() => {});
  assertEquals(log, [["timeout", 0]]);
});

Deno.test("after others: it runs after the given number of turns, and after a timer that is due", async () => {
  let turns = 0;
  const count = (): void => {
    turns++;
    if (turns < 1000) afterTurn(count);
  };
  afterTurn(count);
  await new Promise<void>((resolve) => afterOthers(resolve, 5));
  assertEquals(turns, 5);
  turns = 1000;
  await new Promise<void>((resolve) => afterOthers(resolve));
});
