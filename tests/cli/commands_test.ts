/** The commands with real peers, on every runtime. They run in this process, so a test takes milliseconds. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import process from "node:process";
// @ts-types="../support/ws.d.ts"
import { WebSocket as WsClient, WebSocketServer as WsServer } from "ws";
import { type BindOptions, WebSocketServer } from "../../src/server/mod.ts";
import { certificates } from "../net/support.ts";
import { closeServer, listen } from "../support/loopback.ts";
import { withSilence } from "./silent_server.ts";
import { begin, complete } from "./support_in_process.ts";

async function withEcho(
  body: (url: string) => Promise<void>,
  options: BindOptions = {},
): Promise<void> {
  const server = await WebSocketServer.bind({
    async handler(channel) {
      for await (const message of channel.stream) channel.sink.add(message);
    },
    ...options,
  });
  try {
    await body(server.url);
  } finally {
    await server.close({ drainTimeout: 500 });
  }
}

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(`${tmpdir()}/commands-`);
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A port without a listener. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await closeServer(server);
  return port;
}

function rowsOf(out: string): Record<string, unknown>[] {
  return out.trim().split("\n").map((it) => JSON.parse(it));
}

const LISTENING = /listening at ([^\s,]+)/;

Deno.test("W27 connect --reconnect: connects again after a lost connection", async () => {
  let count = 0;
  await withEcho(async (url) => {
    const command = begin(["connect", url, "--reconnect", "--json"]);
    await command.until('"connection 2"');
    command.end();
    const { code, out, err } = await command.ended;
    assertEquals(code, 0, err);
    const types = rowsOf(out).map(({ type }) => type);
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

Deno.test("W28 wss: connect, ping, tap, replay and check accept only certificates that --ca or --insecure allows", async () => {
  await withFolder(async (folder) => {
    const { authority, local } = certificates();
    for (const [name, text] of [["ca", authority.cert], ["cert", local.cert], ["key", local.key]]) {
      await writeFile(`${folder}/${name}`, text ?? "");
    }
    const tls = ["--cert", `${folder}/cert`, "--key", `${folder}/key`];
    const server = begin(["listen", "0", "--host", "localhost", ...tls]);
    const target = `wss://localhost:${new URL(await server.until(LISTENING)).port}`;
    const ca = ["--ca", `${folder}/ca`];
    for (const trust of [ca, ["--insecure"], []]) {
      const isTrusted = trust.length > 0;
      const connected = await complete(["connect", target, "-w", "0.1", ...trust], "hello\n");
      assertEquals([connected.code, connected.out], isTrusted ? [0, "< hello\n"] : [3, ""]);
      const ping = await complete(["ping", target, "-c", "1", ...trust]);
      assertEquals(ping.code, isTrusted ? 0 : 3, ping.err);
      if (!isTrusted) assertMatch(ping.err, /certificate/);
      const check = await complete(["check", target, "--case", "ping/payload", ...trust]);
      assertEquals(check.code, isTrusted ? 0 : 3, check.out);
      const file = `${folder}/recording`;
      const tap = begin(["tap", "0", target, "--record", file, ...trust]);
      const through = await complete(["ping", await tap.until(LISTENING), "-c", "1"]);
      assertEquals(through.code, isTrusted ? 0 : 3, through.err);
      tap.interrupt();
      assertEquals((await tap.ended).code, 0);
      if (!isTrusted) break;
      const replayed = await complete(["replay", file, target, ...trust]);
      assertEquals(replayed.code, 0, replayed.err);
    }
    server.interrupt();
    assertEquals((await server.ended).code, 0);
  });
});

Deno.test("W28 ping: prints each round trip and statistics, and returns an exit code", async () => {
  await withEcho(async (url) => {
    const { code, out, err } = await complete(["ping", url, "-c", "2", "-i", "0.01"]);
    assertEquals(code, 0, err);
    assertMatch(out, /^pong from 127\.0\.0\.1: number=1 time=[\d.]+ ms$/m);
    assertMatch(out, /^2 sent, 2 answered, 0 % lost$/m);
    assertMatch(out, /^min [\d.]+ ms, median .*, p99 .*, max .*$/m);
  });
  // A peer that never answers.
  await withEcho(async (url) => {
    const { code, out } = await complete(["ping", url, "-c", "1", "-t", "0.01", "--json"]);
    assertEquals(code, 1);
    const [lost, summary] = rowsOf(out);
    assertEquals(lost?.["type"], "lost");
    assertEquals([summary?.["sent"], summary?.["answered"], summary?.["loss"]], [1, 0, 100]);
  }, { autoPong: false });
});

Deno.test("W28 listen: echoes, logs or runs a command; a signal closes it cleanly", async () => {
  for (
    const [extra, sent, got] of [
      [[], "hello\n", "< hello\n"],
      [["--exec", 'while read line; do echo "got $line"; done'], "hello\n", "< got hello\n"],
      [["--log"], "hello\n", ""],
    ] as const
  ) {
    const server = begin(["listen", "0", ...extra]);
    const url = await server.until(LISTENING);
    const client = await complete(["connect", url, "-w", "0.1"], sent);
    assertEquals([extra, client.out], [extra, got], client.err);
    await server.until("closed by the client: 1000");
    server.interrupt();
    const { code, out, err } = await server.ended;
    assertEquals(code, 0, err);
    assertStringIncludes(err, "1 connection served");
    assertEquals(out, extra[0] === "--log" ? "#1 < hello\n" : "");
  }
});

Deno.test("W28 listen --exec: a command that crashes, floods the output, or reads no input", async () => {
  for (
    const [command, sent, end] of [
      ["read line; exit 3", "x".repeat(1000), 'closed by this side: 1011 "it ended with 3"'],
      ["kill -9 $$", "", 'closed by this side: 1011 "it ended with SIGKILL"'],
      ["yes", null, "#1 lost: "],
    ] as const
  ) {
    const server = begin(["listen", "0", "--exec", command]);
    const { hostname, port, host } = new URL(await server.until(LISTENING));
    const socket = createConnection(Number(port), hostname);
    const gone = new Promise<void>((resolve) => socket.on("close", () => resolve()));
    socket.on("error", () => {});
    // It answers a Close with 1011, so that no timeout elapses.
    const answer = Uint8Array.of(0x88, 0x82, 0, 0, 0, 0, 0x03, 0xf3);
    socket.on("data", (chunk) => {
      if (sent === null) socket.destroy();
      else if (chunk.indexOf(0x88) >= 0) socket.end(answer);
    });
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
    server.interrupt();
    const { code, err } = await server.ended;
    assertEquals([command, code], [command, 0], err);
    assertStringIncludes(err, "1 connection served");
  }
});

const isNight = process.env["CLI_RUNTIMES"] === "all";

Deno.test({
  name: `W28 listen --exec: a command that ignores SIGTERM is killed${
    isNight ? "" : " (left out: it takes long, and is run each night)"
  }`,
  ignore: !isNight,
  async fn() {
    const command = "trap '' TERM; echo $$; while :; do sleep 0.1; done";
    const server = begin(["listen", "0", "--exec", command]);
    const client = new WsClient(await server.until(LISTENING));
    const id = await new Promise<string>((resolve) =>
      client.once("message", (it) => resolve(`${it}`))
    );
    client.terminate();
    await server.until("#1 ");
    server.interrupt();
    const { code, err } = await server.ended;
    assertEquals(code, 0, err);
    assertThrows(() => process.kill(Number(id), 0));
  },
});

Deno.test("W28 binary messages are printed in hexadecimal, and do not affect the terminal", async () => {
  await withEcho(async (url) => {
    const { out } = await complete(["connect", url, "--binary", "-w", "0.05"], "\x1b[2Jhi\n");
    assertStringIncludes(out, "< binary, 6 bytes\n");
    assertMatch(out, /000000 {2}1b 5b 32 4a 68 69 +\.\[2Jhi$/m);
    assertFalse(out.includes("\x1b"));
  });
});

Deno.test("W29 tap forwards a refusal, and reports an unreachable server to the client", async () => {
  await withEcho(async (url) => {
    const tap = begin(["tap", "0", url]);
    const { code, err } = await complete(["connect", await tap.until(LISTENING)]);
    assertEquals([code, /answered 403/.test(err)], [3, true], err);
    await tap.until("answer 403");
    tap.interrupt();
    assertEquals((await tap.ended).code, 0);
  }, { verify: () => false });
  const tap = begin(["tap", "0", `ws://127.0.0.1:${await freePort()}`]);
  const { code, err } = await complete(["connect", await tap.until(LISTENING)]);
  assertEquals([code, /502/.test(err)], [3, true], err);
  tap.interrupt();
  assertEquals((await tap.ended).code, 0);
});

Deno.test("W29 tap ends a connection whose client floods it before the server has answered", async () => {
  await withSilence(false, async (url) => {
    const tap = begin(["tap", "0", url]);
    const { port } = new URL(await tap.until(LISTENING));
    const client = createConnection({ host: "127.0.0.1", port: Number(port) }).on(
      "error",
      () => {},
    );
    const closed = new Promise((resolve) => client.on("close", resolve));
    client.write("GET / HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Key: x\r\n\r\n");
    client.write(new Uint8Array(2 << 20));
    await tap.until("ended: the client sent more than 1 MiB before the answer");
    await closed;
    tap.interrupt();
    assertEquals((await tap.ended).code, 0);
  });
});

Deno.test("W29 tap: reports a recording that can't be written completely, and still relays", async () => {
  await withEcho(async (url) => {
    const tap = begin(["tap", "0", url, "--record", "/dev/full"]);
    const client = await complete(
      ["connect", await tap.until(LISTENING), "-w", "0.1"],
      "hello\n",
    );
    assertEquals(client.out, "< hello\n", client.err);
    tap.interrupt();
    const { code, err } = await tap.ended;
    assertEquals(code, 1, err);
    assertMatch(err, /^Cannot record any more: .*(?:space|ENOSPC)/m);
  });
});

Deno.test("W29 tap records secrets of a query, user info, header fields, subprotocols and messages only with --secrets", async () => {
  await withFolder(async (folder) => {
    await withEcho(async (url) => {
      const withUser = (place: string): string => place.replace("//", "//me:hunter2@");
      for (const secrets of [[], ["--secrets"]]) {
        const file = `${folder}/recording`;
        const tap = begin(["tap", "0", withUser(url), "--record", file, ...secrets]);
        const client = await complete([
          "connect",
          `${withUser(await tap.until(LISTENING))}/room?hunter2&key=hunter2`,
          ...["-H", "X-Api-Key: hunter2", "-H", "Referer: http://a/b#token=hunter2"],
          ...["--protocol", "hunter2", "-w", "0.1"],
        ], '{"password":"hunter2"}\nAPI_KEY=hunter2 id=1\n42["auth",{"token":"hunter2"}]\n');
        assertEquals(client.code, 0, client.err);
        tap.interrupt();
        const { out, err } = await tap.ended;
        const recorded = await readFile(file, "utf8");
        const all = `${out}${err}${recorded}`;
        if (secrets.length === 0) assertFalse(all.includes("hunter2"), all);
        // The query has it twice, two fields, the user info, both subprotocols, and three messages each way.
        else assertEquals(recorded.split("hunter2").length - 1, 12, recorded);
        assertStringIncludes(recorded, "id=1");
      }
    }, { protocols: ["hunter2"] });
  });
});

Deno.test("W30 check: prints a verdict for each case, and WSC_DEBUG prints events", async () => {
  await withEcho(async (url) => {
    const { code, out, err } = await complete(["check", url, "--case", "ping"]);
    assertEquals(code, 0, err);
    assertMatch(out, /^ws:\/\/127\.0\.0\.1:\d+\/: \d+ ok$/m);
    const args = ["ping", `${url}/?token=x`, "-c", "1"];
    const debug = await complete(args, "", { WSC_DEBUG: "1" });
    assertMatch(debug.err, /debug: connect client \d+ net ws:\/\/\S+\/\?token=… trace=\{\}/);
    assertMatch(
      debug.err,
      /debug: open client \d+ .*isCompressed=false remoteAddress=127\.0\.0\.1/,
    );
    assertMatch(debug.err, /debug: close client \d+ .*code=1000 wasClean=true initiator=local/);
    assertEquals((await complete(args)).err, "");
  });
  // It breaks the protocol.
  const sockets = new Set<Socket>();
  const broken = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  });
  const url = `ws://127.0.0.1:${await listen(broken)}`;
  const { code, out } = await complete(["check", url, "--case", "ping", "-t", "0.5"]);
  for (const socket of sockets) socket.destroy();
  await closeServer(broken);
  assertEquals(code, 1, out);
  assertMatch(out, /^failed ping\//m);
});

Deno.test("W30 check: a server of ws", async () => {
  const sockets = new Set<WsClient>();
  const server = new WsServer({ port: 0, host: "127.0.0.1" });
  server.on("connection", (socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  await new Promise<void>((resolve) => server.on("listening", () => resolve()));
  const { port } = server.address() as { port: number };
  const args = ["check", `ws://127.0.0.1:${port}`, "--case", "ping", "--case", "close/", "--json"];
  const { code, out, err } = await complete(args);
  for (const socket of sockets) socket.terminate();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  assertEquals(code, 0, err || out);
  const report = rowsOf(out).at(-1) as unknown as { counts: Record<string, number> };
  assert((report.counts["ok"] ?? 0) > 20, JSON.stringify(report.counts));
  assertEquals(report.counts["failed"], 0);
});

Deno.test("W30 check --listen: a client of ws", async () => {
  const running = begin(["check", "--listen", "0", "--case", "ping", "--case", "message", "--all"]);
  const url = await running.until(/listening at (\S+?):? /);
  const cases = await new Promise<{ path: string; protocols: string[] }[]>((resolve) => {
    const socket = new WsClient(`${url}/cases`);
    socket.on("message", (data) => resolve(JSON.parse(String(data))));
  });
  for (const { path, protocols } of cases) {
    const socket = new WsClient(`${url}${path}`, protocols);
    socket.on("error", () => {});
    socket.on("message", (data, isBinary) => {
      socket.send(data as Uint8Array, { binary: isBinary });
    });
  }
  const { code, out, err } = await running.ended;
  assertEquals(code, 0, `${out}${err}`);
  assertMatch(out, /^client: \d+ ok/m);
  assertFalse(/^failed/m.test(out), out);
  const idle = await complete(["check", "--listen", "0", "--idle", "0.01"]);
  assertEquals([idle.code, idle.out], [1, "client: no case was run, stopped early\n"], idle.err);
});
