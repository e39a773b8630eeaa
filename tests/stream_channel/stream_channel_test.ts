/*
 * C92–C97, C99. Without a counterpart: C98 (a mixin). A class has one base class here, so users
 * extend StreamChannelBase (C99) or wrap a channel in a DelegatingStreamChannel.
 */

import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import {
  channelPair,
  type ChannelSink,
  type ChannelStream,
  jsonDocument,
  MultiChannel,
  StreamChannel,
  StreamChannelBase,
  StreamChannelTransformer,
  type StreamTransformer,
} from "../../src/stream_channel/mod.ts";
import { assertInvalidState, microtasks, record } from "../support/events.ts";
import { collectUncaught } from "../support/unhandled.ts";
import { CountedSource, PausedReader, RawChannel } from "./raw_channel.ts";

/** Splits texts into lines, whatever the chunks. */
const lines: StreamTransformer<string, string> = {
  create() {
    let rest = "";
    return {
      transform(chunk, emit) {
        const parts = (rest + chunk).split("\n");
        rest = parts.pop() ?? "";
        parts.forEach(emit);
      },
      flush(emit) {
        if (rest !== "") emit(rest);
      },
    };
  },
};

Deno.test("C92 pipe: each side's values and end arrive at the other's sink", async () => {
  const [a, b] = [new RawChannel<number>(), new RawChannel<number>()];
  const piped = StreamChannel.from(a).pipe(b);
  [1, 2, 3].forEach((value) => a.in.add(value));
  [4, 5, 6].forEach((value) => b.in.add(value));
  a.in.end();
  b.in.end();
  await piped;
  assertEquals(b.out, [1, 2, 3, "done"]);
  assertEquals(a.out, [4, 5, 6, "done"]);
});

Deno.test("C93 transform with a UTF-8 codec", async () => {
  const raw = new RawChannel<Uint8Array>();
  const channel = StreamChannel.from(raw).transform(StreamChannelTransformer.fromCodec({
    encode: (text: string) => new TextEncoder().encode(text),
    decode: (bytes: Uint8Array) => new TextDecoder().decode(bytes),
  }));
  raw.in.add(new TextEncoder().encode("foobar"));
  assertEquals((await channel.stream.next()).value, "foobar");
  channel.sink.add("fblthp");
  await channel.sink.close();
  assertEquals(raw.out, [new TextEncoder().encode("fblthp"), "done"]);
});

Deno.test("C94 transformStream with a line splitter: the sink is unchanged", async () => {
  const raw = new RawChannel<string>();
  const channel = StreamChannel.from(raw).transformStream(lines);
  const { events } = record(channel.stream);
  for (const chunk of ["hello world", " what\nis", "\nup"]) raw.in.add(chunk);
  raw.in.end();
  await microtasks();
  assertEquals(events, ["hello world what", "is", "up", "done"]);
  channel.sink.add("fbl\nthp");
  await channel.sink.close();
  assertEquals(raw.out, ["fbl\nthp", "done"]);
});

Deno.test("C95 transformSink with a line splitter: the stream is unchanged", async () => {
  const raw = new RawChannel<string>();
  const channel = StreamChannel.from(raw).transformSink(lines);
  raw.in.add("fbl\nthp");
  assertEquals((await channel.stream.next()).value, "fbl\nthp");
  for (const chunk of ["hello world", " what\nis", "\nup"]) channel.sink.add(chunk);
  await channel.sink.close();
  assertEquals(raw.out, ["hello world what", "is", "up", "done"]);
});

Deno.test("C96 changeStream: it passes the same stream; only the replacement is read", async () => {
  const raw = new RawChannel<number>();
  const other = new RawChannel<string>();
  const channel = StreamChannel.from(raw).changeStream((stream) => {
    assertStrictEquals(stream, raw.stream);
    return other.stream;
  });
  raw.in.add(1);
  other.in.add("other");
  assertEquals((await channel.stream.next()).value, "other");
  const readable = StreamChannel.from(new RawChannel<number>()).changeStream(() =>
    new ReadableStream<string>({ start: (controller) => controller.enqueue("web") })
  );
  assertEquals((await readable.stream.next()).value, "web");
});

Deno.test("C97 changeSink: it passes the same sink; only the replacement receives values", async () => {
  const raw = new RawChannel<number>();
  const other = new RawChannel<number, string>();
  const channel = StreamChannel.from(raw).changeSink((sink) => {
    assertStrictEquals(sink, raw.sink);
    return other.sink;
  });
  channel.sink.add("other");
  await channel.sink.close();
  assertEquals(raw.out, []);
  assertEquals(other.out, ["other", "done"]);
  const written: string[] = [];
  const writable = StreamChannel.from(new RawChannel<number>()).changeSink(() =>
    new WritableStream<string>({ write: (text) => void written.push(text) })
  );
  writable.sink.add("web");
  await writable.sink.close();
  assertEquals(written, ["web"]);
});

class OwnChannel extends StreamChannelBase<string> {
  readonly raw: RawChannel<string> = new RawChannel<string>();
  readonly stream: ChannelStream<string> = this.raw.stream;
  readonly sink: ChannelSink<string> = this.raw.sink;
}

Deno.test("C99 a user's own channel class supports composition", async () => {
  const own = new OwnChannel();
  const channel = own.transform(jsonDocument);
  own.raw.in.add("[1]");
  assertEquals((await channel.stream.next()).value, [1]);
  channel.sink.add({});
  assertEquals(own.raw.out, ["{}"]);
  assertStrictEquals(own.writable, own.sink.writable);
});

