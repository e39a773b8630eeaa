/** Our client over `node:net` beside npm `ws`, the runtime's own WebSocket and raw TCP. */

import { spawn } from "node:child_process";
import { connect, type Socket } from "node:net";
import process from "node:process";
// @ts-types="../tests/support/ws.d.ts"
import { WebSocket as WsClient } from "ws";
import { NetWebSocketChannel } from "../src/net/mod.ts";
import type { Contender, Group, Target } from "./harness.ts";
import type { Ports } from "./net_server.ts";

const runtime = process.versions as Record<string, string | undefined>;

/** The groups: sizes and windows, latency, and making connections. */
export async function groups(quick: boolean): Promise<Group[]> {
  const ports = await startServers();
  const rows: [title: string, size: number, window: number, targets: Target[]][] = [
    ["64 B, window 256", 64, 256, smallTargets()],
    ["16 KiB, window 32", 16 * 1024, 32, [
      ratio("net ↔ own server", 1, "ws ↔ own server"),
      ...global(1),
    ]],
    ["1 MiB, window 8", 1024 * 1024, 8, [
      ratio("net ↔ own server", 0.9, "raw TCP, masked twice and copied"),
      ratio("net ↔ own server", 1, "ws ↔ own server"),
    ]],
    ["latency: 64 B, window 1", 64, 1, [ratio("net ↔ own server", 1 / 1.15, "raw TCP")]],
  ];
  const all: Group[] = [];
  for (const [title, size, window, targets] of rows) {
    const count = quick ? window : Math.max(window * 4, Math.min(20_000, 4e7 / size));
    const contenders = await exchanges(ports, { size, window, count: Math.ceil(count) });
    all.push({ title, unit: "messages echoed", contenders, targets });
  }
  all.push({
    title: "connect, first echo, close",
    unit: "connections",
    contenders: [
      { name: "net ↔ own server", run: () => netCycle(ports.own) },
      { name: "ws ↔ own server", run: () => wsCycle(ports.own) },
    ],
    targets: [ratio("net ↔ own server", 1.2, "ws ↔ own server")],
  });
  return all;
}

function ratio(name: string, least: number, of: string): Target {
  return { name, ratio: { of, least } };
}

function global(least: number): Target[] {
  return hasGlobal() ? [ratio("net ↔ own server", least, "global WebSocket ↔ own server")] : [];
}

function smallTargets(): Target[] {
  const awaited = ratio("net, for await ↔ own server", 0.5, "net ↔ own server");
  if (runtime["deno"] !== undefined) return [...global(5), awaited];
  if (runtime["bun"] !== undefined) return [...global(4), awaited];
  return [
    ratio("net ↔ own server", 8, "ws ↔ ws server"),
    ratio("net ↔ own server", 0.7, "raw TCP"),
    awaited,
  ];
}

function hasGlobal(): boolean {
  return typeof globalThis.WebSocket === "function";
}

