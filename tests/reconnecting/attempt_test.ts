import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import type { Target, TargetContext } from "../../src/reconnecting/mod.ts";
import { ReconnectingChannel } from "../../src/reconnecting/mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import type { WebSocketChannel } from "../../src/web_socket/web_socket_channel.ts";
import { microtasks, record } from "../support/events.ts";
import { until } from "../support/turns.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { NOTHING_LEFT, Rig } from "./support.ts";

// deno-lint-ignore no-explicit-any -- the value is wrong on purpose
const wrong = (value: unknown): any => value;

Deno.test("target: accepts a URL, a URL object, or options with a URL", async () => {
  const targets: Target[] = [
    "ws://host/a",
    new URL("ws://host/a"),
    { url: "ws://host/a", protocols: "p" },
    { url: new URL("ws://host/a"), protocols: ["p"] },
    () => "ws://host/a",
    () => Promise.resolve({ url: "ws://host/a", protocols: ["p"] }),
  ];
  for (const [i, target] of targets.entries()) {
    const rig = new Rig({ target, connectTimeout: 77, closeTimeout: 88 });
    await microtasks();
    const [url, options] = rig.asked[0] ?? [];
    assertEquals(url, "ws://host/a");
    assertEquals(options?.protocols, [2, 3, 5].includes(i) ? ["p"] : []);
    assertEquals([options?.connectTimeout, options?.closeTimeout], [77, 88]);
    await rig.channel.close();
  }
});

Deno.test("target: the options of a target override those of the channel", async () => {
  const target = { url: "ws://host/", connectTimeout: 5, headers: { a: "b" } };
  const rig = new Rig({ target, connectTimeout: 77, closeTimeout: 6 });
  const times = { connectTimeout: 5, closeTimeout: 6 };
  assertEquals(rig.asked[0]?.[1], { ...times, headers: { a: "b" }, protocols: [] });
  await rig.channel.close();
});

Deno.test("target: the channel calls a function for each attempt, with the attempt's state", async () => {
  const contexts: TargetContext[] = [];
  const rig = new Rig({
    target: (context) => {
      contexts.push(context);
      return `ws://host/${context.attempt}`;
    },
  });
  assertEquals(contexts, []);
  await microtasks();
  await rig.open();
  await rig.lose(4000, "again");
  await rig.advance(250);
  assertEquals(contexts.map(({ attempt }) => attempt), [1, 2]);
  assertEquals(contexts.map(({ lastClose }) => lastClose?.code), [undefined, 4000]);
  assertEquals(contexts[0]?.signal.aborted, false);
  assertEquals(rig.asked.map(([url]) => url), ["ws://host/1", "ws://host/2"]);
  await rig.channel.close();
  assertEquals(contexts[1]?.signal.aborted, true);
});

Deno.test("target: a function may use the channel before connect has returned it", async () => {
  const rig: Rig = new Rig({ target: () => `ws://${rig.channel.state.name}/` });
  await microtasks();
  assertEquals(rig.asked[0]?.[0], "ws://connecting/");
  await rig.channel.close();
});

