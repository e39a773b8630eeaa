// Deno only: it starts the command line, on the other runtimes as well

/** The command line as a person uses it: typed, piped, interrupted, in a pseudo-terminal. */

import { assert, assertEquals, assertFalse, assertMatch, assertStringIncludes } from "@std/assert";
import { bind } from "../../src/server/web_socket_server.ts";
import type { BindOptions, WebSocketServer } from "../../src/server/mod.ts";
import { createConnection, createServer, type Socket } from "node:net";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { certificates } from "../net/support.ts";
import { closeServer, listen as listenAt } from "../support/loopback.ts";
import {
  COMMAND_LINES,
  type CommandLine,
  commandOf,
  python,
  run,
  start,
  startCommand,
} from "./support.ts";

/** What a terminal would obey: colours, a title, clearing, a C1 control, the order of characters. */
const HOSTILE = "\x1b[31m\x1b]0;owned\x07\x1b[2J\u009b2J\u202egpj.exe\r\b";

/** Parts of it that must not be in any output. */
const OBEYED = ["\x1b[31m", "\x1b]0;", "\x1b[2J", "\u009b", "\u202e", "\b", "\x07"];

/** A server that echoes; of some paths it does something else. */
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

/** CI has time for two runtimes; `CLI_RUNTIMES=all` runs all, as each night. */
const LINES = Deno.env.get("CLI_RUNTIMES") === "all" ? COMMAND_LINES : COMMAND_LINES.slice(0, 2);

/** A test on several runtimes at the same time: most of it is waiting for processes. */
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

test("W27 connect in a terminal: lines are sent, messages shown, Ctrl-D closes", async (line) => {
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
}, true);

