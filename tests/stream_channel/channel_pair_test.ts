import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { channelPair } from "../../src/stream_channel/mod.ts";
import { microtasks, record } from "../support/events.ts";

Deno.test("C100 C101 values added to one end arrive at the other, in order, then done", async () => {
  for (const turned of [false, true]) {
    const pair = channelPair<number>();
    const [from, to] = turned ? [pair.foreign, pair.local] : [pair.local, pair.foreign];
    const events = record(to.stream).events;
    [1, 2, 3].forEach((value) => from.sink.add(value));
    const closed = from.sink.close();
    assertEquals(events, []);
    await closed;
    assertEquals(events, [1, 2, 3, "done"]);
    await to.sink.done;
  }
});

Deno.test("C103 C104 sync: the other end sees add, addError and close before the call returns", () => {
  for (const turned of [false, true]) {
    for (const last of ["close", "error"]) {
      const pair = channelPair<number>({ sync: true });
      const [from, to] = turned ? [pair.foreign, pair.local] : [pair.local, pair.foreign];
      const events = record(to.stream).events;
      from.sink.add(1);
      assertEquals(events, [1]);
      const error = new Error("told");
      if (last === "close") from.sink.close();
      else from.sink.addError(error);
      assertEquals(events, last === "close" ? [1, "done"] : [1, ["error", error], "done"]);
    }
  }
});

Deno.test("C102 if foreign errors are not allowed, an error closes the channel and rejects foreign.sink.done", async () => {
  const { local, foreign } = channelPair<number>({ allowForeignErrors: false });
  const error = new Error("mine");
  foreign.sink.addError(error);
  assertStrictEquals(await assertRejects(() => foreign.sink.done), error);
  await local.sink.done;
  assertEquals(await local.stream.next(), { done: true, value: undefined });
  assertEquals(await foreign.stream.next(), { done: true, value: undefined });
  assertFalse(foreign.sink.add(1));
});

Deno.test("S21 guarantee 6: an allowed error reaches the other end, and is the last event", async () => {
  const { local, foreign } = channelPair<number>();
  const error = new Error("told");
  local.sink.add(1);
  local.sink.addError(error);
  await local.sink.done;
  assertEquals(await foreign.stream.next(), { done: false, value: 1 });
  assertStrictEquals(await assertRejects(() => foreign.stream.next()), error);
  assertFalse(foreign.sink.add(2));
});

Deno.test("S17 guarantee 2: closing the sink ends the stream before it delivers anything more", async () => {
  const { local, foreign } = channelPair<number>();
  [1, 2, 3].forEach((value) => foreign.sink.add(value));
  const events: unknown[] = [];
  local.stream.listen((value) => {
    events.push(value);
    if (value === 2) local.sink.close();
  }, { onDone: () => events.push("done") });
  await local.sink.done;
  await microtasks();
  assertEquals(events, [1, 2, "done"]);
});

Deno.test("S17 guarantee 2: this also holds if the other end has closed, and its last messages are queued", async () => {
  for (const sync of [false, true]) {
    const { local, foreign } = channelPair<number>({ sync });
    const { events, subscription } = record(local.stream);
    subscription.pause();
    foreign.sink.add(1);
    await foreign.sink.close();
    await local.sink.close();
    await microtasks();
    assertEquals(events, ["done"]);
  }
});

Deno.test("S18 guarantee 3: after the stream's end the sink drops values, and throws after it is closed", async () => {
  const { local, foreign } = channelPair<number>();
  const events = record(foreign.stream).events;
  await local.sink.close();
  assertEquals(events, ["done"]);
  assertFalse(foreign.sink.add(1));
  await foreign.sink.close();
  assertThrows(() => foreign.sink.add(1), DOMException);
});

Deno.test("S19 guarantee 4: the same holds if the stream has no reader", async () => {
  const { local, foreign } = channelPair<number>();
  await local.sink.close();
  await foreign.sink.done;
  assertFalse(foreign.sink.add(1));
});

