import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import {
  channelPair,
  Disconnector,
  type StreamChannel,
  withGuarantees,
} from "../../src/stream_channel/mod.ts";
import {
  assertInvalidState,
  countingSignal,
  microtasks,
  record,
  settled,
} from "../support/events.ts";
import { OpenSource, RawChannel } from "./raw_channel.ts";

interface Fixture {
  readonly raw: RawChannel<number>;
  readonly disconnector: Disconnector<number>;
  readonly channel: StreamChannel<number>;
}

function open(options?: { holdClose?: boolean; takeErrors?: boolean }): Fixture {
  const raw = new RawChannel<number>(options);
  const disconnector = new Disconnector<number>();
  return { raw, disconnector, channel: withGuarantees(raw).transform(disconnector) };
}

Deno.test("C116 before disconnect: added values and close pass", async () => {
  const { raw, channel } = open();
  for (const value of [1, 2, 3]) assert(channel.sink.add(value));
  await channel.sink.close();
  assertEquals(raw.out, [1, 2, 3, "done"]);
});

Deno.test("C117 before disconnect: incoming values pass", async () => {
  const { raw, channel } = open();
  const { events } = record(channel.stream);
  [1, 2, 3].forEach((value) => raw.in.add(value));
  raw.in.end();
  await microtasks();
  assertEquals(events, [1, 2, 3, "done"]);
});

Deno.test("C118 before disconnect: after close, add, addError and addStream throw", async () => {
  const { sink } = open().channel;
  await sink.close();
  assertInvalidState(() => sink.add(1));
  assertInvalidState(() => sink.addError(new Error()));
  assertInvalidState(() => sink.addStream([1]));
});

Deno.test("C119 before disconnect: during addStream, add, addError, addStream and close throw", async () => {
  const { disconnector, channel: { sink } } = open();
  const added = sink.addStream(new OpenSource<number>());
  assertInvalidState(() => sink.add(1));
  assertInvalidState(() => sink.addError(new Error()));
  assertInvalidState(() => sink.addStream([1]));
  assertInvalidState(() => sink.close());
  disconnector.disconnect();
  await assertRejects(() => added, DOMException);
});

Deno.test("C120 (changed) during addStream: the source is cancelled, and its promise rejects", async () => {
  const { disconnector, channel } = open();
  const source = new OpenSource<number>();
  const added = channel.sink.addStream(source);
  disconnector.disconnect();
  await assertRejects(() => added, DOMException);
  assert(source.cancelled);
});

Deno.test("C121 disconnect fulfils when the inner close does, and returns one promise", async () => {
  const { raw, disconnector } = open({ holdClose: true });
  const disconnected = disconnector.disconnect();
  assertStrictEquals(disconnector.disconnect(), disconnected);
  assert(disconnector.isDisconnected);
  assertFalse(await settled(disconnected));
  raw.finish();
  await disconnected;
});

Deno.test("C122 after disconnect: added values are dropped, close fulfils, and the inner sink ends empty", async () => {
  const { raw, disconnector, channel } = open();
  assertFalse(disconnector.isDisconnected);
  disconnector.disconnect();
  for (const value of [1, 2, 3]) assertFalse(channel.sink.add(value));
  await channel.sink.close();
  assertEquals(raw.out, ["done"]);
});

Deno.test("C123 after disconnect: the stream ends, and queued values are lost", async () => {
  const { raw, disconnector, channel } = open();
  raw.in.add(1);
  await microtasks();
  disconnector.disconnect();
  raw.in.add(2);
  const { events } = record(channel.stream);
  await microtasks();
  assertEquals(events, ["done"]);
});

Deno.test("C124 after disconnect: done fulfils", async () => {
  const { disconnector, channel } = open();
  disconnector.disconnect();
  await channel.sink.done;
});

Deno.test("C125 after disconnect: close fulfils; then add and addError throw", async () => {
  const { disconnector, channel: { sink } } = open();
  await disconnector.disconnect();
  await sink.close();
  assertInvalidState(() => sink.add(1));
  assertInvalidState(() => sink.addError(new Error()));
});

Deno.test("S60 disconnect settles even if neither end has a reader", async () => {
  const disconnector = new Disconnector<number>();
  const pairs = [1, 2, 3].map(() => channelPair<number>());
  const channels = pairs.map((pair) => disconnector.transformChannel(pair.local));
  channels.forEach((channel) => channel.sink.add(1));
  await disconnector.disconnect();
  for (const { foreign } of pairs) {
    assertEquals(await foreign.stream.next(), { done: false, value: 1 });
    assertEquals((await foreign.stream.next()).done, true);
  }
});

Deno.test("S60 disconnect settles even if the reader of the other end pauses", async () => {
  const { local, foreign } = channelPair<number>();
  foreign.stream.listen(() => {}).pause();
  const disconnector = new Disconnector<number>();
  disconnector.transformChannel(local).sink.add(1);
  await disconnector.disconnect();
});

