/** Runs the tests of a bundle, and reports their results to the process that serves it. */

import { ask, type Place } from "./control.ts";
import { runTests } from "./runner.ts";

function place(): Place {
  if ("WebSocketPair" in globalThis) return "workerd";
  return "document" in globalThis ? "page" : "worker";
}

/**
 * Runs all tests.
 *
 * @param leftOut Names of tests that aren't run, and why.
 */
export async function reportTests(leftOut: Readonly<Record<string, string>>): Promise<void> {
  await runTests(leftOut, async (result) => {
    await ask({ do: "result", place: place(), result });
  });
  await ask({ do: "done", place: place() });
}
