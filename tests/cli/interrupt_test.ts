/** One and two presses of Ctrl-C in each command: on every runtime, in this process. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { bind } from "../../src/server/web_socket_server.ts";
import { withSilence } from "./silent_server.ts";
import { begin } from "./support_in_process.ts";

async function withEcho(body: (url: string) => Promise<void>): Promise<void> {
  const server = await bind({
    handler: (channel) => {
      channel.stream.listen((message) => void channel.sink.add(message));
    },
  });
  try {
    await body(server.url);
  } finally {
    await server.close({ drainTimeout: 500 });
  }
}

/** A recording of one connection, with an hour between its two messages. */
async function withRecording(body: (path: string) => Promise<void>): Promise<void> {
  const { mkdtemp, rm, writeFile } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const folder = await mkdtemp(`${tmpdir()}/recording-`);
  const lines = [
    { type: "tap", version: 1, target: "ws://127.0.0.1/", started: "2026-01-01T00:00:00.000Z" },
    { type: "request", connection: 1, at: 0, path: "/", headers: {} },
    { type: "message", connection: 1, at: 0, from: "client", kind: "text", size: 5, text: "first" },
    { type: "message", connection: 1, at: 1, from: "server", kind: "text", size: 5, text: "first" },
    {
      type: "message",
      connection: 1,
      at: 3_600_000,
      from: "client",
      kind: "text",
      size: 6,
      text: "second",
    },
  ];
  try {
    await writeFile(`${folder}/file`, lines.map((it) => `${JSON.stringify(it)}\n`).join(""));
    await body(`${folder}/file`);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const ENDS: readonly (readonly [command: string, options: string[], code: number, out: RegExp])[] =
  [
    ["connect", [], 0, /^$/],
    ["connect", ["--reconnect"], 0, /^$/],
    ["ping", [], 1, /^0 sent, 0 answered, 0 % lost$/m],
    ["bench", [], 0, /^0 connections, 1 in flight, 64 bytes, .* s, stopped$/m],
    ["check", ["-t", "3600"], 0, /: no case was run, stopped early$/m],
  ];

for (const [name, options, code, out] of ENDS) {
  const title = [name, ...options].join(" ");
  Deno.test(`W28 Ctrl-C ends ${title} while the server has not answered`, async () => {
    await withSilence(false, async (url, heard) => {
      const command = begin([name, url, ...options]);
      await heard;
      command.interrupt();
      const ended = await command.ended;
      assertEquals(ended.code, code, ended.err);
      assertMatch(ended.out, out);
      await command.settled;
    });
  });
}

Deno.test("W28 Ctrl-C ends replay while the server has not answered", async () => {
  await withRecording((path) =>
    withSilence(false, async (url, heard) => {
      const command = begin(["replay", path, url]);
      await heard;
      command.interrupt();
      const { code, out } = await command.ended;
      assertEquals(code, 0);
      assertMatch(out, /^1 connection, 0 messages sent, .* recorded, stopped$/m);
    })
  );
});

Deno.test("W28 a second Ctrl-C ends a command at once, with exit code 130", async () => {
  for (const name of ["connect", "ping", "bench"]) {
    await withSilence(true, async (url, heard) => {
      const command = begin([name, url, ...(name === "bench" ? ["-c", "1"] : []), "--json"]);
      await heard;
      if (name === "connect") await command.until('"open"');
      command.interrupt();
      command.interrupt();
      assertEquals([name, (await command.ended).code], [name, 130]);
    });
  }
});

Deno.test("W28 Ctrl-C ends a check with the results so far", async () => {
  await withEcho(async (url) => {
    const command = begin(["check", url, "--concurrency", "1", "--json"]);
    await command.until('"result"');
    command.interrupt();
    const { code, out } = await command.ended;
    assertEquals(code, 0);
    const report = JSON.parse(out.trim().split("\n").at(-1) ?? "");
    assertEquals([report.type, report.isComplete], ["report", false]);
    assert(report.results.length > 0);
  });
});

Deno.test("W28 Ctrl-C ends tap and listen, and both print a summary", async () => {
  const server = begin(["listen", "0"]);
  const target = await server.until(/listening at (\S+)/);
  const tap = begin(["tap", "0", target]);
  const url = await tap.until(/listening at ([^\s,]+)/);
  const client = begin(["connect", url]);
  client.type("hello\n");
  await client.until("< hello");
  tap.interrupt();
  const relayed = await tap.ended;
  assertEquals(relayed.code, 0);
  assertMatch(relayed.err, /^1 connection, 2 messages$/m);
  assertEquals((await client.ended).code, 1);
  server.interrupt();
  const served = await server.ended;
  assertEquals(served.code, 0);
  assertMatch(served.err, /^1 connection served$/m);
});

Deno.test("W29 replay keeps the times of the recording, or scales them", async () => {
  await withEcho((url) =>
    withRecording(async (path) => {
      const original = begin(["replay", path, url]);
      await original.until("< first");
      original.interrupt();
      const stopped = await original.ended;
      assertEquals(stopped.code, 0, stopped.err);
      assertMatch(stopped.out, /, 1 message sent, 1 received, .*, stopped$/m);
      // An hour is 3.6 ms then.
      const scaled = await begin(["replay", path, url, "--speed", "999999"]).ended;
      assertMatch(scaled.out, /, 2 messages sent, /);
      const fast = await begin(["replay", path, url, "--speed", "max"]).ended;
      assertMatch(fast.out, /, 2 messages sent, /);
    })
  );
});