Deno.test("S20 guarantee 5: a reader that leaves does not close the channel; the other end's close is noticed", async () => {
  const { local, foreign } = channelPair<number>();
  local.stream.listen(() => {}).cancel();
  const events = record(foreign.stream).events;
  local.sink.add(1);
  await microtasks();
  assertEquals(events, [1]);
  foreign.sink.add(2);
  foreign.sink.close();
  await local.sink.done;
  assertFalse(local.sink.add(3));
});

Deno.test("S50 close settles even if the other end has no reader", async () => {
  const { local, foreign } = channelPair<number>();
  local.sink.add(1);
  await local.sink.close();
  assertEquals(await foreign.stream.next(), { done: false, value: 1 });
  assertEquals(await foreign.stream.next(), { done: true, value: undefined });
});

Deno.test("close settles and loses nothing, even if the other end's reader pauses", async () => {
  const { local, foreign } = channelPair<string>({ highWaterMark: 64 });
  const events: unknown[] = [];
  const subscription = foreign.stream.listen((value) => events.push(value), {
    onDone: () => events.push("done"),
  });
  subscription.pause();
  for (let i = 0; i < 10; i++) local.sink.add(`${i}`);
  await local.sink.close();
  subscription.resume();
  await microtasks();
  assertEquals(events, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "done"]);
});

Deno.test("a paused reader stops a producer, and the queued messages are limited", async () => {
  const { local, foreign } = channelPair<Uint8Array>({ highWaterMark: 1000 });
  let produced = 0;
  async function* source(): AsyncGenerator<Uint8Array> {
    while (produced < 1000) {
      produced++;
      yield await Promise.resolve(new Uint8Array(100));
    }
  }
  let received = 0;
  const subscription = foreign.stream.listen(() => received++);
  subscription.pause();
  const added = local.sink.addStream(source());
  for (let i = 0; i < 100; i++) await microtasks();
  assertEquals(received, 0);
  assert(produced <= 21, `produced ${produced}`);
  subscription.resume();
  await added;
  await local.sink.flush();
  await microtasks();
  assertEquals(received, 1000);
});

Deno.test("flush: it fulfils when all values have left the sink, and rejects if the other end closes first", async () => {
  const { local, foreign } = channelPair<string>();
  local.sink.add("a");
  assertEquals(local.sink.bufferedAmount, 32);
  await local.sink.flush();
  assertEquals(local.sink.bufferedAmount, 0);
  foreign.sink.close();
  local.sink.add("b");
  await assertRejects(() => local.sink.flush(), DOMException, "the channel ended");
  await local.sink.done;
});

Deno.test("if both ends close at once, both settle", async () => {
  const { local, foreign } = channelPair<string>();
  local.sink.add("lost");
  await Promise.all([local.sink.close(), foreign.sink.close()]);
  assertEquals(await local.stream.next(), { done: true, value: undefined });
  assertEquals(await foreign.stream.next(), { done: true, value: undefined });
});

Deno.test("the Web Streams views form a pair that pipeThrough accepts; cancelling the readable closes", async () => {
  const { local, foreign } = channelPair<string>();
  foreign.stream.listen((value) => foreign.sink.add(value.toUpperCase()));
  const source = new ReadableStream<string>({
    start(controller) {
      controller.enqueue("a");
      controller.enqueue("b");
      controller.close();
    },
  });
  const reader = source.pipeThrough(local, { preventClose: true }).getReader();
  assertEquals((await reader.read()).value, "A");
  assertEquals((await reader.read()).value, "B");
  await reader.cancel();
  await foreign.sink.done;
});

Deno.test("a pair with a high-water mark of 0 has room for one value at a time", async () => {
  for (const sync of [false, true]) {
    const { local, foreign } = channelPair<string>({ highWaterMark: 0, sync });
    await local.sink.ready;
    const added = local.sink.addStream(["a", "b", "c"]);
    const got: unknown[] = [];
    for (let i = 0; i < 3; i++) got.push((await foreign.stream.next()).value);
    await added;
    assertEquals(got, ["a", "b", "c"]);
    await local.sink.close();
  }
});
