import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { QueueFullError } from "../../src/web_socket/errors.ts";
import { closeUnasked, type WebSocketSink } from "../../src/web_socket/web_socket_sink.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import type { WebSocketChannel } from "../../src/web_socket/web_socket_channel.ts";
import { assertInvalidState, microtasks, record, settled } from "../support/events.ts";
import { NOTHING_LEFT, Rig, type RigOptions } from "./support.ts";

/** A rig that was open and now waits for the next attempt. */
async function away(options: RigOptions = {}): Promise<Rig> {
  const rig = new Rig(options);
  await rig.open();
  await rig.lose();
  assertEquals(rig.channel.state.name, "waiting");
  return rig;
}

/** Connects the rig again. */
async function back(rig: Rig): Promise<void> {
  rig.channel.reconnect();
  await microtasks();
  await rig.open();
}

Deno.test("while away: the channel queues copies of messages, in order", async () => {
  const rig = await away();
  const { sink } = rig.channel;
  const bytes = Uint8Array.of(1, 2);
  assertEquals([sink.add("a"), sink.add(bytes), sink.add("c")], [true, true, true]);
  bytes.fill(9);
  assertEquals(sink.bufferedAmount, 96);
  await back(rig);
  sink.add("d");
  assertEquals(rig.socket.sent, ["a", "0x0102", "c", "d"]);
  await rig.channel.close();
  assertEquals((await rig.channel.closed).unsent, []);
});

Deno.test("while away: add throws a QueueFullError above maxBuffer", async () => {
  const rig = await away({ maxBuffer: 100 });
  const { sink } = rig.channel;
  sink.add("x".repeat(99));
  assertEquals(sink.hasRoom, true);
  sink.add("y");
  assertEquals(sink.hasRoom, false);
  const error = assertThrows(() => sink.add("z"), QueueFullError);
  assertEquals([error.option, error.limit], ["maxBuffer", 100]);
  assertEquals(await settled(sink.ready), false);
  await back(rig);
  await sink.ready;
  assertEquals(rig.socket.sent, ["x".repeat(99), "y"]);
  assertEquals(sink.add("z"), true);
  await rig.channel.close();
});

Deno.test("while away: the queue holds 1 MiB by default, and also limits empty messages", async () => {
  const rig = await away();
  const { sink } = rig.channel;
  let count = 0;
  assertThrows(() => {
    for (;; count++) sink.add("");
  }, QueueFullError);
  assertEquals(count, 1024 * 1024 / 32);
  await rig.channel.close();
  assertEquals((await rig.channel.closed).unsent.length, count);
});

Deno.test("while away: addStream and writable wait for room, and lose no message", async () => {
  const rig = await away({ maxBuffer: 64 });
  const taken: number[] = [];
  function* source(): Generator<string> {
    for (let i = 0; i < 10; i++) {
      taken.push(i);
      yield `${i}`;
    }
  }
  const added = rig.channel.sink.addStream(source());
  await microtasks(100);
  assertEquals(taken.length, 2);
  await back(rig);
  await added;
  assertEquals(rig.socket.sent, [..."0123456789"]);
  await rig.lose();
  const writer = rig.channel.writable.getWriter();
  void writer.write("a");
  void writer.write("b");
  const third = writer.write("c");
  assertEquals(await settled(third), false);
  await back(rig);
  await third;
  assertEquals(rig.socket.sent, ["a", "b", "c"]);
  writer.releaseLock();
  await rig.channel.close();
});

Deno.test("while away: with drop, add returns false; with reject, it throws; both refuse malformed messages", async () => {
  const drop = await away({ whileAway: "drop" });
  assertEquals(drop.channel.sink.add("a"), false);
  assertThrows(() => drop.channel.sink.add(1 as never), TypeError);
  const reject = await away({ whileAway: "reject" });
  assertInvalidState(() => reject.channel.sink.add("a"));
  assertThrows(() => reject.channel.sink.add(1 as never), TypeError);
  assertThrows(() => reject.channel.sink.add("a", { compress: 1 } as never), TypeError);
  for (const rig of [drop, reject]) {
    const { sink } = rig.channel;
    assertEquals([sink.hasRoom, sink.bufferedAmount], [false, 0]);
    await sink.flush();
    await back(rig);
    assertEquals([sink.hasRoom, sink.add("b")], [true, true]);
    assertEquals(rig.socket.sent, ["b"]);
    await rig.channel.close();
  }
});

