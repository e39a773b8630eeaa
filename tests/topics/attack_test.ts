/** Topics with misbehaving callers, callbacks and engines. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { EngineError, memory, Topics, type TopicsOptions } from "../../src/topics/mod.ts";
import { PendingAnswers } from "../../src/topics/pending_answers.ts";
import { membersIn } from "../../src/topics/presence.ts";
import type { Message } from "../../src/web_socket/web_socket_channel.ts";
import { deferred, rejection } from "../support/promises.ts";
import { turn, until } from "../support/turns.ts";
import { fakeEngine } from "./fake_engine.ts";

// deno-lint-ignore no-explicit-any -- the value is wrong on purpose
const wrong = (value: unknown): any => value;

function guest(): ReturnType<typeof webSocketChannelPair> & { received: Message[] } {
  const pair = webSocketChannelPair();
  const received: Message[] = [];
  pair.client.stream.listen((message) => received.push(message));
  return { ...pair, received };
}

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

Deno.test("topics: refuses an engine that never reports its epoch or has no last page", async () => {
  for (const fault of [{ epoch: "other" }, { isLast: false, entries: [] }]) {
    const engine = fakeEngine((log) => ({
      history: async (...args) => ({ ...await log.history(...args), ...fault }),
    }));
    const errors: unknown[] = [];
    await withTopics({ engine, onError: (error) => errors.push(error) }, async (topics) => {
      const { server, client } = guest();
      const error = await rejection(topics.subscribe(server, "a"));
      assert(error instanceof EngineError, String(error));
      assert(error.message.startsWith("The engine is faulty"));
      assertEquals([topics.stats().subscriptions, topics.stats().topics], [0, 0]);
      await client.sink.close();
    });
    assertEquals(errors, []);
  }
});

Deno.test("topics: catching up ends although the history of an engine does not end", async () => {
  let isFaulty = false;
  const engine = fakeEngine((log) => ({
    history: async (...args) => ({
      ...await log.history(...args),
      ...isFaulty ? { isLast: false, entries: [] } : {},
    }),
  }));
  const errors: unknown[] = [];
  await withTopics({ engine, onError: (error) => errors.push(error) }, async (topics) => {
    const { server, client, received } = guest();
    await topics.subscribe(server, "a");
    isFaulty = true;
    engine.events.onGap({ after: 0n, includes: () => true });
    await topics.publish("a", "1");
    await until(() => received.length === 1);
    assertEquals(errors.map((error) => error instanceof EngineError), [true]);
    await client.sink.close();
  });
});

Deno.test("topics: close closes and reports the engine once, although callbacks call close again", async () => {
  const page = deferred();
  let closes = 0;
  const engine = fakeEngine((log) => {
    const close = log.close.bind(log);
    log.close = () => {
      closes++;
      return close();
    };
    return {
      history: async (...args) => {
        await page.promise;
        return await log.history(...args);
      },
    };
  });
  const again: Promise<void>[] = [];
  const topics = new Topics({ engine, onState: () => void again.push(topics.close()) });
  const { server, client } = guest();
  const subscribed = rejection(topics.subscribe(server, "a"));
  await turn();
  const first = topics.close();
  assertEquals((await subscribed as Error).message, "Cannot subscribe: the topics are closed");
  page.resolve();
  await Promise.all([first, topics.close(), ...again]);
  assertEquals([closes, again.length, again[0] === first], [1, 1, true]);
  await client.sink.close();
});

Deno.test("topics: errors of callbacks, thrown at once or later, go only to onError", async () => {
  const errors: Error[] = [];
  const engine = fakeEngine();
  const fail = (): never => {
    throw new Error("thrown");
  };
  const failLater = wrong(() => Promise.reject(new Error("later")));
  const options: TopicsOptions = {
    engine,
    onState: fail,
    onError: (error) => errors.push(error as Error),
  };
  await withTopics(options, async (topics) => {
    const { server, client } = guest();
    const other = guest();
    await topics.subscribe(server, "a", { onState: failLater });
    assertEquals(errors.splice(0).map(({ name }) => name), ["TypeError"]);
    engine.events.onLost(new EngineError("lost"));
    engine.events.onRestored();
    assertEquals(errors.splice(0).map(({ name }) => name).sort(), [
      ...["Error", "Error", "TypeError", "TypeError"],
    ]);
    await topics.subscribe(other.server, "a", { wrap: failLater });
    await topics.publish("a", "1");
    assertEquals((await other.client.closed).code, 1011);
    assertEquals(errors.splice(0).map(({ name }) => name), ["TypeError"]);
    await client.sink.close();
  });
  assertEquals(errors.map(({ message }) => message), ["thrown"]);
});

Deno.test("topics: a signal that aborts during the history ends the subscription", async () => {
  const page = deferred();
  let isHeld = false;
  const engine = fakeEngine((log) => ({
    history: async (...args) => {
      const answer = await log.history(...args);
      if (isHeld) await page.promise;
      return answer;
    },
  }));
  await withTopics({ engine }, async (topics) => {
    for (let i = 0; i < 100; i++) await topics.publish("a", `${i}`);
    for (const isLive of [false, true]) {
      const { server, client, received } = guest();
      const controller = new AbortController();
      const wrap = (message: Message): Message => {
        if (message === (isLive ? "live" : "9")) controller.abort(new Error("enough"));
        return message;
      };
      isHeld = isLive;
      const options = { last: isLive ? 0 : 100, wrap, signal: controller.signal };
      const subscribed = rejection(topics.subscribe(server, "a", options));
      if (isLive) {
        await turn();
        for (const it of ["live", "later"]) await topics.publish("a", it);
        page.resolve();
      }
      assertEquals((await subscribed as Error).message, "enough");
      await topics.publish("a", "last");
      server.sink.add("end");
      await until(() => received.at(-1) === "end");
      assertEquals(received.length, isLive ? 2 : 11);
      assertEquals([topics.stats().subscriptions, topics.stats().topics], [0, 0]);
      await client.sink.close();
    }
  });
});

Deno.test("topics: arguments of the wrong type are typed errors, and leave no state behind", async () => {
  await withTopics({}, async (topics) => {
    const { server, client } = guest();
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    for (const presence of [circular, 1n, { toJSON: () => undefined }]) {
      const error = await rejection(topics.subscribe(server, "a", { presence }));
      assert(error instanceof TypeError);
      assert(error.message.startsWith("Cannot use the option presence: "), error.message);
    }
    for (const options of [null, 5, "after", true, [], () => {}]) {
      await assertRejects(() => topics.subscribe(server, "a", wrong(options)), TypeError);
      await assertRejects(() => topics.publish("a", "", wrong(options)), TypeError);
    }
    for (const state of ["open", 1]) {
      const channel = wrong({ sink: {}, closed: {}, state });
      await assertRejects(() => topics.subscribe(channel, "a"), TypeError);
    }
    assertEquals([topics.stats().subscriptions, topics.stats().topics], [0, 0]);
    await client.sink.close();
  });
});

Deno.test("topics: a channel whose closed promise rejects, or throws, ends its subscriptions", async () => {
  await withTopics({}, async (topics) => {
    let reject = (_: Error): void => {};
    const closed = new Promise((_, no) => reject = no);
    const sink = { hasRoom: true, add: () => {} };
    const channel = wrong({ state: "open", sink, closed });
    await topics.subscribe(channel, "a");
    await topics.subscribe(channel, "b");
    reject(new Error("lost"));
    await until(() => topics.stats().subscriptions === 0);
    const then = (): never => {
      throw new Error("thrown");
    };
    await rejection(topics.subscribe(wrong({ state: "open", sink, closed: { then } }), "a"));
    assertEquals([topics.stats().subscriptions, topics.stats().topics], [0, 0]);
  });
});

Deno.test("topics: the JSON of a subscription has its public members", async () => {
  await withTopics({}, async (topics) => {
    const { server, client } = guest();
    const subscription = await topics.subscribe(server, "a");
    const { offset } = subscription;
    const seen = { topic: "a", offset, replayed: 0, resync: false };
    assertEquals(JSON.parse(JSON.stringify(subscription)), seen);
    await client.sink.close();
  });
});

Deno.test("topics: announcements of many members with much metadata stay small", async () => {
  const lengths: number[] = [];
  const engine = fakeEngine((log) => ({
    announce: (topic, slot, text) => {
      lengths.push(text?.length ?? 0);
      return log.announce(topic, slot, text);
    },
  }));
  await withTopics({ engine }, async (topics) => {
    const guests = Array.from({ length: 100 }, guest);
    const presence = "ä".repeat(4000);
    await Promise.all(guests.map(({ server }) => topics.subscribe(server, "a", { presence })));
    assertEquals((await topics.presence("a")).length, 100);
    assert(Math.max(...lengths) < 120_000, `${Math.max(...lengths)}`);
    for (const { client } of guests) await client.sink.close();
    await until(() => topics.stats().members === 0);
  });
  const foreign = ["", "{}", "[null,1,{}]", `[{"id":"x","metadata":1}]`];
  assertEquals(membersIn(foreign), [{ id: "x", metadata: 1 }]);
});

Deno.test("topics: releases a pending request with its answer, and rejects it when the connection ends", async () => {
  const pending = new PendingAnswers();
  const results = await Promise.allSettled([
    pending.within(Promise.resolve(1)),
    pending.within(Promise.reject(new EngineError("refused"))),
  ]);
  assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected"]);
  assertEquals(pending.size, 0);
  const lost = new EngineError("lost");
  const waiting = rejection(pending.within(new Promise<void>(() => {})));
  pending.reject(lost);
  pending.reject(new Error("again"));
  assertEquals([await waiting, pending.size], [lost, 0]);
  assertEquals(await rejection(pending.within(Promise.reject(new Error("late")))), lost);
});

Deno.test("topics: ten thousand consecutive subscriptions of one channel leave nothing behind", async () => {
  await withTopics({ engine: memory() }, async (topics) => {
    const { server, client, received } = guest();
    const { signal } = new AbortController();
    const topic = (i: number): string => `${i % 10}`;
    for (let i = 0; i < 10_000; i++) {
      (await topics.subscribe(server, topic(i), { signal })).unsubscribe();
    }
    const { subscriptions, topics: count, members } = topics.stats();
    assertEquals([subscriptions, count, members], [0, 0, 0]);
    await topics.publish("0", "not subscribed");
    await topics.subscribe(server, "0");
    await topics.publish("0", "1");
    await until(() => received.length > 0);
    assertEquals(received, ["1"]);
    await client.sink.close();
  });
});

Deno.test("topics: sends a message once that is both in the history and live", async () => {
  let whileRead: (() => Promise<unknown>) | null = null;
  const engine = fakeEngine((log) => ({
    history: async (...args) => {
      await whileRead?.();
      whileRead = null;
      return await log.history(...args);
    },
  }));
  await withTopics({ engine }, async (topics) => {
    const { offset } = await topics.publish("a", "0");
    const { server, client, received } = guest();
    whileRead = () => topics.publish("a", "1");
    const { replayed } = await topics.subscribe(server, "a", { after: offset });
    await topics.publish("a", "2");
    await until(() => received.at(-1) === "2");
    assertEquals([received, replayed], [["1", "2"], 1]);
    await client.sink.close();
  });
});
