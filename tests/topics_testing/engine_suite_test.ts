/** The suite of engines fails for broken engines. */

import { assertEquals, assertThrows } from "@std/assert";
import { testEngine } from "../../src/topics_testing/mod.ts";
import { memory } from "../../src/topics/mod.ts";
import { fakeEngine, type Sabotage } from "../topics/fake_engine.ts";

/** Runs the suite with a broken variant of the engine in memory. Returns the names of the tests that fail. */
async function failures(sabotage: Sabotage, patience?: number): Promise<string[]> {
  const tests: [name: string, run: () => Promise<void>][] = [];
  testEngine({
    create() {
      const engine = fakeEngine(sabotage);
      return Promise.resolve({ engine: () => engine, end: () => Promise.resolve() });
    },
    lacks: ["stop", "forget", "closeClient"],
    patience,
    test: (name, run) => tests.push([name, run]),
  });
  const failed: string[] = [];
  await Promise.all(tests.map(([name, run]) =>
    run().catch((error: Error) => {
      assertEquals(error.message.startsWith("The engine fails: "), true, `${name}: ${error.stack}`);
      failed.push(name);
    })
  ));
  return failed;
}

const SABOTAGES: Readonly<Record<string, Sabotage>> = {
  "takes a history that is too short for complete": (log) => ({
    history: async (topic, range) => ({ ...await log.history(topic, range), isComplete: true }),
  }),
  "loses the last message of a history": (log) => ({
    history: async (topic, range) => {
      const page = await log.history(topic, range);
      return { ...page, entries: page.entries.slice(0, -1) };
    },
  }),
  "ignores ids": (log) => ({
    publish: (topic, message, rest) => log.publish(topic, message, { ...rest, id: undefined }),
  }),
  "lists members that have left": (log) => ({
    announce: (topic, slot, text) => log.announce(topic, slot, text ?? "[]"),
    announced: async (topic) => [...await log.announced(topic), `[{"id":"","metadata":""}]`],
  }),
};

Deno.test("engine suite: the engine in memory passes", async () => {
  assertEquals(await failures(() => ({})), []);
});

Deno.test("engine suite: each broken engine fails", async () => {
  await Promise.all(
    Object.entries(SABOTAGES).map(async ([name, sabotage]) => {
      const failed = await failures(sabotage, 1000);
      assertEquals(failed.length > 0, true, name);
    }),
  );
});

Deno.test("engine suite: wrong options are typed errors", () => {
  // deno-lint-ignore no-explicit-any -- the value is wrong on purpose
  const wrong = (value: unknown): any => value;
  const create = () => Promise.reject(new Error("not called"));
  const test = (): void => {};
  for (
    const options of [
      undefined,
      null,
      1,
      {},
      { create },
      { test },
      { create, test, lacks: "stop" },
      {
        create,
        test,
        lacks: ["start"],
      },
    ]
  ) assertThrows(() => testEngine(wrong(options)), TypeError);
  assertThrows(() => testEngine(wrong({ create, test, patience: 0 })), RangeError);
});

Deno.test("engine suite: does not register tests that the world can't run", () => {
  const names = (lacks: readonly ("stop" | "forget" | "closeClient")[]): number => {
    let count = 0;
    testEngine({
      create: () => Promise.resolve({ engine: memory, end: () => Promise.resolve() }),
      lacks,
      test: () => count++,
    });
    return count;
  };
  assertEquals(names([]) - names(["stop", "forget", "closeClient"]), 5);
});
