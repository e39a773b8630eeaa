/*
 * C76, C77: an inner broadcast stream. A ChannelStream has one reader in its life (S1), so there is
 * no broadcast; the tests below with the same ids cover values that arrive before the first listener.
 */

import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import { channelPair, withCloseGuarantee, withGuarantees } from "../../src/stream_channel/mod.ts";
import { assertInvalidState, microtasks, record, settled } from "../support/events.ts";
import { OpenSource, RawChannel } from "./raw_channel.ts";

Deno.test("C76 values that arrive before the first listener are all delivered", async () => {
  const raw = new RawChannel<number>();
  const channel = withGuarantees(raw);
  [1, 2, 3].forEach((value) => raw.in.add(value));
  raw.in.end();
  await microtasks();
  const { events } = record(channel.stream);
  await microtasks();
  assertEquals(events, [1, 2, 3, "done"]);
});

Deno.test("C77 S16 guarantee 1: a second listen throws, also after the first has ended", async () => {
  const raw = new RawChannel<number>();
  const channel = withGuarantees(raw);
  const { subscription } = record(channel.stream);
  assertInvalidState(() => channel.stream.listen(() => {}));
  subscription.cancel();
  await microtasks();
  assertInvalidState(() => channel.stream.listen(() => {}));
});

Deno.test("C78 S17 guarantee 2: closing on the second of three queued values delivers two, then done", async () => {
  const raw = new RawChannel<number>();
  const channel = withGuarantees(raw);
  [1, 2, 3].forEach((value) => raw.in.add(value));
  const events: unknown[] = [];
  channel.stream.listen((value) => {
    events.push(value);
    if (value === 2) channel.sink.close();
  }, { onDone: () => events.push("done") });
  await microtasks(100);
  assertEquals(events, [1, 2, "done"]);
});

Deno.test("C79 (changed) S18 guarantee 3: after the end the sink drops values; close releases the inner sink", async () => {
  const raw = new RawChannel<number>();
  const channel = withGuarantees(raw);
  raw.in.end();
  assertEquals(await channel.stream.next(), { done: true, value: undefined });
  for (const value of [1, 2, 3]) assertFalse(channel.sink.add(value));
  await channel.sink.close();
  assertEquals(raw.out, ["done"]);
});

Deno.test("C80 S20 guarantee 5: a reader that left has no effect on the sink", async () => {
  const raw = new RawChannel<number>();
  const channel = withGuarantees(raw);
  channel.stream.listen(() => {}).cancel();
  for (const value of [1, 2, 3]) assert(channel.sink.add(value));
  await channel.sink.close();
  assertEquals(raw.out, [1, 2, 3, "done"]);
});

Deno.test("C81 (changed) S28 guarantee 5: a reader that left does not hide the end", async () => {
  const raw = new RawChannel<number>();
  const channel = withGuarantees(raw);
  channel.stream.listen(() => {}).cancel();
  raw.in.add(7);
  raw.in.end();
  await microtasks();
  for (const value of [1, 2, 3]) assertFalse(channel.sink.add(value));
  await channel.sink.close();
  assertEquals(raw.out, ["done"]);
});

Deno.test("C82 (changed) S21 guarantee 6: an error is added to the inner sink", () => {
  const raw = new RawChannel<number>();
  const error = new Error("told");
  withGuarantees(raw).sink.addError(error);
  assertEquals(raw.out, [["error", error]]);
});

Deno.test("C83 the end of the inner stream settles done before the outer stream ends", async () => {
  const raw = new RawChannel<number>();
  const channel = withGuarantees(raw);
  let dropped: boolean | undefined;
  channel.stream.listen(() => {}, { onDone: () => dropped = !channel.sink.add(1) });
  raw.in.end();
  await channel.sink.done;
  assertEquals(dropped, true);
});

Deno.test("S19 S25 guarantee 4: the end is noticed even if there is no listener", async () => {
  const raw = new RawChannel<number>();
  const channel = withGuarantees(raw);
  raw.in.end();
  await channel.sink.done;
  assertFalse(channel.sink.add(1));
  assertEquals(raw.out, []);
  assertEquals(record(channel.stream).events, []);
});

Deno.test("C84 after close, add, addError and addStream throw", async () => {
  const { sink } = withGuarantees(new RawChannel<number>());
  await sink.close();
  assertInvalidState(() => sink.add(1));
  assertInvalidState(() => sink.addError(new Error()));
  assertInvalidState(() => sink.addStream([1]));
});

