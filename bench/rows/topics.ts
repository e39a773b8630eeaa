/** Topics: the cost of a subscription and of a publish, compared with `broadcast`, Bun's publish and crossws. */

import { spawn } from "node:child_process";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createPort } from "node:net";
import process from "node:process";
import { createClient } from "redis";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { broadcast, type ServerWebSocketChannel, WebSocketServer } from "../../src/server/mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { redisStreams, Topics, type TopicsEngine } from "../../src/topics/mod.ts";
import { type Contender, type Effort, measureAll } from "../measure.ts";
import { rounded, type Row } from "../row.ts";
import { runtime } from "../runtime.ts";
import { memory } from "../server_process.ts";
import { arrived, count, turns } from "./in_memory.ts";
import { rowOf } from "./section.ts";

const MESSAGE = "x".repeat(100);
/** The number of messages to send before waiting for the receivers. */
const BATCH = 16;

/** Many topics in memory, then sockets, then two servers on one Redis. */
export async function* rows(effort: Effort): AsyncGenerator<Row> {
  yield* await inMemory(effort);
  yield await overSockets(effort);
  const joined = await overRedis(effort);
  if (joined !== null) yield joined;
}

/** Channels with the topics to which they are subscribed. */
async function inMemory(effort: Effort): Promise<Row[]> {
  const topicCount = effort.quick ? 100 : 10_000;
  const each = 10;
  const pairs = Array.from({ length: topicCount }, () => webSocketChannelPair());
  for (const { client } of pairs) client.stream.listen(count);
  const topicsOf = (i: number): number[] =>
    Array.from({ length: each }, (_, k) => (i * each + k * 997) % topicCount);
  const sets = Array.from({ length: topicCount }, () => new Set<typeof pairs[0]["server"]>());
  const topics = new Topics({ history: { size: 1 } });
  const before = (await memory()).used;
  for (const [i, { server }] of pairs.entries()) {
    await Promise.all(topicsOf(i).map((topic) => topics.subscribe(server, `topic:${topic}`)));
  }
  const used = ((await memory()).used - before) / (topicCount * each);
  const beforeSets = (await memory()).used;
  for (const [i, { server }] of pairs.entries()) {
    for (const topic of topicsOf(i)) sets[topic]?.add(server);
  }
  const usedBySets = ((await memory()).used - beforeSets) / (topicCount * each);
  const names = sets.map((_, i) => `topic:${i}`);
  let next = 0;
  const sending = (name: string, send: (topic: number) => unknown): Contender => ({
    name,
    async measure(milliseconds) {
      const start = performance.now();
      let published = 0;
      while (performance.now() - start < milliseconds) {
        const seen = arrived();
        let expected = 0;
        const sent: unknown[] = [];
        for (let i = 0; i < BATCH; i++) {
          next = (next + 7919) % topicCount;
          expected += sets[next]?.size ?? 0;
          sent.push(send(next));
        }
        await Promise.all(sent);
        await turns(() => arrived() - seen >= expected);
        arrived(seen, expected);
        published += BATCH;
      }
      return (performance.now() - start) * 1000 / published;
    },
  });
  const results = await measureAll([
    sending("ours, publish", (topic) => topics.publish(names[topic] ?? "", MESSAGE)),
    sending("ours, broadcast", (topic) => broadcast(sets[topic] ?? [], MESSAGE)),
  ], effort);
  await topics.close();
  const what = `${topicCount} topics, ${topicCount * each} subscriptions`;
  return [
    rowOf({
      id: "topics-memory",
      title: `Topics: memory of a subscription, of ${what}`,
      unit: "bytes",
      better: "less",
      note:
        "Channels in memory, with ten topics each; what the channels themselves take isn't counted.",
    }, [
      { name: "ours, a subscription", values: [rounded(used)] },
      { name: "a Set's entry", values: [rounded(usedBySets)] },
    ]),
    rowOf({
      id: "topics-publish",
      title: `Topics: a publish to ten subscribers, among ${what}`,
      unit: "µs",
      better: "less",
      note: "Channels in memory; with what it takes until all ten have it. 100 bytes.",
    }, results),
  ];
}

