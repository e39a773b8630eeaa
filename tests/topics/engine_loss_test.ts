/** How engines handle failing clients: fake clients of the tests, on a fake clock. */

import { Cluster } from "ioredis";
import { createClientPool, createCluster } from "redis";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ManualClock } from "../../src/testing/mod.ts";
import {
  EngineError,
  type EngineEvents,
  type EngineLog,
  natsJetStream,
  redisStreams,
  Topics,
  type TopicsError,
  UnsupportedError,
} from "../../src/topics/mod.ts";
import { PendingAnswers } from "../../src/topics/pending_answers.ts";
import { isRedisClient, openConnection } from "../../src/topics/redis_client.ts";
import { nameOfToken, tokenOf } from "../../src/topics/nats_jet_stream.ts";
import { deferred, rejection } from "../support/promises.ts";
import { turn, until } from "../support/turns.ts";

/** The part of a client of npm redis that the engine uses. */
class FakeRedis {
  isOpen = true;
  isReady = true;
  connects: () => Promise<unknown> = () => Promise.resolve();
  answer: (args: string[]) => Promise<unknown> = () => Promise.resolve([]);
  readonly listeners = new Map<string, (error?: unknown) => void>();
  duplicate = (): FakeRedis => this;
  on = (event: string, listener: (error?: unknown) => void): void =>
    void this.listeners.set(event, listener);
  connect = (): Promise<unknown> => this.connects();
  sendCommand = (args: string[]): Promise<unknown> => this.answer(args);
  destroyed = 0;
  destroy = (): void => void this.destroyed++;
}

const BEGINNING = ["one", Array.from({ length: 16 }, () => "0-0")];
/** A message of the log of "b", as a read returns it. */
const MESSAGE = [["{topics}:log:0", [[
  "1-0",
  ["epoch", "one", "before", "0-0", "topic", "b", "kind", "t", "message", "x"],
]]]];

/** The reports of an engine. */
class Report implements EngineEvents {
  readonly lines: string[] = [];
  onEntry = (): void => void this.lines.push("entry");
  onEpoch = (epoch: string): void => void this.lines.push(`epoch ${epoch}`);
  onGap = (): void => void this.lines.push("gap");
  onLost = (error: unknown): void => void this.lines.push(`lost: ${(error as Error).message}`);
  onRestored = (): void => void this.lines.push("restored");
  onClosed = (error: unknown): void => void this.lines.push(`closed: ${(error as Error).message}`);
}

// deno-lint-ignore no-explicit-any -- the value is wrong on purpose
const wrong = (value: unknown): any => value;

const SETTINGS = { size: 10, age: 60_000, lease: 15_000 };

function hang(): Promise<never> {
  return new Promise(() => {});
}

Deno.test("topics over Redis: a failure to connect is an EngineError, with its cause", async () => {
  const client = new FakeRedis();
  const cause = new Error("connect ECONNREFUSED");
  client.connects = () => Promise.reject(cause);
  const error = await rejection(
    openConnection(client, { attempt: new PendingAnswers(), onEnd: () => {} }),
  );
  assert(error instanceof EngineError);
  assertEquals([error.message, error.cause], ["Cannot connect to Redis", cause]);
});

Deno.test("topics over Redis: an error of a command reaches the caller, and an unavailable server is a loss", async () => {
  const client = new FakeRedis();
  const ends: string[] = [];
  const connection = await openConnection(client, {
    attempt: new PendingAnswers(),
    onEnd: (error) => ends.push((error as Error).message),
  });
  const asked = (message: string): Promise<unknown> => {
    client.answer = () => Promise.reject(new Error(message));
    return rejection(connection.command("GET", "a"));
  };
  for (const message of ["OOM command not allowed", "ERR unknown command", "WRONGTYPE Operation"]) {
    assertEquals((await asked(message) as Error).message, message);
  }
  for (const message of ["LOADING Redis is loading", "READONLY You can't write", "Socket closed"]) {
    const error = await asked(message);
    assert(error instanceof EngineError, message);
    assertEquals(error.message, "The connection to Redis is lost");
  }
  client.listeners.get("end")?.();
  client.listeners.get("error")?.(new Error("read ECONNRESET"));
  assertEquals(ends, ["The connection to Redis has ended", "read ECONNRESET"]);
});