test("W27 connect in a terminal: Ctrl-C closes in order", async (line) => {
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

test("W27 connect in a pipe: the output is the messages, and the end of the input closes", async (line) => {
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

test("W27 connect ends when its output has no reader, or it has no input", async (line) => {
  await withEcho(async (server) => {
    const command = (await commandOf(line, ["connect", `${server.url}/flood`, "--receive-only"]))
      .map((it) => `'${it}'`).join(" ");
    const head = await startCommand(["sh", "-c", `${command} | head -n 2`], { input: "" }).ended;
    assertEquals([head.code, head.out], [0, "< line 0\n< line 1\n"], head.err);
    const url = `'${server.url}'`;
    const plain = (await commandOf(line, ["connect"])).map((it) => `'${it}'`).join(" ");
    const closed = await startCommand(["sh", "-c", `${plain} ${url} <&-`], { input: "" }).ended;
    assertEquals(closed.code, 0, closed.err);
  });
});

test("W27 connect --reconnect: the next connection follows a lost one", async (line) => {
  let count = 0;
  await withEcho(async (server) => {
    const command = await start(line, ["connect", server.url, "--reconnect", "--json"]);
    await command.until('"connection 2"');
    command.end();
    const { code, out, err } = await command.ended;
    assertEquals(code, 0, err);
    const types = out.trim().split("\n").map((it) => JSON.parse(it).type);
    assertEquals(types, ["open", "message", "waiting", "open", "message", "close"]);
  }, {
    async handler(channel) {
      channel.sink.add(`connection ${++count}`);
      await channel.sink.flush();
      if (count === 1) return channel.terminate();
      for await (const message of channel.stream) channel.sink.add(message);
    },
  });
});

test("W28 TLS: a server with a certificate, a client that trusts its authority", async (line) => {
  const { authority, local } = certificates();
  const folder = await Deno.makeTempDir();
  for (const [name, text] of [["ca", authority.cert], ["cert", local.cert], ["key", local.key]]) {
    await Deno.writeTextFile(`${folder}/${name}.pem`, text ?? "");
  }
  const tls = ["--cert", `${folder}/cert.pem`, "--key", `${folder}/key.pem`];
  const server = await start(line, ["listen", "0", "--host", "localhost", ...tls]);
  const url = await server.until(/listening at (wss:\S+)/);
  const target = `wss://localhost:${new URL(url).port}`;
  const ping = ["ping", target, "-c", "1"];
  const [trusting, insecure, strict] = await Promise.all([
    run(line, [...ping, "--ca", `${folder}/ca.pem`]),
    run(line, [...ping, "--insecure"]),
    run(line, ping),
  ]);
  server.signal("SIGTERM");
  await server.ended;
  await Deno.remove(folder, { recursive: true });
  assertEquals([trusting.code, insecure.code, strict.code], [0, 0, 3], trusting.err + insecure.err);
  assertMatch(strict.err, /certificate/);
});

test("W28 ping: each round trip, statistics, and an exit code", async (line) => {
  await withEcho(async (server) => {
    const { code, out, err } = await run(line, ["ping", server.url, "-c", "2", "-i", "0.01"]);
    assertEquals(code, 0, err);
    assertMatch(out, /^pong from 127\.0\.0\.1: number=1 time=[\d.]+ ms$/m);
    assertMatch(out, /^2 sent, 2 answered, 0 % lost$/m);
    assertMatch(out, /^min [\d.]+ ms, median .*, p99 .*, max .*$/m);
  });
  // A peer that never answers.
  await withEcho(async (server) => {
    const { code, out } = await run(line, ["ping", server.url, "-c", "1", "-t", "0.1", "--json"]);
    assertEquals(code, 1);
    const [lost, summary] = out.trim().split("\n").map((it) => JSON.parse(it));
    assertEquals([lost.type, summary.sent, summary.answered, summary.loss], ["lost", 1, 0, 100]);
  }, { autoPong: false });
});

test("W28 what can't be done is said, with an exit code of its own", async (line) => {
  const http = createServer();
  const port = await listenAt(http);
  await closeServer(http);
  const cases: [string[], number, RegExp][] = [
    [
      ["connect", "ws://127.0.0.1/", "--colour"],
      2,
      /Cannot use --colour: connect has no such option/,
    ],
    [["connect", "ws://["], 2, /Cannot connect: "ws:\/\/\[" is not a URL/],
    [
      ["connect", "ws://me:secret@host:99999/"],
      2,
      /^error: Cannot connect: "ws:\/\/…@host:99999\/"/,
    ],
    [["replay", "/nowhere", "ws://127.0.0.1/"], 2, /Cannot read FILE, "\/nowhere": ENOENT/],
    [["check", "127.0.0.1", "--html", "/nowhere/x"], 2, /--html, "\/nowhere\/x": ENOENT/],
    [["check", "--listen", "0", "--insecure"], 2, /Cannot use --insecure together with --listen/],
    [["connect"], 2, /takes URL, got too few arguments/],
    [["ping", "ws://127.0.0.1/", "--count", "none"], 2, /--count: it must be a whole number/],
    [["connect", "ws://127.0.0.1/", "--header", "no"], 2, /--header: it must be 'NAME: VALUE'/],
    [["connect", "ws://127.0.0.1/", "--ca", "/nowhere"], 2, /--ca, "\/nowhere": ENOENT/],
    [["ping", "127.0.0.1", "-c", "-1"], 2, /Cannot use -c: it takes a value, and what follows/],
    [["ping", "127.0.0.1", "--header"], 2, /Cannot use --header: it takes a value$/m],
    [["dance"], 2, /There is no command "dance"/],
    [["connect", `ws://127.0.0.1:${port}`], 3, /the connection was refused/],
    [["listen", "99999"], 2, /is not a port/],
  ];
  const results = await Promise.all(cases.map(([args]) => run(line, args)));
  for (const [i, [args, code, text]] of cases.entries()) {
    const { code: got, err } = results[i] ?? { code: -1, err: "" };
    assertEquals([args, got], [args, code], err);
    assertMatch(err, text);
  }
});

test("W28 bench: rate and quantiles, and Ctrl-C ends it with what is known", async (line) => {
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

test("W28 bench: Ctrl-C ends it also while it connects", async (line) => {
  const sockets = new Set<Socket>();
  let onConnection = (): void => {};
  const connected = new Promise<void>((resolve) => onConnection = resolve);
  // It never answers.
  const silent = createServer((socket) => {
    sockets.add(socket.on("error", () => {}).resume());
    onConnection();
  });
  const port = await listenAt(silent);
  const bench = await start(line, ["bench", `127.0.0.1:${port}`, "-d", "3600", "--json"]);
  await connected;
  bench.signal("SIGINT");
  const { code, out, err } = await bench.ended;
  for (const socket of sockets) socket.destroy();
  await closeServer(silent);
  assertEquals(code, 0, err);
  const { isStopped, connections, messages } = JSON.parse(out);
  assertEquals([isStopped, connections, messages], [true, 0, 0]);
});

test("W28 listen: an echo, a log, a command; a signal ends it in order", async (line) => {
  for (
    const [extra, sent, got] of [
      [[], "hello\n", "< hello\n"],
      [["--exec", 'while read line; do echo "got $line"; done'], "hello\n", "< got hello\n"],
      [["--log"], "hello\n", ""],
    ] as const
  ) {
    const server = await start(line, ["listen", "0", ...extra]);
    const url = await server.until(/listening at (\S+)/);
    const client = await run(COMMAND_LINES[0] as CommandLine, ["connect", url, "-w", "0.3"], {
      input: sent,
    });
    assertEquals([extra, client.out], [extra, got], client.err);
    await server.until("closed by the client: 1000");
    server.signal("SIGINT");
    const { code, out, err } = await server.ended;
    assertEquals(code, 0, err);
    assertStringIncludes(err, "1 connections served");
    assertEquals(out, extra[0] === "--log" ? "#1 < hello\n" : "");
  }
});

test("W28 listen --exec: a command that dies, floods, or takes no input", async (line) => {
  for (
    const [command, sent, end] of [
      ["read line; exit 3", "x".repeat(1000), 'closed by this side: 1011 "it ended with 3"'],
      ["kill -9 $$", "", 'closed by this side: 1011 "it ended with SIGKILL"'],
      ["yes", null, "#1 lost: "],
    ] as const
  ) {
    const server = await start(line, ["listen", "0", "--exec", command]);
    const { hostname, port, host } = new URL(await server.until(/listening at (\S+)/));
    const socket = createConnection(Number(port), hostname);
    const gone = new Promise<void>((resolve) => socket.on("close", () => resolve()));
    socket.on("error", () => {});
    socket.on("data", () => sent === null && socket.destroy());
    socket.write(
      `GET / HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    // Frames whose masking key is zero: more than a pipe takes.
    const size = sent?.length ?? 0;
    const frame = [0x81, 0xfe, size >> 8, size & 255, 0, 0, 0, 0];
    if (size > 0) {
      const bytes = [...frame, ...new TextEncoder().encode(sent ?? "")];
      for (let i = 0; i < 500; i++) socket.write(Uint8Array.from(bytes));
    }
    await server.until(end);
    socket.destroy();
    await gone;
    server.signal("SIGINT");
    const { code, err } = await server.ended;
    assertEquals([command, code], [command, 0], err);
    assertStringIncludes(err, "1 connections served");
  }
});

test("W29 tap: what passes is shown and recorded without secrets, and replayed", async (line) => {
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
    assertStringIncludes(err, "1 connections, 4 messages");
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
    assertStringIncludes(replayed.err, "1 messages were redacted");
  });
  await Deno.remove(file);
});

test("W29 tap passes a refusal and an unreachable server on", async (line) => {
  await withEcho(async (server) => {
    const tap = await start(line, ["tap", "0", server.url]);
    const url = await tap.until(/listening at ([^\s,]+)/);
    const { code, err } = await run(line, ["connect", url]);
    assertEquals([code, /answered 403/.test(err)], [3, true], err);
    await tap.until("answer 403");
    tap.signal("SIGTERM");
    assertEquals((await tap.ended).code, 0);
  }, { verify: () => false });
  const http = createServer();
  const port = await listenAt(http);
  await closeServer(http);
  const tap = await start(line, ["tap", "0", `ws://127.0.0.1:${port}`]);
  const url = await tap.until(/listening at ([^\s,]+)/);
  const { code, err } = await run(line, ["connect", url]);
  assertEquals([code, /502/.test(err)], [3, true], err);
  tap.signal("SIGTERM");
  assertEquals((await tap.ended).code, 0);
});

test("W30 check: a verdict for each case, and WSC_DEBUG prints events", async (line) => {
  await withEcho(async (server) => {
    const { code, out, err } = await run(line, ["check", server.url, "--case", "ping"]);
    assertEquals(code, 0, err);
    assertMatch(out, /^ws:\/\/127\.0\.0\.1:\d+\/: \d+ ok$/m);
    const debug = await run(line, ["ping", `${server.url}/?token=x`, "-c", "1"], {
      env: { WSC_DEBUG: "1" },
    });
    assertMatch(debug.err, /debug: connect client 1 net ws:\/\/\S+\/\?token=… trace=\{\}/);
    assertMatch(debug.err, /debug: open client 1 .*isCompressed=false remoteAddress=127\.0\.0\.1/);
    assertMatch(debug.err, /debug: close client 1 .*code=1000 wasClean=true initiator=local/);
  });
  // It breaks the protocol.
  const sockets = new Set<Socket>();
  const broken = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  });
  const port = await listenAt(broken);
  const args = ["check", `ws://127.0.0.1:${port}`, "--case", "ping", "-t", "0.5"];
  const { code, out } = await run(line, args);
  for (const socket of sockets) socket.destroy();
  await closeServer(broken);
  assertEquals(code, 1, out);
  assertMatch(out, /^failed ping\//m);
});

test("W30 check --listen: a client in another process, and the reports as files", async (line) => {
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
}, true);

test("W29 tap: a recording that can't be written to its end is said, and what passes passes", async (line) => {
  await withEcho(async (server) => {
    const tap = await start(line, ["tap", "0", server.url, "--record", "/dev/full"]);
    const url = await tap.until(/listening at (\S+),/);
    const client = await run(line, ["connect", url, "-w", "0.3"], { input: "hello\n" });
    assertEquals(client.out, "< hello\n", client.err);
    tap.signal("SIGINT");
    const { code, err } = await tap.ended;
    assertEquals(code, 1, err);
    assertMatch(err, /^Cannot record any more: .*(?:space|ENOSPC)/m);
  });
});
