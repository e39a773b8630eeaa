/** Subscribers of every kind: resumable, native, connecting, closing; and callbacks that change the messages. */

import { assert, assertEquals } from "@std/assert";
import { ReconnectingChannel, resumption, Sessions } from "../../src/reconnecting/mod.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { EngineError, memory, Topics, type TopicsState } from "../../src/topics/mod.ts";
import { WebSocketChannel } from "../../src/web_socket_channel.ts";
import type { Message } from "../../src/web_socket/web_socket_channel.ts";
import { rejection } from "../support/promises.ts";
import { turn, until } from "../support/turns.ts";
import { fakeEngine } from "./fake_engine.ts";

function guest(): ReturnType<typeof webSocketChannelPair> & { received: Message[] } {
  const pair = webSocketChannelPair();
  const received: Message[] = [];
  pair.client.stream.listen((message) => received.push(message));
  return { ...pair, received };
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);
}

Deno.test("topics: a disconnected resumable channel later gets the missed messages, once and in order", async () => {
  const topics = new Topics();
  const sessions = new Sessions();
  const server = await WebSocketServer.bind({
    handler: sessions.handler(async (channel) => {
      await topics.subscribe(channel, "a");
      await topics.publish("a", "1");
      await channel.closed;
    }),
  });
  const channel = ReconnectingChannel.connect(server.url, { resume: resumption(), retry: () => 1 });
  const received: Message[] = [];
  channel.stream.listen((message) => received.push(message));
  await until(() => received.length === 1);
  for (let round = 0; round < 3; round++) {
    channel.connection?.terminate();
    for (const it of numbers(2 + 20 * round, 21 + 20 * round)) {
      await topics.publish("a", it);
      if (it.endsWith("5")) await turn();
    }
    await until(() => received.length === 21 + 20 * round && channel.connection !== null);
  }
  assertEquals(received, numbers(1, 61));
  assertEquals([topics.stats().subscriptions, topics.stats().resyncs, sessions.size], [1, 0, 1]);
  await channel.close();
  await until(() => topics.stats().subscriptions === 0);
  await server.close();
  await topics.close();
});

const lacksNative = typeof WebSocket === "undefined";

Deno.test({
  name: `topics: a channel over the platform's WebSocket is a subscriber, also while it connects${
    lacksNative ? " (left out: this runtime has no WebSocket)" : ""
  }`,
  ignore: lacksNative,
  fn: async () => {
    const topics = new Topics({ slow: "drop-oldest", maxQueueSize: 1000 });
    const received: Message[] = [];
    const server = await WebSocketServer.bind({
      handler: async ({ stream }) => {
        for await (const message of stream) received.push(message);
      },
    });
    await topics.publish("a", "1");
    const channel = WebSocketChannel.connect(server.url, { transport: "native" });
    assertEquals(channel.state, "connecting");
    const subscribed = topics.subscribe(channel, "a", { last: 1 });
    await topics.publish("a", "2");
    assertEquals((await subscribed).replayed, 1);
    await topics.publish("a", new Uint8Array([3]));
    await until(() => received.length === 2);
    assertEquals([received[0], received[1]], ["2", new Uint8Array([3])]);
    await channel.sink.close();
    await until(() => topics.stats().subscriptions === 0);
    const failing = WebSocketChannel.connect("ws://127.0.0.1:9/", { transport: "native" });
    await rejection(topics.subscribe(failing, "a"));
    assertEquals(topics.stats().subscriptions, 0);
    await server.close();
    await topics.close();
  },
});

Deno.test("topics: a closing channel gets no more messages, and the others get every message", async () => {
  const topics = new Topics();
  const [leaving, good] = [guest(), guest()];
  const states: string[] = [];
  const onState = ({ name }: { name: string }): void => void states.push(name);
  await topics.subscribe(leaving.server, "a", { onState });
  await topics.subscribe(good.server, "a");
  await topics.publish("a", "1");
  const closed = leaving.server.sink.close(4000, "bye");
  assertEquals(leaving.server.state, "closing");
  const error = await rejection(topics.subscribe(leaving.server, "b")) as Error;
  assertEquals(error.message, "Cannot subscribe: the channel is closed");
  await topics.publish("a", "2");
  await closed;
  await topics.publish("a", "3");
  await until(() => good.received.length === 3);
  assertEquals([leaving.received, good.received, states], [["1"], ["1", "2", "3"], ["live"]]);
  assertEquals(topics.stats().subscriptions, 1);
  await good.client.sink.close();
  await topics.close();
});

