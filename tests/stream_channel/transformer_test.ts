import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { channelPair, StreamChannelTransformer } from "../../src/stream_channel/mod.ts";
import { microtasks, record } from "../support/events.ts";
import { RawChannel } from "./raw_channel.ts";

const numbers = new StreamChannelTransformer<string, string, number, number>(Number, String);

Deno.test("S55 S57 a transformer of two functions; bind works for any number of channels", async () => {
  for (let round = 0; round < 2; round++) {
    const raw = new RawChannel<string>();
    const channel = numbers.transformChannel(raw);
    raw.in.add("42");
    assertEquals((await channel.stream.next()).value, 42);
    channel.sink.add(43);
    await channel.sink.close();
    assertEquals(raw.out, ["43", "done"]);
  }
});

Deno.test("each channel has its own handler state; flush runs at the end", async () => {
  const pairs = {
    create() {
      let held: string | undefined;
      return {
        transform(value: string, emit: (value: string) => void): void {
          if (held === undefined) held = value;
          else {
            emit(held + value);
            held = undefined;
          }
        },
        flush(emit: (value: string) => void): void {
          if (held !== undefined) emit(held);
        },
      };
    },
  };
  const transformer = new StreamChannelTransformer(pairs, pairs);
  for (let round = 0; round < 2; round++) {
    const raw = new RawChannel<string>();
    const channel = transformer.transformChannel(raw);
    const { events } = record(channel.stream);
    ["a", "b", "c"].forEach((value) => raw.in.add(value));
    raw.in.end();
    await microtasks();
    assertEquals(events, ["ab", "c", "done"]);
    ["d", "e", "f"].forEach((value) => assert(channel.sink.add(value)));
    await channel.sink.close();
    assertEquals(raw.out, ["de", "f", "done"]);
  }
});

Deno.test("an error of the inner stream passes, and flush does not run", async () => {
  const raw = new RawChannel<string>();
  let flushed = false;
  const transform = { create: () => ({ transform: () => {}, flush: () => void (flushed = true) }) };
  const channel = new StreamChannelTransformer<string, string, string, string>(
    transform,
    String,
  ).transformChannel(raw);
  const error = new Error("inner");
  raw.in.fail(error);
  assertStrictEquals(await assertRejects(() => channel.stream.next()), error);
  assertFalse(flushed);
});

Deno.test("if a decoder or its flush throws, the stream fails after the earlier values", async () => {
  const error = new Error("mine");
  const failing = (value: string): string => {
    if (value === "bad") throw error;
    return value;
  };
  const handlers = {
    create: () => ({
      transform: (value: string, emit: (value: string) => void): void => emit(failing(value)),
      flush: (): never => {
        throw error;
      },
    }),
  };
  for (
    const [decode, inFlush] of [[failing, false], [handlers, false], [handlers, true]] as const
  ) {
    const raw = new RawChannel<string>();
    const channel = new StreamChannelTransformer(decode, failing).transformChannel(raw);
    const { events } = record(channel.stream);
    raw.in.add("good");
    if (!inFlush) ["bad", "late"].forEach((value) => raw.in.add(value));
    raw.in.end();
    await microtasks();
    assertEquals(events, ["good", ["error", error], "done"]);
    assertEquals(raw.out, [["error", error], "done"]);
    assertFalse(channel.sink.add("late"));
  }
});

Deno.test("if an encoder throws, add throws too, nothing is sent, and the channel stays usable", async () => {
  const error = new RangeError("mine");
  const failing = (value: string): string => {
    if (value === "bad") throw error;
    return value;
  };
  const raw = new RawChannel<string>();
  const { sink } = new StreamChannelTransformer<string, string, string, string>(String, failing)
    .transformChannel(raw);
  assertStrictEquals(assertThrows(() => sink.add("bad")), error);
  sink.add("good");
  await sink.close();
  assertEquals(raw.out, ["good", "done"]);
});

