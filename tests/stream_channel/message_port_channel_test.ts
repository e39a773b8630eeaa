/*
 * C163–C173. Without a counterpart: Dart's IsolateChannel takes a receive port and a send port; a
 * message port is both.
 */

import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Worker as NodeWorker } from "node:worker_threads";
import { MessagePortChannel } from "../../src/stream_channel/mod.ts";
import { assertInvalidState, microtasks, record, settled } from "../support/events.ts";
import { CountedSource, OpenSource, PausedReader } from "./raw_channel.ts";

interface Ends {
  readonly here: MessagePortChannel<unknown>;
  readonly there: MessagePortChannel<unknown>;
}

function connect(): Ends {
  const { port1, port2 } = new MessageChannel();
  return { here: new MessagePortChannel(port1), there: new MessagePortChannel(port2) };
}

Deno.test("C163 C164 values pass in both directions, in order, and then the end", async () => {
  const { here, there } = connect();
  const values = [1, "two", { three: [3n] }, null, undefined, new Uint8Array([4])];
  for (const value of values) assert(here.sink.add(value));
  here.sink.close();
  const got: unknown[] = [];
  for await (const value of there.stream) got.push(value);
  assertEquals(got, values);
  await there.sink.done;
  assertFalse(there.sink.add(1));
  await there.sink.close();
});

Deno.test("C164 the other direction works as well", async () => {
  const { here, there } = connect();
  there.sink.add("back");
  assertEquals((await here.stream.next()).value, "back");
  await there.sink.close();
  assertEquals((await here.stream.next()).done, true);
});

Deno.test("C165 after close, add, addError and addStream throw", async () => {
  const { here: { sink }, there } = connect();
  await sink.close();
  assertInvalidState(() => sink.add(1));
  assertInvalidState(() => sink.addError(new Error()));
  assertInvalidState(() => sink.addStream([1]));
  await there.sink.done;
});

Deno.test("C166 during addStream, add, addError, addStream and close throw", async () => {
  const { here: { sink }, there } = connect();
  const source = new OpenSource<unknown>();
  const added = sink.addStream(source);
  assertInvalidState(() => sink.add(1));
  assertInvalidState(() => sink.addError(new Error()));
  assertInvalidState(() => sink.addStream([1]));
  assertInvalidState(() => sink.close());
  await there.sink.close();
  await assertRejects(() => added, DOMException);
  assert(source.cancelled);
});

Deno.test("C167 S17 closing on the first of five values drops the rest", async () => {
  const { here, there } = connect();
  for (let i = 1; i <= 5; i++) there.sink.add(i);
  const events: unknown[] = [];
  await new Promise<void>((resolve) => {
    here.stream.listen((value) => {
      events.push(value);
      here.sink.close();
    }, { onDone: resolve });
  });
  await there.sink.done;
  assertEquals(events, [1]);
});

Deno.test("C168 S20 cancelling leaves the sink usable, and does not hide the end", async () => {
  const { here, there } = connect();
  record(here.stream).subscription.cancel();
  here.sink.add(1);
  assertEquals((await there.stream.next()).value, 1);
  there.sink.close();
  await here.sink.done;
});

Deno.test("C169 an error closes the channel and rejects done; later values do not arrive", async () => {
  const { here, there } = connect();
  const error = new Error("mine");
  here.sink.addError(error);
  assertStrictEquals(await assertRejects(() => here.sink.done), error);
  assertFalse(here.sink.add(1));
  assertEquals((await here.stream.next()).done, true);
  assertEquals((await there.stream.next()).done, true);
});

Deno.test("C170 (changed) an error through addStream does the same, and addStream rejects with it", async () => {
  const { here, there } = connect();
  const source = new OpenSource<unknown>();
  const added = here.sink.addStream(source);
  await microtasks();
  const error = new Error("source");
  source.fail(error);
  assertStrictEquals(await assertRejects(() => added), error);
  assertStrictEquals(await assertRejects(() => here.sink.done), error);
  assertFalse(here.sink.add(1));
  assertEquals((await there.stream.next()).done, true);
});

Deno.test("C171 connectReceive and connectSend form a pair, in either order", async () => {
  for (const receiveFirst of [true, false]) {
    const { port1, port2 } = new MessageChannel();
    const receive = () => MessagePortChannel.connectReceive<string>(port1);
    const early = receiveFirst ? receive() : undefined;
    early?.sink.add("early");
    const sent = MessagePortChannel.connectSend<string>(port2);
    sent.sink.add("hello");
    const received = early ?? receive();
    received.sink.add("back");
    assertEquals((await received.stream.next()).value, "hello");
    if (receiveFirst) assertEquals((await sent.stream.next()).value, "early");
    assertEquals((await sent.stream.next()).value, "back");
    received.sink.close();
    await sent.sink.done;
    port1.close();
    port2.close();
  }
});

Deno.test("C172 after a wrong first message, the stream fails with an error and done fulfils", async () => {
  const { port1, port2 } = new MessageChannel();
  const channel = MessagePortChannel.connectReceive<string>(port1);
  const sent = channel.sink.add("dropped");
  port2.postMessage("wrong");
  const error = await assertRejects(() => channel.stream.next(), DOMException);
  assertEquals(error.name, "InvalidStateError");
  await channel.sink.done;
  assert(sent);
  assertFalse(channel.sink.add("late"));
  port1.close();
  port2.close();
});

Deno.test("C173 closed before any connection: close fulfils, and the stream ends empty", async () => {
  const { port1, port2 } = new MessageChannel();
  const channel = MessagePortChannel.connectReceive<string>(port1);
  const { events } = record(channel.stream);
  await channel.sink.close();
  await channel.sink.done;
  assertEquals(events, ["done"]);
  port1.close();
  port2.close();
});