Deno.test("C85 during addStream, add, addError, addStream and close throw", async () => {
  const raw = new RawChannel<number>();
  const { sink } = withGuarantees(raw);
  const source = new OpenSource<number>();
  const added = sink.addStream(source);
  assertInvalidState(() => sink.add(1));
  assertInvalidState(() => sink.addError(new Error()));
  assertInvalidState(() => sink.addStream([1]));
  assertInvalidState(() => sink.close());
  raw.in.end();
  await assertRejects(() => added, DOMException);
  assert(source.cancelled);
});

Deno.test("C86 C88 errors not allowed: done rejects with the error, and the inner sink ends empty", async () => {
  const raw = new RawChannel<number>();
  const { sink } = withGuarantees(raw, { allowSinkErrors: false });
  const error = new Error("mine");
  sink.addError(error);
  assertStrictEquals(await assertRejects(() => sink.done), error);
  assertEquals(raw.out, ["done"]);
});

Deno.test("C87 errors not allowed: the stream ends after the value during which the error was added", async () => {
  const raw = new RawChannel<number>();
  const { stream, sink } = withGuarantees(raw, { allowSinkErrors: false });
  [1, 2, 3].forEach((value) => raw.in.add(value));
  const events: unknown[] = [];
  const error = new Error("mine");
  stream.listen((value) => {
    events.push(value);
    if (value === 2) sink.addError(error);
  }, { onDone: () => events.push("done") });
  await microtasks(100);
  assertEquals(events, [1, 2, "done"]);
  assertStrictEquals(await assertRejects(() => sink.done), error);
});

Deno.test("C89 (changed) errors not allowed: a source that fails rejects addStream and done", async () => {
  const raw = new RawChannel<number>();
  const { sink } = withGuarantees(raw, { allowSinkErrors: false });
  const source = new OpenSource<number>();
  const added = sink.addStream(source);
  await microtasks();
  const error = new Error("source");
  source.fail(error);
  assertStrictEquals(await assertRejects(() => added), error);
  assertStrictEquals(await assertRejects(() => sink.done), error);
  assertFalse(sink.add(1));
});

Deno.test("S29 done follows the inner close, even if the stream has ended", async () => {
  const raw = new RawChannel<number>({ holdClose: true });
  const channel = withGuarantees(raw);
  const closed = channel.sink.close();
  assertStrictEquals(closed, channel.sink.close());
  raw.in.end();
  assertFalse(await settled(closed));
  raw.finish();
  await closed;
});

Deno.test("S30 S31 messages from before close are lost; the listener is notified of the end at once", async () => {
  const raw = new RawChannel<number>({ holdClose: true });
  const channel = withGuarantees(raw);
  raw.in.add(1);
  await microtasks();
  channel.sink.close();
  const { events } = record(channel.stream);
  await microtasks();
  assertEquals(events, ["done"]);
});

Deno.test("S26 pausing pauses the inner stream, and the channel holds one message", async () => {
  const raw = new RawChannel<string>();
  const channel = withGuarantees(raw);
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  for (let i = 0; i < 5000; i++) raw.in.add(`${i}`);
  assertEquals(raw.told, ["pause"]);
  assertEquals(raw.in.queuedSize, 4999 * 32);
  subscription.resume();
  await microtasks();
  assertEquals(events.length, 5000);
  assertEquals(raw.told, ["pause", "resume"]);
});

Deno.test("ready, bufferedAmount and flush are the inner sink's", async () => {
  const raw = new RawChannel<string>();
  const { sink } = withGuarantees(raw);
  assertStrictEquals(sink.ready, raw.sink.ready);
  raw.bufferedAmount = 10;
  assertEquals(sink.bufferedAmount, 10);
  const { ready } = sink;
  const flushed = sink.flush();
  assertFalse(await settled(Promise.race([ready, flushed])));
  raw.bufferedAmount = 0;
  raw.control.drained();
  await ready;
  await flushed;
});

Deno.test("if the inner sink drops a value, add returns false and the channel counts as ended", async () => {
  const raw = new RawChannel<string>();
  const { sink } = withGuarantees(raw);
  raw.control.disconnect();
  assertFalse(sink.add("a"));
  raw.finish();
  await sink.done;
});