Deno.test("topics: messages published within wrap, onState and a listener have the same order for all subscribers", async () => {
  const engine = memory();
  const one = new Topics({ engine });
  const other = new Topics({ engine });
  const guests = [guest(), guest(), guest()] as const;
  const published: Promise<unknown>[] = [];
  const publish = (message: string): void => void published.push(one.publish("a", message));
  const wrap = (message: Message): Message => {
    if (message === "1") publish("of wrap");
    return message;
  };
  await guests[0].client.sink.ready;
  guests[2].server.stream.listen((message) => publish(`of a listener: ${message}`));
  await one.subscribe(guests[0].server, "a", { wrap });
  await other.subscribe(guests[1].server, "a");
  await other.subscribe(guests[2].server, "a", { onState: ({ name }) => publish(`of ${name}`) });
  guests[2].client.sink.add("hi");
  await one.publish("a", "1");
  await until(() => guests[0].received.length === 4);
  await Promise.all(published);
  await until(() => guests.every(({ received }) => received.length >= 4));
  for (const { received } of guests) assertEquals(received, guests[0].received);
  assertEquals(
    [...guests[0].received].sort(),
    ["1", "of a listener: hi", "of live", "of wrap"],
  );
  for (const { client } of guests) await client.sink.close();
  await one.close();
  await other.close();
});

Deno.test("topics: subscriptions that end or begin during a delivery do not affect the others", async () => {
  const topics = new Topics();
  const guests = Array.from({ length: 5 }, guest);
  const [first, , , , late] = guests as [ReturnType<typeof guest>, ...typeof guests];
  const subscriptions = new Map<number, { unsubscribe(): void }>();
  let joined: Promise<unknown> | null = null;
  const wrapFor = (index: number) => (message: Message): Message => {
    // The first one ends itself and a later one, and begins another one.
    if (index === 0 && message === "2") {
      for (const it of [0, 2]) subscriptions.get(it)?.unsubscribe();
      joined = topics.subscribe((late as ReturnType<typeof guest>).server, "a", { last: 0 });
    }
    return message;
  };
  for (let i = 0; i < 4; i++) {
    const { server } = guests[i] as ReturnType<typeof guest>;
    subscriptions.set(i, await topics.subscribe(server, "a", { wrap: wrapFor(i) }));
  }
  for (const it of ["1", "2", "3"]) await topics.publish("a", it);
  await joined;
  await topics.publish("a", "4");
  await until(() => guests[3]?.received.length === 4);
  await until(() => late?.received.at(-1) === "4");
  assertEquals(guests.map(({ received }) => received.join("")), [
    ...["1", "1234", "1", "1234"],
    late?.received.join(""),
  ]);
  assert(["34", "4"].includes(late?.received.join("") ?? ""), late?.received.join(""));
  assertEquals(topics.stats().subscriptions, 3);
  subscriptions.get(0)?.unsubscribe();
  await topics.subscribe(first.server, "a");
  for (const { client } of guests) await client.sink.close();
  await topics.close();
});

Deno.test("topics: close during a delivery ends all subscriptions, and reports that once", async () => {
  const topics = new Topics();
  const guests = [guest(), guest()] as const;
  const states: string[] = [];
  let closed: Promise<void> | null = null;
  await topics.subscribe(guests[0].server, "a", {
    wrap: (message) => {
      closed = topics.close();
      return message;
    },
    onState: ({ name }) => void states.push(name),
  });
  await topics.subscribe(guests[1].server, "a");
  await topics.publish("a", "1");
  await closed;
  for (const { server } of guests) server.sink.add("open");
  await until(() => guests.every(({ received }) => received.at(-1) === "open"));
  assertEquals([states, topics.stats().subscriptions], [["live", "ended"], 0]);
  for (const { client } of guests) await client.sink.close();
});

Deno.test("topics: keeps messages and subscriptions that onState begins", async () => {
  const engine = fakeEngine();
  const published: Promise<unknown>[] = [];
  const late = guest();
  const topics = new Topics({
    engine,
    onState({ name }: TopicsState) {
      published.push(topics.publish("a", name));
      if (name === "lost") published.push(topics.subscribe(late.server, "a", { last: 10 }));
    },
  });
  const { server, client, received } = guest();
  await topics.subscribe(server, "a");
  engine.events.onLost(new EngineError("lost"));
  engine.events.onRestored();
  await Promise.all(published.splice(0));
  await until(() => received.length === 2 && late.received.length === 2);
  assertEquals([...received].sort(), ["live", "lost"]);
  assertEquals(late.received, received);
  await topics.close();
  // The subscription of the state `ended`.
  const error = await rejection(published[0] as Promise<unknown>) as Error;
  assertEquals(error.message, "Cannot publish: the topics are closed");
  for (const it of [client, late.client]) await it.sink.close();
});