Deno.test("topics over Redis: a server that doesn't answer a read is lost, and the engine asks it again", async () => {
  const client = new FakeRedis();
  const clock = new ManualClock();
  const epochs = ["one", "other"];
  let reads = 0;
  client.answer = ([command = ""]) => {
    if (command === "SCRIPT") return Promise.resolve("sha");
    if (command === "EVALSHA") {
      return Promise.resolve([
        epochs[reads === 0 ? 0 : 1],
        Array.from({ length: 16 }, () => "0-0"),
      ]);
    }
    reads++;
    return hang();
  };
  const report = new Report();
  const log: EngineLog = redisStreams(client).open(report, { ...SETTINGS, clock });
  await log.ready;
  await until(() => reads === 1);
  for (let i = 0; i < 10; i++) clock.advance(1000);
  await until(() => report.lines.includes("lost: Redis doesn't answer"));
  await until(() => reads === 2, () => clock.advance(100));
  assertEquals(report.lines, [
    ...["epoch one", "restored", "lost: Redis doesn't answer", "epoch other", "restored"],
  ]);
  await log.close();
});

Deno.test("topics over Redis: a server that accepts connections and answers nothing is lost", async () => {
  const client = new FakeRedis();
  const clock = new ManualClock();
  let attempts = 0;
  client.connects = () => {
    attempts++;
    return hang();
  };
  const topics = new Topics({ engine: redisStreams(client), whileLost: "fail", clock });
  const error = rejection(topics.publish("a", "1"));
  for (let i = 0; i < 12; i++) clock.advance(1000);
  assertEquals((await error as TopicsError).reason, "lost");
  assertEquals([topics.stats().state, client.destroyed], ["lost", 1]);
  await until(() => attempts === 2, () => clock.advance(100));
  await topics.close();
  await until(() => client.destroyed === 2);
});

Deno.test("topics over Redis: a connection without answers is lost, although the other connection reads", async () => {
  const client = new FakeRedis();
  const clock = new ManualClock();
  let isSilent = false;
  client.answer = async ([command = ""]) => {
    if (command === "SCRIPT") return "sha";
    if (command === "EVALSHA") return isSilent ? await hang() : BEGINNING;
    await turn();
    return MESSAGE;
  };
  const states: string[] = [];
  const topics = new Topics({
    engine: redisStreams(client),
    whileLost: "fail",
    clock,
    onState: ({ name }) => states.push(name),
  });
  await topics.presence("a");
  isSilent = true;
  const error = rejection(topics.presence("a"));
  await until(() => states.length > 0, () => clock.advance(500));
  assertEquals((await error as TopicsError).reason, "lost");
  isSilent = false;
  await until(() => topics.stats().state === "live", () => clock.advance(100));
  await topics.presence("a");
  await topics.close();
});

Deno.test("topics over Redis: the engine asks a refusing server again each second, and loads a missing script again", async () => {
  const client = new FakeRedis();
  const clock = new ManualClock();
  let loads = 0;
  client.answer = async ([command = ""]) => {
    if (command === "SCRIPT" && ++loads < 10) throw new Error("NOPERM no permissions");
    if (command === "SCRIPT") return "sha";
    return command === "XREAD" ? await hang() : BEGINNING;
  };
  const topics = new Topics({ engine: redisStreams(client), clock });
  let elapsed = 0;
  await until(() => loads === 9, () => {
    clock.advance(50);
    elapsed += 50;
  });
  // 50, 100, 200, 400, 800 and then 1,000 ms.
  assert(elapsed >= 4000, `9 attempts in ${elapsed} ms`);
  await until(() => topics.stats().state === "live", () => clock.advance(100));
  // The next script is refused once, on the same connection.
  loads = 9 - 1;
  assertEquals((await rejection(topics.presence("a")) as Error).message, "NOPERM no permissions");
  assertEquals(await topics.presence("a"), []);
  await topics.close();
});