Deno.test("a value that cannot be cloned: add throws a TypeError, and the channel stays usable", async () => {
  const { here, there } = connect();
  assertThrows(() => here.sink.add(() => {}), TypeError, "can't be cloned");
  here.sink.add(1);
  assertEquals((await there.stream.next()).value, 1);
  await here.sink.close();
  await there.sink.done;
});

Deno.test("a transferred object is detached here and usable at the other end", async () => {
  const { port1, port2 } = new MessageChannel();
  const here = new MessagePortChannel<Uint8Array>(port1, { transfer: (it) => [it.buffer] });
  const there = new MessagePortChannel<Uint8Array>(port2);
  const bytes = new Uint8Array([1, 2, 3]);
  here.sink.add(bytes);
  assertEquals(bytes.length, 0);
  assertEquals((await there.stream.next()).value, new Uint8Array([1, 2, 3]));
  await here.sink.close();
  await there.sink.done;
});

Deno.test("a paused reader stops a producer at the other end, and the queued values are limited", async () => {
  for (const highWaterMark of [undefined, 1000]) {
    const { port1, port2 } = new MessageChannel();
    const here = new MessagePortChannel<Uint8Array>(port1);
    const there = new MessagePortChannel<Uint8Array>(port2, { highWaterMark });
    const source = new CountedSource(5000, () => new Uint8Array(100));
    const reader = new PausedReader(there.stream);
    const added = here.sink.addStream(source);
    // Nothing moves after the credit is used up.
    await quiet(() => source.produced);
    assertEquals(reader.received.length, 0);
    // The first credit of 64 KiB may be used before the other end knows a smaller window.
    assert(source.produced <= 658, `${source.produced} produced`);
    reader.resume();
    await added;
    here.sink.close();
    await reader.over;
    assertEquals(reader.received.length, 5000);
  }
});

/** Runs the event loop through ports until a count no longer changes. */
async function quiet(count: () => number): Promise<void> {
  let before = -1;
  for (let still = 0; still < 20;) {
    await roundTrip();
    still = count() === before ? still + 1 : 0;
    before = count();
  }
}

async function roundTrip(): Promise<void> {
  const { here, there } = connect();
  here.sink.add(1);
  await there.stream.next();
  await here.sink.close();
  await there.sink.done;
}

Deno.test("raw: bare values pass to and from any other end", async () => {
  const { port1, port2 } = new MessageChannel();
  const channel = new MessagePortChannel<unknown>(port1, { raw: true, highWaterMark: 100 });
  const got: unknown[] = [];
  const answered = new Promise<void>((resolve) => {
    port2.addEventListener("message", (event) => {
      got.push((event as MessageEvent).data);
      if (got.length < 2) return;
      port2.postMessage([]);
      port2.postMessage(5);
      resolve();
    });
  });
  port2.start();
  channel.sink.add([1]);
  channel.sink.add("two");
  await answered;
  assertEquals(got, [[1], "two"]);
  assertEquals((await channel.stream.next()).value, []);
  assertEquals((await channel.stream.next()).value, 5);
  await channel.sink.close();
  port2.close();
});

Deno.test("S7 close settles even if the other end never listens", async () => {
  const { port1, port2 } = new MessageChannel();
  const channel = new MessagePortChannel<number>(port1);
  channel.sink.add(1);
  assert(await settled(channel.sink.close()));
  port2.close();
});

const inDeno = globalThis.navigator?.userAgent?.startsWith("Deno") ?? false;

Deno.test({
  name: "a real Worker: echo, backpressure, and both sides notice the end",
  ignore: !inDeno,
  fn: async () => {
    const url = new URL("./message_port_worker.ts", import.meta.url);
    const worker = new Worker(url, { type: "module" });
    const channel = new MessagePortChannel<string>(worker);
    let sent = 0;
    function* source(): Generator<string> {
      while (sent < 2000) yield `${sent++}`.padEnd(500, ".");
    }
    const added = channel.sink.addStream(source());
    let received = 0;
    for await (const text of channel.stream) {
      assertEquals(text, `${received++}`.padEnd(500, ".").toUpperCase());
      // The worker ends after this many messages.
      if (received === 2000) break;
    }
    await added;
    channel.sink.add("end");
    await channel.sink.done;
    assertFalse(channel.sink.add("late"));
    worker.terminate();
  },
});

Deno.test({
  name: "a real Worker: its own channel over connectSend and connectReceive",
  ignore: !inDeno,
  fn: async () => {
    const url = new URL("./message_port_worker.ts?connect", import.meta.url);
    const worker = new Worker(url, { type: "module" });
    const channel = MessagePortChannel.connectSend<string>(worker);
    channel.sink.add("hello");
    assertEquals((await channel.stream.next()).value, "HELLO");
    channel.sink.add("end");
    assertEquals((await channel.stream.next()).done, true);
    worker.terminate();
  },
});

const NODE_ECHO = `
  const { parentPort } = require("node:worker_threads");
  parentPort.on("message", (message) => {
    if (message[0] === "exit") parentPort.postMessage([]);
    if (message.length === 0 || message[0] === "exit") process.exit(0);
    parentPort.postMessage([message[0].toUpperCase()]);
  });
`;

Deno.test("a Worker of node:worker_threads: echo, and its end is reported", async () => {
  const worker = new NodeWorker(NODE_ECHO, { eval: true });
  const channel = new MessagePortChannel<string>(worker);
  channel.sink.add("hello");
  assertEquals((await channel.stream.next()).value, "HELLO");
  channel.sink.add("exit");
  assertEquals((await channel.stream.next()).done, true);
  await channel.sink.done;
  await worker.terminate();
});
