import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { ChannelStreamController } from "../../src/stream_channel/stream_controller.ts";
import { assertInvalidState, microtasks } from "../support/events.ts";

Deno.test("next: concurrent calls are answered in order", async () => {
  const controller = new ChannelStreamController<number>();
  const results = Promise.all([1, 2, 3, 4].map(() => controller.stream.next()));
  controller.add(1);
  controller.add(2);
  controller.end();
  assertEquals(await results, [
    { done: false, value: 1 },
    { done: false, value: 2 },
    { done: true, value: undefined },
    { done: true, value: undefined },
  ]);
});

Deno.test("next: some, then the rest in one loop, is one reader", async () => {
  const controller = new ChannelStreamController<number>();
  [1, 2, 3, 4].forEach((value) => controller.add(value));
  controller.end();
  assertEquals(await controller.stream.next(), { done: false, value: 1 });
  const rest: number[] = [];
  for await (const value of controller.stream) rest.push(value);
  assertEquals(rest, [2, 3, 4]);
  assertInvalidState(() => controller.stream[Symbol.asyncIterator]());
  assertInvalidState(() => controller.stream.next());
});

Deno.test("for await: an error is thrown once, then it is over", async () => {
  for (const waiting of [true, false]) {
    const controller = new ChannelStreamController<number>();
    const iterator = controller.stream[Symbol.asyncIterator]();
    const error = new Error("lost");
    if (!waiting) controller.fail(error);
    const first = assertRejects(() => iterator.next(), Error, "lost");
    if (waiting) controller.fail(error);
    assertStrictEquals(await first, error);
    assertEquals(await iterator.next(), { done: true, value: undefined });
  }
});

Deno.test("for await: leaving the loop stops delivery and frees what waits", async () => {
  let cancelled = 0;
  const controller = new ChannelStreamController<number>({ cancel: () => cancelled++ });
  [1, 2, 3].forEach((value) => controller.add(value));
  for await (const value of controller.stream) {
    if (value === 2) break;
  }
  assertEquals(cancelled, 1);
  assertEquals(controller.queuedSize, 0);
  controller.add(4);
  assertEquals(controller.queuedSize, 0);
});

Deno.test("for await: return() answers the calls of next() that wait", async () => {
  const controller = new ChannelStreamController<number>();
  const iterator = controller.stream[Symbol.asyncIterator]();
  const next = iterator.next();
  await iterator.return?.();
  assertEquals(await next, { done: true, value: undefined });
});

Deno.test("readable: gives the messages, buffers nothing itself, closes with the stream", async () => {
  const controller = new ChannelStreamController<string>({}, { highWaterMark: 64 });
  const { readable } = controller.stream;
  controller.add("a");
  controller.add("b");
  await microtasks();
  assertEquals(controller.queuedSize, 64);
  const reader = readable.getReader();
  assertEquals((await reader.read()).value, "a");
  assertEquals((await reader.read()).value, "b");
  const third = reader.read();
  controller.add("c");
  controller.add("d");
  controller.end();
  assertEquals((await third).value, "c");
  assertEquals((await reader.read()).value, "d");
  assert((await reader.read()).done);
  await reader.closed;
});

Deno.test("readable: the end is told to one who doesn't read", async () => {
  for (const first of [true, false]) {
    const controller = new ChannelStreamController<string>();
    if (first) controller.end();
    const reader = controller.stream.readable.getReader();
    if (!first) controller.end();
    await reader.closed;
    const failing = new ChannelStreamController<string>();
    if (first) failing.fail(new Error("lost"));
    const failed = failing.stream.readable.getReader();
    const read = assertRejects(() => failed.read(), Error, "lost");
    if (!first) failing.fail(new Error("lost"));
    await assertRejects(() => failed.closed, Error, "lost");
    await read;
  }
});

Deno.test("readable: cancel asks the source to close", async () => {
  const reasons: unknown[] = [];
  const controller = new ChannelStreamController<string>({
    close: (reason) => void reasons.push(reason),
  });
  await controller.stream.readable.cancel("enough");
  assertEquals(reasons, ["enough"]);
});