Deno.test("S43 cast returns the same channel", () => {
  const channel = StreamChannel.from(new RawChannel<number>());
  const cast: StreamChannel<string, boolean> = channel.cast<string, boolean>();
  assertStrictEquals<unknown>(cast, channel);
});

Deno.test("S23 from forms a channel of the given stream and sink themselves", async () => {
  const raw = new RawChannel<number>();
  const channel = StreamChannel.from(raw);
  assertStrictEquals(channel.stream, raw.stream);
  assertStrictEquals(channel.sink, raw.sink);
  raw.in.end();
  assertEquals((await channel.stream.next()).done, true);
  assert(channel.sink.add(1));
});

Deno.test("S42 changed and transformed channels keep guarantee 2", async () => {
  const raw = new RawChannel<number>();
  const same = <T>(value: T): T => value;
  const from = (): StreamChannel<number> => StreamChannel.from(raw);
  const makers = [
    () => from().changeStream(same),
    () => from().changeSink(same),
    () => from().transformStream(same<number>),
    () => from().transformSink(same<number>),
  ];
  for (const make of makers) {
    const inner = new RawChannel<number>();
    Object.assign(raw, { stream: inner.stream, sink: inner.sink });
    const channel = make();
    inner.in.add(1);
    inner.in.add(2);
    const events: unknown[] = [];
    channel.stream.listen((value) => {
      events.push(value);
      channel.sink.close();
    }, { onDone: () => events.push("done") });
    await microtasks();
    assertEquals(events, [1, "done"]);
    assertEquals(inner.out, ["done"]);
  }
});

Deno.test("a transform locks the stream at once", () => {
  const { local } = channelPair<string>();
  local.transformStream((text) => text.length);
  assertInvalidState(() => local.stream.listen(() => {}));
  assertInvalidState(() => local.transform(jsonDocument));
});

/** jsonDocument and two transformers below a MultiChannel. */
function tower(channel: StreamChannel<string>): MultiChannel<number[]> {
  const reverse = (text: string): string => [...text].reverse().join("");
  const brackets = StreamChannelTransformer.fromCodec<string, string>({
    encode: (text) => `<${text}>`,
    decode: (text) => text.slice(1, -1),
  });
  const text = channel
    .transform(new StreamChannelTransformer(reverse, reverse))
    .transform(brackets);
  return new MultiChannel<number[]>(text.transform(jsonDocument), { highWaterMark: 2000 });
}

async function assertBackpressure(turned: boolean): Promise<void> {
  const pair = channelPair<string>({ highWaterMark: 2000 });
  const here = tower(pair.local).virtualChannel();
  const there = tower(pair.foreign).virtualChannel(here.id);
  const [producing, consuming] = turned ? [there, here] : [here, there];
  const numbers = Array.from({ length: 50 }, (_, i) => i);
  const source = new CountedSource(3000, () => numbers);
  const reader = new PausedReader(consuming.stream);
  const added = producing.sink.addStream(source);
  for (let i = 0; i < 500; i++) await microtasks();
  const stopped = source.produced;
  for (let i = 0; i < 500; i++) await microtasks();
  assertEquals(source.produced, stopped);
  assertEquals(reader.received.length, 0);
  // A document has about 150 characters: 2000 in each half of the pair, and 2000 (about 500 a
  // message) in the virtual channel; each wrapper holds one message.
  assert(stopped <= 40, `${stopped} produced`);
  reader.resume();
  await added;
  producing.sink.close();
  await reader.over;
  assertEquals(reader.received.length, 3000);
  assertEquals(reader.received.at(-1), numbers);
}

Deno.test("a paused reader stops a producer through jsonDocument, MultiChannel and two transformers", async () => {
  for (const turned of [false, true]) await assertBackpressure(turned);
});

Deno.test("three nested wrappers deliver a value inside the call that adds it", () => {
  const { local, foreign } = channelPair<string>({ sync: true });
  const channel = local
    .transform(jsonDocument)
    .transformStream((value) => value as number)
    .transformSink((value: number) => value + 1);
  const got: number[] = [];
  channel.stream.listen((value) => got.push(value));
  foreign.sink.add("1");
  assertEquals(got, [1]);
  const back: string[] = [];
  foreign.stream.listen((text) => back.push(text));
  channel.sink.add(1);
  assertEquals(back, ["2"]);
});

Deno.test("pipe: an error is added to the other sink, and rejects the promise", async () => {
  const a = channelPair<number>();
  const b = channelPair<number>({ allowForeignErrors: false });
  const error = new Error("a");
  const piped = a.foreign.pipe(b.foreign);
  a.local.sink.addError(error);
  assertStrictEquals(await assertRejects(() => piped), error);
  assertStrictEquals(await assertRejects(() => b.foreign.sink.done), error);
  assertFalse(b.local.sink.add(1));
  await a.local.sink.done;
});

Deno.test("an error of a listener above three wrappers is rethrown, and closes and loses nothing", async () => {
  const { local, foreign } = channelPair<string>({ sync: true });
  const channel = new MultiChannel<number>(local.transform(jsonDocument));
  const got: number[] = [];
  const error = new Error("listener");
  channel.stream.listen((value) => {
    got.push(value);
    throw error;
  });
  const uncaught = await collectUncaught(() => {
    for (const text of ["[0,1]", "[0,2]"]) assert(foreign.sink.add(text));
  });
  assertEquals([got, uncaught], [[1, 2], [error, error]]);
  assert(channel.sink.add(3));
});
