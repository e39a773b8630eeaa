/** Many channels of one HTTP/2 session, and as many HTTP/1.1 connections, both with TLS: memory, connecting, rates. */

import { Http2, Http2Pool } from "../../src/http2/mod.ts";
import { NetWebSocketChannel, type WebSocketChannel } from "../../src/net/mod.ts";
import { createIdentity } from "../../tests/support/certificates.ts";
import { type Contender, type Effort, measureAll } from "../measure.ts";
import { sizeName } from "../numbers.ts";
import { type Result, rounded, type Row } from "../row.ts";
import { memory, type ServerProcess, startServer } from "../server_process.ts";
import { rowOf } from "./section.ts";

/** Connected clients, and the function that ends them. */
interface Crowd {
  readonly channels: readonly WebSocketChannel[];
  leave(): Promise<unknown>;
}

type Connect = (url: string, count: number) => Promise<Crowd>;

const IDENTITY = createIdentity({ commonName: "localhost", names: ["127.0.0.1"] });
const TLS = { rejectUnauthorized: false };

const WAYS: Readonly<Record<string, Connect>> = {
  async "one session of HTTP/2"(url, count) {
    const pool = new Http2Pool();
    const channels = Array.from({ length: count }, () => Http2.connect(url, { pool, tls: TLS }));
    await Promise.all(channels.map(({ ready }) => ready));
    if (pool.sessions !== 1) throw new Error(`${pool.sessions} sessions`);
    return { channels, leave: () => left(channels).then(() => pool.close()) };
  },
  async "connections of HTTP/1.1"(url, count) {
    const channels = Array.from(
      { length: count },
      () => NetWebSocketChannel.connect(url, { tls: TLS }),
    );
    await Promise.all(channels.map(({ ready }) => ready));
    return { channels, leave: () => left(channels) };
  },
};

async function left(channels: readonly WebSocketChannel[]): Promise<void> {
  for (const channel of channels) channel.terminate();
  await Promise.all(channels.map(({ closed }) => closed));
}

/** Memory of each end, time to connect, and echoes of small and large messages. */
export async function* rows(effort: Effort): AsyncGenerator<Row> {
  const count = effort.quick ? 10 : 100;
  yield* await memories(count);
  const server = await startServer("ours, HTTP/2", IDENTITY);
  try {
    yield await connecting(server, count, effort);
    const crowds: [string, Crowd][] = [];
    for (const [name, connect] of Object.entries(WAYS)) {
      crowds.push([name, await connect(server.url, count)]);
    }
    for (const size of [64, effort.quick ? 4096 : 65_536]) {
      const results = await measureAll(crowds.map(([name, it]) => echoing(name, it, size)), effort);
      yield rowOf({
        id: `http2-echo-${size}`,
        title: `${count} channels over HTTP/2: echo of ${sizeName(size)}, 1 in flight on each`,
        unit: "messages/s",
        note: NOTE,
      }, results);
    }
    for (const [, crowd] of crowds) await crowd.leave();
  } finally {
    server.stop();
  }
}

const NOTE = "The server in a process of its own, the clients in another; with TLS.";

async function connecting(server: ServerProcess, count: number, effort: Effort): Promise<Row> {
  const contenders = Object.entries(WAYS).map(([name, connect]): Contender => ({
    name,
    async measure() {
      const start = performance.now();
      const crowd = await connect(server.url, count);
      const time = performance.now() - start;
      await crowd.leave();
      return time;
    },
  }));
  return rowOf({
    id: "http2-connect",
    title: `Time until ${count} channels over HTTP/2 are open`,
    unit: "ms",
    better: "less",
    note: `${NOTE} All begin at once.`,
  }, await measureAll(contenders, effort));
}

/** Each transport has a server of its own, because a server reuses the memory of earlier clients. */
async function memories(count: number): Promise<Row[]> {
  const ends: Record<"client" | "server", Result[]> = { client: [], server: [] };
  for (const [name, connect] of Object.entries(WAYS)) {
    const server = await startServer("ours, HTTP/2", IDENTITY);
    const first = await connect(server.url, 1);
    const own = (await memory()).used;
    const its = (await server.memory()).resident;
    const crowd = await connect(server.url, count);
    const kilobytes = (bytes: number): number => rounded(Math.max(0, bytes) / count / 1000);
    ends.server.push({ name, values: [kilobytes((await server.memory()).resident - its)] });
    ends.client.push({ name, values: [kilobytes((await memory()).used - own)] });
    await Promise.all([crowd.leave(), first.leave()]);
    server.stop();
  }
  const head = { better: "less" } as const;
  const what = `for each of ${count} channels over HTTP/2`;
  return [
    rowOf({
      ...head,
      id: "http2-memory-server",
      title: `Memory that the server's process has of the machine's, ${what}`,
      unit: "kB",
      note: NOTE,
    }, ends.server),
    rowOf({
      ...head,
      id: "http2-memory-client",
      title: `Memory of the client's objects and buffers, ${what}`,
      unit: "kB",
      note: `${NOTE} What TLS has outside of the heap isn't counted.`,
    }, ends.client),
  ];
}

/** Echoes on all channels at once, one message in flight on each. */
function echoing(name: string, { channels }: Crowd, size: number): Contender {
  const message = new Uint8Array(size).fill(97);
  for (const channel of channels) {
    if (listening.has(channel)) continue;
    listening.add(channel);
    channel.stream.listen(() => handlers.get(channels)?.(channel));
  }
  return {
    name,
    measure(milliseconds) {
      return new Promise((resolve) => {
        const start = performance.now();
        let received = 0;
        let inFlight = channels.length;
        handlers.set(channels, ({ sink }) => {
          received++;
          const elapsed = performance.now() - start;
          if (elapsed < milliseconds) sink.add(message);
          else if (--inFlight === 0) resolve(received / elapsed * 1000);
        });
        for (const { sink } of channels) sink.add(message);
      });
    },
  };
}

const listening = new WeakSet<WebSocketChannel>();
const handlers = new WeakMap<readonly WebSocketChannel[], (channel: WebSocketChannel) => void>();
