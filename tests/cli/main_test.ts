// Deno only: it starts the command line, on the other runtimes as well

/** The command line with typed input, pipes, signals and a pseudo-terminal. */

import { assert, assertEquals, assertFalse, assertMatch, assertStringIncludes } from "@std/assert";
import { bind } from "../../src/server/web_socket_server.ts";
import type { BindOptions, WebSocketServer } from "../../src/server/mod.ts";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { withSilence } from "./silent_server.ts";
import {
  COMMAND_LINES,
  type CommandLine,
  commandOf,
  python,
  run,
  start,
  startCommand,
} from "./support.ts";

/** Control characters that affect a terminal: colours, a title, clearing, a C1 control, the order of characters. */
const HOSTILE = "\x1b[31m\x1b]0;owned\x07\x1b[2J\u009b2J\u202egpj.exe\r\b";

/** The parts of these that no output may contain. */
const OBEYED = ["\x1b[31m", "\x1b]0;", "\x1b[2J", "\u009b", "\u202e", "\b", "\x07"];

/** An echo server; some paths have another behaviour. */
async function withEcho(
  body: (server: WebSocketServer) => Promise<void>,
  options: BindOptions = {},
): Promise<void> {
  const server = await bind({
    protocols: ["chat"],
    async handler(channel) {
      const { pathname } = new URL(channel.url);
      if (pathname === "/hostile") {
        channel.sink.add(HOSTILE);
        channel.sink.add(JSON.stringify({ a: HOSTILE }));
        channel.sink.add(new TextEncoder().encode(HOSTILE));
        await channel.stream.next();
        return void channel.sink.close(4000, HOSTILE);
      }
      if (pathname === "/flood") {
        for (let i = 0; i < 5000 && channel.state === "open"; i++) {
          channel.sink.add(`line ${i}`);
          await Promise.race([channel.sink.ready, channel.closing]);
        }
        return;
      }
      for await (const message of channel.stream) channel.sink.add(message);
    },
    ...options,
  });
  try {
    await body(server);
  } finally {
    await server.close({ drainTimeout: 500 });
  }
}

/** CI has time for Node only. `CLI_RUNTIMES=all` tests all runtimes, as the nightly run does. */
const LINES = COMMAND_LINES.filter(({ runtime }) =>
  runtime === "Node" || Deno.env.get("CLI_RUNTIMES") === "all"
);

/** A test that runs on several runtimes at the same time: it mostly waits for processes. */
function test(name: string, fn: (line: CommandLine) => Promise<void>, needsTerminal = false): void {
  const there = LINES.filter(({ command }) => command !== null);
  const left = LINES.filter(({ command }) => command === null).map((it) => it.runtime);
  const noTerminal = needsTerminal && python === null;
  const reason = noTerminal ? "Python" : left.join(", ");
  Deno.test({
    name: reason === "" ? name : `${name} (left out: ${reason} is not installed)`,
    ignore: noTerminal,
    async fn() {
      const results = await Promise.allSettled(there.map(fn));
      const errors = results.flatMap((it, i) => {
        if (it.status === "fulfilled") return [];
        const { message = String(it.reason) } = it.reason as Error;
        return [new Error(`${there[i]?.runtime}: ${message}`, { cause: it.reason })];
      });
      if (errors.length > 0) throw new AggregateError(errors, errors.map(String).join("\n"));
    },
  });
}