const READERS = 100;

async function readers(url: string): Promise<NetWebSocketChannel[]> {
  const clients = Array.from({ length: READERS }, () => NetWebSocketChannel.connect(url));
  await Promise.all(clients.map(({ ready }) => ready));
  for (const client of clients) client.stream.listen(count);
  return clients;
}

/** A publisher with this many readers. */
interface Publishing {
  publish(): unknown;
  close(): Promise<unknown>;
}

function publishing(name: string, { publish }: Publishing): Contender {
  return {
    name,
    async measure(milliseconds) {
      const start = performance.now();
      let heard = 0;
      while (performance.now() - start < milliseconds) {
        const seen = arrived();
        await Promise.all(Array.from({ length: BATCH }, publish));
        while (arrived() - seen < BATCH * READERS) {
          await new Promise((resolve) => setImmediate(resolve));
        }
        heard += arrived(seen, BATCH * READERS);
      }
      return heard / (performance.now() - start) * 1000;
    },
  };
}

async function bound(
  onChannel: (channel: ServerWebSocketChannel) => unknown,
): Promise<{ url: string; close(): Promise<unknown> }> {
  const server = await WebSocketServer.bind({
    async handler(channel) {
      await onChannel(channel);
      await channel.closed;
    },
  });
  return { url: server.url, close: () => server.close({ drainTimeout: 0 }) };
}

/** `publish` of one `Topics` to the subscribers of another, which may be the same. */
async function ofTopics(from: Topics, to: Topics): Promise<Publishing> {
  let live = 0;
  const server = await bound(async (channel) => {
    await to.subscribe(channel, "a");
    live++;
  });
  await readers(server.url);
  while (live < READERS) await new Promise((resolve) => setImmediate(resolve));
  return {
    publish: () => from.publish("a", MESSAGE),
    async close() {
      await server.close();
      await Promise.all([from.close(), to.close()]);
    },
  };
}

async function ofBroadcast(): Promise<Publishing> {
  const channels = new Set<ServerWebSocketChannel>();
  const server = await bound((channel) => void channels.add(channel));
  await readers(server.url);
  while (channels.size < READERS) await new Promise((resolve) => setImmediate(resolve));
  return { publish: () => broadcast(channels, MESSAGE), close: server.close };
}

interface BunLike {
  serve(options: object): {
    readonly port: number;
    publish(topic: string, message: string): number;
    stop(closeActive: boolean): Promise<void>;
  };
}

async function ofBun(): Promise<Publishing> {
  const { Bun } = globalThis as unknown as { Bun: BunLike };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request: Request, it: { upgrade(request: Request): boolean }) =>
      it.upgrade(request) ? undefined : new Response("", { status: 400 }),
    websocket: {
      open: (socket: { subscribe(topic: string): void }) => socket.subscribe("a"),
      message: () => {},
    },
  });
  await readers(`ws://127.0.0.1:${server.port}`);
  return { publish: () => server.publish("a", MESSAGE), close: () => server.stop(true) };
}

interface Crossws {
  handleUpgrade(request: unknown, socket: unknown, head: unknown): void;
  publish(topic: string, message: string): unknown;
  closeAll?(code?: number, data?: string, force?: boolean): void;
  sync?: { close?(): Promise<void> };
}

/** Imports by a variable: a name that can't be resolved would fail the bundle. */
async function peer<T>(name: string): Promise<T> {
  return await import(name) as T;
}

