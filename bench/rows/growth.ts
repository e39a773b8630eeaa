/** How cost grows with connections, the size of messages, their number, and fragments. */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { pooledMap } from "@std/async";
import { connectClient } from "../clients.ts";
import { exchange } from "../load.ts";
import type { Effort } from "../measure.ts";
import { sizeName } from "../numbers.ts";
import * as peers from "../peers.ts";
import { upgraded } from "../raw.ts";
import { median, type Result, rounded, type Row } from "../row.ts";
import { descriptors, runtime } from "../runtime.ts";
import { startServer } from "../server_process.ts";
import type { ServerName } from "../servers.ts";
import { arrived, count, protocol, turns } from "./in_memory.ts";
import { echoResults, type Pair, pairName, type RowHead, rowOf, Servers } from "./section.ts";

const APART = "The client in one process, the server in another.";

/** The four of them. */
export async function* rows(effort: Effort): AsyncGenerator<Row> {
  yield await sizes(effort);
  yield await counts(effort);
  yield await fragments(effort);
  yield* connections(effort);
}

type Point = readonly [x: number, y: number];

/** The curve of each name. */
class Curves {
  readonly #points = new Map<string, Point[]>();
  readonly #failed = new Map<string, string>();

  add(name: string, x: number, y: number): void {
    this.#points.set(name, [...this.#points.get(name) ?? [], [x, rounded(y)]]);
  }

  /** Explains why a curve ends early. */
  fail(name: string, why: string): void {
    if (!this.#failed.has(name)) this.#failed.set(name, why);
    this.#points.set(name, this.#points.get(name) ?? []);
  }

  hasFailed(name: string): boolean {
    return this.#failed.has(name);
  }

  /** The values are the last points, which show a cost that grows too fast. */
  results(): Result[] {
    return [...this.#points].map(([name, points]): Result => {
      const failed = this.#failed.get(name);
      const values = points.slice(-1).map(([, y]) => y);
      return { name, values, points, ...(failed === undefined ? {} : { failed }) };
    });
  }
}

const SIZE_PAIRS: readonly Pair[] = [
  ["ours", "ours"],
  ["global WebSocket", "ours"],
  ["ws", "ws"],
];

/** Echoed bytes per second, for sizes from 16 B to 64 MiB. */
async function sizes({ quick, milliseconds }: Effort): Promise<Row> {
  const servers = new Servers();
  const curves = new Curves();
  for (let size = 16; size <= 64 << 20; size *= 4) {
    if (quick && size > 1 << 20) break;
    const window = Math.max(1, Math.min(256, (4 << 20) / size));
    // Only a few large messages arrive in that time.
    const longer = size > 1 << 20 ? 2 * milliseconds : milliseconds;
    const effort = { rounds: quick ? 1 : 5, milliseconds: longer, quick };
    const pairs = SIZE_PAIRS.filter((pair) => !curves.hasFailed(pairName(pair)));
    for (const result of await echoResults(servers, { size, window, pairs }, effort)) {
      if (result.failed !== undefined) {
        curves.fail(result.name, `${sizeName(size)}: ${result.failed}`);
      } else curves.add(result.name, size, median(result.values) * size / 1e6);
    }
  }
  await servers.stop();
  const head: RowHead = {
    id: "growth-size",
    title: "Throughput over message size; the table has that of the largest",
    unit: "MB/s each way",
    x: "B",
    note: `${APART} As many in flight as make up 4 MiB, 256 at most, one at least.`,
  };
  return rowOf(head, curves.results());
}

/** The time for a number of messages on one connection. */
async function counts({ quick }: Effort): Promise<Row> {
  const servers = new Servers();
  const curves = new Curves();
  const load = { message: new Uint8Array(64).fill(97), window: 256 };
  for (const pair of [["ours", "ours"], ["ws", "ws"]] as const satisfies readonly Pair[]) {
    const server = await servers.get(pair[1]);
    const client = await connectClient(pair[0], server.url);
    await exchange(client, load, quick ? 1000 : 20_000);
    // The peer is so slow that the last step would take half a minute.
    const most = quick ? 3000 : pair[0] === "ws" ? 300_000 : 1_000_000;
    for (const number of [1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000]) {
      if (number > most) continue;
      curves.add(pairName(pair), number, await exchange(client, load, number));
      curves.add(`${pairName(pair)}, server's memory`, number, (await server.memory()).used / 1e6);
    }
    await client.close();
  }
  await servers.stop();
  const head: RowHead = {
    id: "growth-count",
    title: "Time for so many messages of 64 B on one connection, 256 in flight",
    unit: "ms (memory: MB)",
    x: "messages",
    better: "less",
    note: `${APART} Memory in use after a garbage collection.`,
  };
  return rowOf(head, curves.results());
}

