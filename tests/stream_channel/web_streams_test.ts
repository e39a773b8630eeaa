import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import { sinkFromWritable, streamFromReadable } from "../../src/stream_channel/channel_like.ts";
import { StreamChannel } from "../../src/stream_channel/stream_channel.ts";
import { microtasks, record, settled } from "../support/events.ts";

Deno.test("a readable: its values are delivered, and then its end", async () => {
  const stream = streamFromReadable(
    new ReadableStream<number>({
      start(controller) {
        [1, 2, 3].forEach((value) => controller.enqueue(value));
        controller.close();
      },
    }),
  );
  const got: number[] = [];
  for await (const value of stream) got.push(value);
  assertEquals(got, [1, 2, 3]);
});

Deno.test("a readable: its error fails the stream", async () => {
  const error = new Error("mine");
  const stream = streamFromReadable(
    new ReadableStream<number>({ start: (controller) => controller.error(error) }),
  );
  assertStrictEquals(await assertRejects(() => stream.next()), error);
});

Deno.test("a readable: it is read ahead up to the high-water mark, and no further", async () => {
  let pulled = 0;
  const stream = streamFromReadable(
    new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(16_384));
      },
    }, { highWaterMark: 0 }),
  );
  await microtasks(100);
  assertEquals(pulled, 4);
  await stream.next();
  await microtasks(100);
  assertEquals(pulled, 5);
});

Deno.test("a readable: a reader that leaves or cancels also cancels the readable", async () => {
  for (const how of ["leave", "cancel"]) {
    const reasons: unknown[] = [];
    const stream = streamFromReadable(
      new ReadableStream<number>({ cancel: (reason) => void reasons.push(reason) }),
    );
    if (how === "leave") record(stream).subscription.cancel();
    else await stream.readable.cancel("enough");
    await microtasks();
    assertEquals(reasons.length, 1);
  }
});

Deno.test("a writable: it receives added values in order, then the end; the sink reports its room", async () => {
  const written: string[] = [];
  let go = (): void => {};
  const sink = sinkFromWritable(
    new WritableStream<string>({
      write(text) {
        written.push(text);
        return new Promise((resolve) => go = resolve);
      },
      close: () => void written.push("done"),
    }),
  );
  assert(sink.add("a"));
  assert(sink.add("x".repeat(70_000)));
  assertEquals(sink.bufferedAmount, 70_032);
  const [ready, flushed, closed] = [sink.ready, sink.flush(), sink.close()];
  await microtasks();
  assertEquals(written, ["a"]);
  go();
  await microtasks();
  assertEquals([written.length, sink.bufferedAmount], [2, 70_000]);
  assertFalse(await settled(flushed));
  go();
  await Promise.all([ready, flushed, closed]);
  assertEquals(written.at(-1), "done");
});

Deno.test("a writable: an added error aborts it, and rejects done", async () => {
  const aborted: unknown[] = [];
  const sink = sinkFromWritable(
    new WritableStream<string>({ abort: (reason) => void aborted.push(reason) }),
  );
  const error = new Error("mine");
  sink.addError(error);
  assertStrictEquals(await assertRejects(() => sink.done), error);
  assertEquals(aborted, [error]);
  assertFalse(sink.add("late"));
});

Deno.test("a writable that fails: the sink drops values, and done and flush reject with its error", async () => {
  const error = new Error("mine");
  const sink = sinkFromWritable(
    new WritableStream<string>({
      write() {
        throw error;
      },
    }),
  );
  sink.add("a");
  const flushed = sink.flush();
  assertStrictEquals(await assertRejects(() => sink.done), error);
  assertStrictEquals(await assertRejects(() => flushed), error);
  assertFalse(sink.add("late"));
  assertStrictEquals(await assertRejects(() => sink.close()), error);
});

Deno.test("S7 a writable with another sink behind it: done settles with that sink", async () => {
  const { local, foreign } = channelPair<string>();
  let told = 0;
  const sink = sinkFromWritable(new WritableStream<string>(), {
    sink: local.sink,
    onClose: () => told++,
  });
  const closed = sink.close();
  await microtasks();
  assertFalse(await settled(closed));
  assertEquals(told, 1);
  void foreign.sink.close();
  await closed;
});

Deno.test("objects in Web Streams: with from, they count with their content; with changeSink, as 4 KiB each", () => {
  const stuck = (): WritableStream<object> =>
    new WritableStream({ write: () => new Promise(() => {}) });
  const value = { text: "x".repeat(10_000) };
  const { local } = channelPair<object>();
  const changed = local.changeSink(() => stuck());
  const given = StreamChannel.from({ readable: new ReadableStream<object>(), writable: stuck() });
  for (const { sink } of [changed, given]) for (let i = 0; i < 2; i++) sink.add(value);
  assertEquals(changed.sink.bufferedAmount, 8192);
  assert(given.sink.bufferedAmount > 20_000 && given.sink.bufferedAmount < 21_000);
});
