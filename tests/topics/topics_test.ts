/** Topics over an engine in memory: the behaviour that doesn't depend on the engine. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ManualClock, webSocketChannelPair } from "../../src/testing/mod.ts";
import {
  EngineError,
  memory,
  type SubscriptionState,
  Topics,
  TopicsError,
  type TopicsOptions,
  type TopicsState,
} from "../../src/topics/mod.ts";
import type { Message } from "../../src/web_socket/web_socket_channel.ts";
import { deferred, rejection } from "../support/promises.ts";
import { turn, until } from "../support/turns.ts";
import { fakeEngine } from "./fake_engine.ts";

/** A subscriber's channel, and the messages that its client receives. */
function guest(): ReturnType<typeof webSocketChannelPair> & { received: Message[] } {
  const pair = webSocketChannelPair();
  const received: Message[] = [];
  pair.client.stream.listen((message) => received.push(message));
  return { ...pair, received };
}

// deno-lint-ignore no-explicit-any -- the value is wrong on purpose
const wrong = (value: unknown): any => value;

async function withTopics(
  options: TopicsOptions,
  body: (topics: Topics) => Promise<void>,
): Promise<void> {
  const topics = new Topics(options);
  try {
    await body(topics);
  } finally {
    await topics.close();
  }
}

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  const error = await rejection(promise);
  assert(error instanceof TopicsError, String(error));
  return error.reason;
}

Deno.test("topics: malformed options, names and messages are typed errors", async () => {
  for (
    const options of [
      { engines: memory() },
      { engine: {} },
      { history: { size: "1" } },
      { slow: "drop" },
      { whileLost: "never" },
      { authorize: true },
    ]
  ) assertThrows(() => new Topics(wrong(options)), TypeError);
  for (const size of [0, 1.5, 1_000_001, Infinity, NaN]) {
    assertThrows(() => new Topics({ history: { size } }), RangeError);
  }
  for (const options of [{ history: { age: 0 } }, { lease: 0 }, { maxPending: 0 }]) {
    assertThrows(() => new Topics(options), RangeError);
  }
  await withTopics({}, async (topics) => {
    const { server, client } = guest();
    for (const topic of ["", "x".repeat(1025), "ä".repeat(513), "\ud800", "a\udfff"]) {
      await assertRejects(() => topics.publish(topic, ""), RangeError);
      await assertRejects(() => topics.subscribe(server, topic), RangeError);
      await assertRejects(() => topics.presence(topic), RangeError);
    }
    for (const topic of [undefined, null, 1, {}, ["a"]]) {
      await assertRejects(() => topics.publish(wrong(topic), ""), TypeError);
    }
    for (const message of [undefined, null, 1, {}, []]) {
      await assertRejects(() => topics.publish("a", wrong(message)), TypeError);
    }
    for (const id of ["", "x".repeat(257), "\ud800"]) {
      await assertRejects(() => topics.publish("a", "", { id }), RangeError);
    }
    for (const channel of [undefined, null, {}, "channel", { sink: {} }]) {
      await assertRejects(() => topics.subscribe(wrong(channel), "a"), TypeError);
      await assertRejects(() => topics.publish("a", "", { from: wrong(channel ?? 1) }), TypeError);
    }
    for (const last of [-1, 1.5, 10_001, NaN]) {
      await assertRejects(() => topics.subscribe(server, "a", { last }), RangeError);
    }
    await assertRejects(() => topics.subscribe(server, "a", { after: wrong(1) }), TypeError);
    await assertRejects(() => topics.subscribe(server, "a", { presence: () => 1 }), TypeError);
    await assertRejects(
      () => topics.subscribe(server, "a", { presence: "x".repeat(4096) }),
      RangeError,
    );
    assertEquals([topics.stats().subscriptions, topics.stats().topics], [0, 0]);
    await client.sink.close();
  });
});