Deno.test("target: the channel doesn't call a function after its close", async () => {
  let calls = 0;
  const rig = new Rig({ target: () => `ws://host/${++calls}` });
  await rig.channel.close();
  await microtasks();
  assertEquals([calls, rig.sockets.length], [0, 0]);
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("target: the channel calls a function again after it throws or rejects", async () => {
  await assertNoUncaught(async () => {
    const error = new TypeError("fetch failed");
    let calls = 0;
    const rig = new Rig({
      target: () => {
        calls++;
        if (calls === 1) throw error;
        return calls === 2 ? Promise.reject(undefined) : "ws://host/";
      },
    });
    await microtasks();
    const [, first] = rig.states;
    assert(first?.name === "waiting" && first.info.error === error);
    assertEquals(first.info.initiator, "transport");
    await rig.advance(250);
    await rig.advance(500);
    await rig.open();
    assertEquals([calls, rig.channel.state.name], [3, "open"]);
    await rig.channel.close();
  });
});

Deno.test("target: a function that never settles times out, and the channel closes its late result", async () => {
  await assertNoUncaught(async () => {
    const settle: ((made: string | WebSocketChannel) => void)[] = [];
    const fail: ((error: unknown) => void)[] = [];
    const signals: AbortSignal[] = [];
    const rig = new Rig({
      connectTimeout: 1000,
      target: ({ signal }) => {
        signals.push(signal);
        return new Promise((resolve, reject) => {
          settle.push(resolve);
          fail.push(reject);
        });
      },
    });
    await microtasks();
    for (let i = 0; i < 3; i++) {
      await rig.advance(1000);
      const { state } = rig.channel;
      assert(state.name === "waiting");
      await rig.advance(state.delay);
    }
    const error = signals[0]?.reason;
    assertEquals([error.name, signals.length], ["TimeoutError", 4]);
    const late = rig.socketChannel("ws://late/");
    settle[0]?.(late);
    settle[1]?.("ws://later/");
    fail[2]?.(new Error("latest"));
    await microtasks();
    assertEquals([(await late.closed).initiator, rig.sockets.length], ["local", 1]);
    assertEquals(rig.channel.state.name, "connecting");
    await rig.channel.close();
    assertEquals(signals[3]?.aborted, true);
    assertEquals(rig.left, NOTHING_LEFT);
  });
});

Deno.test("target: connectTimeout 0 waits forever", async () => {
  const rig = new Rig({ connectTimeout: 0, target: () => new Promise(() => {}) });
  await microtasks();
  await rig.advance(100_000_000);
  assertEquals(rig.channel.state.name, "connecting");
  await rig.channel.close();
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("target: an attempt that takes too long fails with the connection's own error", async () => {
  const rig = new Rig({ connectTimeout: 1000 });
  await rig.advance(1000);
  const { state } = rig.channel;
  assert(state.name === "waiting");
  assertEquals(state.info.initiator, "timeout");
  assertEquals(
    String(state.info.error),
    "TimeoutError: Cannot connect: it took longer than 1000 ms",
  );
  await rig.channel.close();
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("target: a function must return a target", async () => {
  for (const made of [undefined, null, 1, true, {}, [], () => "ws://host/", Symbol("x")]) {
    const rig = new Rig({ target: () => wrong(made) });
    const { events } = record(rig.channel.stream);
    await microtasks();
    const { error, initiator } = await rig.channel.closed;
    assertInstanceOf(error, TypeError);
    assertEquals([initiator, events.length, rig.sockets.length], ["local", 2, 0]);
    assertEquals(rig.left, NOTHING_LEFT);
  }
  for (const made of ["x:y", { url: "ws://host/#x" }, { url: "ws://a", protocols: ["a b"] }]) {
    const rig = new Rig({ target: () => made });
    await microtasks();
    assertInstanceOf((await rig.channel.closed).error, SyntaxError);
  }
  const rig = new Rig({ target: () => wrong({ url: "ws://host/", nonsense: 1 }) });
  await microtasks();
  assertInstanceOf((await rig.channel.closed).error, TypeError);
});

Deno.test("target: retry may allow another attempt after a malformed value", async () => {
  let calls = 0;
  const rig = new Rig({
    retry: () => true,
    target: () => ++calls === 1 ? "x:y" : "ws://host/",
  });
  await microtasks();
  await rig.advance(250);
  await rig.open();
  assertEquals(rig.channel.state.name, "open");
  await rig.channel.close();
});

Deno.test("target: a malformed value of an earlier attempt doesn't fail the stream of a later connection", async () => {
  let calls = 0;
  const rig = new Rig({
    retry: ({ code }) => code !== 1000,
    target: () => ++calls === 1 ? "x:y" : "ws://host/",
  });
  const { events } = record(rig.channel.stream);
  await microtasks();
  await rig.advance(250);
  await rig.open();
  await rig.lose(1000);
  assertEquals([events, rig.channel.state.name], [["done"], "closed"]);
});

Deno.test("target: a malformed value throws at the call, and leaves no timer", async () => {
  const told: unknown[] = [];
  const onState = (state: unknown): void => void told.push(state);
  for (const target of ["x:y", "ws://host/#x", { url: "x:y" }]) {
    assertThrows(() => new Rig({ target, onState }), SyntaxError);
  }
  assertThrows(
    () => new Rig({ target: { url: "ws://a", protocols: "a b" }, onState }),
    SyntaxError,
  );
  for (const target of [null, 1, true, {}, [], Symbol("x"), { url: 1 }, { url: "ws://a", x: 1 }]) {
    assertThrows(() => new Rig({ target: wrong(target), onState }), TypeError);
  }
  assertThrows(() => ReconnectingChannel.connect(wrong(undefined)), TypeError);
  await microtasks();
  assertEquals(told, []);
});

Deno.test("target: accepts a channel over any transport, open or connecting", async () => {
  const pairs = [webSocketChannelPair(), webSocketChannelPair()];
  let calls = 0;
  const channel = ReconnectingChannel.connect(() => pairs[calls++]?.client as WebSocketChannel, {
    firstDelay: 0,
  });
  const { events } = record(channel.stream);
  for (const [i, { server }] of pairs.entries()) {
    server.stream.listen((message) => server.sink.add(`${i}${message}`));
    channel.sink.add("x");
    await until(() => events.length === i + 1);
    server.terminate();
    await server.closed;
    if (i === 0) await until(() => channel.connection === pairs[1]?.client);
  }
  assertEquals(events, ["0x", "1x"]);
  await channel.close();
});

Deno.test("target: refuses a channel that is already closed or has a reader", async () => {
  const { client } = webSocketChannelPair();
  client.terminate();
  await client.closed;
  const rig = new Rig({ target: () => client });
  const { events } = record(rig.channel.stream);
  await microtasks();
  await rig.advance(250);
  // The first time, the channel only ends at once; the second time, it has already had a reader.
  const { error, attempts } = await rig.channel.closed;
  assertEquals([(error as Error).name, attempts], ["InvalidStateError", 2]);
  assertEquals(events.at(-1), "done");
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("target: refuses a channel with a reader, and leaves it to that reader", async () => {
  const { client, server } = webSocketChannelPair();
  const shared = (): WebSocketChannel => client;
  const first = ReconnectingChannel.connect(shared);
  const { events } = record(first.stream);
  await until(() => first.state.name === "open");
  const second = ReconnectingChannel.connect(shared);
  const { error, initiator, attempts } = await second.closed;
  assertEquals([(error as Error).name, initiator, attempts], ["InvalidStateError", "local", 1]);
  assertStringIncludes(`${error}`, "the target function returned a channel with a reader");
  await assertRejects(async () => await second.stream.next(), DOMException, "with a reader");
  // The first reader is unaffected.
  server.sink.add("still there");
  await until(() => events.length === 1);
  assertEquals([first.state.name, events], ["open", ["still there"]]);
  await first.close();
});

Deno.test("target: tolerates a hand-written channel whose closed rejects or terminate throws", async () => {
  await assertNoUncaught(async () => {
    const made: WebSocketChannel[] = [];
    const rig: Rig = new Rig({
      target: () => {
        const channel = rig.socketChannel("ws://host/");
        const closed = channel.closed.then(() => Promise.reject(new Error("closed rejects")));
        const odd = {
          stream: channel.stream,
          sink: channel.sink,
          ready: channel.ready,
          closed,
          capabilities: channel.capabilities,
          terminate: () => {
            channel.terminate();
            throw new Error("terminate throws");
          },
        };
        made.push(wrong(odd));
        return wrong(odd);
      },
    });
    await microtasks();
    await rig.open();
    rig.channel.reconnect();
    await microtasks();
    assertEquals(rig.channel.state.name, "waiting");
    await rig.advance(0);
    await rig.lose();
    assertEquals(rig.channel.state.name, "waiting");
    await rig.channel.close();
    assertEquals(made.length, 2);
  });
});

const WRONG_OPTIONS: Readonly<Record<string, readonly unknown[]>> = {
  onState: [1, "x", {}, null],
  signal: [1, {}, null, new AbortController()],
  firstDelay: ["1", NaN, -1, Infinity, null],
  maxDelay: ["1", NaN, -1, 1e12],
  minUptime: ["1", -1],
  retry: [true, 1, null],
  whileAway: ["wait", true, null],
  maxBuffer: ["1", NaN, -1],
  connectTimeout: ["1", -1],
  closeTimeout: ["1", -1],
  heartbeat: [true, {}, { interval: 1, timeout: 1 }, { interval: 1, timeout: 1, message: "x" }, {
    interval: -1,
    timeout: 1,
    message: () => "",
  }, { interval: 1, timeout: 1, message: () => "", isReply: 1 }],
  resume: [true, {}, { createLine: 1 }],
  clock: [1, "x", null],
  random: [0.5, null],
  nonsense: [1],
};

for (const [name, values] of Object.entries(WRONG_OPTIONS)) {
  Deno.test(`options: ${name} of a wrong type or range throws`, () => {
    for (const value of values) {
      const error = assertThrows(
        () => ReconnectingChannel.connect("ws://127.0.0.1:9", wrong({ [name]: value })),
        Error,
      );
      assert(error instanceof TypeError || error instanceof RangeError, String(error));
      assert(error.message.includes(name), error.message);
    }
  });
}
