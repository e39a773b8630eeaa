import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { pullFrom } from "../../src/stream_channel/pull.ts";
import { microtasks } from "../support/events.ts";

async function* counting(): AsyncGenerator<number> {
  yield 1;
  yield 2;
}

Deno.test("iterables of both kinds and a ReadableStream: each value, then the end", async () => {
  const readable = new ReadableStream<number>({
    start(controller) {
      controller.enqueue(1);
      controller.enqueue(2);
      controller.close();
    },
  });
  for (const source of [[1, 2], counting(), readable]) {
    const pull = pullFrom<number>(source);
    assertEquals((await pull.next()).value, 1);
    assertEquals((await pull.next()).value, 2);
    assertEquals((await pull.next()).done, true);
  }
});

Deno.test("a source that fails, at once or in time: next rejects", async () => {
  const error = new Error("source");
  const throwing = {
    [Symbol.iterator]: () => ({
      next(): IteratorResult<number> {
        throw error;
      },
    }),
  };
  const failing = new ReadableStream<number>({ start: (controller) => controller.error(error) });
  for (const source of [throwing, failing]) {
    assertStrictEquals(await assertRejects(() => Promise.resolve(pullFrom(source).next())), error);
  }
});

Deno.test("cancel: the source is told, and what goes wrong in it is nobody's concern", async () => {
  const told: string[] = [];
  const tell = (name: string) => () => {
    told.push(name);
    throw new Error(name);
  };
  const next = (): IteratorResult<number> => ({ done: false, value: 1 });
  pullFrom({ [Symbol.iterator]: () => ({ next, return: tell("iterator") }) }).cancel();
  pullFrom({ [Symbol.iterator]: () => ({ next }) }).cancel();
  pullFrom(new ReadableStream<number>({ cancel: tell("stream") })).cancel();
  await microtasks();
  assertEquals(told, ["iterator", "stream"]);
});
