/** The suite of engines fails for engines that are broken. */

import { assertEquals } from "@std/assert";
import { testEngine } from "../../src/topics_testing/mod.ts";
import { memory } from "../../src/topics/mod.ts";
import { fakeEngine, type Sabotage } from "../topics/fake_engine.ts";

/** Runs the suite with the engine in memory, sabotaged; returns the names of the tests that fail. */
async function failures(sabotage: Sabotage): Promise<string[]> {
  const tests: [name: string, run: () => Promise<void>][] = [];
  testEngine({
    create() {
      const engine = fakeEngine(sabotage);
      return Promise.resolve({ engine: () => engine, end: () => Promise.resolve() });
    },
    lacks: ["stop", "forget", "closeClient"],
    patience: 2000,
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

for (const [name, sabotage] of Object.entries(SABOTAGES)) {
  Deno.test(`engine suite: an engine that ${name} fails`, async () => {
    const failed = await failures(sabotage);
    assertEquals(failed.length > 0, true);
  });
}

Deno.test("engine suite: what a world lacks isn't registered", () => {
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
