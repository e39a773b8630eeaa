import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  type ChannelSink,
  type ChannelStream,
  DelegatingChannelSink,
  DelegatingStreamChannel,
} from "../../src/stream_channel/mod.ts";
import { RawChannel } from "./raw_channel.ts";

Deno.test("S45 a delegating channel forwards; its composition applies to itself", async () => {
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

Deno.test("S45 a subclass chooses the class of the channels that its composition returns", () => {
  class Named extends DelegatingStreamChannel<number> {
    static override derive<In, Out>(
      _channel: object,
      parts: { readonly stream: ChannelStream<In>; readonly sink: ChannelSink<Out> },
    ): DelegatingStreamChannel<In, Out> {
      return new Named(parts as unknown as Named) as unknown as DelegatingStreamChannel<In, Out>;
    }
  }
  const channel = (): Named => new Named(new RawChannel<number>());
  for (
    const derived of [
      channel().transformStream(String),
      channel().transformSink(Number),
      channel().changeStream((stream) => stream),
      channel().changeSink((sink) => sink),
    ]
  ) assert(derived instanceof Named);
});