Deno.test("an error of the inner stream is reported once, then the end", async () => {
  const raw = new RawChannel<number>();
  const channel = withGuarantees(raw);
  const error = new Error("inner");
  raw.in.fail(error);
  const { events } = record(channel.stream);
  await microtasks();
  assertEquals(events, [["error", error], "done"]);
  await channel.sink.done;
});

Deno.test("if the inner done rejects, the outer one does too, even if its stream has ended", async () => {
  const error = new Error("mine");
  const { local, foreign } = channelPair<number>({ allowForeignErrors: false });
  const channel = withGuarantees(foreign);
  channel.sink.addError(error);
  assertStrictEquals(await assertRejects(() => channel.sink.done), error);
  assertEquals((await local.stream.next()).done, true);
});

Deno.test("over { readable, writable }: the guarantees hold in both directions, and close releases both", async () => {
  const incoming = new TransformStream<string, string>();
  const outgoing = new TransformStream<string, string>();
  const channel = withGuarantees({ readable: incoming.readable, writable: outgoing.writable });
  const writer = incoming.writable.getWriter();
  const reader = outgoing.readable.getReader();
  writer.write("in").catch(() => {});
  assertEquals((await channel.stream.next()).value, "in");
  channel.sink.add("out");
  assertEquals((await reader.read()).value, "out");
  const closed = channel.sink.close();
  assertEquals((await reader.read()).done, true);
  await closed;
  assertEquals(await writer.closed.then(() => "closed", () => "cancelled"), "cancelled");
  assertEquals((await channel.stream.next()).done, true);
});

Deno.test("S7 close settles over Web Streams whose two halves block each other", async () => {
  const channel = withGuarantees(new TransformStream<string, string>());
  for (let i = 0; i < 100; i++) channel.sink.add("x".repeat(10_000));
  await channel.sink.close();
  await channel.sink.done;
});

// Delays each value by ten microtasks. On the stream and the sink, this breaks guarantee 2.
function delayed<T>(): TransformStream<T, T> {
  return new TransformStream<T, T>({
    transform: async (value, controller) => {
      await Promise.resolve();
      controller.enqueue(value);
    },
  });
}

function far(): {
  local: ReturnType<typeof channelPair<number>>["local"];
  channel: ReturnType<typeof withCloseGuarantee<number, number>>;
} {
  const { local, foreign } = channelPair<number>();
  let { readable } = foreign;
  let { writable } = foreign;
  for (let i = 0; i < 10; i++) {
    readable = readable.pipeThrough(delayed());
    const step = delayed<number>();
    step.readable.pipeTo(writable).catch(() => {});
    writable = step.writable;
  }
  return { local, channel: withCloseGuarantee({ readable, writable }) };
}

Deno.test("C90 close guarantee: closing on the second of three delayed values delivers two, then done", async () => {
  const { local, channel } = far();
  [1, 2, 3].forEach((value) => local.sink.add(value));
  const events: unknown[] = [];
  await new Promise<void>((resolve) => {
    channel.stream.listen((value) => {
      events.push(value);
      if (value === 2) channel.sink.close();
    }, { onDone: resolve });
  });
  await channel.sink.done;
  await local.sink.done;
  assertEquals(events, [1, 2]);
});

Deno.test("C91 close guarantee: if closed before listening, the listener is notified of the end once", async () => {
  const { local, channel } = far();
  channel.sink.close();
  [1, 2, 3].forEach((value) => local.sink.add(value));
  local.sink.close();
  const { events } = record(channel.stream);
  await channel.sink.done;
  await microtasks();
  assertEquals(events, ["done"]);
});

Deno.test("S37 S38 close guarantee: the inner sink is closed first; everything else is unchanged", () => {
  const raw = new RawChannel<number>();
  const channel = withCloseGuarantee(raw);
  raw.in.end();
  assert(channel.sink.add(1));
  channel.sink.close();
  assertEquals(raw.out, [1, "done"]);
});

Deno.test("ready: the stream's end wakes the callers that wait for it, in any state of the inner sink", async () => {
  const raw = new RawChannel<number>();
  raw.bufferedAmount = 10;
  const { sink } = withGuarantees(raw);
  const { ready } = sink;
  raw.in.end();
  await ready;
  assertFalse(sink.add(1));
});