Deno.test("if an encoder's flush throws, the inner sink gets the error and is done with it", async () => {
  const error = new Error("mine");
  const raw = new RawChannel<string>({ takeErrors: false });
  const encode = {
    create: () => ({
      transform: (value: string, emit: (value: string) => void): void => emit(value),
      flush: (): never => {
        throw error;
      },
    }),
  };
  const { sink } = new StreamChannelTransformer<string, string, string, string>(String, encode)
    .transformChannel(raw);
  assertStrictEquals(await assertRejects(() => sink.close()), error);
  assertEquals(raw.out, [["abort", error], "done"]);
});

Deno.test("handlers on a sink whose other end has ended: add returns false", () => {
  const raw = new RawChannel<string>();
  const encode = {
    create: () => ({
      transform: (value: string, emit: (value: string) => void): void => [...value].forEach(emit),
    }),
  };
  const { sink } = new StreamChannelTransformer<string, string, string, string>(String, encode)
    .transformChannel(raw);
  assert(sink.add("ab"));
  assert(sink.add(""));
  raw.control.disconnect();
  assertFalse(sink.add("cd"));
  assertEquals(raw.out, ["a", "b"]);
});

Deno.test("after a reader has left, nothing is decoded, and the end is noticed", async () => {
  let decoded = 0;
  const { local, foreign } = channelPair<string>();
  const channel = local.transformStream(() => decoded++);
  record(channel.stream).subscription.cancel();
  foreign.sink.add("a");
  await foreign.sink.close();
  await channel.sink.done;
  assertEquals(decoded, 0);
});

Deno.test("S55 two TransformStream factories", async () => {
  const text = StreamChannelTransformer.fromTransformStreams<
    Uint8Array<ArrayBuffer>,
    Uint8Array,
    string,
    string
  >(() => new TextDecoderStream(), () => new TextEncoderStream());
  for (let round = 0; round < 2; round++) {
    const { local, foreign } = channelPair<Uint8Array<ArrayBuffer>, Uint8Array>();
    const channel = local.transform(text);
    const bytes = new TextEncoder().encode("é");
    foreign.sink.add(bytes.slice(0, 1));
    foreign.sink.add(bytes.slice(1));
    assertEquals((await channel.stream.next()).value, "é");
    channel.sink.add("a");
    channel.sink.add("b");
    const closed = channel.sink.close();
    assertEquals((await channel.stream.next()).done, true);
    const got: number[] = [];
    for await (const chunk of foreign.stream) got.push(...chunk);
    assertEquals(got, [97, 98]);
    await closed;
  }
});

Deno.test("TransformStreams: the end and errors pass in both directions", async () => {
  const same = StreamChannelTransformer.fromTransformStreams<string, string, string, string>(
    () => new TransformStream<string, string>(),
    () => new TransformStream<string, string>(),
  );
  const ended = channelPair<string>();
  const one = ended.local.transform(same);
  ended.foreign.sink.add("last");
  await ended.foreign.sink.close();
  assertEquals((await one.stream.next()).value, "last");
  assertEquals((await one.stream.next()).done, true);
  await one.sink.done;
  assertFalse(one.sink.add("late"));

  const failed = channelPair<string>();
  const two = failed.local.transform(same);
  const error = new Error("told");
  failed.foreign.sink.addError(error);
  assertStrictEquals(await assertRejects(() => two.stream.next()), error);

  const failing = channelPair<string>();
  const three = failing.local.transform(same);
  three.sink.addError(error);
  assertStrictEquals(await assertRejects(() => three.sink.done), error);
  assertStrictEquals(await assertRejects(() => failing.foreign.stream.next()), error);
});

Deno.test("TransformStreams: S7 close settles and loses nothing, even if the other end does not read", async () => {
  const same = StreamChannelTransformer.fromTransformStreams<string, string, string, string>(
    () => new TransformStream<string, string>(),
    () => new TransformStream<string, string>(),
  );
  const { local, foreign } = channelPair<string>({ highWaterMark: 100 });
  const { sink } = local.transform(same);
  const text = "x".repeat(50);
  for (let i = 0; i < 20; i++) sink.add(text);
  await microtasks(200);
  // Until then, the rest waits because the other end has no room.
  assert(local.sink.bufferedAmount <= 150);
  assert(sink.bufferedAmount >= 500);
  await sink.close();
  const got: string[] = [];
  for await (const message of foreign.stream) got.push(message);
  assertEquals(got.length, 20);
});