Deno.test("topics: a refusal rejects pending and later calls until the engine is back", async () => {
  const engine = fakeEngine();
  const states: string[] = [];
  const onState = (state: TopicsState): void => void states.push(state.name);
  const topics = new Topics({ engine, onState });
  const { server, client, received } = guest();
  const own: string[] = [];
  await topics.subscribe(server, "a", { onState: ({ name }) => void own.push(name) });
  engine.events.onLost(new EngineError("away"));
  const waiting = [topics.publish("a", "1"), topics.presence("a"), topics.subscribe(server, "b")];
  const cause = new Error("NOAUTH");
  engine.events.onLost(cause);
  engine.events.onLost(cause);
  for (const it of [...waiting, topics.publish("a", "2")]) {
    const error = await rejection(it) as { reason?: string; cause?: unknown };
    assertEquals([error.reason, error.cause], ["refused", cause]);
  }
  engine.events.onLost(new EngineError("away again"));
  const kept = topics.publish("a", "3");
  engine.events.onRestored();
  await kept;
  await until(() => received.length === 1);
  assertEquals([received, states], [["3"], ["lost", "lost", "lost", "live"]]);
  assertEquals(own, ["live", "lost", "live"]);
  await client.sink.close();
  await topics.close();
});

Deno.test("topics: sends a message once that the log reports again after the history", async () => {
  const engine = fakeEngine();
  const topics = new Topics({ engine });
  const { server, client, received } = guest();
  await topics.subscribe(server, "a");
  for (const it of ["1", "2"]) await topics.publish("a", it);
  const { offset } = await topics.publish("a", "3");
  const position = BigInt(parseInt(offset.split(".")[1] ?? "", 36));
  // The log reports a delivered message again.
  engine.events.onEntry({ topic: "a", message: "3", position });
  engine.events.onGap({ after: 0n, includes: () => true });
  engine.events.onEntry({ topic: "a", message: "3", position });
  await topics.publish("a", "4");
  await until(() => received.at(-1) === "4");
  assertEquals(received, numbers(1, 4));
  await client.sink.close();
  await topics.close();
});

Deno.test("topics: reads live messages as history if too many arrive while the history is read", async () => {
  let whileRead: (() => Promise<unknown>) | null = null;
  const engine = fakeEngine((log) => ({
    history: async (...args) => {
      const page = await log.history(...args);
      const act = whileRead;
      whileRead = null;
      await act?.();
      return page;
    },
  }));
  const topics = new Topics({ engine });
  const { server, client, received } = guest();
  const body = "x".repeat(300_000);
  whileRead = () => Promise.all(numbers(1, 5).map((it) => topics.publish("a", `${it} ${body}`)));
  const { replayed } = await topics.subscribe(server, "a");
  await topics.publish("a", "6");
  await until(() => received.at(-1) === "6");
  assertEquals(received.map((it) => String(it).split(" ")[0]), numbers(1, 6));
  assertEquals(replayed, 5);
  await client.sink.close();
  await topics.close();
});

Deno.test("topics: a new log while the history is sent is a resync, and its messages are sent", async () => {
  let epoch: string | null = null;
  const engine = fakeEngine((log) => ({
    history: async (...args) => {
      const page = await log.history(...args);
      return epoch === null ? page : { ...page, epoch };
    },
  }));
  const topics = new Topics({ engine });
  const { server, client, received } = guest();
  const states: string[] = [];
  for (const it of numbers(1, 3)) await topics.publish("a", it);
  const wrap = (message: Message): Message => {
    if (message !== "2" || epoch !== null) return message;
    engine.events.onEpoch(epoch = "other");
    return message;
  };
  const onState = ({ name }: { name: string }): void => void states.push(name);
  const { offset, resync } = await topics.subscribe(server, "a", { last: 2, wrap, onState });
  assertEquals([offset.split(".")[0], resync, states], ["other", true, ["resync", "live"]]);
  await topics.publish("a", "4");
  await until(() => received.at(-1) === "4");
  assertEquals(received, ["2", "3", "2", "3", "4"]);
  await client.sink.close();
  await topics.close();
});

Deno.test("topics: a new log while the history is read starts the history again", async () => {
  let isReset = false;
  const engine = fakeEngine((log, events) => ({
    history: async (...args) => {
      const page = await log.history(...args);
      const epoch = isReset ? "other" : page.epoch;
      if (!isReset) {
        isReset = true;
        events.onEpoch("other");
      }
      return { ...page, epoch };
    },
  }));
  const topics = new Topics({ engine });
  const { server, client, received } = guest();
  await topics.publish("a", "1");
  const { offset, resync } = await topics.subscribe(server, "a", { last: 1, after: "old.1" });
  assertEquals([offset.split(".")[0], resync], ["other", true]);
  await topics.publish("a", "2");
  await until(() => received.at(-1) === "2");
  assertEquals(topics.stats().subscriptions, 1);
  await client.sink.close();
  await topics.close();
});
