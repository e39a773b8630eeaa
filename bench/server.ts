/** Our server beside npm `ws`'s: echo, idle connections, a slow reader among fast ones, many connections. */

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
// @ts-types="../tests/support/ws.d.ts"
import { WebSocket as WsClient } from "ws";
import { NetWebSocketChannel } from "../src/net/mod.ts";
import type { Contender, Fact, Group } from "./harness.ts";
import type { Command, ServerKind } from "./server_process.ts";

const runtime = process.versions as Record<string, string | undefined>;

/** A server in a process of its own. */
interface Child {
  readonly port: number;
  ask<Answer>(command: Command): Promise<Answer>;
  stop(): void;
}

const children = new Set<{ kill(): unknown }>();
process.on("exit", () => children.forEach((child) => child.kill()));

async function startServer(kind: ServerKind): Promise<Child> {
  const script = process.argv[1] ?? "";
  const flags = runtime["deno"] !== undefined
    ? ["run", "--allow-all", "--v8-flags=--expose-gc"]
    : runtime["bun"] !== undefined
    ? []
    : ["--expose-gc"];
  const child = spawn(process.execPath, [...flags, script, "server-process", kind], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.add(child);
  const waiting: ((line: string) => void)[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.(line));
  const next = (): Promise<string> => new Promise((resolve) => waiting.push(resolve));
  const { port } = JSON.parse(await next());
  return {
    port,
    async ask(command) {
      const line = next();
      child.stdin.write(JSON.stringify(command) + "\n");
      return JSON.parse(await line);
    },
    stop() {
      children.delete(child);
      child.kill();
    },
  };
}

/** What is measured as a rate. */
export async function groups(quick: boolean): Promise<Group[]> {
  const own = await startServer("own");
  const ws = await startServer("ws");
  const bare = await startServer("bare");
  const count = quick ? 256 : 20_000;
  const echo: Group = {
    title: "64 B echo, window 256",
    unit: "messages echoed",
    contenders: [
      echoing("net ↔ our server", await netEcho(own.port), count),
      echoing("net ↔ ws server", await netEcho(ws.port), count),
      echoing("ws ↔ our server", await wsEcho(own.port), count),
      echoing("ws ↔ ws server", await wsEcho(ws.port), count),
      await rawEcho("raw TCP", bare.port, count),
    ],
    targets: runtime["deno"] === undefined && runtime["bun"] === undefined
      ? [
        { name: "net ↔ our server", ratio: { of: "ws ↔ ws server", least: 8 } },
        { name: "net ↔ our server", ratio: { of: "raw TCP", least: 0.7 } },
      ]
      : [],
  };
  return [echo, await slowReader(quick)];
}

interface Exchange {
  send(): void;
  onMessage: () => void;
}

function echoing(name: string, exchange: Exchange, count: number): Contender {
  return {
    name,
    run: () =>
      new Promise((resolve) => {
        let sent = Math.min(256, count);
        let received = 0;
        exchange.onMessage = () => {
          if (++received === count) return resolve(count);
          if (sent === count) return;
          sent++;
          exchange.send();
        };
        for (let i = 0; i < Math.min(256, count); i++) exchange.send();
      }),
  };
}

const PAYLOAD = new Uint8Array(64).fill(97);

async function netEcho(port: number): Promise<Exchange> {
  const channel = NetWebSocketChannel.connect(`ws://127.0.0.1:${port}`);
  await channel.ready;
  const exchange: Exchange = { send: () => void channel.sink.add(PAYLOAD), onMessage: () => {} };
  channel.stream.listen(() => exchange.onMessage());
  return exchange;
}

async function wsEcho(port: number): Promise<Exchange> {
  const socket = new WsClient(`ws://127.0.0.1:${port}`, [], { perMessageDeflate: false });
  await new Promise<void>((resolve) => socket.on("open", () => resolve()));
  const exchange: Exchange = {
    send: () => socket.send(PAYLOAD, { binary: true }),
    onMessage: () => {},
  };
  socket.on("message", () => exchange.onMessage());
  return exchange;
}

/** As many bytes as the frames would have, in one write a turn. */
async function rawEcho(name: string, port: number, count: number): Promise<Contender> {
  const socket = await upgraded(port);
  const frame = PAYLOAD.length + 6;
  let onBytes = (_length: number): void => {};
  socket.on("data", (chunk: Uint8Array) => onBytes(chunk.length));
  socket.resume();
  const run = (): Promise<number> =>
    new Promise((resolve) => {
      let sent = 0;
      let received = 0;
      const send = (frames: number): void => {
        const many = Math.min(frames, count - sent);
        if (many === 0) return;
        sent += many;
        socket.write(new Uint8Array(many * frame));
      };
      onBytes = (length) => {
        const before = Math.floor(received / frame);
        received += length;
        if (received === count * frame) resolve(count);
        else send(Math.floor(received / frame) - before);
      };
      send(256);
    });
  return { name, run };
}

/** A bare connection that has been upgraded. It reads nothing before somebody listens. */
function upgraded(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.once("error", reject);
    socket.write(
      "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    );
    socket.once("data", () => {
      socket.pause();
      socket.removeListener("error", reject);
      socket.on("error", () => {});
      resolve(socket);
    });
  });
}

const FAST = 100;
const SIZE = 1024;

