import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { DelegatingChannelSink, DelegatingStreamChannel } from "../../src/stream_channel/mod.ts";
import { RawChannel } from "./raw_channel.ts";

Deno.test("S45 a channel that forwards; its composition applies to itself", async () => {
  const raw = new RawChannel<number>();
  class Logged extends DelegatingStreamChannel<number> {
    override readonly sink = new Doubling(raw.sink);
  }
  const channel = new Logged(raw);
  assertStrictEquals(channel.stream, raw.stream);
  const composed = channel.transformStream((value) => value + 1);
  raw.in.add(1);
  assertEquals((await composed.stream.next()).value, 2);
  composed.sink.add(4);
  assertEquals(raw.out, [8]);
  const plain = new DelegatingStreamChannel(raw);
  assertStrictEquals(plain.sink, raw.sink);
});

class Doubling extends DelegatingChannelSink<number> {
  override add(value: number): boolean {
    return super.add(value * 2);
  }
}

Deno.test("a sink that forwards everything", async () => {
  const raw = new RawChannel<number>();
  const sink = new DelegatingChannelSink(raw.sink);
  assert(sink.add(1));
  await sink.addStream([2, 3]);
  const error = new Error("told");
  sink.addError(error);
  raw.bufferedAmount = 5;
  assertEquals(sink.bufferedAmount, 5);
  assertStrictEquals(sink.ready, raw.sink.ready);
  raw.bufferedAmount = 0;
  await sink.flush();
  assertStrictEquals(sink.writable, raw.sink.writable);
  assertStrictEquals(sink.close(), sink.done);
  assertStrictEquals(sink.done, raw.sink.done);
  assertEquals(raw.out, [1, 2, 3, ["error", error], "done"]);
});
