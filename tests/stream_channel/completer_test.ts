import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import { channelPair, StreamChannelCompleter } from "../../src/stream_channel/mod.ts";
import { assertInvalidState, microtasks, record, settled } from "../support/events.ts";
import { OpenSource, RawChannel } from "./raw_channel.ts";

function open(): { completer: StreamChannelCompleter<number>; raw: RawChannel<number> } {
  return { completer: new StreamChannelCompleter<number>(), raw: new RawChannel<number>() };
}

Deno.test("C105 set before use: the inner stream's values are delivered, and then done", async () => {
  const { completer, raw } = open();
  completer.setChannel(raw);
  const { events } = record(completer.channel.stream);
  [1, 2, 3].forEach((value) => raw.in.add(value));
  raw.in.end();
  await microtasks();
  assertEquals(events, [1, 2, 3, "done"]);
});

Deno.test("C106 set before use: added values arrive at the inner sink, and then done", async () => {
  const { completer, raw } = open();
  completer.setChannel(raw);
  for (const value of [1, 2, 3]) assert(completer.channel.sink.add(value));
  await completer.channel.sink.close();
  assertEquals(raw.out, [1, 2, 3, "done"]);
});

Deno.test("C107 setError before use: the stream fails with the error, and then ends", async () => {
  const { completer } = open();
  completer.setError("oh no");
  const { events } = record(completer.channel.stream);
  await microtasks();
  assertEquals(events, [["error", "oh no"], "done"]);
});

Deno.test("C108 setError before use: done fulfils, and add and addError drop their values", async () => {
  const { completer } = open();
  completer.setError("oh no");
  const { sink } = completer.channel;
  await sink.done;
  assertFalse(sink.add(1));
  sink.addError("no harm");
  await sink.close();
});

Deno.test("C109 set after use: the inner stream's values are delivered, and then done", async () => {
  const { completer, raw } = open();
  const { events } = record(completer.channel.stream);
  await microtasks();
  [1, 2].forEach((value) => raw.in.add(value));
  completer.setChannel(raw);
  raw.in.add(3);
  raw.in.end();
  await microtasks();
  assertEquals(events, [1, 2, 3, "done"]);
});

Deno.test("C110 set after use: added values and close arrive at the inner sink in order", async () => {
  const { completer, raw } = open();
  for (const value of [1, 2, 3]) assert(completer.channel.sink.add(value));
  const closed = completer.channel.sink.close();
  const { events } = record(completer.channel.stream);
  await closed;
  assertEquals(events, ["done"]);
  completer.setChannel(raw);
  await microtasks();
  assertEquals(raw.out, [1, 2, 3, "done"]);
});

Deno.test("C111 setError after use: the stream fails with the error, and then ends", async () => {
  const { completer } = open();
  const { events } = record(completer.channel.stream);
  completer.setError("oh no");
  await microtasks();
  assertEquals(events, [["error", "oh no"], "done"]);
});

Deno.test("C112 setError after use: done fulfils, and earlier and later values are dropped", async () => {
  const { completer } = open();
  const { sink } = completer.channel;
  assert(sink.add(1));
  sink.addError("no harm");
  completer.setError("oh no");
  await sink.done;
  assertFalse(sink.add(1));
  sink.addError("no harm");
});

Deno.test("C113 fromPromise of a channel: both directions work", async () => {
  const { local, foreign } = channelPair<number>();
  const channel = StreamChannelCompleter.fromPromise(Promise.resolve(local));
  channel.sink.add(1);
  foreign.sink.add(2);
  assertEquals((await foreign.stream.next()).value, 1);
  assertEquals((await channel.stream.next()).value, 2);
  await channel.sink.close();
  assertEquals((await foreign.stream.next()).done, true);
});

Deno.test("C114 fromPromise of a promise that rejects: reading fails with its error", async () => {
  const error = new Error("oh no");
  const channel = StreamChannelCompleter.fromPromise<number, number>(Promise.reject(error));
  assertStrictEquals(await assertRejects(() => channel.stream.next()), error);
  await channel.sink.close();
});

Deno.test("fromPromise of a channel that has a reader fails with the InvalidStateError", async () => {
  const { local } = channelPair<number>();
  local.stream.listen(() => {});
  const channel = StreamChannelCompleter.fromPromise(Promise.resolve(local));
  const error = await assertRejects(() => channel.stream.next(), DOMException);
  assertEquals(error.name, "InvalidStateError");
  await channel.sink.done;
});

Deno.test("C115 setChannel and setError work only once", () => {
  const { completer, raw } = open();
  completer.setChannel(raw);
  assertInvalidState(() => completer.setChannel(new RawChannel<number>()));
  assertInvalidState(() => completer.setChannel(raw));
  assertInvalidState(() => completer.setError("oh no"));
  const given = new StreamChannelCompleter<number>();
  given.setError("oh no");
  assertInvalidState(() => given.setError("oh no"));
  assertInvalidState(() => given.setChannel(raw));
});

Deno.test("a channel that has a reader is rejected, and another one can be set", async () => {
  const { completer, raw } = open();
  const used = channelPair<number>().local;
  used.stream.listen(() => {});
  assertInvalidState(() => completer.setChannel(used));
  completer.setChannel(raw);
  raw.in.add(1);
  assertEquals((await completer.channel.stream.next()).value, 1);
});