Deno.test("topics over Redis: a closed client ends the topics", async () => {
  const client = new FakeRedis();
  client.isOpen = false;
  const report = new Report();
  const log = redisStreams(client).open(report, { ...SETTINGS, clock: new ManualClock() });
  await rejection(log.ready);
  assertEquals(report.lines, [
    "closed: The client of Redis is not connected: await its connect() before",
  ]);
  const topics = new Topics({ engine: redisStreams(client) });
  const error = await rejection(topics.publish("a", "1")) as Error;
  assertEquals(error.message, "Cannot publish: the engine has ended");
  await topics.close();
});

Deno.test("topics over Redis: a client that is closed during a call ends the topics", async () => {
  const client = new FakeRedis();
  const read = deferred<unknown>();
  client.answer = ([command = ""]) => {
    if (command === "XREAD") return read.promise;
    return Promise.resolve(command === "SCRIPT" ? "sha" : ["one", Array(16).fill("0-0")]);
  };
  const report = new Report();
  const log = redisStreams(client).open(report, { ...SETTINGS, clock: new ManualClock() });
  await log.ready;
  client.isOpen = false;
  read.resolve([]);
  await until(() => report.lines.length === 3);
  assertEquals(report.lines.at(-1), "closed: The client of Redis was closed");
  await log.close();
});

Deno.test("topics over Redis: recognises clients by their methods", () => {
  const method = (): void => {};
  assertEquals(isRedisClient(new FakeRedis()), true);
  assertEquals(isRedisClient({ status: "ready", call: method, duplicate: method }), true);
  // The packages' clients of a cluster, and a pool.
  assertEquals(isRedisClient(new Cluster([], { lazyConnect: true })), false);
  assertEquals(
    isRedisClient(createCluster({ rootNodes: [{ url: "redis://127.0.0.1:1" }] })),
    false,
  );
  assertEquals(isRedisClient(createClientPool()), false);
  for (const it of [new Cluster([], { lazyConnect: true }), createCluster({ rootNodes: [] })]) {
    assertThrows(() => redisStreams(wrong(it)), UnsupportedError, "Redis Cluster");
  }
  for (const it of [createClientPool(), null, undefined, 1, {}, "redis://127.0.0.1"]) {
    assertThrows(() => redisStreams(wrong(it)), TypeError, "Cannot use the client");
  }
  for (const it of [null, undefined, 1, {}, { isOpen: true }, { status: "ready", call: method }]) {
    assertEquals(isRedisClient(it), false);
  }
});

/** The part of `@nats-io/jetstream` that the engine uses. */
function fakeNats(fetch: () => AsyncIterable<never> & { stop(): void }) {
  const info = {
    created: "2026-01-01T00:00:00Z",
    config: { max_msgs_per_subject: 11 },
    state: { first_seq: 1, last_seq: 0 },
  };
  const consumer = { fetch: () => Promise.resolve(fetch()), info: () => Promise.resolve({}) };
  const fake = {
    add: (): Promise<typeof info> => Promise.resolve(info),
    js: { consumers: { get: () => Promise.resolve(consumer) }, publish: hang },
    jsm: {
      streams: {
        add: () => fake.add(),
        update: (): Promise<typeof info> => Promise.resolve(info),
        info: () => Promise.resolve(info),
      },
      consumers: {
        add: () => Promise.resolve({ name: "c", num_pending: 0 }),
        delete: () => Promise.resolve(true),
      },
    },
  };
  return fake;
}

/** Messages that never arrive, until they are stopped. */
function never(): AsyncIterable<never> & { stop(): void } {
  let stop = (): void => {};
  const stopped = new Promise<void>((resolve) => stop = resolve);
  return {
    stop,
    [Symbol.asyncIterator]: () => ({
      next: () => stopped.then(() => ({ value: undefined, done: true })),
    }),
  };
}

Deno.test("topics over NATS: a server that doesn't answer a read is lost, and the engine asks it again", async () => {
  let reads = 0;
  const nats = fakeNats(() => {
    reads++;
    return never();
  });
  const clock = new ManualClock();
  const report = new Report();
  const log = natsJetStream(nats).open(report, { ...SETTINGS, clock });
  await log.ready;
  await until(() => reads === 1);
  await until(() => reads === 2, () => clock.advance(100));
  assertEquals(report.lines.slice(1), ["restored", "lost: NATS doesn't answer", "restored"]);
  await log.close();
});