for (const whileAway of ["drop", "reject"] as const) {
  Deno.test(`while away, ${whileAway}: addStream and writable wait for a connection`, async () => {
    const rig = await away({ whileAway });
    const added = rig.channel.sink.addStream(["a", "b"]);
    assertEquals(await settled(added), false);
    await back(rig);
    await added;
    assertEquals(rig.socket.sent, ["a", "b"]);
    await rig.lose();
    const writer = rig.channel.writable.getWriter();
    const written = writer.write("c");
    assertEquals(await settled(written), false);
    await back(rig);
    await written;
    assertEquals(rig.socket.sent, ["c"]);
    writer.releaseLock();
    await rig.channel.close();
  });
}

Deno.test("a lost connection: the next one first sends the messages that its transport never got", async () => {
  const rig = new Rig();
  const { sink } = rig.channel;
  await rig.open();
  for (const message of ["one", "two", "three", "four"]) sink.add(message);
  // The last eight bytes are still buffered: all of "four", and a part of "three".
  rig.socket.bufferedAmount = 8;
  assertEquals(sink.bufferedAmount, 8);
  await rig.lose();
  sink.add("five");
  await back(rig);
  assertEquals(rig.socket.sent, ["three", "four", "five"]);
  rig.socket.bufferedAmount = 0;
  await rig.lose();
  await back(rig);
  assertEquals(rig.socket.sent, []);
  await rig.channel.close();
});

Deno.test("a lost connection: the transport's buffer bounds the messages kept for resending", async () => {
  const rig = new Rig();
  const { sink } = rig.channel;
  await rig.open();
  const sent = (): number => rig.socket.sent.length;
  const { socket } = rig;
  const send = socket.send.bind(socket);
  let holds = false;
  socket.send = (data: unknown) => {
    send(data);
    if (holds) socket.bufferedAmount += new TextEncoder().encode(data as string).length;
  };
  for (let i = 0; i < 100; i++) {
    holds = i >= 96;
    sink.add(`${i}`.padStart(1000, "é"));
  }
  sink.add("x".repeat(20_000));
  assertEquals(sent(), 101);
  await rig.lose();
  await back(rig);
  const last = rig.socket.sent.map((it) => it.slice(-2));
  assertEquals(last, ["96", "97", "98", "99", "xx"]);
  await rig.channel.close();
});

Deno.test("a message added while the connection ends waits for the next connection", async () => {
  const rig = new Rig();
  const { sink } = rig.channel;
  await rig.open();
  rig.socket.readyState = 2;
  assertEquals([sink.add("a"), sink.add("b")], [true, true]);
  assertEquals(rig.socket.sent, []);
  await rig.lose(1001);
  await back(rig);
  assertEquals(rig.socket.sent, ["a", "b"]);
  await rig.channel.close();
});