Deno.test("topics W32: a channel can subscribe or publish only if authorize returns true", async () => {
  const asked: string[] = [];
  const answers: unknown[] = [
    false,
    undefined,
    1,
    "true",
    Promise.resolve(false),
    Promise.reject(new Error("no database")),
  ];
  (answers.at(-1) as Promise<unknown>).catch(() => {});
  let answer: () => unknown = () => true;
  const authorize = ({ action, topic }: { action: string; topic: string }): boolean => {
    asked.push(`${action} ${topic}`);
    return wrong(answer());
  };
  await withTopics({ authorize }, async (topics) => {
    const { server, client, received } = guest();
    for (const it of answers) {
      answer = () => it;
      assertEquals(await reasonOf(topics.subscribe(server, "a")), "unauthorized");
      assertEquals(await reasonOf(topics.publish("a", "1", { from: server })), "unauthorized");
    }
    answer = () => {
      throw new Error("thrown");
    };
    const error = await rejection(topics.subscribe(server, "a")) as TopicsError;
    assertEquals((error.cause as Error).message, "thrown");
    assertEquals(topics.stats().subscriptions, 0);
    answer = () => Promise.resolve(true);
    await topics.subscribe(server, "a");
    asked.length = 0;
    await topics.publish("a", "of the server's own");
    await topics.publish("a", "of a channel", { from: server });
    assertEquals(asked, ["publish a"]);
    await until(() => received.length === 2);
    await client.sink.close();
  });
});

Deno.test("topics: authorize has a timeout of ten seconds, and ends with the channel or the signal", async () => {
  const clock = new ManualClock();
  const authorize = (): Promise<boolean> => new Promise(() => {});
  await withTopics({ authorize, clock }, async (topics) => {
    const [one, other, third] = [guest(), guest(), guest()];
    const late = rejection(topics.subscribe(one.server, "a"));
    clock.advance(20_000);
    const { reason, cause } = await late as TopicsError;
    assertEquals([reason, (cause as Error).name], ["unauthorized", "TimeoutError"]);
    const left = reasonOf(topics.subscribe(other.server, "a"));
    await other.client.sink.close();
    assertEquals(await left, "closed");
    const controller = new AbortController();
    const given = rejection(topics.subscribe(third.server, "a", { signal: controller.signal }));
    const published = rejection(
      topics.publish("a", "", { from: third.server, signal: controller.signal }),
    );
    controller.abort("enough");
    assertEquals([await given, await published], ["enough", "enough"]);
    assertEquals(topics.stats().subscriptions, 0);
    for (const { client } of [one, third]) await client.sink.close();
  });
});

Deno.test("topics: publish in memory sends before the call returns, as broadcast does", async () => {
  await withTopics({}, async (topics) => {
    const { server, client, received } = guest();
    await topics.subscribe(server, "a");
    const published = topics.publish("a", "1");
    server.sink.add("2");
    await published;
    await until(() => received.length === 2);
    assertEquals(received, ["1", "2"]);
    await client.sink.close();
  });
});

Deno.test("topics: calls wrap once per message for all subscribers, with the offset", async () => {
  let calls = 0;
  const wrap = (message: Message, { topic, offset }: { topic: string; offset: string }): string => {
    calls++;
    return JSON.stringify({ message, topic, offset });
  };
  await withTopics({}, async (topics) => {
    const guests = [guest(), guest(), guest()] as const;
    await topics.subscribe(guests[0].server, "a", { wrap });
    await topics.subscribe(guests[1].server, "a", { wrap });
    await topics.subscribe(guests[2].server, "a");
    const { offset } = await topics.publish("a", "hello");
    await until(() => guests.every(({ received }) => received.length === 1));
    const wrapped = JSON.stringify({ message: "hello", topic: "a", offset });
    assertEquals(guests.map(({ received }) => received[0]), [wrapped, wrapped, "hello"]);
    assertEquals(calls, 1);
    for (const { client } of guests) await client.sink.close();
  });
});

Deno.test("topics: a failing wrap closes the channels that would miss the message", async () => {
  const errors: unknown[] = [];
  await withTopics({ onError: (error) => errors.push(error) }, async (topics) => {
    const [broken, good] = [guest(), guest()];
    const wrap = (): string => {
      throw new Error("broken");
    };
    await topics.subscribe(broken.server, "a", { wrap });
    await topics.subscribe(good.server, "a");
    await topics.publish("a", "1");
    assertEquals((await broken.client.closed).code, 1011);
    await until(() => good.received.length === 1);
    assertEquals(errors.map((it) => (it as Error).message), ["broken"]);
    assertEquals(topics.stats().subscriptions, 1);
    await good.client.sink.close();
  });
});

