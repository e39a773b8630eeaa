import { assert, assertEquals, assertFalse, assertStrictEquals } from "@std/assert";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import { partsOf } from "../../src/stream_channel/channel_like.ts";
import type { ChannelSink } from "../../src/stream_channel/channel_sink.ts";
import { ChannelWire, type ChannelWireOptions } from "../../src/web_socket/channel_wire.ts";
import { microtasks, settled } from "../support/events.ts";
import type { ByteChannel } from "../support/own_channels.ts";
import { FakeBytes } from "./support.ts";

interface Connected {
  readonly wire: ChannelWire;
  readonly events: unknown[];
}

function connect(bytes: ByteChannel, options: ChannelWireOptions = bytes): Connected {
  const events: unknown[] = [];
  const wire = new ChannelWire(bytes, options);
  wire.listen({
    onChunk: (chunk) => events.push([...chunk]),
    onDrain: () => events.push("drain"),
    onEnded: (failure) => events.push(["over", failure]),
    onEnd: (failure) => events.push(["end", failure]),
  });
  return { wire, events };
}

Deno.test("the wire delivers chunks unchanged, and reports the end once", async () => {
  const bytes = new FakeBytes();
  const { events } = connect(bytes);
  bytes.receive(Uint8Array.of(1, 2), Uint8Array.of(3));
  bytes.incoming.end();
  bytes.outgoing.finish();
  await microtasks();
  assertEquals(events, [[1, 2], [3], ["end", null]]);
});

Deno.test("the wire notifies its last listener", () => {
  const bytes = new FakeBytes();
  const { wire, events } = connect(bytes);
  bytes.receive(Uint8Array.of(1));
  const later: unknown[] = [];
  wire.listen({
    onChunk: (chunk) => later.push([...chunk]),
    onDrain: () => {},
    onEnded: () => {},
    onEnd: () => later.push("end"),
  });
  bytes.receive(Uint8Array.of(2));
  bytes.incoming.end();
  assertEquals([events, later], [[[1]], [[2], "end"]]);
});

Deno.test("the wire reports a failure with the end", async () => {
  const bytes = new FakeBytes();
  const { events } = connect(bytes);
  const error = new Error("reset");
  bytes.fail(error);
  await microtasks();
  assertEquals(events, [["end", { error }]]);
});

Deno.test("a chunk that is not bytes is a failure, and the last chunk", () => {
  const bytes = new FakeBytes();
  const { events } = connect(bytes);
  bytes.receive("text" as unknown as Uint8Array, Uint8Array.of(1));
  const [[kind, failure] = []] = events as [string, { error: Error }][];
  assertEquals([events.length, kind, failure?.error.name], [1, "end", "TypeError"]);
  assertEquals(bytes.log, ["cancel"]);
});

Deno.test("a channel that is lost while paused delivers its chunks, and then its end", async () => {
  const bytes = new FakeBytes();
  const { wire, events } = connect(bytes);
  wire.pause();
  bytes.receive(Uint8Array.of(1));
  const error = new Error("reset");
  bytes.fail(error);
  assertEquals(events, []);
  await microtasks();
  // The sink ends normally; the stream reports the failure.
  assertEquals(events, [["over", null], [1], ["end", { error }]]);
});

Deno.test("if the end arrives while paused, the wire also reports the end of the sink", async () => {
  const bytes = new FakeBytes();
  let onDone: (() => void) | undefined;
  const listen: ByteChannel["stream"]["listen"] = (onData, options) => {
    onDone = options?.onDone;
    return bytes.stream.listen(onData, options);
  };
  const stream = { listen } as ByteChannel["stream"];
  const { wire, events } = connect({ stream, sink: bytes.sink });
  wire.pause();
  // For example, if closing a channel discards its buffered chunks.
  onDone?.();
  bytes.outgoing.finish();
  await microtasks();
  assertEquals(events, [["end", null], ["over", null]]);
});

Deno.test("the sink has ended, but the stream has not", async () => {
  const bytes = new FakeBytes();
  const { wire, events } = connect(bytes);
  const error = new Error("broken");
  bytes.outgoing.fail(error);
  await microtasks();
  assertEquals(events, [["over", { error }]]);
  assertFalse(wire.writeAll([Uint8Array.of(1)]));
  assertEquals(bytes.written, []);
});

