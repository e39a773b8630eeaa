/** The engine over Redis: with both packages that users have, and Debian's redis-server. */

import { createClient } from "redis";
import { Redis } from "ioredis";
import { redisStreams } from "../../src/topics/mod.ts";
import { type EngineWorld, testEngine } from "../../src/topics_testing/mod.ts";
import { findCommand } from "../support/processes.ts";
import { startRedis } from "./servers.ts";

const ignore = findCommand([["redis-server"]]) === null;
const leftOut = ignore ? " (left out: redis-server is not installed)" : "";

/** A client of either package. */
interface OpenClient {
  readonly client: Parameters<typeof redisStreams>[0];
  close(): void;
}

async function nodeRedis(port: number): Promise<OpenClient> {
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  client.on("error", () => {});
  await client.connect();
  return { client, close: () => client.isOpen && client.destroy() };
}

async function ioRedis(port: number): Promise<OpenClient> {
  const client = new Redis(port, "127.0.0.1");
  client.on("error", () => {});
  await new Promise((resolve) => client.once("ready", resolve));
  return { client, close: () => client.disconnect() };
}

async function createWorld(open: (port: number) => Promise<OpenClient>): Promise<EngineWorld> {
  const server = await startRedis();
  const clients: OpenClient[] = [];
  return {
    async engine() {
      const opened = await open(server.port);
      clients.push(opened);
      return redisStreams(opened.client);
    },
    stop: server.stop,
    start: server.start,
    async forget() {
      const { client, close } = await nodeRedis(server.port);
      await (client as unknown as { flushAll(): Promise<unknown> }).flushAll();
      close();
    },
    closeClient: () => Promise.resolve(clients[0]?.close()),
    async end() {
      for (const { close } of clients) close();
      await server.end();
    },
  };
}

for (const [name, open] of [["redis", nodeRedis], ["ioredis", ioRedis]] as const) {
  testEngine({
    create: () => createWorld(open),
    test: (what, fn) =>
      Deno.test({
        name: `topics, npm ${name}: ${what}${leftOut}`,
        ignore,
        // The packages have timers that outlive a closed client.
        sanitizeOps: false,
        sanitizeResources: false,
        fn,
      }),
  });
}
