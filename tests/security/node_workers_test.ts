/** Attack 66: workers of `node:worker_threads` end without a message, on each runtime that has them. */

import { assertEquals, assertFalse, assertRejects, assertStringIncludes } from "@std/assert";
import { Worker } from "node:worker_threads";
import { MessagePortChannel, type StreamChannel } from "../../src/stream_channel/mod.ts";
import { assertInvalidState } from "../support/events.ts";

function start(source: string): Worker {
  const text = `const { parentPort } = require("node:worker_threads");\n${source}`;
  return new Worker(text, { eval: true });
}

/** Fulfils with the exit code. Bun's `terminate` fulfils with none. */
function exit(worker: Worker): Promise<number> {
  return new Promise((resolve) => worker.once("exit", resolve));
}

/** The received values, and the error of the stream. */
async function all(channel: StreamChannel<string>): Promise<[values: string[], error: Error]> {
  const values: string[] = [];
  const error = await assertRejects(async () => {
    for await (const value of channel.stream) values.push(value);
  }, Error);
  return [values, error];
}

const MISSING = new URL("missing_worker.mjs", import.meta.url);

const BROKEN: Readonly<Record<string, { start: () => Worker; sends: string[]; why: string }>> = {
  "is missing": { start: () => new Worker(MISSING), sends: [], why: "the worker failed: " },
  "doesn't parse": { start: () => start("let let"), sends: [], why: "the worker failed: " },
  "throws at its start": {
    start: () => start(`parentPort.postMessage(["first"]); throw new Error("mine")`),
    sends: ["first"],
    why: "the worker failed: mine",
  },
  "throws later": {
    start: () => start(`parentPort.on("message", () => { throw new Error("mine"); })`),
    sends: [],
    why: "the worker failed: mine",
  },
  "exits with 3": {
    start: () => start(`parentPort.postMessage(["first"]); process.exit(3)`),
    sends: ["first"],
    why: "the worker exited with 3 ",
  },
  "exits with 0 without closing": {
    start: () => start(`parentPort.postMessage(["first"])`),
    sends: ["first"],
    why: "the worker exited with 0 ",
  },
};

for (const [name, { start, sends, why }] of Object.entries(BROKEN)) {
  Deno.test(`attack 66: a worker thread ${name}: its messages arrive, then the stream fails`, async () => {
    const worker = start();
    const exited = exit(worker);
    const channel = new MessagePortChannel<string>(worker);
    channel.sink.add("hello");
    const [values, error] = await all(channel);
    assertEquals(values, sends);
    assertStringIncludes(error.message, `Cannot receive: ${why}`);
    await channel.sink.done;
    assertFalse(channel.sink.add("late"));
    await exited;
  });

  Deno.test(`attack 66: a worker thread ${name}: connectSend and connectReceive fail`, async () => {
    for (const how of ["connectSend", "connectReceive"] as const) {
      if (how === "connectReceive" && sends.length > 0) continue;
      const worker = start();
      const exited = exit(worker);
      const channel = MessagePortChannel[how]<string>(worker);
      if (how === "connectReceive" && name === "throws later") worker.postMessage("now");
      const [values] = await all(channel);
      assertEquals(values, []);
      await channel.sink.done;
      await exited;
    }
  });
}

Deno.test("attack 66: a worker thread is terminated: the stream fails", async () => {
  const worker = start(`parentPort.on("message", () => {})`);
  await new Promise<void>((resolve) => worker.once("online", resolve));
  const channel = new MessagePortChannel<string>(worker);
  const ended = all(channel);
  await worker.terminate();
  assertStringIncludes((await ended)[1].message, "without closing the channel");
});

Deno.test("attack 66: raw: a worker thread's exit ends the stream, its error fails the stream", async () => {
  const worker = start(`parentPort.postMessage("first"); process.exitCode = 3`);
  const channel = new MessagePortChannel<string>(worker, { raw: true });
  const values: string[] = [];
  for await (const value of channel.stream) values.push(value);
  assertEquals(values, ["first"]);
  const failing = new MessagePortChannel<string>(start(`throw new Error("mine")`), { raw: true });
  assertStringIncludes((await all(failing))[1].message, "mine");
});

Deno.test("attack 66: an orderly end of a worker thread's channel isn't a failure", async () => {
  const worker = start(`parentPort.postMessage(["first"]); parentPort.postMessage([])`);
  const exited = exit(worker);
  const channel = new MessagePortChannel<string>(worker);
  const values: string[] = [];
  for await (const value of channel.stream) values.push(value);
  await channel.sink.close();
  assertEquals([values, await exited], [["first"], 0]);
});

Deno.test("attack 66: two channels on one worker thread, which also receives other messages", async () => {
  const worker = start(`
    for (const it of [{ a: 1 }, "text", null, [1, 2, 3]]) parentPort.postMessage(it);
    parentPort.on("message", (message) => {
      if (!Array.isArray(message)) return;
      parentPort.postMessage(message);
      if (message.length === 0) process.exit(0);
    });
  `);
  const exited = exit(worker);
  const channel = new MessagePortChannel<string>(worker);
  assertInvalidState(() => new MessagePortChannel(worker));
  worker.postMessage("foreign");
  channel.sink.add("hello");
  assertEquals((await channel.stream.next()).value, "hello");
  await channel.sink.close();
  await exited;
});
