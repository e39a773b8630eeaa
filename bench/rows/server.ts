/** Compares servers: echo, broadcast, a slow reader, the memory of an idle connection. */

import type { Socket } from "node:net";
import { type Client, connectClient } from "../clients.ts";
import { type Contender, type Effort, measureAll } from "../measure.ts";
import { sizeName } from "../numbers.ts";
import { upgraded } from "../raw.ts";
import type { Result, Row } from "../row.ts";
import { runtime } from "../runtime.ts";
import { type ServerProcess, startServer } from "../server_process.ts";
import type { ServerName } from "../servers.ts";
import { echoResults, type Pair, type RowHead, rowOf, Servers } from "./section.ts";

const SERVERS: readonly ServerName[] = [
  "ours",
  "ws",
  ...(runtime === "Deno" ? ["Deno.serve", "ours on Deno.serve"] as const : []),
  ...(runtime === "Bun" ? ["Bun.serve"] as const : []),
];

const READERS = 100;
const SIZE = 1024;

/** Echo, broadcast, slow readers, idle memory. */
export async function* rows(effort: Effort): AsyncGenerator<Row> {
  const servers = new Servers();
  const pairs = SERVERS.map((server): Pair => ["ours", server]);
  for (const [size, window] of [[64, 256], [16_384, 32]] as const) {
    const head: RowHead = {
      id: `server-${size}`,
      title: `Servers: echo of ${sizeName(size)}, ${window} in flight`,
      unit: "messages/s",
      note:
        "Our client in one process, each server in another. The figure is the rate of the pair.",
    };
    yield rowOf(head, await echoResults(servers, { size, window, pairs, raw: false }, effort));
  }
  await servers.stop();
  yield await broadcasting(effort);
  yield await slowReader(effort);
  yield await idleMemory(effort);
}

/** A server with this many reading clients of ours. */
class Audience {
  readonly server: ServerProcess;
  readonly #clients: Client[];
  #missing = 0;
  #allIn: (() => void) | null = null;

  private constructor(server: ServerProcess, clients: Client[]) {
    this.server = server;
    this.#clients = clients;
    for (const client of clients) client.onMessage = () => --this.#missing === 0 && this.#allIn?.();
  }

  static async gather(name: ServerName): Promise<Audience> {
    const server = await startServer(name);
    const clients: Client[] = [];
    while (clients.length < READERS) clients.push(await connectClient("ours", server.url));
    return new Audience(server, clients);
  }

  /** Lets the server send this many messages to each, and waits until all have arrived. */
  async hear(count: number, size = SIZE): Promise<number> {
    this.#missing = count * READERS;
    const allIn = new Promise<void>((resolve) => this.#allIn = resolve);
    await this.server.broadcast(count, size);
    await allIn;
    return count * READERS;
  }

  /** Adds a client that reads nothing, with every buffer of its connection full. */
  async #block(): Promise<Socket> {
    const socket = await upgraded(this.server.port);
    while (await this.server.waiting() < 64 * 1024) await this.hear(20, 64 * SIZE);
    return socket;
  }

  /** @param isBlocked Whether there is one more client, which reads nothing. */
  contender(name: string, isBlocked = false): Contender {
    const measure = async (milliseconds: number): Promise<number> => {
      const slow = isBlocked ? await this.#block() : null;
      const start = performance.now();
      let heard = 0;
      let elapsed = 0;
      do {
        heard += await this.hear(100);
        elapsed = performance.now() - start;
      } while (elapsed < milliseconds);
      slow?.destroy();
      return heard / elapsed * 1000;
    };
    return { name, measure };
  }
}

async function broadcasting(effort: Effort): Promise<Row> {
  const names = SERVERS.filter((name) => name !== "ours on Deno.serve");
  const audiences = new Map<string, Audience>();
  for (const name of names) audiences.set(name, await Audience.gather(name));
  const contenders = [...audiences].map(([name, audience]) => audience.contender(name));
  const results = await measureAll(contenders, effort);
  for (const { server } of audiences.values()) server.stop();
  return rowOf({
    id: "broadcast",
    title: `Broadcast of ${sizeName(SIZE)} to ${READERS} readers`,
    unit: "messages received/s",
    note:
      "The server in one process, all readers (our clients) in another, which is what limits it.",
  }, results);
}

async function slowReader(effort: Effort): Promise<Row> {
  const audience = await Audience.gather("ours");
  const results = await measureAll(
    [audience.contender("100 readers"), audience.contender("and one that reads nothing", true)],
    effort.quick ? effort : {
      ...effort,
      // A ratio near 1 needs more measurements to be visible.
      rounds: effort.rounds * 2,
      milliseconds: effort.milliseconds * 3,
    },
  );
  audience.server.stop();
  return rowOf({
    id: "slow-reader",
    title: `Broadcast of ${sizeName(SIZE)}: one of ${READERS + 1} readers reads nothing`,
    unit: "messages received/s",
    note: "One server, which that reader joins and leaves; its messages wait up to a bound " +
      "(drop-oldest). The figure is the rate of the others.",
  }, results);
}

const KINDS: readonly ServerName[] = [
  "bare",
  "ours",
  "ours, pings",
  "ours, compression",
  "ws",
  "ws, compression",
  ...SERVERS.slice(2),
];

/** The number of first connections, which create the objects that exist once. */
const WARM = 50;

async function idleMemory({ quick }: Effort): Promise<Row> {
  const count = quick ? 50 : 2000;
  const perConnection = new Map<ServerName, number>();
  for (const name of KINDS) {
    const server = await startServer(name);
    const sockets: Socket[] = [];
    while (sockets.length < WARM) sockets.push(await upgraded(server.port));
    const before = await server.memory();
    while (sockets.length < WARM + count) sockets.push(await upgraded(server.port));
    const after = await server.memory();
    perConnection.set(name, (after.used - before.used) / count);
    for (const socket of sockets) socket.destroy();
    server.stop();
  }
  const bare = perConnection.get("bare") ?? 0;
  const results = [...perConnection].map(([name, value]): Result => ({
    name: name === "bare" ? "bare socket and HTTP, itself" : name,
    values: [Math.round(name === "bare" ? value : value - bare)],
  }));
  return rowOf({
    id: "idle-memory",
    title: `Memory of an idle connection over the bare socket's (${count} of them)`,
    unit: "B",
    better: "less",
    note:
      "Heap and external memory of the server's process after a garbage collection; memory outside " +
      "the heap, as in Deno.serve and Bun.serve, isn't included.",
  }, results);
}
