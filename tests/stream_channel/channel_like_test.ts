import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  asChannelSink,
  asChannelStream,
  closeQuietly,
  partsOf,
  tellOfError,
} from "../../src/stream_channel/channel_like.ts";
import { channelPair } from "../../src/stream_channel/mod.ts";
import { microtasks } from "../support/events.ts";
import { OpenSource, RawChannel } from "./raw_channel.ts";

Deno.test("it reads only a channel's stream and sink, and does not lock the stream", async () => {
  const { local, foreign } = channelPair<number>();
  const parts = partsOf(local);
  assertStrictEquals(parts.stream, local.stream);
  assertStrictEquals(parts.sink, local.sink);
  foreign.sink.add(1);
  assertEquals((await local.stream.next()).value, 1);
  assertStrictEquals(asChannelStream(local.stream), local.stream);
  assertStrictEquals(asChannelSink(local.sink), local.sink);
});

Deno.test("it accepts Web Streams", async () => {
  const { stream, sink } = partsOf(new TransformStream<string, string>());
  sink.add("through");
  assertEquals((await stream.next()).value, "through");
});

Deno.test("closeQuietly and tellOfError do nothing on a closed sink, or one that an addStream uses", async () => {
  const raw = new RawChannel<never>();
  const added = raw.sink.addStream(new OpenSource<never>());
  closeQuietly(raw.sink);
  tellOfError(raw.sink, new Error());
  assertEquals(raw.out, []);
  const error = new Error("inner");
  raw.control.fail(error);
  assertStrictEquals(await assertRejects(() => added), error);
  closeQuietly(raw.sink);
  await microtasks();
  assertEquals(raw.out, ["done"]);
});