/** Starts this program once more, as the servers. */
async function startServers(): Promise<Ports> {
  const script = process.argv[1] ?? "";
  const args = runtime["deno"] === undefined ? [] : ["run", "--allow-all"];
  const child = spawn(process.execPath, [...args, script, "net-server"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  process.on("exit", () => child.kill());
  const line = await new Promise<string>((resolve, reject) => {
    child.once("exit", () => reject(new Error("The servers ended")));
    child.stdout.once("data", (chunk) => resolve(String(chunk)));
  });
  return JSON.parse(line);
}

/** How much is exchanged in a run. */
interface Load {
  readonly size: number;
  readonly window: number;
  readonly count: number;
}

/** A connection: it sends a message, and tells of each that comes. */
interface Exchange {
  send(): void;
  onMessage: () => void;
}

async function exchanges(ports: Ports, load: Load): Promise<Contender[]> {
  const payload = new Uint8Array(load.size).fill(97);
  const list: Contender[] = [
    echoing("net ↔ own server", await netExchange(ports.own, payload), load),
  ];
  if (load.size === 64 && load.window > 1) {
    const awaited = await awaitedExchange(ports.own, payload);
    list.push(echoing("net, for await ↔ own server", awaited, load));
  }
  if (hasGlobal()) {
    const own = await globalExchange(ports.own, payload);
    list.push(echoing("global WebSocket ↔ own server", own, load));
  }
  list.push(
    echoing("ws ↔ own server", await wsExchange(ports.own, payload), load),
    echoing("ws ↔ ws server", await wsExchange(ports.ws, payload), load),
    await rawTcp("raw TCP", ports.raw, load, (chunk) => chunk),
  );
  if (load.size > 100_000) {
    list.push(await rawTcp("raw TCP, masked twice and copied", ports.raw, load, maskedTwice));
  }
  return list;
}

/** As many messages as the load says, so many of them under way. */
function echoing(name: string, exchange: Exchange, { window, count }: Load): Contender {
  return {
    name,
    run: () =>
      new Promise((resolve) => {
        let sent = 0;
        let received = 0;
        exchange.onMessage = () => {
          received++;
          if (sent < count) {
            sent++;
            exchange.send();
          } else if (received === count) resolve(count);
        };
        while (sent < Math.min(window, count)) {
          sent++;
          exchange.send();
        }
      }),
  };
}

async function netExchange(port: number, payload: Uint8Array): Promise<Exchange> {
  const channel = NetWebSocketChannel.connect(`ws://127.0.0.1:${port}`);
  await channel.ready;
  const { sink } = channel;
  const exchange: Exchange = { send: () => void sink.add(payload), onMessage: () => {} };
  channel.stream.listen(() => exchange.onMessage());
  return exchange;
}

async function awaitedExchange(port: number, payload: Uint8Array): Promise<Exchange> {
  const channel = NetWebSocketChannel.connect(`ws://127.0.0.1:${port}`);
  await channel.ready;
  const exchange: Exchange = { send: () => void channel.sink.add(payload), onMessage: () => {} };
  (async () => {
    for await (const _ of channel.stream) exchange.onMessage();
  })();
  return exchange;
}

async function globalExchange(port: number, payload: Uint8Array): Promise<Exchange> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve) => socket.onopen = resolve);
  const bytes = payload as Uint8Array<ArrayBuffer>;
  const exchange: Exchange = { send: () => socket.send(bytes), onMessage: () => {} };
  socket.onmessage = () => exchange.onMessage();
  return exchange;
}

async function wsExchange(port: number, payload: Uint8Array): Promise<Exchange> {
  const socket = new WsClient(`ws://127.0.0.1:${port}`, [], {
    perMessageDeflate: false,
    maxPayload: 0,
  });
  await new Promise<void>((resolve) => socket.on("open", () => resolve()));
  const exchange: Exchange = {
    send: () => socket.send(payload, { binary: true }),
    onMessage: () => {},
  };
  socket.on("message", () => exchange.onMessage());
  return exchange;
}

/** The same bytes without any protocol: what comes goes out again. */
async function rawTcp(
  name: string,
  port: number,
  { size, window, count }: Load,
  change: (chunk: Uint8Array) => Uint8Array,
): Promise<Contender> {
  const socket: Socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  const frame = size + (size < 126 ? 6 : size < 65536 ? 8 : 14);
  let onData = (_chunk: Uint8Array): void => {};
  socket.on("data", (chunk: Uint8Array) => onData(chunk));
  const run = (): Promise<number> =>
    new Promise((resolve) => {
      let toSend = frame * count;
      let toReceive = toSend;
      const send = (bytes: Uint8Array): void => {
        const part = bytes.subarray(0, toSend);
        toSend -= part.length;
        if (part.length > 0) socket.write(change(part));
      };
      onData = (chunk) => {
        toReceive -= chunk.length;
        send(chunk);
        if (toReceive === 0) resolve(count);
      };
      send(new Uint8Array(frame * Math.min(window, count)));
    });
  return { name, run };
}

/** What no implementation gets around, done as well as it can be done: 32 bits at a time. */
function maskedTwice(chunk: Uint8Array): Uint8Array {
  const copy = new Uint8Array(chunk.length + 3 & ~3);
  copy.set(chunk);
  const words = new Int32Array(copy.buffer);
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < words.length; i++) words[i] = (words[i] as number) ^ 0x5a3c_9e71;
  }
  return copy.subarray(0, chunk.length);
}

async function netCycle(port: number): Promise<number> {
  const channel = NetWebSocketChannel.connect(`ws://127.0.0.1:${port}`);
  channel.sink.add("hello");
  await channel.stream.next();
  await channel.sink.close();
  return 1;
}

async function wsCycle(port: number): Promise<number> {
  const socket = new WsClient(`ws://127.0.0.1:${port}`, [], { perMessageDeflate: false });
  await new Promise<void>((resolve) => {
    socket.on("open", () => socket.send("hello"));
    socket.on("message", () => socket.close());
    socket.on("close", () => resolve());
  });
  return 1;
}
