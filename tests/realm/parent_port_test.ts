import { assertEquals } from "@std/assert";
import { parentPort } from "../../src/realm/parent_port.ts";
import { withProcess } from "../support/process.ts";

Deno.test("the main thread has no parentPort", () => {
  assertEquals(parentPort(), null);
});

Deno.test("a worker has its parentPort", () => {
  const port = {};
  const modules: Record<string, object> = { "node:worker_threads": { parentPort: port } };
  withProcess({ getBuiltinModule: (name: string) => modules[name] }, () => {
    assertEquals(parentPort() === port, true);
  });
});