/** crossws on node:http; with a client of Redis, its publish reaches other instances. */
async function crossws(sync?: unknown): Promise<{ ws: Crossws; server: Server; url: string }> {
  const { default: adapter } = await peer<{ default: (options: object) => Crossws }>(
    "crossws/adapters/node",
  );
  const hooks = { open: (it: { subscribe(topic: string): void }) => it.subscribe("a") };
  const ws = adapter({ hooks, ...(sync === undefined ? {} : { sync }) });
  const server = createServer();
  server.on("upgrade", (request, socket, head) => ws.handleUpgrade(request, socket, head));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { ws, server, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function ofCrossws(): Promise<Publishing> {
  const { ws, server, url } = await crossws();
  await readers(url);
  return {
    publish: () => ws.publish("a", MESSAGE),
    close: () => Promise.resolve(server.close()),
  };
}

async function overSockets(effort: Effort): Promise<Row> {
  const all: [string, () => Promise<Publishing>][] = [
    ["ours, publish", () => {
      const topics = new Topics();
      return ofTopics(topics, topics);
    }],
    ["ours, broadcast", ofBroadcast],
  ];
  if (runtime === "Bun") all.push(["Bun.serve, publish", ofBun]);
  if (runtime === "Node") all.push(["crossws, publish", ofCrossws]);
  return await measured(all, effort, {
    id: "topics-sockets",
    title: `Topics: publish to ${READERS} subscribers over sockets`,
    unit: "messages received/s",
    note: "The server and all readers (our clients) in one process. 100 bytes.",
  });
}

async function measured(
  all: readonly [string, () => Promise<Publishing>][],
  effort: Effort,
  head: Parameters<typeof rowOf>[0],
): Promise<Row> {
  const started: [string, Publishing][] = [];
  for (const [name, start] of all) started.push([name, await start()]);
  const contenders = started.map(([name, it]) => publishing(name, it));
  const results = await measureAll(contenders, effort);
  for (const [, it] of started) await it.close();
  return rowOf(head, results);
}

/** Debian's redis-server; `null`: it isn't installed. */
async function startRedis(): Promise<{ url: string; stop(): void } | null> {
  const probe = createPort();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "ignore"] });
  process.on("exit", () => child.kill("SIGKILL"));
  return await new Promise((resolve) => {
    child.once("error", () => resolve(null));
    child.stdout.on("data", (chunk: Uint8Array) => {
      if (!/ready to accept/i.test(new TextDecoder().decode(chunk))) return;
      resolve({ url: `redis://127.0.0.1:${port}`, stop: () => void child.kill("SIGKILL") });
    });
  });
}

/** `null` if redis-server is not installed. */
async function overRedis(effort: Effort): Promise<Row | null> {
  const head = {
    id: "topics-redis",
    title: `Topics: publish to ${READERS} subscribers of another server on the same Redis`,
    unit: "messages received/s",
    note:
      "Both servers and all readers (our clients) in one process, Redis in another. Ours keeps a " +
      "history and confirms each message; crossws does neither. 100 bytes.",
  };
  const redis = await startRedis();
  if (redis === null) return null;
  const connect = () => createClient({ url: redis.url }).on("error", () => {}).connect();
  const engine = async (): Promise<TopicsEngine> => redisStreams(await connect());
  const all: [string, () => Promise<Publishing>][] = [
    ["ours, redisStreams", async () =>
      await ofTopics(
        new Topics({ engine: await engine() }),
        new Topics({ engine: await engine() }),
      )],
  ];
  if (runtime === "Node") {
    all.push(["crossws, its Redis backplane", async () => {
      const { redis: backplane } = await peer<{ redis: (options: object) => unknown }>(
        "crossws/sync",
      );
      const from = await crossws(backplane({ client: await connect(), channel: "a" }));
      const to = await crossws(backplane({ client: await connect(), channel: "a" }));
      await readers(to.url);
      return {
        publish: () => from.ws.publish("a", MESSAGE),
        close: () => Promise.resolve([from, to].map(({ server }) => server.close())),
      };
    }]);
  }
  try {
    return await measured(all, effort, head);
  } finally {
    redis.stop();
  }
}