Deno.test("topics: sends the result of onState in order with the messages", async () => {
  await withTopics({}, async (topics) => {
    const { server, client, received } = guest();
    await topics.publish("a", "1");
    const onState = ({ name }: SubscriptionState): string => `state ${name}`;
    await topics.subscribe(server, "a", { after: "gone.1", last: 1, onState });
    await topics.publish("a", "2");
    await until(() => received.length === 4);
    assertEquals(received, ["state resync", "1", "state live", "2"]);
    await client.sink.close();
  });
});

Deno.test("topics: closes a receiver that reads nothing, without a delay for the others", async () => {
  await withTopics({ maxQueueSize: 1000, stallTimeout: 50 }, async (topics) => {
    // The client's stream has no reader.
    const stalled = webSocketChannelPair();
    const good = guest();
    await topics.subscribe(stalled.server, "a");
    await topics.subscribe(good.server, "a");
    const message = "x".repeat(50_000);
    const many = 100;
    for (let i = 0; i < many; i++) {
      await topics.publish("a", message);
      await turn();
    }
    await until(() => good.received.length === many);
    await until(() => stalled.server.state !== "open");
    stalled.client.terminate();
    await until(() => topics.stats().subscriptions === 1);
    await good.client.sink.close();
  });
});

Deno.test("topics: sends the history as fast as the client reads it, then the live messages", async () => {
  await withTopics({ maxQueueSize: 1000, slow: "drop-oldest" }, async (topics) => {
    const body = "x".repeat(20_000);
    for (let i = 0; i < 100; i++) await topics.publish("a", `${i} ${body}`);
    const { server, client } = webSocketChannelPair();
    const subscribed = topics.subscribe(server, "a", { last: 100 });
    for (let i = 0; i < 20; i++) await turn();
    const amount = server.sink.bufferedAmount;
    assert(amount < 1_000_000, `${amount} bytes wait`);
    await topics.publish("a", `100 ${body}`);
    const received: string[] = [];
    while (received.length < 101) {
      const { value } = await client.stream.next();
      received.push(String(value).split(" ")[0] ?? "");
    }
    assertEquals(received, Array.from({ length: 101 }, (_, i) => `${i}`));
    await subscribed;
    await client.sink.close();
    await server.closed;
  });
});

Deno.test("topics: closes the channel with 1013 if the client reads no history for stallTimeout", async () => {
  const clock = new ManualClock();
  await withTopics({ clock, stallTimeout: 1000 }, async (topics) => {
    for (let i = 0; i < 100; i++) await topics.publish("a", "x".repeat(20_000));
    const { server, client } = webSocketChannelPair();
    const subscribed = rejection(topics.subscribe(server, "a", { last: 100 }));
    await until(() => !server.sink.hasRoom);
    for (let i = 0; i < 5; i++) await turn();
    for (let i = 0; i < 20; i++) clock.advance(100);
    assertEquals((await subscribed as TopicsError).reason, "closed");
    const codes: number[] = [];
    client.stream.listen(() => {});
    codes.push((await client.closed).code);
    assertEquals(codes, [1013]);
  });
});

Deno.test("topics: the number of pending publishes is limited, and a signal ends one", async () => {
  const engine = fakeEngine();
  const states: TopicsState["name"][] = [];
  const onState = ({ name }: TopicsState): number => states.push(name);
  await withTopics({ engine, maxPending: 1000, onState }, async (topics) => {
    await topics.publish("a", "0");
    engine.isLost = true;
    engine.events.onLost(new EngineError("lost"));
    const controller = new AbortController();
    const given = rejection(
      topics.publish("a", "x".repeat(500), { signal: controller.signal }),
    );
    const waiting = topics.publish("a", "x".repeat(500));
    assertEquals(await reasonOf(topics.publish("a", "1")), "full");
    controller.abort("enough");
    assertEquals(await given, "enough");
    assertEquals(topics.stats().pendingAmount, 500);
    engine.isLost = false;
    engine.events.onRestored();
    await waiting;
    assertEquals([topics.stats().pendingAmount, topics.stats().published], [0, 2]);
    assertEquals(states, ["lost", "live"]);
  });
});

Deno.test("topics: asks an engine again that fails without a report", async () => {
  const engine = fakeEngine();
  await withTopics({ engine }, async (topics) => {
    engine.isLost = true;
    const published = topics.publish("a", "1");
    await turn();
    engine.isLost = false;
    await published;
  });
});

