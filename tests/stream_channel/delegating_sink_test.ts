import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { DelegatingChannelSink } from "../../src/stream_channel/mod.ts";
import { RawChannel } from "./raw_channel.ts";

Deno.test("S12 a delegating sink forwards every member", async () => {
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
