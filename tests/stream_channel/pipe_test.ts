import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import { channelPair } from "../../src/stream_channel/mod.ts";
import { Deferred } from "../../src/stream_channel/errors.ts";
import { pipe, pipeOneWay } from "../../src/stream_channel/stream_channel.ts";
import { assertInvalidState, microtasks, settled } from "../support/events.ts";
import { CountedSource, PausedReader, RawChannel } from "./raw_channel.ts";

Deno.test("S39 two pairs become one connection; closing one end closes the other", async () => {
  const [a, b] = [channelPair<string>(), channelPair<string>()];
  const piped = a.foreign.pipe(b.local);
  a.local.sink.add("there");
  b.foreign.sink.add("back");
  assertEquals((await b.foreign.stream.next()).value, "there");
  assertEquals((await a.local.stream.next()).value, "back");
  b.foreign.sink.close();
  assertEquals((await a.local.stream.next()).done, true);
  await piped;
  await a.local.sink.done;
});

Deno.test("a value passes inside the call that adds it, while there is room", () => {
  const [a, b] = [new RawChannel<number>(), new RawChannel<number>()];
  pipe(a, b);
  a.in.add(1);
  assertEquals(b.out, [1]);
});

Deno.test("without room, the source pauses until there is room", async () => {
  const [a, b] = [new RawChannel<number>(), new RawChannel<number>()];
  pipe(a, b);
  b.bufferedAmount = 10;
  for (let i = 0; i < 2000; i++) a.in.add(i);
  await microtasks();
  assertEquals(b.out, [0]);
  assertEquals(a.told, ["pause"]);
  b.bufferedAmount = 0;
  b.control.drained();
  await microtasks();
  assertEquals(b.out.length, 2000);
  assertEquals(a.told, ["pause", "resume"]);
});

Deno.test("a paused reader stops a producer through a pipe, and the queued values are limited", async () => {
  const [a, b] = [1, 2].map(() => channelPair<Uint8Array>({ highWaterMark: 1000 }));
  assert(a !== undefined && b !== undefined);
  const piped = a.foreign.pipe(b.local);
  const source = new CountedSource(1000, () => new Uint8Array(100));
  const reader = new PausedReader(b.foreign.stream);
  const added = a.local.sink.addStream(source);
  for (let i = 0; i < 100; i++) await microtasks();
  assert(source.produced <= 42, `${source.produced} produced`);
  reader.resume();
  await added;
  await a.local.sink.close();
  await piped;
  assertEquals(reader.received.length, 1000);
});

Deno.test("a sink that rejects a value gets the error, and the promise rejects with it", async () => {
  const [a, b] = [new RawChannel<number>(), new RawChannel<number>({ takeErrors: false })];
  const error = new TypeError("wrong kind");
  b.add = () => {
    throw error;
  };
  const piped = pipe(a, b);
  a.in.add(1);
  a.in.add(2);
  assertStrictEquals(await assertRejects(() => piped), error);
  assertEquals(b.out, [["abort", error], "done"]);
  assertEquals(a.out, [["error", error], "done"]);
});

Deno.test("a target that has ended ends its direction even if its source is silent", async () => {
  const [a, b] = [new RawChannel<number>(), new RawChannel<number>()];
  const piped = pipe(a, b);
  b.finish();
  b.in.end();
  await piped;
  assertEquals(a.out, ["done"]);
  a.in.add(1);
  assertEquals(b.out, []);
});

Deno.test("if one direction fails, the promise rejects and both directions end", async () => {
  const [a, b] = [new RawChannel<number>(), new RawChannel<number>({ takeErrors: false })];
  const piped = pipe(a, b);
  const error = new Error("a");
  a.in.fail(error);
  assertStrictEquals(await assertRejects(() => piped), error);
  assertEquals(b.out, [["abort", error], "done"]);
  assertEquals(a.out, [["error", error], "done"]);
  b.in.add(1);
  assertEquals(a.out.length, 2);
  assertEquals(b.told, ["cancel"]);
});

Deno.test("pipe requires that neither stream has a reader", () => {
  const { local, foreign } = channelPair<number>();
  foreign.stream.listen(() => {});
  assertInvalidState(() => local.pipe(foreign));
});

Deno.test("one way, with hurry: the pipe no longer waits for room", async () => {
  const [from, to] = [new RawChannel<number>(), new RawChannel<number>()];
  to.bufferedAmount = 10;
  const hurry = new Deferred();
  const piped = pipeOneWay(from.stream, to.sink, { hurry: hurry.promise });
  [1, 2, 3].forEach((value) => from.in.add(value));
  await microtasks();
  assertEquals(to.out, [1]);
  hurry.resolve();
  await microtasks();
  from.in.add(4);
  to.bufferedAmount = 0;
  from.in.end();
  await piped;
  assertEquals(to.out, [1, 2, 3, 4, "done"]);
});

Deno.test("if the other stream has a reader, nothing is piped in either direction", async () => {
  const [a, b] = [channelPair<string>(), channelPair<string>()];
  b.foreign.stream.listen(() => {});
  assertInvalidState(() => pipe(a.foreign, b.foreign));
  a.local.sink.add("to no channel");
  await a.local.sink.close();
  assertFalse(await settled(Promise.race([b.local.stream.next(), b.local.sink.done])));
});