Deno.test("S60 disconnect rejects with the first failure of an inner close", async () => {
  const disconnector = new Disconnector<number>();
  const error = new Error("inner");
  const [bad, good] = [1, 2].map(() => new RawChannel<number>({ holdClose: true }));
  assert(bad !== undefined && good !== undefined);
  disconnector.transformChannel(bad);
  disconnector.transformChannel(good);
  const disconnected = disconnector.disconnect();
  bad.control.fail(error);
  assertStrictEquals(await assertRejects(() => disconnected), error);
  good.finish();
});

Deno.test("S61 a channel that is bound after disconnect is disconnected at once", async () => {
  const disconnector = new Disconnector<number>();
  await disconnector.disconnect();
  const raw = new RawChannel<number>();
  const channel = disconnector.transformChannel(raw);
  assertFalse(channel.sink.add(1));
  assertEquals((await channel.stream.next()).done, true);
  assertEquals(raw.out, ["done"]);
});

Deno.test("an AbortSignal disconnects, whether it aborts before or after binding", async () => {
  const controller = new AbortController();
  const disconnector = new Disconnector<number>({ signal: controller.signal });
  const raw = new RawChannel<number>();
  const channel = disconnector.transformChannel(raw);
  const reason = new Error("enough");
  controller.abort(reason);
  assert(disconnector.isDisconnected);
  assertStrictEquals(disconnector.signal.reason, reason);
  assertEquals((await channel.stream.next()).done, true);
  assert(new Disconnector({ signal: controller.signal }).isDisconnected);
});

Deno.test("disconnect aborts its signal, and removes its listener from the given one", async () => {
  const controller = new AbortController();
  const disconnector = new Disconnector<number>({ signal: controller.signal });
  let aborted = 0;
  disconnector.signal.addEventListener("abort", () => aborted++);
  await disconnector.disconnect();
  controller.abort(new Error("late"));
  assertEquals(aborted, 1);
  assertEquals((disconnector.signal.reason as Error).name, "AbortError");
});

Deno.test("the Disconnector releases a channel that has ended", async () => {
  const { raw, disconnector, channel } = open();
  await channel.sink.close();
  await microtasks();
  await disconnector.disconnect();
  assertEquals(raw.out, ["done"]);
});

Deno.test("disconnect and bind in a callback of disconnect: there is one promise, and every channel is disconnected", async () => {
  const disconnector = new Disconnector<number>();
  const [first, second] = [channelPair<number>({ sync: true }), channelPair<number>()];
  disconnector.transformChannel(first.local);
  const inner: unknown[] = [];
  first.foreign.stream.listen(() => {}, {
    onDone: () => {
      assert(disconnector.isDisconnected);
      inner.push(disconnector.disconnect());
      disconnector.transformChannel(second.local);
    },
  });
  const outer = disconnector.disconnect();
  await outer;
  assertEquals(inner.length, 1);
  assertStrictEquals(inner[0], outer);
  assertEquals((await second.foreign.stream.next()).done, true);
});

Deno.test("a Disconnector without live channels leaves no listener on a signal", async () => {
  const { signal, count } = countingSignal();
  const ended:
    ((ends: { local: StreamChannel<number>; foreign: StreamChannel<number> }) => void)[] = [
      ({ local }) => void local.sink.close(),
      ({ foreign }) => void foreign.sink.close(),
      ({ foreign }) => foreign.sink.addError(new Error("mine")),
    ];
  for (let i = 0; i < 200; i++) {
    const disconnector = new Disconnector<number>({ signal });
    const channels = [1, 2].map(() => {
      const { local, foreign } = channelPair<number>();
      return { local: local.transform(disconnector), foreign };
    });
    assert(count() > 0);
    for (const channel of channels) ended[i % ended.length]?.(channel);
  }
  new Disconnector<number>({ signal });
  await microtasks(50);
  assertEquals(count(), 0);
});

Deno.test("a signal disconnects a channel that is bound after others have ended", async () => {
  const { controller, signal, count } = countingSignal();
  const disconnector = new Disconnector<number>({ signal });
  const first = channelPair<number>();
  await first.local.transform(disconnector).sink.close();
  await microtasks();
  const second = channelPair<number>();
  const channel = second.local.transform(disconnector);
  controller.abort();
  assertEquals((await channel.stream.next()).done, true);
  assertEquals(count(), 0);
});

Deno.test("an AbortSignal may abort while there is no channel", async () => {
  const controller = new AbortController();
  const disconnector = new Disconnector<number>({ signal: controller.signal });
  let aborted = 0;
  disconnector.signal.addEventListener("abort", () => aborted++);
  const reason = new Error("enough");
  controller.abort(reason);
  assert(disconnector.isDisconnected);
  assertEquals(aborted, 1);
  assertStrictEquals(disconnector.signal.reason, reason);
  const { local } = channelPair<number>();
  assertEquals((await local.transform(disconnector).stream.next()).done, true);
  await disconnector.disconnect();
});
