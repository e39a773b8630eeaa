/** The engine over Redis, with both client packages and Debian's redis-server. */

import { createClient } from "redis";
import { Redis } from "ioredis";
import { assertEquals } from "@std/assert";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { redisStreams, Topics } from "../../src/topics/mod.ts";
import { type EngineWorld, testEngine } from "../../src/topics_testing/mod.ts";
import { findCommand } from "../support/processes.ts";
import { deferred } from "../support/promises.ts";
import { until } from "../support/turns.ts";
import { startRedis, together } from "./servers.ts";

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

const inGroup = together();

/** The tests that depend on the package: connections and the form of replies. */
const OF_PACKAGE =
  /order|as they were|whatever their names|a long history|published once|connection is lost|client that its user/;

for (const [name, open] of [["redis", nodeRedis], ["ioredis", ioRedis]] as const) {
  testEngine({
    create: () => createWorld(open),
    test: (what, fn) =>
      (name === "redis" || OF_PACKAGE.test(what)) &&
      Deno.test({
        name: `topics, npm ${name}: ${what}${leftOut}`,
        ignore,
        // The packages have timers that outlive a closed client.
        sanitizeOps: false,
        sanitizeResources: false,
        fn: inGroup(fn),
      }),
  });
}

/** A client whose blocking reads wait while the gate is closed. */
function gated(real: Awaited<ReturnType<typeof createClient>>, gate: { open: Promise<void> }) {
  type Client = typeof real;
  const wrap = (client: Client): Parameters<typeof redisStreams>[0] =>
    ({
      get isOpen() {
        return client.isOpen;
      },
      get isReady() {
        return client.isReady;
      },
      options: client.options,
      on: (event: string, listener: () => void) => client.on(event, listener),
      connect: () => client.connect(),
      destroy: () => client.destroy(),
      duplicate: (options: object) => wrap(client.duplicate(options) as Client),
      async sendCommand(args: string[]) {
        if (args[0] === "XREAD") await gate.open;
        return await client.sendCommand(args);
      },
    }) as never;
  return wrap(real);
}

/** The messages of a process that reads again after the log has lost messages. */
async function behind(size: number): Promise<{ received: string[]; states: string[] }> {
  const server = await startRedis();
  const clients = await Promise.all(
    [0, 1].map(() =>
      createClient({ url: `redis://127.0.0.1:${server.port}` }).on("error", () => {}).connect()
    ),
  );
  const [one, other] = clients as [typeof clients[0] & object, typeof clients[0] & object];
  const gate = { open: Promise.resolve() };
  const history = { size };
  const slow = new Topics({
    engine: redisStreams(gated(one as never, gate), { logSize: 1 }),
    history,
  });
  const fast = new Topics({ engine: redisStreams(other as never, { logSize: 1 }), history });
  const { client, server: channel } = webSocketChannelPair();
  const received: string[] = [];
  const states: string[] = [];
  client.stream.listen((message) => received.push(String(message)));
  try {
    await slow.subscribe(channel, "a", { onState: ({ name }) => void states.push(name) });
    await fast.publish("a", "0");
    await until(() => received.length === 1);
    const shut = deferred();
    gate.open = shut.promise;
    // The read that is pending takes the first message.
    await fast.publish("a", "1");
    await until(() => received.length === 2);
    await Promise.all(Array.from({ length: 398 }, (_, i) => fast.publish("a", `${i + 2}`)));
    shut.resolve();
    await fast.publish("a", "end");
    await until(() => received.at(-1) === "end");
    await client.sink.close();
    return { received, states };
  } finally {
    await Promise.all([slow.close(), fast.close()]);
    for (const it of clients) it.destroy();
    await server.end();
  }
}

Deno.test({
  name: `topics, Redis: W33 a log that is too short is made up for by the history${leftOut}`,
  ignore,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const [whole, part] = await Promise.all([behind(1000), behind(10)]);
    const expected = [...Array.from({ length: 400 }, (_, i) => `${i}`), "end"];
    assertEquals(whole, { received: expected, states: ["live"] });
    const { received, states } = part;
    assertEquals(states, ["live", "resync"]);
    assertEquals(received.slice(0, 2), ["0", "1"]);
    assertEquals(received.slice(2), expected.slice(-(received.length - 2)));
  },
});
