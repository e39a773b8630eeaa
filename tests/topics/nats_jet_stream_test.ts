/** The engine over NATS JetStream, with Debian's nats-server. */

import { connect } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { natsJetStream, Topics } from "../../src/topics/mod.ts";
import { type EngineWorld, testEngine } from "../../src/topics_testing/mod.ts";
import { assertEquals } from "@std/assert";
import { findCommand } from "../support/processes.ts";
import { startNats, together } from "./servers.ts";

const ignore = findCommand([["nats-server"]]) === null;
const leftOut = ignore ? " (left out: nats-server is not installed)" : "";

async function createWorld(): Promise<EngineWorld> {
  const server = await startNats();
  const open = () =>
    connect({
      servers: `127.0.0.1:${server.port}`,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 100,
    });
  const connections: Awaited<ReturnType<typeof open>>[] = [];
  return {
    async engine() {
      const connection = await open();
      connections.push(connection);
      return natsJetStream({
        js: jetstream(connection),
        jsm: await jetstreamManager(connection, { timeout: 1000 }),
      });
    },
    stop: server.stop,
    start: server.start,
    async forget() {
      const connection = await open();
      const jsm = await jetstreamManager(connection);
      for (const stream of ["topics", "topics_presence"]) await jsm.streams.delete(stream);
      await connection.close();
    },
    closeClient: async () => await connections[0]?.close(),
    async end() {
      for (const connection of connections) await connection.close();
      await server.end();
    },
  };
}

const inGroup = together();

testEngine({
  create: createWorld,
  test: (what, fn) =>
    Deno.test({
      name: `topics, NATS: ${what}${leftOut}`,
      ignore,
      // The package has timers that outlive a closed connection.
      sanitizeOps: false,
      sanitizeResources: false,
      fn: inGroup(fn),
    }),
});

Deno.test({
  name: `topics, NATS: the stream of members that was deleted is created again${leftOut}`,
  ignore,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const server = await startNats();
    const connection = await connect({ servers: `127.0.0.1:${server.port}` });
    const jsm = await jetstreamManager(connection);
    const topics = new Topics({ engine: natsJetStream({ js: jetstream(connection), jsm }) });
    try {
      await topics.publish("a", "1");
      await jsm.streams.delete("topics_presence");
      assertEquals(await topics.presence("a"), []);
      assertEquals((await jsm.streams.info("topics_presence")).config.storage, "memory");
    } finally {
      await topics.close();
      await connection.close();
      await server.end();
    }
  },
});