Deno.test("ready and flush wait for the channel, and then use its own", async () => {
  const completer = new StreamChannelCompleter<number>({ highWaterMark: 100 });
  const { sink } = completer.channel;
  await sink.ready;
  await sink.flush();
  sink.add(1);
  await sink.ready;
  sink.add(2);
  assertEquals(sink.bufferedAmount, 128);
  const [ready, flushed] = [sink.ready, sink.flush()];
  assertFalse(await settled(Promise.race([ready, flushed])));
  const raw = new RawChannel<number>();
  raw.bufferedAmount = 10;
  completer.setChannel(raw);
  assertEquals(raw.out, [1, 2]);
  assertFalse(await settled(Promise.race([ready, flushed])));
  raw.bufferedAmount = 0;
  raw.control.drained();
  await ready;
  await flushed;
});

Deno.test("setError wakes the callers that wait for room, and rejects flush", async () => {
  const completer = new StreamChannelCompleter<number>({ highWaterMark: 1 });
  const { sink } = completer.channel;
  sink.add(1);
  const [ready, flushed] = [sink.ready, sink.flush()];
  completer.setError("oh no");
  await ready;
  await assertRejects(() => flushed, DOMException);
});

Deno.test("a source waits at the high-water mark, and continues with the channel", async () => {
  const completer = new StreamChannelCompleter<number>({ highWaterMark: 640 });
  let given = 0;
  function* source(): Generator<number> {
    while (given < 100) yield given++;
  }
  const added = completer.channel.sink.addStream(source());
  for (let i = 0; i < 10; i++) await microtasks();
  assertEquals(given, 10);
  const raw = new RawChannel<number>();
  completer.setChannel(raw);
  await added;
  assertEquals(raw.out.length, 100);
});

Deno.test("an error that was added before reaches the inner sink after the values that were added before it", async () => {
  const { completer } = open();
  const raw = new RawChannel<number>({ takeErrors: false });
  const error = new Error("mine");
  const { sink } = completer.channel;
  sink.add(1);
  sink.addError(error);
  sink.add(2);
  completer.setChannel(raw);
  assertStrictEquals(await assertRejects(() => sink.done), error);
  assertEquals(raw.out, [1, ["abort", error]]);
  assertFalse(sink.add(3));
});

Deno.test("if the inner channel closes during addStream, the source is cancelled", async () => {
  const { completer } = open();
  const { local, foreign } = channelPair<number>();
  const source = new OpenSource<number>();
  const added = completer.channel.sink.addStream(source);
  completer.setChannel(local);
  await foreign.sink.close();
  await assertRejects(() => added, DOMException);
  assert(source.cancelled);
});

Deno.test("S7 closed before there is a channel: close settles, and the added values are sent later", async () => {
  let told = 0;
  const completer: StreamChannelCompleter<number> = new StreamChannelCompleter<number>({
    onClose: () => told++,
  });
  const { events } = record(completer.channel.stream);
  completer.channel.sink.add(1);
  const flushed = completer.channel.sink.flush();
  await completer.channel.sink.close();
  assertEquals([events, told], [["done"], 1]);
  const { local, foreign } = channelPair<number>();
  completer.setChannel(local);
  await flushed;
  await foreign.sink.done;
  assertEquals(await foreign.stream.next(), { done: false, value: 1 });
  assertEquals(await foreign.stream.next(), { done: true, value: undefined });
});

Deno.test("S7 closed, and there is never a channel: setError has no effect", async () => {
  const completer = new StreamChannelCompleter<number>();
  const { events } = record(completer.channel.stream);
  await completer.channel.sink.close();
  completer.setError(new Error("not needed"));
  await completer.channel.sink.done;
  assertEquals(events, ["done"]);
});

Deno.test("pausing pauses the inner stream", async () => {
  const { completer, raw } = open();
  const { subscription, events } = record(completer.channel.stream);
  subscription.pause();
  completer.setChannel(raw);
  for (let i = 0; i < 100; i++) raw.in.add(i);
  assertEquals(raw.in.queuedSize, 99 * 64);
  subscription.resume();
  await microtasks();
  assertEquals(events.length, 100);
});

Deno.test("values added in response to the first output follow the queued ones, and close is last", async () => {
  for (const closes of [false, true]) {
    const completer = new StreamChannelCompleter<number>();
    const { sink, stream } = completer.channel;
    const { local, foreign } = channelPair<number>({ sync: true });
    [1, 2].forEach((value) => sink.add(value));
    const events: unknown[] = [];
    foreign.stream.listen((value) => {
      events.push(value);
      if (value !== 1) return;
      sink.add(3);
      if (closes) sink.close();
    }, { onDone: () => events.push("done") });
    record(stream);
    completer.setChannel(local);
    await microtasks();
    assertEquals(events, closes ? [1, 2, 3, "done"] : [1, 2, 3]);
    await sink.close();
  }
});

Deno.test("ready: close wakes a caller that waits for a channel that may never arrive", async () => {
  const completer = new StreamChannelCompleter<string>({ highWaterMark: 1 });
  const { sink } = completer.channel;
  sink.add("full");
  const { ready } = sink;
  assertFalse(await settled(ready));
  await sink.close();
  await ready;
});

Deno.test("S7 close settles at once while another caller's addStream holds the inner sink", async () => {
  const { completer, raw } = open();
  completer.setChannel(raw);
  const added = raw.sink.addStream(new OpenSource<number>());
  await completer.channel.sink.close();
  raw.finish();
  await assertRejects(() => added, DOMException);
});

Deno.test("S7 close settles over Web Streams whose two halves block each other", async () => {
  const completer = new StreamChannelCompleter<string>();
  const { sink } = completer.channel;
  completer.setChannel(new TransformStream<string, string>());
  for (let i = 0; i < 100; i++) sink.add("x".repeat(10_000));
  await microtasks(100);
  await sink.close();
});