Deno.test("a sink that throws ends the wire", async () => {
  const { local } = channelPair<Uint8Array>();
  const { wire, events } = connect(local);
  void local.sink.close();
  assertFalse(wire.writeAll([Uint8Array.of(1), Uint8Array.of(2)]));
  const [[, failure] = []] = events as [string, { error: DOMException }][];
  assertEquals(failure?.error.name, "InvalidStateError");
  await microtasks();
  assertEquals(events, [["over", failure], ["end", failure]]);
});

Deno.test("the wire writes chunks one by one, so that the receiver may keep each chunk", () => {
  const bytes = new FakeBytes();
  const { wire } = connect(bytes);
  assert(wire.writeAll([Uint8Array.of(1), Uint8Array.of(2, 3)]));
  assertEquals([bytes.written.length, bytes.sent(), wire.releasesChunks], [2, "010203", false]);
});

Deno.test("ending: the wire writes nothing more, and does not report its end", async () => {
  const bytes = new FakeBytes();
  const { wire, events } = connect(bytes);
  assertFalse(await settled(bytes.sink.done));
  assert(await settled(wire.end()));
  assertFalse(wire.write(Uint8Array.of(1)));
  assertEquals([bytes.written, bytes.log, events], [[], ["close"], []]);
});

Deno.test("ending settles without rejecting if the sink fails", async () => {
  const bytes = new FakeBytes();
  bytes.ends = false;
  const { wire } = connect(bytes);
  const ended = wire.end();
  assertFalse(await settled(ended));
  bytes.outgoing.fail(new Error("reset"));
  await ended;
});

Deno.test("ending a channel causes no error if another caller holds its sink", async () => {
  const { local } = channelPair<Uint8Array>();
  const { wire } = connect(local);
  void local.sink.addStream(new ReadableStream<Uint8Array>());
  await wire.end();
});

Deno.test("destroying: it destroys the channel at once if supported, and closes it otherwise", async () => {
  const bytes = new FakeBytes();
  const { wire, events } = connect(bytes);
  assert(wire.canDestroy);
  wire.destroy();
  wire.destroy();
  bytes.receive(Uint8Array.of(1));
  assertFalse(wire.write(Uint8Array.of(1)));
  assertEquals([bytes.log, bytes.written], [["cancel", "destroy"], []]);
  const other = new FakeBytes({ canDestroy: false });
  const plain = connect(other);
  assertFalse(plain.wire.canDestroy);
  plain.wire.destroy();
  await microtasks();
  assertEquals([other.log, events, plain.events], [["cancel", "close"], [], []]);
});

Deno.test("the wire does not call a property destroy of a user's object", async () => {
  const bytes = new FakeBytes();
  const { wire } = connect(bytes, {});
  assertFalse(wire.canDestroy);
  wire.destroy();
  await microtasks();
  assertEquals(bytes.log, ["cancel", "close"]);
});

Deno.test("a destroyed wire still counts the bytes that it has not passed on", () => {
  const bytes = new FakeBytes();
  const { wire } = connect(bytes);
  bytes.full = true;
  wire.write(Uint8Array.of(1, 2, 3));
  wire.destroy();
  bytes.drain();
  assertEquals(wire.bufferedAmount, 3);
});

Deno.test("the wire ignores the buffered amount of a sink that has ended", async () => {
  let bufferedAmount = 3;
  const bytes = handWritten({ done: Promise.resolve() });
  Object.defineProperty(bytes.sink, "bufferedAmount", { get: () => bufferedAmount });
  const { wire } = connect(bytes, {});
  wire.write(Uint8Array.of(1, 2, 3));
  await microtasks();
  for (bufferedAmount of [0, 100]) assertEquals(wire.bufferedAmount, 3);
});