test(
  "W27 connect in a terminal: sends lines, prints messages, and closes on Ctrl-D",
  async (line) => {
    await withEcho(async (server) => {
      const command = await start(line, ["connect", server.url, "--protocol", "chat"], {
        inTerminal: true,
      });
      await command.until("> ");
      command.type("hello\r");
      await command.until("< hello");
      command.type('{"a":[1]}\r');
      await command.until(/< \{\s+"a": \[/);
      command.type("\x04");
      const { code, out } = await command.ended;
      assertEquals(code, 0, out);
      assertStringIncludes(out, "(subprotocol chat)");
      assertStringIncludes(out, "closed by this side: 1000");
    });
  },
  true,
);

test(
  "W27 connect in a terminal: Ctrl-C closes cleanly, and a second one ends it at once",
  async (line) => {
    await withEcho(async (server) => {
      const command = await start(line, ["connect", server.url], { inTerminal: true });
      await command.until("> ");
      command.type("hello\r");
      await command.until("< hello");
      command.type("\x03");
      const { code, out } = await command.ended;
      assertEquals(code, 0, out);
      assertStringIncludes(out, "closed by this side: 1000");
    });
    await withSilence(true, async (url) => {
      const command = await start(line, ["connect", url], { inTerminal: true });
      await command.until("> ");
      command.type("\x03");
      command.type("\x03");
      const { code, out } = await command.ended;
      assertEquals(code, 130, out);
    });
  },
  true,
);

test("W28 Ctrl-C in a terminal ends check before its first answer", async (line) => {
  await withSilence(false, async (url, heard) => {
    const command = await start(line, ["check", url, "-t", "3600"], { inTerminal: true });
    await heard;
    command.type("\x03");
    const { code, out } = await command.ended;
    assertEquals(code, 0, out);
    assertStringIncludes(out, "no case was run, stopped early");
  });
}, true);

test("attack 80: a peer's escape sequences do not reach the terminal", async (line) => {
  await withEcho(async (server) => {
    for (const inTerminal of [true, false]) {
      const args = ["connect", `${server.url}/hostile`, "--verbose"];
      const command = await start(line, args, { inTerminal });
      await command.until("binary, ");
      command.type("bye\r\n");
      const { code, out, err } = await command.ended;
      const all = out + err;
      assertEquals(code, 1, all);
      for (const it of OBEYED) assertFalse(all.includes(it), JSON.stringify([it, all]));
      assertStringIncludes(all, "\\x1b[31m\\x1b]0;owned\\x07\\x1b[2J\\x9b2J\\u202egpj.exe\\r\\x08");
      assertStringIncludes(all, "closed by the server: 4000");
    }
    const json = await run(line, ["connect", `${server.url}/hostile`, "--json"], { input: "x\n" });
    // deno-lint-ignore no-control-regex
    assertFalse(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/.test(json.out), json.out);
    const messages = json.out.trim().split("\n").map((it) => JSON.parse(it));
    assertEquals(messages.find(({ type }) => type === "message").text, HOSTILE);
  });
}, true);

test("W27 connect in a pipe: prints the messages, and closes at the end of its input", async (line) => {
  await withEcho(async (server) => {
    const { code, out, err } = await run(line, ["connect", server.url], {
      input: 'one\n{"a":1}\nlast',
    });
    assertEquals(code, 0, err);
    assertEquals(out, '< one\n< {\n    "a": 1\n  }\n< last\n');
    const raw = await run(line, ["connect", server.url, "--raw"], { input: "one\ntwo\n" });
    assertEquals(raw.out, "one\ntwo\n");
    const huge = "x".repeat(3_000_000);
    const json = await run(line, ["connect", server.url, "--json", "-b"], { input: `${huge}\n` });
    const kinds = json.out.trim().split("\n").map((it) => JSON.parse(it));
    assertEquals(kinds.map(({ type }) => type), ["open", "message", "close"]);
    assertEquals(kinds[1].size, huge.length);
  });
});

test("W27 connect ends when nothing reads its output, or when it has no input", async (line) => {
  await withEcho(async (server) => {
    const command = (await commandOf(line, ["connect", `${server.url}/flood`, "--receive-only"]))
      .map((it) => `'${it}'`).join(" ");
    const head = await startCommand(["sh", "-c", `${command} | head -n 2`], { input: "" }).ended;
    assertEquals([head.code, head.out], [0, "< line 0\n< line 1\n"], head.err);
    const full = (await commandOf(line, ["ping", server.url, "-c", "1"])).map((it) => `'${it}'`);
    const shell = `${full.join(" ")} > /dev/full`;
    const unwritten = await startCommand(["sh", "-c", shell], { input: "" }).ended;
    assertEquals(unwritten.code, 1, unwritten.err);
    assertMatch(unwritten.err, /^Cannot print: .*space/m);
    const url = `'${server.url}'`;
    const plain = (await commandOf(line, ["connect"])).map((it) => `'${it}'`).join(" ");
    const closed = await startCommand(["sh", "-c", `${plain} ${url} <&-`], { input: "" }).ended;
    assertEquals(closed.code, 0, closed.err);
  });
});

test("W28 bench: prints rate and quantiles, and the results so far on Ctrl-C", async (line) => {
  await withEcho(async (server) => {
    const args = ["bench", server.url, "-c", "2", "-f", "4", "-d", "0.2", "--json"];
    const { code, out, err } = await run(line, args);
    assertEquals(code, 0, err);
    const summary = JSON.parse(out);
    assert(summary.messages > 0 && summary.rate > 0 && summary.ms.p99 >= summary.ms.p50, out);
    assertEquals([summary.connections, summary.inFlight, summary.size], [2, 4, 64]);
    const long = await start(line, ["bench", server.url, "-d", "3600"], { inTerminal: true });
    await long.until(/[1-9]\d* messages, /);
    long.type("\x03");
    const stopped = await long.ended;
    assertEquals(stopped.code, 0, stopped.out);
    assertMatch(stopped.out, /10 connections, 1 in flight, 64 bytes, .* s, stopped/);
    // It sends nothing back.
    const mute = await run(line, ["bench", `${server.url}/hostile`, "-c", "1", "-d", "5"]);
    assertEquals(mute.code, 1);
    assertStringIncludes(mute.out, "came back instead of 64");
  });
}, true);

test("W29 tap: prints and records messages without secrets, and replay sends them again", async (line) => {
  const file = await Deno.makeTempFile();
  await withEcho(async (server) => {
    const tap = await start(line, ["tap", "0", server.url, "--frames", "--record", file]);
    const url = await tap.until(/listening at ([^\s,]+)/);
    const client = await run(line, [
      "connect",
      `${url}/room?key=hunter2`,
      "--header",
      "Authorization: Bearer hunter2",
      "--compression",
    ], { input: 'hello\n{"password":"hunter2","n":1}\n' });
    assertEquals(client.code, 0, client.err);
    assertStringIncludes(client.out, "hunter2");
    await tap.until("ended");
    tap.signal("SIGINT");
    const { code, out, err } = await tap.ended;
    assertEquals(code, 0, err);
    assertMatch(out, /#1 > request \/room\?key=\[redacted\]/);
    assertMatch(out, /#1 > frame text \(1\), FIN, masked, 5 bytes\n.*#1 > hello/);
    assertMatch(out, /#1 < \{"password":"\[redacted\]","n":1\}/);
    assertMatch(out, /#1 > close 1000/);
    assertStringIncludes(err, "1 connection, 4 messages");
    const text = await Deno.readTextFile(file);
    assertFalse(`${out}${err}${text}`.includes("hunter2"));
    const lines = text.trim().split("\n").map((it) => JSON.parse(it));
    const hello = lines.find(({ text }) => text === "hello");
    assertEquals([hello.type, hello.from, hello.kind, hello.size, hello.connection], [
      "message",
      "client",
      "text",
      5,
      1,
    ]);
    assert(hello.at > 0);
    const replayed = await run(line, ["replay", file, server.url, "--speed", "100"]);
    assertEquals(replayed.code, 0, replayed.err);
    assertStringIncludes(replayed.out, '#1 < hello\n#1 < {"password":"[redacted]","n":1}\n');
    assertStringIncludes(replayed.out, "2 messages sent, 2 received, 2 when it was recorded");
    assertStringIncludes(replayed.err, "sent without secrets: 1 message");
  });
  await Deno.remove(file);
});

test(
  "W30 check --listen: checks a client in another process and writes the reports to files",
  async (line) => {
    const folder = await Deno.makeTempDir();
    const files = [`${folder}/report.html`, `${folder}/report.json`] as const;
    const running = await start(line, [
      "check",
      "--listen",
      "0",
      "--case",
      "ping/payload",
      ...["--html", files[0], "--report", files[1]],
    ], { inTerminal: true });
    const url = await running.until(/listening at (\S+?):? /);
    for await (const list of NetWebSocketChannel.connect(`${url}/cases`).stream) {
      for (const { path } of JSON.parse(String(list))) {
        const channel = NetWebSocketChannel.connect(`${url}${path}`);
        void channel.ready.catch(() => {});
        channel.stream.listen((message) => void channel.sink.add(message), { onError() {} });
      }
    }
    const { code, out } = await running.ended;
    assertEquals(code, 0, out);
    assertMatch(out, /client: 6 ok/);
    const [html, json] = await Promise.all(files.map((file) => Deno.readTextFile(file)));
    assertStringIncludes(html ?? "", "<!DOCTYPE html>");
    assertEquals(JSON.parse(json ?? "").counts.ok, 6);
    await Deno.remove(folder, { recursive: true });
    // No client connects.
    const idle = await run(line, ["check", "--listen", "0", "--idle", "0.01"]);
    assertEquals([idle.code, idle.out], [1, "client: no case was run, stopped early\n"], idle.err);
  },
  true,
);
