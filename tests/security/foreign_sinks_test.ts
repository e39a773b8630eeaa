/** Channels of another copy of this package and hand-written channels, in every function that takes a channel. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { delay } from "@std/async";
import { broadcast } from "../../src/server/broadcast.ts";
import { type ChannelSink, DelegatingChannelSink } from "../../src/stream_channel/channel_sink.ts";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import { StreamChannelCompleter } from "../../src/stream_channel/completer.ts";
import {
  DelegatingStreamChannel,
  StreamChannel,
  StreamChannelBase,
  withGuarantees,
} from "../../src/stream_channel/stream_channel.ts";
import { Disconnector } from "../../src/stream_channel/disconnector.ts";
import { jsonDocument } from "../../src/stream_channel/json_document.ts";
import { MultiChannel } from "../../src/stream_channel/multi_channel.ts";
import { StreamChannelTransformer } from "../../src/stream_channel/transformer.ts";
import { webSocketChannelPair } from "../../src/testing/web_socket_channel_pair.ts";
import type { WebSocketChannel } from "../../src/web_socket/web_socket_channel.ts";
import type { MessageInput } from "../../src/web_socket/web_socket_sink.ts";
import { microtasks } from "../support/events.ts";

/** More reads of `hasRoom` than any of these tests needs: a caller with more is in a busy loop. */
const MANY = 1000;

function eventLoopTurn(): Promise<void> {
  return delay(0);
}

/** A sink written by hand: its promises are its own, and it may lack `hasRoom`. */
class HandWrittenSink {
  readonly added: unknown[] = [];
  asked = 0;
  room = true;
  hasRoom?: boolean;
  closedWith: unknown[] | null = null;
  onSpin = (): void => {};
  readonly done = new Promise<void>(() => {});
  readonly #waiting: (() => void)[] = [];

