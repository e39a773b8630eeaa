/** The engine of one process. */

import { memory } from "../../src/topics/mod.ts";
import { testEngine } from "../../src/topics_testing/mod.ts";

testEngine({
  create() {
    const engine = memory();
    return Promise.resolve({ engine: () => engine, end: () => Promise.resolve() });
  },
  lacks: ["stop", "forget", "closeClient"],
  test: (name, run) => Deno.test(`topics, memory: ${name}`, run),
});
