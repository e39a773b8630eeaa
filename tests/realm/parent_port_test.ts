import { assertEquals } from "@std/assert";
import { Worker } from "node:worker_threads";
import { parentPort } from "../../src/realm/parent_port.ts";

Deno.test("the main thread has no parentPort", () => {
  assertEquals(parentPort(), null);
});

Deno.test("a worker's parentPort is found", async () => {
  // The function's own text: a worker of another runtime can't load TypeScript.
  const source = `
    const { parentPort: port } = require("node:worker_threads");
    ${parentPort}
    const found = parentPort() === port;
    port.once("message", () => port.postMessage(found));
  `;
  const worker = new Worker(source, { eval: true });
  const answer = new Promise((resolve) => worker.once("message", resolve));
  worker.postMessage("?");
  assertEquals(await answer, true);
  await worker.terminate();
});
