import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import { pullFrom } from "../../src/stream_channel/add_stream.ts";
import { assertInvalidState, microtasks } from "../support/events.ts";
import { open, Source } from "./targets.ts";

Deno.test("addStream: it adds all values, waits for room, and leaves the sink usable", async () => {
  const { target, controller } = open({ highWaterMark: 2 });
  const source = new Source();
  const added = controller.sink.addStream(source);
  source.put("ab");
  await microtasks();
  assertEquals(target.values, ["ab"]);
  assertEquals(source.asked, 1, "full: the source isn't asked");
  target.bufferedAmount = 0;
  controller.drained();
  await microtasks();
  assertEquals(source.asked, 2);
  source.end();
  await added;
  assert(controller.sink.add("c"));
});

Deno.test("addStream: it accepts a plain iterable and a ReadableStream", async () => {
  const { target, controller } = open();
  await controller.sink.addStream(["a", "b"]);
  await controller.sink.addStream(new Blob(["cd"]).stream().pipeThrough(new TextDecoderStream()));
  assertEquals(target.values, ["a", "b", "cd"]);
});

Deno.test("addStream: it is exclusive while it runs", async () => {
  const { controller } = open();
  const source = new Source();
  const added = controller.sink.addStream(source);
  assertInvalidState(() => controller.sink.add("a"));
  assertInvalidState(() => controller.sink.addError(new Error("x")));
  assertInvalidState(() => controller.sink.addStream([]));
  assertInvalidState(() => controller.sink.close());
  source.end();
  await added;
  assert(controller.sink.add("a"));
});

Deno.test("addStream: a failing source is an error of the channel, unless an option prevents that", async () => {
  const error = new Error("source");
  const failing = async function* (): AsyncGenerator<string> {
    yield await Promise.resolve("a");
    throw error;
  };
  const { target, controller } = open();
  assertStrictEquals(await assertRejects(() => controller.sink.addStream(failing())), error);
  assertEquals(target.calls, [["abort", error]]);
  assertFalse(controller.sink.add("b"));
  const spared = open();
  const options = { preventAbort: true };
  await assertRejects(() => spared.controller.sink.addStream(failing(), options), Error, "source");
  assertEquals(spared.target.calls, []);
  assert(spared.controller.sink.add("b"));
});

Deno.test("addStream: a value of the wrong type cancels the source", async () => {
  const { controller } = open();
  const source = new Source();
  const added = controller.sink.addStream(source);
  source.put(42 as unknown as string);
  await assertRejects(() => added, TypeError);
  assert(source.cancelled);
});

Deno.test("addStream: when the other end closes, the source is cancelled and the promise rejects", async () => {
  const { controller } = open();
  const source = new Source();
  const added = controller.sink.addStream(source);
  await microtasks();
  controller.disconnect();
  await microtasks();
  assert(source.cancelled);
  const cause = new Error("lost");
  controller.finish(cause);
  assertStrictEquals(await assertRejects(() => added), cause);
});

Deno.test("addStream: a signal stops it and keeps the channel open", async () => {
  const { target, controller } = open({ highWaterMark: 1 });
  const abort = new AbortController();
  const source = new Source();
  const added = controller.sink.addStream(source, { signal: abort.signal });
  source.put("a");
  await microtasks();
  const reason = new Error("enough");
  abort.abort(reason);
  assertStrictEquals(await assertRejects(() => added), reason);
  assert(source.cancelled);
  target.bufferedAmount = 0;
  assert(controller.sink.add("b"));
  const { signal } = abort;
  assertStrictEquals(await assertRejects(() => controller.sink.addStream([], { signal })), reason);
});

Deno.test("addStream: if close wins, it cancels the source", async () => {
  const { target, controller } = open({ closeWins: true });
  const source = new Source();
  const added = controller.sink.addStream(source);
  const closed = controller.sink.close();
  await added;
  assert(source.cancelled);
  assertEquals(target.calls, ["close"]);
  assertInvalidState(() => controller.sink.add("a"));
  controller.finish();
  await closed;
});

async function* counting(): AsyncGenerator<number> {
  yield 1;
  yield 2;
}

Deno.test("iterables of both kinds and a ReadableStream deliver each value, then the end", async () => {
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

Deno.test("a source that fails, at once or later, rejects next", async () => {
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

Deno.test("cancel: it notifies the source, and ignores the source's errors", async () => {
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