Deno.test("watching: the wire reports room again, and that it has passed on everything", async () => {
  const bytes = new FakeBytes({ highWaterMark: 2 });
  const { wire, events } = connect(bytes);
  wire.watch();
  await microtasks();
  wire.watch();
  await microtasks();
  // The wire wrote nothing; another caller's bytes were sent, once.
  assertEquals(events.splice(0), ["drain"]);
  bytes.full = true;
  wire.write(Uint8Array.of(1, 2, 3));
  assertEquals(wire.bufferedAmount, 3);
  wire.watch();
  wire.watch();
  const flushed = wire.flush();
  await microtasks();
  assertEquals([events, await settled(flushed)], [[], false]);
  bytes.drain();
  await flushed;
  await microtasks();
  assertEquals(events, ["drain"]);
  wire.write(Uint8Array.of(4));
  wire.watch();
  await microtasks();
  assertEquals(events, ["drain", "drain"]);
  // Everything is passed on, and the wire reported that.
  wire.watch();
  await microtasks();
  assertEquals(events, ["drain", "drain"]);
});

/** A sink implemented by hand. */
function handWritten(members: Partial<ChannelSink<Uint8Array>>): ByteChannel {
  const { stream } = new FakeBytes();
  const sink: Partial<ChannelSink<Uint8Array>> = {
    add: () => true,
    ready: Promise.resolve(),
    flush: () => Promise.resolve(),
    close: () => Promise.resolve(),
    done: new Promise(() => {}),
    ...members,
  };
  return { stream, sink: sink as ChannelSink<Uint8Array> };
}

Deno.test("watching ends even if the sink's amount never changes", async () => {
  const flush = (): Promise<never> => Promise.reject(new Error("no"));
  const sinks: Partial<ChannelSink<Uint8Array>>[] = [
    { hasRoom: true, bufferedAmount: 100_000 },
    { hasRoom: false, bufferedAmount: 100_000 },
    { hasRoom: false, bufferedAmount: 0 },
    { hasRoom: true, bufferedAmount: 100_000, flush },
    { hasRoom: false, bufferedAmount: 100_000, flush },
  ];
  for (const members of sinks) {
    const wire = new ChannelWire(handWritten(members));
    let drains = 0;
    wire.listen({
      onChunk: () => {},
      onDrain: () => {
        // Like a caller that waits for the amount to fall.
        if (++drains < 100) wire.watch();
      },
      onEnded: () => {},
      onEnd: () => {},
    });
    for (let i = 1; i < 3; i++) {
      wire.write(Uint8Array.of(1));
      wire.watch();
      await microtasks(50);
      assert(drains > 0 && drains <= 2 * i, `${JSON.stringify(members)}: ${drains}`);
    }
  }
});

Deno.test("bytes that the sink reports as sent do not count as buffered", async () => {
  const wire = new ChannelWire(handWritten({ hasRoom: true, bufferedAmount: 100_000 }));
  assertEquals(wire.bufferedAmount, 100_000);
  wire.write(Uint8Array.of(1));
  await wire.flush();
  assertEquals(wire.bufferedAmount, 0);
  wire.write(Uint8Array.of(1));
  assertEquals(wire.bufferedAmount, 100_000);
});

Deno.test("flush settles without rejecting if the channel ends first", async () => {
  const bytes = new FakeBytes();
  const { wire } = connect(bytes);
  bytes.full = true;
  wire.write(Uint8Array.of(1));
  const flushed = wire.flush();
  bytes.outgoing.finish(new Error("reset"));
  await flushed;
});

Deno.test("the wire transfers chunks only if the channel allows that; ref and unref do nothing", () => {
  const bytes = new FakeBytes();
  assertFalse(new ChannelWire(bytes).ownsChunks);
  const wire = new ChannelWire(bytes, { ownsChunks: true });
  assert(wire.ownsChunks);
  wire.ref();
  wire.unref();
  assertEquals(bytes.log, []);
});

Deno.test("any channel of bytes can be a wire", async () => {
  const { local } = channelPair<Uint8Array>();
  assertStrictEquals<unknown>(partsOf(local), local);
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const { wire, events } = connect(partsOf<Uint8Array, Uint8Array>({ readable, writable }));
  wire.write(Uint8Array.of(7));
  await wire.flush();
  assertEquals(events, [[7]]);
  wire.destroy();
});
