/** Runs the tests of a bundle, and tells the process that serves it what became of them. */

import { ask, type Place } from "./control.ts";
import { runTests } from "./runner.ts";

function place(): Place {
  return "document" in globalThis ? "page" : "worker";
}

/** Runs them all. */
export async function reportTests(): Promise<void> {
  await runTests(async (result) => {
    await ask({ do: "result", place: place(), result });
  });
  await ask({ do: "done", place: place() });
}
