import { assertEquals, assertStrictEquals } from "@std/assert";
import { type Flushable, Flushes, inMicrotasks, inTicks } from "../../src/web_socket/flushes.ts";
import { microtasks } from "../support/events.ts";
import { collectUncaught } from "../support/unhandled.ts";

/** Flushes whose turns end when the test ends them. */
class Turns {
  readonly planned: (() => void)[] = [];
  readonly flushes: Flushes = new Flushes((callback) => this.planned.push(callback));

  end(): void {
    for (const callback of this.planned.splice(0)) callback();
  }
}

function output(log: string[], name: string, flush?: () => void): Flushable {
  return {
    flush: () => {
      log.push(name);
      flush?.();
    },
  };
}

Deno.test("flushes: one callback serves everything that is added in a turn, in order", () => {
  const { flushes, planned } = new Turns();
  const log: string[] = [];
  for (const name of ["a", "b", "c"]) flushes.add(output(log, name));
  assertEquals([planned.length, log], [1, []]);
  planned[0]?.();
  assertEquals(log, ["a", "b", "c"]);
});

Deno.test("flushes: each turn has its own callback; what is added during a flush waits for the next", () => {
  const turns = new Turns();
  const log: string[] = [];
  turns.flushes.add(output(log, "a", () => turns.flushes.add(output(log, "b"))));
  turns.end();
  assertEquals([log, turns.planned.length], [["a"], 1]);
  turns.end();
  assertEquals([log, turns.planned.length], [["a", "b"], 0]);
  turns.flushes.add(output(log, "c"));
  turns.end();
  assertEquals(log, ["a", "b", "c"]);
});

Deno.test("flushes: the scheduler is called as a function without `this`, as browsers require for queueMicrotask", () => {
  const owners: unknown[] = [];
  const flushes = new Flushes(function (this: unknown): void {
    owners.push(this);
  });
  flushes.add(output([], "a"));
  assertEquals(owners, [undefined]);
});

Deno.test("flushes: an output that throws does not affect the others", async () => {
  const turns = new Turns();
  const log: string[] = [];
  const error = new Error("a sink of the user's");
  const uncaught = await collectUncaught(async () => {
    turns.flushes.add(output(log, "a"));
    turns.flushes.add(output(log, "b", () => {
      throw error;
    }));
    turns.flushes.add(output(log, "c"));
    turns.end();
    assertEquals(log, ["a", "b", "c"]);
    turns.flushes.add(output(log, "d"));
    turns.end();
    await microtasks();
  });
  assertEquals(log, ["a", "b", "c", "d"]);
  assertEquals(uncaught.length, 1);
  assertStrictEquals(uncaught[0], error);
});

Deno.test("flushes: they run in microtasks, or in ticks, which run after the pending microtasks", async () => {
  for (const flushes of [inMicrotasks, inTicks]) {
    const log: string[] = [];
    const flushed = new Promise<void>((resolve) => flushes.add(output(log, "flush", resolve)));
    assertEquals(log, []);
    await flushed;
  }
  const log: string[] = [];
  await new Promise<void>((resolve) => {
    Promise.resolve().then(async () => {
      inTicks.add(output(log, "flush", resolve));
      for (let i = 0; i < 10; i++) await Promise.resolve();
      log.push("microtasks");
    });
  });
  // Platforms without ticks use microtasks.
  const hasTicks = inTicks !== inMicrotasks;
  assertEquals(log, hasTicks ? ["microtasks", "flush"] : ["flush"]);
});