/** An unmasked message with this many fragments of 64 bytes. */
function fragmented(number: number): Uint8Array {
  const wire = new Uint8Array(66 * number);
  for (let i = 0; i < number; i++) {
    wire[66 * i] = (i === number - 1 ? 0x80 : 0) | (i === 0 ? 2 : 0);
    wire[66 * i + 1] = 64;
  }
  return wire;
}

/** The time to receive a message with a number of fragments, in memory. */
async function fragments({ quick }: Effort): Promise<Row> {
  const curves = new Curves();
  const own = protocol("client");
  const receiver = new (peers.ws().Receiver)({ isServer: false, maxPayload: 0 });
  receiver.on("message", count);
  const takers = {
    "ours": (chunk: Uint8Array): void => own.receive(chunk),
    "ws Receiver": (chunk: Uint8Array): void => void receiver.write(chunk),
  };
  for (const number of [1, 10, 100, 1000, 10_000, 100_000]) {
    if (quick && number > 10_000) continue;
    const wire = fragmented(number);
    for (const [name, take] of Object.entries(takers)) {
      const times: number[] = [];
      const repeats = quick ? 3 : Math.max(7, Math.min(200, 100_000 / number));
      for (let i = 0; i < repeats; i++) times.push(await timeToTake(wire, take));
      // The fastest tenth: other work disturbs most values below a microsecond.
      times.sort((a, b) => a - b);
      curves.add(name, number, times[Math.floor(times.length / 10)] ?? 0);
    }
  }
  const head: RowHead = {
    id: "growth-fragments",
    title: "Time to receive one message of so many fragments of 64 B, in memory",
    unit: "ms",
    x: "fragments",
    better: "less",
    note: "One process, no socket; chunks of 64 KiB.",
  };
  return rowOf(head, curves.results());
}

async function timeToTake(wire: Uint8Array, take: (chunk: Uint8Array) => void): Promise<number> {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < wire.length; at += 0x10000) {
    // Peers need a Buffer.
    chunks.push(Buffer.from(wire.slice(at, at + 0x10000).buffer));
  }
  const before = arrived();
  const start = performance.now();
  for (const chunk of chunks) take(chunk);
  await turns(() => arrived() - before === 1);
  arrived(before, 1);
  return performance.now() - start;
}

const KINDS: readonly ServerName[] = [
  "bare",
  "ours",
  "ws",
  ...(runtime === "Deno" ? ["Deno.serve"] as const : []),
  ...(runtime === "Bun" ? ["Bun.serve"] as const : []),
];

/** The time to connect and echo once, and the server's memory, for up to 10,000 connections. */
async function* connections({ quick }: Effort): AsyncGenerator<Row> {
  const most = Math.min(quick ? 100 : 10_000, descriptors() - 200);
  const all = quick ? [10] : [1, 10, 100, 300, 1000, 2000, 3000, 5000, 7000, 10_000];
  const steps = all.filter((it) => it < most);
  const times = new Curves();
  const memory = new Curves();
  for (const name of KINDS) {
    const server = await startServer(name);
    // The first connections create the objects that exist once.
    const sockets: Socket[] = [await echoed(server.port), await echoed(server.port)];
    const { resident, used } = await server.memory();
    let elapsed = 0;
    for (const number of [...steps, most]) {
      const start = performance.now();
      await fill(sockets, number + 2, server.port);
      elapsed += performance.now() - start;
      times.add(name, number, elapsed);
      const now = await server.memory();
      memory.add(`${name}, in use`, number, Math.max(0, now.used - used) / 1e6);
      memory.add(`${name}, resident`, number, Math.max(0, now.resident - resident) / 1e6);
    }
    for (const socket of sockets) socket.destroy();
    server.stop();
  }
  const limit = `${descriptors()} descriptors are allowed a process, so ${most} connections.`;
  const head = {
    title: "Connect and echo once, a hundred at a time: time for so many",
    x: "connections",
    better: "less",
    note: `${APART} The clients are bare sockets. ${limit}`,
  } as const;
  yield rowOf({ ...head, id: "growth-connections", unit: "ms" }, times.results());
  yield rowOf({
    ...head,
    id: "growth-memory",
    title: "Memory of a server with so many connections, over that with none",
    unit: "MB",
  }, memory.results());
}

async function fill(sockets: Socket[], number: number, port: number): Promise<void> {
  const missing = Array.from({ length: number - sockets.length });
  for await (const socket of pooledMap(100, missing, () => echoed(port))) sockets.push(socket);
}

async function echoed(port: number): Promise<Socket> {
  const socket = await upgraded(port, "none");
  // A text of two bytes, masked with zeros.
  const answer = new Promise<void>((resolve) => socket.once("data", () => resolve()));
  socket.write(Uint8Array.of(0x81, 0x82, 0, 0, 0, 0, 104, 105));
  socket.resume();
  await answer;
  return socket;
}
