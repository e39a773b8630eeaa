import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { UnsupportedError, WebSocketChannelError } from "../../mod.ts";
import {
  assertInvalidState,
  assertRejectsInvalidState,
  nextMessage,
  settled,
} from "../support/events.ts";
import { collect, type Suite } from "./suite.ts";
import { rejection } from "../support/promises.ts";

/** Readers, sources, errors in the sink, and backpressure. */
export function testFlow({ test, traits }: Suite): void {
  test("G32 S1 guarantee 1: the channel refuses a second reader", async (context) => {
    const { channel } = await context.open("echo");
    channel.stream.listen(() => {});
    assertInvalidState(() => channel.stream.listen(() => {}));
    await assertRejectsInvalidState(channel.stream.next());
    assertInvalidState(() => channel.stream[Symbol.asyncIterator]());
    const read = channel.readable.getReader().read();
    assertEquals((await assertRejects(() => read, DOMException)).name, "InvalidStateError");
  });

  test("W12 reading step by step, then the rest in a loop", async (context) => {
    const messages = ["hello", "a", "b"];
    const { channel } = await context.open("push", { messages, code: 1000 });
    assertEquals(await nextMessage(channel), "hello");
    const rest: unknown[] = [];
    for await (const message of channel.stream) rest.push(message);
    assertEquals(rest, ["a", "b"]);
  });

  test("S17 guarantee 2: closing inside the callback ends the stream before the next message", async (context) => {
    const messages = ["1", "2", "3"];
    const { channel } = await context.meet("push", { messages });
    const got: unknown[] = [];
    await new Promise<void>((resolve) => {
      channel.stream.listen((message) => {
        got.push(message);
        if (message === "2") channel.sink.close();
      }, { onDone: resolve });
    });
    await channel.sink.done;
    assertEquals(got, ["1", "2"]);
  });

  test("S20 discard: more messages than any queue holds are dropped, and the channel notices the peer's close after them", async (context) => {
    const messages = Array.from({ length: 100 }, (_, i) => `${i}`.padStart(2000));
    const connect = traits.ownProtocol ? {} : { maxQueueSize: 10_000 };
    const { channel } = await context.meet("push", { messages, code: 3001 }, connect);
    channel.stream.discard();
    const info = await channel.closed;
    assertEquals([info.code, info.wasClean, info.error], [3001, true, undefined]);
  });

  test("pause queues messages, resume delivers them in order", async (context) => {
    const { channel, server } = await context.open("push", {
      count: 1,
      messages: ["1", "2", "3"],
      wait: "data",
    });
    const got: unknown[] = [];
    const three = new Promise<void>((resolve) => {
      const subscription = channel.stream.listen((message) => {
        got.push(message);
        if (message === "3") resolve();
        if (message !== "1") return;
        subscription.pause();
        void server.stats().then(() => {
          assertEquals(got, ["1"]);
          subscription.resume();
        });
      });
    });
    channel.sink.add("go");
    await three;
    assertEquals(got, ["1", "2", "3"]);
  });

  test("G12 S21 guarantee 6: an error in the sink closes the channel, and done rejects with it", async (context) => {
    const { channel, server } = await context.open("watch");
    const collected = collect(channel);
    const error = new Error("broken");
    channel.sink.addError(error);
    assertStrictEquals(await rejection(channel.sink.done), error);
    assertEquals((await collected).errors, []);
    const code = traits.ownProtocol ? 1011 : 1005;
    assertEquals(await server.next("close"), { kind: "close", code, reason: "" });
    assertFalse(channel.sink.add("dropped"));
    const info = await channel.closed;
    assertEquals(info.initiator, "local");
    assertStrictEquals(info.error, error);
  });

  test("an error in the sink while connecting ends the attempt", async (context) => {
    const { channel } = await context.meet("silent");
    const error = new Error("broken");
    channel.sink.addError(error);
    assertStrictEquals(await rejection(channel.ready), error);
    assertStrictEquals(await rejection(channel.sink.done), error);
  });

  test("addStream sends all of a source", async (context) => {
    const { channel, server } = await context.open("watch");
    await channel.sink.addStream(["a", Uint8Array.of(1), "b"]);
    assertEquals(await server.next("message"), { kind: "message", text: "a" });
    assertEquals(await server.next("message"), { kind: "message", binary: "01" });
    assertEquals(await server.next("message"), { kind: "message", text: "b" });
    assert(channel.sink.add("c"));
  });

  test("G13 a failing source closes the channel", async (context) => {
    const { channel, server } = await context.open("watch");
    const error = new Error("source");
    // deno-lint-ignore require-yield
    async function* failing(): AsyncGenerator<string> {
      await Promise.resolve();
      throw error;
    }
    assertStrictEquals(await rejection(channel.sink.addStream(failing())), error);
    assertStrictEquals(await rejection(channel.sink.done), error);
    await server.next("close");
  });

  test("G13 the peer closes during addStream: the source is cancelled", async (context) => {
    const { channel } = await context.open("close");
    let cancelled = false;
    const source = new ReadableStream<string>({
      start: (controller) => controller.enqueue("go"),
      cancel: () => void (cancelled = true),
    });
    await assertRejects(() => channel.sink.addStream(source));
    await channel.closed;
    assert(cancelled);
  });

  test("G13 close during addStream wins: the source is cancelled", async (context) => {
    const { channel, server } = await context.open("watch");
    let cancelled = false;
    const source = new ReadableStream<string>({
      start: (controller) => controller.enqueue("go"),
      cancel: () => void (cancelled = true),
    });
    const added = channel.sink.addStream(source);
    await server.next("message");
    await channel.sink.close(3000);
    await added;
    assert(cancelled);
    assertEquals(await server.next("close"), { kind: "close", code: 3000, reason: "" });
  });

  test("G15 outbound backpressure: ready waits while the peer doesn't read", async (context) => {
    const { channel, server } = await context.open("sink");
    const chunk = new Uint8Array(1024 * 1024);
    let sent = 0;
    // More than all buffers between the two can hold.
    while (channel.sink.bufferedAmount < 8 * chunk.length && sent < 64 * chunk.length) {
      channel.sink.add(chunk);
      sent += chunk.length;
    }
    assertGreater(channel.sink.bufferedAmount, 0);
    const ready = channel.sink.ready;
    const flushed = channel.sink.flush();
    assertFalse(await settled(ready));
    server.release();
    await ready;
    await flushed;
    assertEquals(channel.sink.bufferedAmount, 0);
  });

  test("G15 the peer leaves while bytes are queued: ready fulfils, flush rejects", async (context) => {
    const { channel, server } = await context.open("sink", {}, { closeTimeout: 50 });
    for (let i = 0; i < 32; i++) channel.sink.add(new Uint8Array(1024 * 1024));
    const flushed = channel.sink.flush();
    const { ready } = channel.sink;
    await server.close();
    await ready;
    await assertRejects(() => flushed);
    assertFalse(channel.sink.add("dropped"));
  });

  test("Web Streams: pipeThrough with preventClose", async (context) => {
    const { channel } = await context.open("echo");
    const source = new ReadableStream<string>({
      start(controller) {
        controller.enqueue("a");
        controller.enqueue("b");
        controller.close();
      },
    });
    const reader = source.pipeThrough(channel, { preventClose: true }).getReader();
    assertEquals((await reader.read()).value, "a");
    assertEquals((await reader.read()).value, "b");
    await reader.cancel();
    assert((await channel.closed).wasClean);
  });

  if (traits.ownProtocol) return testOwnProtocol({ test, traits });

  test("ping throws on a transport without Pings", async (context) => {
    const { channel } = await context.open("echo");
    assertInstanceOf(await rejection(channel.ping()), UnsupportedError);
    channel.ref();
    channel.unref();
  });

  test("G14 without inbound backpressure the queue is bounded: the channel closes, received messages can be read", async (context) => {
    const { channel } = await context.open("flood", { count: 100, text: "x".repeat(1000) }, {
      maxQueueSize: 10_000,
    });
    const info = await channel.closed;
    assertEquals(info.initiator, "local");
    assertInstanceOf(info.error, WebSocketChannelError);
    const { messages, errors } = await collect(channel);
    assertEquals([messages.length, errors], [11, []]);
    assertFalse(channel.sink.add("dropped"));
  });
}

function testOwnProtocol({ test }: Suite): void {
  // 25 MiB: the sender must have stopped before.
  const COUNT = 400;
  test("G14 inbound backpressure: a paused reader stops the sender", async (context) => {
    const { channel, server } = await context.open("flood-until-blocked", { count: COUNT });
    let received = 0;
    const subscription = channel.stream.listen((message) => {
      if (Number((message as string).slice(-20)) !== received++) throw new Error("out of order");
    });
    subscription.pause();
    let before = -1;
    for (let now = 0; now !== before;) {
      before = now;
      now = (await server.stats()).bytesSent;
    }
    assert(before < 16 * 1024 * 1024, `the server could send ${before} bytes`);
    subscription.resume();
    await channel.closed;
    assertEquals(received, COUNT);
  });
}
