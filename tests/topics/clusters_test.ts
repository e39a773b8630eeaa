/** Clusters of servers, and servers that lose their data. */
// Deno only: the servers take seconds to agree, and their behaviour doesn't depend on the runtime

import { createClient } from "redis";
import { connect } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { assert, assertEquals } from "@std/assert";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { natsJetStream, redisStreams, Topics, TopicsError } from "../../src/topics/mod.ts";
import type { Message } from "../../src/web_socket/web_socket_channel.ts";
import { findCommand } from "../support/processes.ts";
import { rejection } from "../support/promises.ts";
import { until } from "../support/turns.ts";
import { freePorts, startNats, startRedis } from "./servers.ts";

function needs(command: string): { readonly ignore: boolean; readonly leftOut: string } {
  const ignore = findCommand([[command]]) === null;
  return { ignore, leftOut: ignore ? ` (left out: ${command} is not installed)` : "" };
}

const redis = needs("redis-server");
const nats = needs("nats-server");
/** The packages have timers that outlive a closed client. */
const PLAIN = { sanitizeOps: false, sanitizeResources: false };

async function redisClient(port: number) {
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** A subscriber that records its messages. */
async function guestOf(topics: Topics) {
  const pair = webSocketChannelPair();
  const received: Message[] = [];
  const states: string[] = [];
  pair.client.stream.listen((message) => received.push(message));
  await topics.subscribe(pair.server, "a", { onState: ({ name }) => void states.push(name) });
  return { received, states, leave: () => pair.client.sink.close() };
}

Deno.test({
  ...PLAIN,
  name: `topics, Redis: a server that comes back without its data is another log${redis.leftOut}`,
  ignore: redis.ignore,
  async fn() {
    const server = await startRedis("--appendonly", "no");
    const client = await redisClient(server.port);
    const topics = new Topics({ engine: redisStreams(client) });
    const guest = await guestOf(topics);
    try {
      const { offset } = await topics.publish("a", "1");
      await until(() => guest.received.length === 1);
      await server.stop();
      await until(() => topics.stats().state === "lost");
      const waiting = topics.publish("a", "2");
      await server.start();
      await waiting;
      await topics.publish("a", "3");
      await until(() => guest.received.length === 3);
      assertEquals(guest.received, ["1", "2", "3"]);
      assertEquals(guest.states.toSorted(), ["live", "live", "lost", "resync"]);
      const late = webSocketChannelPair();
      const { resync, replayed } = await topics.subscribe(late.server, "a", {
        after: offset,
        last: 10,
      });
      assertEquals([resync, replayed], [true, 2]);
      for (const leave of [guest.leave, () => late.client.sink.close()]) await leave();
    } finally {
      await topics.close();
      client.destroy();
      await server.end();
    }
  },
});

Deno.test({
  ...PLAIN,
  name:
    `topics, Redis: a cluster's server refuses the log, unless it has the log's slot${redis.leftOut}`,
  ignore: redis.ignore,
  async fn() {
    const args = ["--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"];
    const servers = await Promise.all([startRedis(...args), startRedis(...args)]);
    const clients = await Promise.all(servers.map(({ port }) => redisClient(port)));
    const [one, other] = clients as [typeof clients[0] & object, typeof clients[0] & object];
    const topics: Topics[] = [];
    try {
      // "{topics}" is in the upper half.
      await one.sendCommand(["CLUSTER", "ADDSLOTSRANGE", "0", "8191"]);
      await other.sendCommand(["CLUSTER", "ADDSLOTSRANGE", "8192", "16383"]);
      const slot = Number(await one.sendCommand(["CLUSTER", "KEYSLOT", "{topics}"]));
      await one.sendCommand(["CLUSTER", "MEET", "127.0.0.1", `${servers[1]?.port}`]);
      const isOk = async (client: typeof one): Promise<boolean> => {
        const info = String(await client.sendCommand(["CLUSTER", "INFO"]));
        return /cluster_state:ok/.test(info) && /cluster_slots_assigned:16384/.test(info);
      };
      while (!(await isOk(one) && await isOk(other)));
      const [owner, stranger] = slot < 8192 ? [one, other] : [other, one];
      const refused = new Topics({ engine: redisStreams(stranger) });
      const works = new Topics({ engine: redisStreams(owner) });
      topics.push(refused, works);
      const error = await rejection(refused.publish("a", "1"));
      assert(error instanceof TopicsError && error.reason === "refused", String(error));
      const { name, message } = error.cause as Error;
      assertEquals([name, message], [
        "UnsupportedError",
        "Unsupported on redisStreams: Redis Cluster. Give it a client of one server that is in no cluster",
      ]);
      const guest = await guestOf(works);
      await works.publish("a", "1");
      await until(() => guest.received.length === 1);
      await guest.leave();
    } finally {
      for (const it of topics) await it.close();
      for (const it of clients) it.destroy();
      for (const server of servers) await server.end();
    }
  },
});

Deno.test({
  ...PLAIN,
  name: `topics, NATS: one of three servers ends, and nothing is lost or repeated${nats.leftOut}`,
  ignore: nats.ignore,
  async fn() {
    const routes = await freePorts(3);
    const servers = await Promise.all(routes.map((port, i) =>
      startNats(
        `server_name: "s${i}"\n` +
          `cluster: { name: "c", listen: "127.0.0.1:${port}", routes: [${
            routes.map((it) => `"nats://127.0.0.1:${it}"`).join(", ")
          }] }`,
      )
    ));
    const open = () =>
      connect({
        servers: servers.map(({ port }) => `127.0.0.1:${port}`),
        maxReconnectAttempts: -1,
        reconnectTimeWait: 100,
      });
    const connections = await Promise.all([open(), open()]);
    const topics = await Promise.all(connections.map(async (connection) => {
      const jsm = await jetstreamManager(connection, { checkAPI: false });
      const clients = { js: jetstream(connection), jsm };
      return new Topics({ engine: natsJetStream(clients, { replicas: 3, storage: "memory" }) });
    }));
    const [one, other] = topics as [Topics, Topics];
    try {
      const guests = [await guestOf(one), await guestOf(other)];
      const expected: string[] = [];
      const publish = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i++) {
          expected.push(`${expected.length}`);
          await (i % 2 === 0 ? one : other).publish("a", expected.at(-1) as string);
        }
      };
      await publish(20);
      // First the server that `one` is connected to, then possibly the stream's leader.
      const address = connections[0]?.getServer() ?? "";
      const victim = servers.find(({ port }) => address.endsWith(`:${port}`));
      assert(victim !== undefined, address);
      const running = publish(40);
      await until(() => (guests[1]?.received.length ?? 0) > 25);
      await victim.stop();
      await running;
      await until(() => guests.every(({ received }) => received.length >= expected.length));
      for (const { received } of guests) assertEquals(received, expected);
      for (const { states } of guests) assertEquals(states.includes("resync"), false);
      for (const { leave } of guests) await leave();
    } finally {
      for (const it of topics) await it.close();
      for (const it of connections) await it.close();
      for (const server of servers) await server.end();
    }
  },
});