Deno.test("topics over NATS: the engine reports a loss, and a closed connection ends the topics", async () => {
  const nats = fakeNats(never);
  const add = nats.add;
  const fail = (name: string): Promise<never> =>
    Promise.reject(Object.assign(new Error(name), { name }));
  nats.add = () => fail("TimeoutError");
  const clock = new ManualClock();
  const report = new Report();
  const log = natsJetStream(nats).open(report, { ...SETTINGS, clock });
  await until(() => report.lines.length === 1);
  assertEquals(report.lines, ["lost: The connection to NATS is lost"]);
  nats.add = add;
  await until(() => report.lines.includes("restored"), () => clock.advance(100));
  nats.js.publish = () => fail("ClosedConnectionError") as never;
  const publishing = { id: undefined, token: "t", isRetry: false, after: 0n };
  assert(await rejection(log.publish("a", "", publishing)) instanceof EngineError);
  assertEquals(report.lines.at(-1), "closed: The connection to NATS was closed");
  await log.close();
});

Deno.test("topics over NATS: two processes that create the stream at the same time share one log", async () => {
  const nats = fakeNats(never);
  const created = await nats.add();
  const overlap = Object.assign(new Error("subjects overlap with an existing stream"), {
    name: "JetStreamApiError",
    code: 10_065,
    status: 400,
  });
  for (const first of ["no time", "overlap", "refused"]) {
    nats.add = () =>
      first === "no time"
        ? Promise.resolve({ ...created, created: "0001-01-01T00:00:00Z" })
        : Promise.reject(overlap);
    let infos = 0;
    nats.jsm.streams.info = () =>
      Promise.resolve(infos++ === 0 ? { ...created, created: "0001-01-01T00:00:00Z" } : created);
    if (first === "refused") nats.jsm.streams.update = () => Promise.reject(new Error("not found"));
    const report = new Report();
    const clock = new ManualClock();
    const log = natsJetStream(nats).open(report, { ...SETTINGS, clock });
    await until(() => report.lines.length > 0);
    const expected = first === "refused"
      ? ["lost: subjects overlap with an existing stream"]
      : ["epoch 20260101T000000Z", "restored"];
    await until(() => report.lines.length === expected.length);
    assertEquals(report.lines, expected, first);
    await log.close();
  }
});

Deno.test("topics over NATS: encodes every name as one token of a subject, and decodes it", () => {
  for (const name of ["a", "a.b", "*", ">", " ", "\0", "ä💬", "=", "%", "a=2e", "x".repeat(1024)]) {
    const token = tokenOf(name);
    assert(/^[\w=-]+$/.test(token), token);
    assertEquals(nameOfToken(token), name);
  }
  assertEquals(nameOfToken("=ff"), null);
});

Deno.test("topics over NATS: wrong clients and options are typed errors", () => {
  const { js, jsm } = fakeNats(never);
  const { streams, consumers } = jsm;
  const clients: unknown[] = [null, undefined, 1, "nats://", {}, { js }, { jsm }, { js: {}, jsm }];
  clients.push({ js, jsm: { streams, consumers: null } }, { js, jsm: { streams: [], consumers } });
  for (const it of clients) {
    assertThrows(() => natsJetStream(wrong(it)), TypeError, "Cannot use the clients");
  }
  for (const options of [null, 1, { prefix: "" }, { prefix: "a.b" }, { storage: "disk" }]) {
    assertThrows(() => natsJetStream({ js, jsm }, wrong(options)), TypeError);
  }
  assertThrows(() => natsJetStream({ js, jsm }, { replicas: 0 }), RangeError);
  const client = new FakeRedis();
  for (const options of [null, 1, { prefix: 1 }, { logSize: "1" }, { size: 1 }]) {
    assertThrows(() => redisStreams(client, wrong(options)), TypeError);
  }
  assertThrows(() => redisStreams(client, { logSize: 0 }), RangeError);
});
