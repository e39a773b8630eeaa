/** Refusals of real servers: no memory left, a message that is too large, a user without permission. */

import { createClient } from "redis";
import { Redis } from "ioredis";
import { connect } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { assert, assertEquals } from "@std/assert";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import {
  natsJetStream,
  redisStreams,
  Topics,
  type TopicsEngine,
  TopicsError,
} from "../../src/topics/mod.ts";
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
    `topics, Redis: 1 MiB passes, and a message that Redis refuses rejects with its reason${redis.leftOut}`,
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

      await client.sink.close();
    } finally {
      await topics.close();
      admin.destroy();
      await server.end();
    }
  },
});

/** The errors of a publish and a subscription, and whether the topics become live when the server accepts again. */
async function refused(
  engine: TopicsEngine,
  isCause: (cause: Error) => boolean,
  allow?: () => Promise<unknown>,
): Promise<void> {
  const { server: channel, client } = webSocketChannelPair();
  const topics = new Topics({ engine });
  for (const call of [topics.publish("a", "1"), topics.subscribe(channel, "a")]) {
    const error = await rejection(call);
    assert(error instanceof TopicsError && error.reason === "refused", String(error));
    assertEquals([error.mayBePublished, topics.stats().state], [false, "lost"]);
    assert(isCause(error.cause as Error), String(error.cause));
    assert(!`${error} ${error.cause}`.includes("secret"));
  }
  if (allow !== undefined) {
    await allow();
    await until(() => topics.stats().state === "live");
    await topics.publish("a", "1");
  }
  await topics.close();
  await client.sink.close();
}

Deno.test({
  ...PLAIN,
  name:
    `topics, Redis: a server that refuses the user rejects calls, and is asked again${redis.leftOut}`,
  ignore: redis.ignore,
  async fn() {
    const server = await startRedis();
    const { port } = server;
    const admin = await redisClient(`redis://127.0.0.1:${port}`);
    const ask = (...args: string[]): Promise<unknown> => admin.sendCommand(args);
    await ask("ACL", "SETUSER", "weak", "on", ">secret", "~*", "+@all");
    const weak = await redisClient(`redis://weak:secret@127.0.0.1:${port}`);
    const host = "127.0.0.1";
    const other = new Redis({ host, port, username: "weak", password: "secret" });
    const unknown = new Redis({ host, port });
    for (const it of [other, unknown]) {
      it.on("error", () => {});
      if (it.status !== "ready") await new Promise((resolve) => it.once("ready", resolve));
    }
    const says = (text: string) => ({ message }: Error): boolean => message.startsWith(text);
    const change = (...rules: string[]) => () => ask("ACL", "SETUSER", "weak", ...rules);
    try {
      await change("-evalsha")();
      await refused(redisStreams(weak), says("NOPERM"), change("+evalsha"));
      await change("resetpass", ">another")();
      await Promise.all([
        refused(redisStreams(weak), says("WRONGPASS")),
        refused(redisStreams(other), says("WRONGPASS")),
      ]);
      await ask("CONFIG", "SET", "requirepass", "secret");
      const allow = (): Promise<unknown> => ask("CONFIG", "SET", "requirepass", "");
      await refused(redisStreams(unknown), says("NOAUTH"), allow);
    } finally {
      for (const it of [other, unknown]) it.disconnect();
      for (const it of [weak, admin]) it.destroy();
      await server.end();
    }
  },
});

Deno.test({
  ...PLAIN,
  name: `topics, NATS: a server that refuses the user or the streams rejects calls${nats.leftOut}`,
  ignore: nats.ignore,
  async fn() {
    const users = ["$JS.API.STREAM.CREATE.topics", "topics.log.a"].map((subject, i) =>
      `{ user: "u${i}", password: secret, permissions: { publish: { deny: [${
        JSON.stringify(subject)
      }] } } }`
    );
    const server = await startNats(`authorization: { users: [${users.join(", ")}] }`);
    const open = async (user: string) => {
      const servers = `127.0.0.1:${server.port}`;
      const connection = await connect({ servers, user, pass: "secret" });
      return { connection, js: jetstream(connection), jsm: await jetstreamManager(connection) };
    };
    const [streams, messages] = await Promise.all([open("u0"), open("u1")]);
    const isViolation = ({ name }: Error): boolean => name === "PermissionViolationError";
    try {
      await refused(natsJetStream(streams), isViolation);
      // That needs a cluster.
      await refused(
        natsJetStream(messages, { replicas: 3 }),
        ({ name }) => name === "JetStreamApiError",
      );
      const topics = new Topics({ engine: natsJetStream(messages) });
      assert(isViolation(await rejection(topics.publish("a", "1")) as Error));
      await topics.publish("b", "1");
      await topics.close();
    } finally {
      for (const { connection } of [streams, messages]) await connection.close();
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
      // All of them in one message would exceed it, too.
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