/** Broadcasts to 100 who read, and to 100 who read and one who doesn't. */
async function slowReader(quick: boolean): Promise<Group> {
  const count = quick ? 50 : 1000;
  const contenders: Contender[] = [];
  for (const slow of [false, true]) {
    const server = await startServer("own");
    let onMessage = (): void => {};
    for (let i = 0; i < FAST; i++) {
      const channel = NetWebSocketChannel.connect(`ws://127.0.0.1:${server.port}`);
      channel.stream.listen(() => onMessage());
      await channel.ready;
    }
    if (slow) await blocked(server);
    contenders.push({
      name: slow ? "and one that doesn't read" : "100 readers",
      run: () =>
        new Promise((resolve) => {
          let missing = count * FAST;
          onMessage = () => --missing === 0 && resolve(count * FAST);
          void server.ask({ ask: "broadcast", count, size: SIZE });
        }),
    });
  }
  return {
    title: `broadcast of ${SIZE} B to 100 readers`,
    unit: "messages received",
    contenders,
    targets: [
      { name: "and one that doesn't read", ratio: { of: "100 readers", least: 0.9 } },
    ],
  };
}

/** A client that takes nothing, with every buffer on the way full. */
async function blocked(server: Child): Promise<void> {
  await upgraded(server.port);
  for (;;) {
    const { waiting } = await server.ask<{ waiting: number }>({ ask: "waiting" });
    if (waiting >= 64 * 1024) return;
    await server.ask({ ask: "broadcast", count: 1000, size: SIZE });
  }
}

/** What is measured once. */
export async function facts(quick: boolean): Promise<Fact[]> {
  const idle = quick ? 200 : 2000;
  const most = Math.min(quick ? 500 : 10_000, descriptors() - 200);
  return [await idleMemory(idle), await slowMemory(quick), ...await manyConnections(most)];
}

async function idleMemory(count: number): Promise<Fact> {
  const kinds: ServerKind[] = [
    "bare",
    "own",
    "own, compression agreed",
    "ws",
    "ws, compression agreed",
  ];
  const values: [name: string, value: number][] = [];
  for (const kind of kinds) {
    const server = await startServer(kind);
    // The first ones make what is made once.
    for (let i = 0; i < 50; i++) await upgraded(server.port);
    const before = await server.ask<{ used: number }>({ ask: "memory" });
    const sockets: Socket[] = [];
    for (let i = 0; i < count; i++) sockets.push(await upgraded(server.port));
    const after = await server.ask<{ used: number }>({ ask: "memory" });
    values.push([kind, (after.used - before.used) / count]);
    for (const socket of sockets) socket.destroy();
    server.stop();
  }
  const [[, bare] = ["bare", 0]] = values;
  return {
    title: `memory of an idle connection over the bare socket's ${Math.round(bare)} B (${count})`,
    unit: "B",
    values: values.slice(1).map(([name, value]) => [name, value - bare]),
    targets: [{ name: "own", most: 4096 }, { name: "own, compression agreed", most: 8192 }],
  };
}

/** How much memory one costs who reads nothing of 64 MiB that are sent. */
async function slowMemory(quick: boolean): Promise<Fact> {
  const server = await startServer("own");
  await blocked(server);
  const before = await server.ask<{ rss: number }>({ ask: "memory" });
  const count = (quick ? 8 : 64) * 1024;
  await server.ask({ ask: "broadcast", count, size: SIZE });
  const after = await server.ask<{ rss: number }>({ ask: "memory" });
  server.stop();
  return {
    title: `memory for one that reads nothing of ${count / 1024} MiB broadcast to it`,
    unit: "B",
    values: [["ours, drop-oldest", after.rss - before.rss]],
    targets: [],
  };
}

/** How many files and sockets this process may have open; as many as a server's own process may. */
function descriptors(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    return Number(/Max open files\s+(\d+)/.exec(limits)?.[1] ?? 1024);
  } catch {
    return 1024;
  }
}

/** Connects so many, a hundred at a time, and echoes once on each: time and memory for each of them. */
async function manyConnections(most: number): Promise<Fact[]> {
  const times: [name: string, value: number][] = [];
  const sizes: [name: string, value: number][] = [];
  for (const kind of ["own", "ws"] as const) {
    for (const count of [Math.ceil(most / 10), most]) {
      const server = await startServer(kind);
      const before = await server.ask<{ rss: number }>({ ask: "memory" });
      const start = performance.now();
      const sockets: Socket[] = [];
      while (sockets.length < count) {
        const next = Math.min(100, count - sockets.length);
        sockets.push(...await Promise.all(Array.from({ length: next }, () => echoed(server.port))));
      }
      const name = `${kind === "own" ? "ours" : "ws"}, ${count} connections`;
      times.push([name, (performance.now() - start) * 1000 / count]);
      const after = await server.ask<{ rss: number }>({ ask: "memory" });
      sizes.push([name, (after.rss - before.rss) / count]);
      for (const socket of sockets) socket.destroy();
      server.stop();
    }
  }
  const limit = `${descriptors()} descriptors allowed`;
  return [
    { title: `connect and echo once (${limit})`, unit: "µs each", values: times, targets: [] },
    { title: `resident memory a connection (${limit})`, unit: "B", values: sizes, targets: [] },
  ];
}

async function echoed(port: number): Promise<Socket> {
  const socket = await upgraded(port);
  // A text of two bytes, masked with zeros.
  const answer = new Promise<void>((resolve) => socket.once("data", () => resolve()));
  socket.write(Uint8Array.of(0x81, 0x82, 0, 0, 0, 0, 104, 105));
  socket.resume();
  await answer;
  return socket;
}