Deno.test("topics: publishes waiting messages in order, before those of onState", async () => {
  const engine = fakeEngine();
  const order: Promise<unknown>[] = [];
  let topics: Topics | null = null;
  const onState = ({ name }: TopicsState): void => {
    if (name === "live") order.push(topics?.publish("a", "5") as Promise<unknown>);
  };
  await withTopics({ engine, onState }, async (opened) => {
    topics = opened;
    const { server, client, received } = guest();
    const { signal } = new AbortController();
    await topics.subscribe(server, "a");
    const publishAll = (from: number): void => {
      for (const i of [0, 1]) order.push(opened.publish("a", `${from + i}`, i ? {} : { signal }));
    };
    engine.isLost = true;
    publishAll(1);
    engine.events.onLost(new EngineError("lost"));
    await turn();
    publishAll(3);
    await turn();
    engine.isLost = false;
    engine.events.onRestored();
    await until(() => received.length === 5);
    await Promise.all(order);
    assertEquals(received, ["1", "2", "3", "4", "5"]);
    await client.sink.close();
  });
});

Deno.test("topics: a message that is published again keeps its place before later ones", async () => {
  const engine = fakeEngine();
  await withTopics({ engine }, async (topics) => {
    const { server, client, received } = guest();
    await topics.subscribe(server, "a");
    engine.isLost = true;
    const { signal } = new AbortController();
    const all = [topics.publish("a", "1", { signal }), topics.publish("a", "2")];
    await turn();
    engine.isLost = false;
    all.push(topics.publish("a", "3"));
    await Promise.all(all);
    await until(() => received.length === 3);
    assertEquals(received, ["1", "2", "3"]);
    await client.sink.close();
  });
});

Deno.test("topics: whileLost: fail rejects at once, and reports whether the message may have been published", async () => {
  const engine = fakeEngine();
  await withTopics({ engine, whileLost: "fail" }, async (topics) => {
    const { server, client } = guest();
    engine.isLost = true;
    const first = await rejection(topics.publish("a", "1")) as TopicsError;
    assertEquals([first.reason, first.mayBePublished], ["lost", true]);
    engine.events.onLost(new EngineError("lost"));
    const second = await rejection(topics.publish("a", "1")) as TopicsError;
    assertEquals([second.reason, second.mayBePublished], ["lost", false]);
    assertEquals(await reasonOf(topics.subscribe(server, "a")), "lost");
    assertEquals(await reasonOf(topics.presence("a")), "lost");
    await client.sink.close();
  });
});

Deno.test("topics W33: delivers the messages of a gap from the history, in order", async () => {
  const missed = new Set(["2", "3", "5"]);
  const engine = fakeEngine((_log, events) => {
    // The log skips some messages, and reports a gap before the next one.
    const { onEntry } = events;
    let isGap = false;
    let last = 0n;
    events.onEntry = (entry) => {
      if (missed.has(String(entry.message))) return void (isGap = true);
      if (isGap) events.onGap({ after: last, includes: (topic) => topic === "a" });
      isGap = false;
      last = entry.position;
      onEntry(entry);
    };
    return {};
  });
  await withTopics({ engine }, async (topics) => {
    const { server, client, received } = guest();
    const states: string[] = [];
    await topics.subscribe(server, "a", { onState: ({ name }) => void states.push(name) });
    for (let i = 1; i <= 6; i++) await topics.publish("a", `${i}`);
    await until(() => received.length === 6);
    assertEquals([received, states], [["1", "2", "3", "4", "5", "6"], ["live"]]);
    await client.sink.close();
  });
});

Deno.test("topics: a gap that the history can't fill is a resync", async () => {
  const engine = fakeEngine((log) => ({
    history: async (topic, range) => {
      const page = await log.history(topic, range);
      return { ...page, isComplete: range.after === null };
    },
  }));
  await withTopics({ engine }, async (topics) => {
    const { server, client, received } = guest();
    const states: string[] = [];
    await topics.subscribe(server, "a", { onState: ({ name }) => void states.push(name) });
    engine.events.onGap({ after: 0n, includes: () => true });
    await topics.publish("a", "1");
    await until(() => received.length === 1);
    assertEquals([states, topics.stats().resyncs], [["live", "resync"], 1]);
    await client.sink.close();
  });
});