Deno.test("closed reports the unsent messages, in order", async () => {
  const rig = await away();
  const { sink } = rig.channel;
  sink.add("a");
  sink.add(Uint8Array.of(1));
  const flushed = sink.flush();
  await rig.channel.close(1000);
  const { unsent, error } = await rig.channel.closed;
  assertEquals(unsent, ["a", Uint8Array.of(1)]);
  await assertRejects(() => flushed);
  assertEquals(error instanceof Error, true);
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("closed also reports the messages that the last transport never got", async () => {
  const rig = new Rig();
  await rig.open();
  rig.channel.sink.add("gone");
  rig.channel.sink.add("kept");
  rig.socket.bufferedAmount = 4;
  rig.answersClose = false;
  const done = rig.channel.close(1000);
  await rig.advance(60_000);
  await done;
  const { unsent, initiator } = await rig.channel.closed;
  assertEquals([unsent, initiator], [["kept"], "timeout"]);
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("flush: fulfils when the transport has every message, on any connection", async () => {
  const rig = await away();
  const { sink } = rig.channel;
  await sink.flush();
  sink.add("a");
  const flushed = sink.flush();
  assertEquals(await settled(flushed), false);
  rig.channel.reconnect();
  await microtasks();
  rig.socket.bufferedAmount = 1;
  await rig.open();
  assertEquals(await settled(flushed), false);
  rig.socket.bufferedAmount = 0;
  await rig.advance(100);
  await flushed;
  await rig.channel.close();
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("the channel has the backpressure of its connection", async () => {
  const rig = new Rig();
  const { sink } = rig.channel;
  await rig.open();
  rig.socket.bufferedAmount = 100_000;
  assertEquals(sink.hasRoom, false);
  const { ready } = sink;
  assertEquals(await settled(ready), false);
  rig.socket.bufferedAmount = 10;
  await rig.advance(100);
  await ready;
  assertEquals(sink.hasRoom, true);
  await rig.channel.close();
});

Deno.test("a sender that waits for room continues after a lost connection", async () => {
  const rig = new Rig();
  const { sink } = rig.channel;
  await rig.open();
  rig.socket.bufferedAmount = 100_000;
  const { ready } = sink;
  await rig.lose();
  await ready;
  await rig.channel.close();
});

Deno.test("a queued message whose options the next transport doesn't support ends the channel", async () => {
  const rig = new Rig();
  // A platform's own socket decides about compression itself.
  rig.channel.sink.add("secret", { compress: false });
  const { events } = record(rig.channel.stream);
  await rig.open();
  const { error, unsent, initiator } = await rig.channel.closed;
  assertInstanceOf(error, Error);
  assertEquals([error.name, unsent, rig.socket.sent], ["UnsupportedError", [], []]);
  // The error is this side's, not the peer's: the reader gets it.
  assertEquals([initiator, events], ["local", [["error", error], "done"]]);
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("add refuses a message with unsupported options while open, and the channel stays open", async () => {
  const rig = new Rig();
  await rig.open();
  const { sink } = rig.channel;
  assertThrows(() => sink.add("secret", { compress: false }));
  assertEquals([sink.add("plain"), rig.socket.sent.length], [true, 1]);
  await rig.channel.close();
});

Deno.test("add throws after close, and drops the message after the end", async () => {
  for (const isOpen of [true, false]) {
    const rig = new Rig();
    if (isOpen) await rig.open();
    void rig.channel.close();
    assertInvalidState(() => rig.channel.sink.add("late"));
    await rig.channel.closed;
    assertInvalidState(() => rig.channel.sink.add("late"));
  }
  const rig = new Rig();
  await rig.open();
  await rig.lose(1000);
  assertEquals([rig.channel.sink.add("late"), rig.channel.sink.hasRoom], [false, true]);
});

Deno.test("closing the connection's own sink closes only that connection", async () => {
  const rig = new Rig();
  await rig.open();
  const { connection } = rig.channel;
  void connection?.sink.close(4000, "again");
  assertEquals(rig.channel.sink.add("a"), true);
  const flushed = rig.channel.sink.flush();
  await microtasks();
  assertEquals(rig.channel.state.name, "waiting");
  await back(rig);
  await flushed;
  assertEquals(rig.socket.sent, ["a"]);
  await rig.channel.close();
});

Deno.test("messages wait without a busy loop while the user adds a stream to the connection's own sink", async () => {
  const rig = new Rig();
  await rig.open();
  const own = rig.channel.connection?.sink.addStream(new ReadableStream<string>());
  let flushes = 0;
  const connectionSink = rig.channel.connection?.sink as WebSocketSink;
  const flush = connectionSink.flush.bind(connectionSink);
  connectionSink.flush = () => {
    flushes++;
    return flush();
  };
  assertEquals(rig.channel.sink.add("a"), true);
  const flushed = rig.channel.sink.flush();
  assertEquals(await settled(flushed), false);
  assertEquals(flushes, 0);
  await rig.lose();
  await own?.catch(() => {});
  await back(rig);
  await flushed;
  assertEquals(rig.socket.sent, ["a"]);
  await rig.channel.close();
});

Deno.test("addError closes the channel permanently, with that error", async () => {
  for (const isOpen of [true, false]) {
    const rig = new Rig();
    if (isOpen) await rig.open();
    const error = new Error("no more");
    rig.channel.sink.addError(error);
    const info = await rig.channel.closed;
    assert(info.error === error);
    assertEquals(info.initiator, "local");
    await assertRejects(() => rig.channel.sink.done, Error, "no more");
    assertEquals(rig.left, NOTHING_LEFT);
  }
});

Deno.test("addError: the peer gets the error's own close code", async () => {
  const rig = new Rig();
  await rig.open();
  rig.channel.sink.addError(Object.assign(new Error("no more"), { closeCode: 4001 }));
  const { code, error } = await rig.channel.closed;
  assertEquals([code, rig.socket.closes.at(-1)?.[0], `${error}`], [4001, 4001, "Error: no more"]);
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("transform: the transformed channel continues over all connections", async () => {
  const rig = new Rig();
  const numbers = rig.channel.transformStream((it) => Number(it))
    .transformSink((it: number) => `${it}`);
  numbers.sink.add(1);
  await rig.open();
  rig.socket.message("2");
  assertEquals(await numbers.stream.next(), { done: false, value: 2 });
  await rig.lose();
  numbers.sink.add(3);
  await back(rig);
  rig.socket.message("4");
  assertEquals(await numbers.stream.next(), { done: false, value: 4 });
  assertEquals(rig.sockets.map(({ sent }) => sent), [["1"], ["3"]]);
  await numbers.sink.close();
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("pipe: drops values added after its close, like every WebSocket channel", async () => {
  const ways = [
    (channel: Rig["channel"], other: WebSocketChannel) => other.pipe(channel),
    (channel: Rig["channel"], other: WebSocketChannel) => channel.pipe(other),
  ];
  for (const pipe of ways) {
    for (const isOpen of [true, false]) {
      const rig = new Rig();
      if (isOpen) await rig.open();
      const { client, server } = webSocketChannelPair();
      const done = pipe(rig.channel, client).catch((error: Error) => error.name);
      server.sink.add("last");
      void server.sink.close(1000);
      const { code, unsent, initiator } = await rig.channel.closed;
      assertEquals([code, initiator, unsent], [
        isOpen ? 1005 : 1006,
        "local",
        isOpen ? [] : ["last"],
      ]);
      if (isOpen) assertEquals([rig.socket.sent, rig.socket.closes], [["last"], [[]]]);
      assertEquals(rig.channel.sink.add("behind the close"), false);
      assertThrows(() => rig.channel.sink.add(1 as unknown as string), TypeError);
      await done;
      // After the user's own close, add throws.
      await rig.channel.close().catch(() => {});
      assertInvalidState(() => rig.channel.sink.add("late"));
      assertEquals(rig.left, NOTHING_LEFT);
    }
  }
});

Deno.test("pipe: closes the other channel when this one ends, and drops what its user adds", async () => {
  const rig = new Rig();
  await rig.open();
  const { client, server } = webSocketChannelPair();
  const done = rig.channel.pipe(client);
  rig.socket.message("last");
  await rig.lose(1000);
  assertEquals((await server.stream.next()).value, "last");
  assertEquals((await server.closed).code, 1005);
  await done;
  assertEquals(client.sink.add("behind the close"), false);
  assertEquals(rig.left, NOTHING_LEFT);
});

Deno.test("closeUnasked: checks its arguments first, and only the first of several calls counts", async () => {
  const rig = new Rig();
  await rig.open();
  const sink = rig.channel.sink as unknown as WebSocketSink<never>;
  assertThrows(() => closeUnasked(sink, 1005), RangeError);
  assertEquals(rig.channel.state.name, "open");
  closeUnasked(sink, 4001, "first");
  closeUnasked(sink, 4002);
  assertEquals(rig.channel.state.name, "closing");
  assertEquals((await rig.channel.closed).code, 4001);
  assertEquals(rig.socket.closes, [[4001, "first"]]);
  await sink.close(4003);
  closeUnasked(sink, 4004);
});