  get ready(): Promise<void> {
    if (++this.asked > MANY) this.onSpin();
    if (this.room || this.asked > MANY) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  open(): void {
    this.room = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  get bufferedAmount(): number {
    return this.room ? 0 : 100_000;
  }

  add(value: unknown): boolean {
    this.added.push(value);
    return true;
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(...args: unknown[]): Promise<void> {
    this.closedWith = args;
    return Promise.resolve();
  }

  addError(): void {}

  as<T>(): ChannelSink<T> {
    return this as unknown as ChannelSink<T>;
  }
}

/** A WebSocket channel around a hand-written sink; it ends when a caller loops on it without a pause. */
function handWritten(
  sink = new HandWrittenSink(),
): { channel: WebSocketChannel; sink: HandWrittenSink } {
  const channel = { sink, state: "open" };
  sink.onSpin = () => channel.state = "closed";
  return { channel: channel as unknown as WebSocketChannel, sink };
}

/** A channel like one of another copy of this package: with none of our classes or promises. */
function ofAnotherCopy(channel: WebSocketChannel): WebSocketChannel {
  const { sink } = channel;
  let asked = 0;
  const forwarding = {
    add: (message: MessageInput) => sink.add(message),
    close: (code?: number, reason?: string) => sink.close(code, reason),
    get hasRoom(): boolean {
      return sink.hasRoom;
    },
    get ready(): Promise<void> {
      asked++;
      return sink.ready.then(() => {});
    },
    get bufferedAmount(): number {
      return sink.bufferedAmount;
    },
  };
  const copy = {
    sink: forwarding,
    get state() {
      return asked > MANY ? "closed" : channel.state;
    },
  };
  return copy as unknown as WebSocketChannel;
}

Deno.test("broadcast to a hand-written channel without hasRoom: no busy loop, and in order", async () => {
  const { channel, sink } = handWritten();
  for (let i = 0; i < 10; i++) broadcast([channel], `${i}`);
  await eventLoopTurn();
  assert(sink.asked < MANY, `ready was asked for ${sink.asked} times`);
  assertEquals(sink.added, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
});

Deno.test("broadcast to a hand-written channel waits while the channel has no room", async () => {
  for (const hasRoom of [undefined, false]) {
    const { channel, sink } = handWritten();
    if (hasRoom !== undefined) sink.hasRoom = hasRoom;
    sink.room = false;
    broadcast([channel], "a");
    broadcast([channel], "b");
    await eventLoopTurn();
    assertEquals(sink.added, []);
    sink.open();
    await eventLoopTurn();
    assert(sink.asked < MANY, `ready was asked for ${sink.asked} times`);
    assertEquals(sink.added, ["a", "b"]);
  }
});

Deno.test("broadcast to a channel of another copy: all messages arrive, timers fire", async () => {
  const { client, server } = webSocketChannelPair({ highWaterMark: 1000 });
  const copy = ofAnotherCopy(server);
  const received: number[] = [];
  client.stream.listen((message) => received.push(message.length));
  const sent = Array.from({ length: 50 }, (_, i) => 100 + i);
  for (const length of sent) broadcast([copy], "x".repeat(length));
  for (let turns = 0; received.length < sent.length && turns < MANY; turns++) await eventLoopTurn();
  assertEquals(received, sent);
  await client.sink.close();
});

Deno.test("broadcast: a foreign channel throws: the others still get every message", async () => {
  const { channel, sink } = handWritten();
  sink.hasRoom = true;
  sink.add = () => {
    throw new Error("an addStream runs");
  };
  const { client, server } = webSocketChannelPair();
  assertThrows(() => broadcast([channel, server], "hello"), Error, "an addStream runs");
  assertEquals((await client.stream.next()).value, "hello");
  await client.sink.close();
});

Deno.test("pipe into a hand-written sink waits for the sink's ready after each message", async () => {
  const { local, foreign } = channelPair<string>();
  const sink = new HandWrittenSink();
  const { foreign: silent } = channelPair<string>();
  void local.pipe({ stream: silent.stream, sink: sink.as<string>() });
  for (const text of ["a", "b", "c"]) foreign.sink.add(text);
  sink.room = false;
  await eventLoopTurn();
  assertEquals(sink.added, ["a"]);
  sink.open();
  await eventLoopTurn();
  assertEquals(sink.added, ["a", "b", "c"]);
  assert(sink.asked < MANY);
  await foreign.sink.close();
});

Deno.test("addStream through a wrapper of a hand-written sink waits for the sink's ready", async () => {
  const sink = new HandWrittenSink();
  sink.room = false;
  const { local } = channelPair<string>();
  const wrapped = StreamChannel.from({ stream: local.stream, sink: sink.as<string>() })
    .transformSink<number>(String);
  assertEquals(wrapped.sink.hasRoom, false);
  const adding = wrapped.sink.addStream([1, 2, 3]);
  await eventLoopTurn();
  assertEquals(sink.added, []);
  sink.open();
  await adding;
  assertEquals(sink.added, ["1", "2", "3"]);
});

Deno.test("a MultiChannel over a hand-written sink answers, and doesn't hang", async () => {
  const { local, foreign } = channelPair<unknown>();
  const sink = new HandWrittenSink();
  const multi = new MultiChannel({ stream: local.stream, sink: sink.as() }, { pendingLimit: 1 });
  for (let id = 1; id < 20; id += 2) foreign.sink.add([id + 1, "x".repeat(100)]);
  await eventLoopTurn();
  assertEquals(sink.added.length, 10);
  assert(sink.asked < MANY);
  void multi.sink.close();
});

/** Every wrapper of a sink. */
const AROUND: Readonly<Record<string, (sink: ChannelSink<unknown>) => ChannelSink<string>>> = {
  "a delegating sink": (sink) => new DelegatingChannelSink(sink),
  "a delegating channel": (sink) => new DelegatingStreamChannel(channelOf(sink)).sink,
  "a function": (sink) => StreamChannel.from(channelOf(sink)).transformSink(String).sink,
  "changeSink": (sink) => channelPair<string>().local.changeSink(() => sink).sink,
  "jsonDocument": (sink) => channelOf<string>(sink).transform(jsonDocument).sink,
  "withGuarantees": (sink) => withGuarantees<unknown, string>(channelOf(sink)).sink,
  "a disconnector": (sink) => channelOf<string>(sink).transform(new Disconnector<string>()).sink,
  "MultiChannel": (sink) => new MultiChannel<string>(channelOf(sink)).sink,
  "a virtual channel": (sink) => new MultiChannel<string>(channelOf(sink)).virtualChannel().sink,
  "a completer": (sink) => {
    const completer = new StreamChannelCompleter<unknown, string>();
    completer.setChannel(channelOf(sink));
    return completer.channel.sink;
  },
};

/** A channel whose stream never ends. */
function channelOf<T>(sink: ChannelSink<unknown>): StreamChannel<T, unknown> {
  const { local } = channelPair<T>();
  return StreamChannel.from({ stream: local.stream, sink }) as StreamChannel<T, unknown>;
}

for (const [name, wrap] of Object.entries(AROUND)) {
  Deno.test(`a loop that waits for room ends: ${name} around a hand-written sink`, async () => {
    for (const isKnown of [false, true]) {
      const inner = new HandWrittenSink();
      // Only `ready`, and `hasRoom` if it exists, report room.
      Object.defineProperty(inner, "bufferedAmount", { value: 0 });
      if (isKnown) Object.defineProperty(inner, "hasRoom", { get: () => inner.room });
      const sink = wrap(inner.as());
      for (const text of ["a", "b"]) {
        // The check runs within microtasks: nothing else would stop the loop.
        for (let i = 0; !sink.hasRoom; i++) {
          assert(i < 10, "It has no room although it is ready");
          await sink.ready;
        }
        sink.add(text);
      }
      inner.room = false;
      sink.add("c");
      assertEquals(sink.hasRoom, false);
      const waiting = sink.ready.then(() => inner.room);
      await microtasks();
      inner.open();
      assertEquals(await waiting, true);
      assertEquals(sink.hasRoom, true);
    }
  });
}

Deno.test("hasRoom: every wrapper reports the same room that ready waits for", async () => {
  const small = { highWaterMark: 10 };
  const completer = new StreamChannelCompleter<string>(small);
  const completed = new StreamChannelCompleter<string>();
  completed.setChannel(channelPair<string>(small).local);
  const wrappers = [
    channelPair<string>(small).local.sink,
    StreamChannel.from(channelPair<string>(small).local).sink,
    new DelegatingChannelSink(channelPair<string>(small).local.sink),
    withGuarantees<string, string>(channelPair<string>(small).local).sink,
    new MultiChannel<string>(channelPair<unknown>(small).local).sink,
    completer.channel.sink,
    completed.channel.sink,
  ];
  for (const sink of wrappers) {
    assertEquals(sink.hasRoom, true);
    sink.add("more than ten characters");
    assertEquals(sink.hasRoom, false);
    void sink.close();
    assertEquals(sink.hasRoom, true);
  }
  await microtasks();
});

Deno.test("transform: a function or a class is a TypeError that names the method", () => {
  class Upper {
    transform(text: string): string {
      return text.toUpperCase();
    }
  }
  const wrong = [(text: string) => text.length, Upper, new Upper(), null, undefined, {}, "x"];
  for (const transformer of wrong) {
    const { local } = channelPair<string>();
    const error = assertThrows(
      () =>
        local.transform(
          transformer as unknown as StreamChannelTransformer<string, string, string, string>,
        ),
      TypeError,
    );
    assert(error.message.startsWith("Cannot transform: "), error.message);
    assert(error.message.includes("transformChannel"), error.message);
    local.stream.listen(() => {});
  }
  const { local } = channelPair<string>();
  // @ts-expect-error A function is no transformer; transformStream takes functions.
  assertThrows(() => local.transform((text: string) => text.length), TypeError);
  // @ts-expect-error A class is no transformer either.
  assertThrows(() => local.transform(Upper), TypeError);
});

Deno.test("reading the properties readable and writable takes no right to read or write", async () => {
  const { local, foreign } = channelPair<string>();
  const { readable, writable } = local;
  assert(readable instanceof ReadableStream && writable instanceof WritableStream);
  assert(local.readable === readable && local.writable === writable);
  local.sink.add("out");
  foreign.sink.add("in");
  const got: string[] = [];
  local.stream.listen((text) => got.push(text));
  await eventLoopTurn();
  assertEquals(got, ["in"]);
  assertEquals((await foreign.stream.next()).value, "out");
  // Another caller has already taken the right.
  const error = await readable.getReader().read().catch((error) => error);
  assertEquals(error.name, "InvalidStateError");
  foreign.sink.add("still");
  await eventLoopTurn();
  assertEquals(got, ["in", "still"]);
  await local.sink.close();
});

Deno.test("readable: cancelling the view of a stream with another reader has no effect on it", async () => {
  const { local, foreign } = channelPair<string>();
  const { readable } = local;
  const got: string[] = [];
  local.stream.listen((text) => got.push(text));
  const error = await readable.cancel().catch((error) => error);
  assertEquals(error.name, "InvalidStateError");
  foreign.sink.add("in");
  await eventLoopTurn();
  assertEquals(got, ["in"]);
  await local.sink.close();
});

Deno.test("readable: the first pull takes the right to read; a view without a pull still ends", async () => {
  const { local, foreign } = channelPair<string>();
  const reader = local.readable.getReader();
  foreign.sink.add("a");
  assertEquals((await reader.read()).value, "a");
  assertThrows(() => local.stream.listen(() => {}), DOMException);
  const { local: other, foreign: end } = channelPair<string>();
  const closed = other.readable.getReader().closed;
  await end.sink.close();
  await closed;
  await foreign.sink.close();
});

Deno.test("a transformer of TransformStreams takes the right to read at once", () => {
  const transformer = StreamChannelTransformer.fromTransformStreams(
    () => new TransformStream<string, string>(),
    () => new TransformStream<string, string>(),
  );
  const { local } = channelPair<string>();
  local.transform(transformer);
  assertThrows(() => local.stream.listen(() => {}), DOMException);
  const { local: taken } = channelPair<string>();
  taken.stream.listen(() => {});
  assertThrows(() => taken.transform(transformer), DOMException);
});

Deno.test("a hand-written channel whose stream is read by its view", async () => {
  class Mine extends StreamChannelBase<string> {
    readonly stream;
    readonly sink;
    constructor() {
      super();
      const { local, foreign } = channelPair<string>();
      this.stream = local.stream;
      this.sink = foreign.sink;
    }
  }
  const mine = new Mine();
  void mine.readable;
  mine.sink.add("x");
  assertEquals((await mine.stream.next()).value, "x");
});