Deno.test("topics: close ends subscriptions and pending calls, and leaves channels open", async () => {
  const engine = fakeEngine();
  const topics = new Topics({ engine });
  const { server, client, received } = guest();
  const states: string[] = [];
  await topics.subscribe(server, "a", {
    presence: "member",
    onState(state) {
      states.push(state.name);
      if (state.name === "ended") {
        assertEquals(String(state.error), "TopicsError: The topics were closed");
      }
    },
  });
  await until(() => topics.stats().members === 1);
  engine.events.onLost(new EngineError("lost"));
  const waiting = reasonOf(topics.publish("a", "1"));
  await Promise.all([topics.close(), topics.close()]);
  assertEquals(await waiting, "closed");
  for (
    const call of [topics.publish("a", "1"), topics.subscribe(server, "a"), topics.presence("a")]
  ) {
    assertEquals(await reasonOf(call), "closed");
  }
  assertEquals([states, topics.stats().state], [["live", "lost", "ended"], "ended"]);
  assertEquals([topics.stats().subscriptions, topics.stats().topics], [0, 0]);
  server.sink.add("still open");
  await until(() => received.length === 1);
  await client.sink.close();
});

Deno.test("topics: a closed channel can't subscribe, and a channel that leaves early is not a member", async () => {
  const joined = deferred();
  const engine = fakeEngine((log) => ({
    announce: async (...args) => {
      await joined.promise;
      await log.announce(...args);
    },
  }));
  await withTopics({ engine }, async (topics) => {
    const { server, client } = guest();
    const subscribed = reasonOf(topics.subscribe(server, "a", { presence: 1 }));
    await until(() => topics.stats().members === 1);
    await client.sink.close();
    assertEquals(await subscribed, "closed");
    joined.resolve();
    await until(() => topics.stats().members === 0);
    while ((await topics.presence("a")).length > 0) await turn();
    assertEquals(await reasonOf(topics.subscribe(server, "b")), "closed");
  });
});

Deno.test("topics: lists all of many members of a topic", async () => {
  await withTopics({}, async (topics) => {
    const guests = Array.from({ length: 250 }, guest);
    await Promise.all(
      guests.map(({ server }, i) => topics.subscribe(server, "a", { presence: { i } })),
    );
    const members = await topics.presence("a");
    const found = members.map(({ metadata }) => (metadata as { i: number }).i).sort((a, b) =>
      a - b
    );
    assertEquals(found, guests.map((_, i) => i));
    assertEquals(new Set(members.map(({ id }) => id)).size, 250);
    for (const { client } of guests) await client.sink.close();
    await until(() => topics.stats().members === 0);
  });
});

Deno.test("topics: a subscription rejects if it is ended while it begins", async () => {
  const page = deferred();
  const engine = fakeEngine((log) => ({
    history: async (...args) => {
      await page.promise;
      return await log.history(...args);
    },
  }));
  await withTopics({ engine }, async (topics) => {
    const { server, client } = guest();
    const controller = new AbortController();
    const subscribed = rejection(topics.subscribe(server, "a", { signal: controller.signal }));
    await turn();
    controller.abort(new Error("enough"));
    assertEquals((await subscribed as Error).message, "enough");
    page.resolve();
    assertEquals(topics.stats().subscriptions, 0);
    await topics.subscribe(server, "a");
    await client.sink.close();
  });
});

Deno.test("topics: an unreachable engine is lost at first, and the topics wait for it", async () => {
  const ready = deferred();
  const engine = fakeEngine();
  const { open } = engine;
  engine.open = (events, settings) => {
    // The epoch is known when the engine is ready.
    let epoch = "";
    const log = open.call(engine, { ...events, onEpoch: (it) => void (epoch = it) }, settings);
    return { ...log, ready: ready.promise.then(() => events.onEpoch(epoch)) };
  };
  for (const whileLost of ["fail", "wait"] as const) {
    await withTopics({ engine, whileLost }, async (topics) => {
      const { server, client } = guest();
      const calls = [topics.publish("a", "1"), topics.subscribe(server, "a")];
      if (whileLost === "wait") ready.resolve();
      else engine.events.onLost(new EngineError("refused"));
      const results = await Promise.allSettled(calls);
      const expected = whileLost === "wait" ? "fulfilled" : "rejected";
      assertEquals(results.map(({ status }) => status), [expected, expected]);
      for (const it of results) {
        if (it.status === "rejected") assertEquals(it.reason.reason, "lost");
      }
      await client.sink.close();
    });
  }
});
