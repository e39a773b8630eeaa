/** What real servers refuse: too much memory, too large a message, a user without permission. */

import { createClient } from "redis";
import { connect } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { assert, assertEquals } from "@std/assert";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { natsJetStream, redisStreams, Topics, TopicsError } from "../../src/topics/mod.ts";
import { findCommand } from "../support/processes.ts";
import { rejection } from "../support/promises.ts";
import { until } from "../support/turns.ts";
import { startNats, startRedis } from "./servers.ts";

const MIB = 1024 * 1024;

function needs(command: string): { readonly ignore: boolean; readonly leftOut: string } {
  const ignore = findCommand([[command]]) === null;
  return { ignore, leftOut: ignore ? ` (left out: ${command} is not installed)` : "" };
}

const redis = needs("redis-server");
const nats = needs("nats-server");
/** The packages have timers that outlive a closed client. */
const PLAIN = { sanitizeOps: false, sanitizeResources: false };

async function redisClient(url: string) {
  const client = createClient({ url });
  client.on("error", () => {});
  await client.connect();
  return client;
}

Deno.test({
  ...PLAIN,
  name:
    `topics, Redis: 1 MiB passes, and what Redis refuses rejects with its reason${redis.leftOut}`,
  ignore: redis.ignore,
  async fn() {
    const server = await startRedis();
    const address = `127.0.0.1:${server.port}`;
    const admin = await redisClient(`redis://${address}`);
    const ask = (...args: string[]): Promise<unknown> => admin.sendCommand(args);
    const topics = new Topics({ engine: redisStreams(admin) });
    const { server: channel, client } = webSocketChannelPair();
    const lengths: number[] = [];
    client.stream.listen((message) => lengths.push(message.length));
    try {
      await topics.subscribe(channel, "a");
      await topics.publish("a", "x".repeat(MIB));
      await topics.publish("a", new Uint8Array(MIB));
      await ask("CONFIG", "SET", "maxmemory", "100000");
      const full = await rejection(topics.publish("a", "full")) as Error;
      assert(full.message.startsWith("OOM"), full.message);
      await ask("CONFIG", "SET", "maxmemory", "0");
      await topics.publish("a", "1");
      await until(() => lengths.length === 3);
      assertEquals(lengths, [MIB, MIB, 1]);

      await ask("ACL", "SETUSER", "weak", "on", ">secret", "~*", "+@all", "-evalsha");
      const weak = await redisClient(`redis://weak:secret@${address}`);
      for (const isAllowed of [true, false]) {
        if (!isAllowed) await ask("ACL", "SETUSER", "weak", "resetpass", ">other");
        const refused = new Topics({ engine: redisStreams(weak), whileLost: "fail" });
        const error = await rejection(refused.publish("a", "1"));
        assert(error instanceof TopicsError && error.reason === "lost", String(error));
        const { message, cause } = error.cause as Error;
        const text = isAllowed ? message : (cause as Error).message;
        assert(text.startsWith(isAllowed ? "NOPERM" : "WRONGPASS"), text);
        assert(!text.includes("secret"));
        await refused.close();
      }
      weak.destroy();
      await client.sink.close();
    } finally {
      await topics.close();
      admin.destroy();
      await server.end();
    }
  },
});

Deno.test({
  ...PLAIN,
  name: `topics, NATS: a message above max_payload rejects, and the next one passes${nats.leftOut}`,
  ignore: nats.ignore,
  async fn() {
    const server = await startNats();
    const connection = await connect({ servers: `127.0.0.1:${server.port}` });
    const clients = { js: jetstream(connection), jsm: await jetstreamManager(connection) };
    const topics = new Topics({ engine: natsJetStream(clients) });
    const guests = Array.from({ length: 100 }, () => webSocketChannelPair());
    try {
      const error = await rejection(topics.publish("a", "x".repeat(MIB))) as Error;
      assert(error.message.includes("max_payload"), error.message);
      await topics.publish("a", "x".repeat(MIB - 1000));
      // All of them in one message would be above it, too.
      const presence = "€".repeat(4000);
      await Promise.all(guests.map((it) => topics.subscribe(it.server, "a", { presence })));
      assertEquals((await topics.presence("a")).length, 100);
      for (const { client } of guests) await client.sink.close();
    } finally {
      await topics.close();
      await connection.close();
      await server.end();
    }
  },
});
