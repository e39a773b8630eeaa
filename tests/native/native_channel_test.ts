import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { NativeChannel } from "../../src/native/native_channel.ts";
import type { WebSocketLike } from "../../src/native/web_socket_like.ts";
import { NO_CAPABILITIES } from "../../src/web_socket/capabilities.ts";
import { ConnectError, WebSocketChannelError } from "../../src/web_socket/errors.ts";
import { assertInvalidState, microtasks, record, settled } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { foreign } from "../support/foreign_realm.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { assertNoUncaught } from "../support/unhandled.ts";
import { deferred, rejection } from "../support/promises.ts";
import { wrap } from "./support.ts";

// Wrapping.

Deno.test("native C53 an open socket: ready fulfils, and messages keep their order and kind both ways", async () => {
  const { channel, socket, clock } = wrap();
  assertEquals(channel.state, "open");
  await channel.ready;
  const { events } = record(channel.stream);
  channel.sink.add("foo");
  channel.sink.add(Uint8Array.of(1, 2, 3));
  channel.sink.add(Uint8Array.of(0, 4, 5, 0).subarray(1, 3));
  channel.sink.add(Uint8Array.of(6).buffer);
  assertEquals(socket.sent, ["foo", "0x010203", "0x0405", "0x06"]);
  socket.message("foo");
  socket.message(Uint8Array.of(1, 2, 3).buffer);
  socket.message(Uint8Array.of(9, 7, 8).subarray(1));
  await microtasks();
  assertEquals(events, ["foo", Uint8Array.of(1, 2, 3), Uint8Array.of(7, 8)]);
  socket.closed({ code: 1000, reason: "", wasClean: true });
  assertEquals(clock.pending, 0);
});

Deno.test("native C54 a promise of a socket: the channel is connecting until it fulfils, then has the socket's state", async () => {
  const { promise, resolve } = deferred<WebSocketLike>();
  const clock = new ManualClock();
  const channel = NativeChannel.from(promise, {}, clock);
  assertEquals([channel.state, channel.socket], ["connecting", null]);
  channel.sink.add("early");
  const socket = new FakeWebSocket();
  resolve(socket);
  await channel.ready;
  assertStrictEquals(channel.socket, socket);
  assertEquals(socket.sent, ["early"]);
  channel.terminate();
  assertEquals(clock.pending, 0);
});

Deno.test("native C55 (changed) C57 a connecting socket: the channel sends early messages in order when the socket opens", async () => {
  const { channel, socket } = wrap({}, new FakeWebSocket(0));
  const bytes = Uint8Array.of(1, 2);
  channel.sink.add("foo");
  channel.sink.add(bytes);
  assertEquals(channel.sink.bufferedAmount, 5);
  bytes.fill(9);
  assertEquals([socket.sent, await settled(channel.ready)], [[], false]);
  socket.open("v2");
  await channel.ready;
  assertEquals(socket.sent, ["foo", "0x0102"]);
  assertEquals([channel.protocol, channel.sink.bufferedAmount], ["v2", 0]);
  channel.terminate();
});

Deno.test("native C56 the channel has no messages from before its wrapping of the socket", async () => {
  const socket = new FakeWebSocket(0);
  socket.open();
  const { channel } = wrap({}, socket);
  await channel.ready;
  const { events } = record(channel.stream);
  socket.message("echo");
  await microtasks();
  assertEquals(events, ["echo"]);
  channel.terminate();
});

for (const [readyState, name] of [[2, "closing"], [3, "closed"]] as const) {
  Deno.test(`native C58 (changed) wrapping a socket that is already ${name} throws`, async () => {
    const { channel, clock, socket } = wrap({}, new FakeWebSocket(readyState));
    const error = await rejection(channel.ready);
    assertInstanceOf(error, WebSocketChannelError);
    assertEquals(error.message, `Cannot wrap the WebSocket: it is already ${name}`);
    assertEquals(error.cause, undefined);
    const { events } = record(channel.stream);
    await microtasks();
    assertEquals(events, [["error", error], "done"]);
    assertStrictEquals((await channel.closed).error, error);
    assertEquals([channel.state, clock.pending], ["closed", 0]);
    socket.closed({ code: 1000 });
    assertEquals((await channel.closed).code, 1006);
  });
}

Deno.test("native: a rejected promise of a socket fails the channel, with the reason as cause", async () => {
  const { promise, reject } = deferred<WebSocketLike>();
  const channel = NativeChannel.from(promise, {}, new ManualClock());
  const reason = new Error("no upgrade");
  reject(reason);
  const error = await rejection(channel.ready);
  assertInstanceOf(error, WebSocketChannelError);
  assertEquals(error.message, "Cannot wrap the WebSocket: its promise failed");
  assertStrictEquals(error.cause, reason);
});

Deno.test("native: a channel closed before its promise of a socket fulfils closes the socket", async () => {
  const { promise, resolve } = deferred<WebSocketLike>();
  const clock = new ManualClock();
  const channel = NativeChannel.from(promise, {}, clock);
  await channel.sink.close();
  const socket = new FakeWebSocket();
  resolve(socket);
  await microtasks();
  assertEquals([socket.closes, clock.pending], [[[]], 0]);
  assertEquals((await channel.closed).initiator, "local");
});

Deno.test("native: a channel that times out before its promise of a socket fulfils closes the socket", async () => {
  const { promise, resolve } = deferred<WebSocketLike>();
  const clock = new ManualClock();
  const channel = NativeChannel.from(promise, { connectTimeout: 100 }, clock);
  clock.advance(100);
  const error = await rejection(channel.ready);
  assert(error instanceof DOMException);
  assertEquals(error.name, "TimeoutError");
  assertEquals((await channel.closed).initiator, "timeout");
  const socket = new FakeWebSocket(0);
  resolve(socket);
  await microtasks();
  assertEquals(socket.closes, [[]]);
});

Deno.test("native S152 the channel sets binaryType before any message can arrive", () => {
  assertEquals(wrap({}, new FakeWebSocket(0)).socket.binaryType, "arraybuffer");
});

Deno.test("native: the channel closes a socket that opens after the timeout", async () => {
  const { channel, clock, socket } = wrap({ connectTimeout: 50 }, new FakeWebSocket(0));
  clock.advance(50);
  await rejection(channel.ready);
  assertEquals(socket.closes.length, 1);
  socket.open();
  assertEquals([socket.closes.length, channel.state, clock.pending], [2, "closed", 0]);
});

Deno.test("native: numbers out of range throw and leave the socket untouched", () => {
  for (const name of ["connectTimeout", "closeTimeout", "highWaterMark", "maxQueueSize"]) {
    const socket = new FakeWebSocket();
    assertThrows(() => NativeChannel.from(socket, { [name]: -1 }), RangeError, name);
    assertEquals(socket.binaryType, "blob");
  }
});

Deno.test("native: a wrapped socket has only the capabilities that its members show", async () => {
  assertEquals(wrap().channel.capabilities, NO_CAPABILITIES);
  const able = Object.assign(new FakeWebSocket(), { terminate: () => {} });
  const shown = { ...NO_CAPABILITIES, terminate: true };
  const { channel } = wrap({}, able);
  assertEquals(channel.capabilities, shown);
  channel.terminate();
  const later = NativeChannel.from(Promise.resolve(able), {}, new ManualClock());
  assertEquals(later.capabilities, NO_CAPABILITIES);
  await later.ready;
  assertEquals(later.capabilities, shown);
  later.terminate();
});

// Subprotocols. RFC 6455 §4.1.

Deno.test("native C35 G29 the channel fails if the server chooses no offered subprotocol", async () => {
  for (
    const [offered, chosen, fault] of [
      [["a", "b"], "c", "the server chose a subprotocol that was not offered"],
      [[], "c", "the server chose a subprotocol that was not offered"],
      ["a", "", "the server chose none of the offered subprotocols"],
      [["a", "b"], "A", "the server chose a subprotocol that was not offered"],
    ] as const
  ) {
    const { channel, clock, socket } = wrap({ protocols: offered }, new FakeWebSocket(0));
    socket.open(chosen);
    const error = await rejection(channel.ready);
    assertInstanceOf(error, ConnectError);
    assertEquals(error.message, `Cannot connect: ${fault}`);
    assertEquals(error.retryable, false);
    assertEquals([socket.closes, clock.pending, channel.protocol], [[[]], 0, null]);
    assertEquals((await channel.closed).initiator, "transport");
  }
});

Deno.test("native: the channel reports an offered subprotocol; a wrapped socket may have any", async () => {
  for (const protocols of [["a", "b"], "b", undefined]) {
    const { channel, socket } = wrap({ protocols }, new FakeWebSocket(0));
    socket.open("b");
    await channel.ready;
    assertEquals(channel.protocol, "b");
    channel.terminate();
  }
});

// Messages.

Deno.test("native: a Blob isn't a message: the channel closes with an error that says so", async () => {
  const { channel, socket } = wrap();
  const { events } = record(channel.stream);
  socket.message("before");
  socket.message(new Blob(["text"]));
  socket.message("after");
  await microtasks();
  assertEquals(events, ["before", "done"]);
  assertEquals(socket.closes, [[]]);
  socket.closed({ code: 1005, reason: "", wasClean: true });
  const { error, initiator, code } = await channel.closed;
  assertInstanceOf(error, WebSocketChannelError);
  assertEquals(error.message, "Cannot read a message: it must be text or an ArrayBuffer, got Blob");
  assertEquals([initiator, code], ["local", 1005]);
});

Deno.test("native: an ArrayBuffer of another realm is a message", async () => {
  const { channel, socket } = wrap();
  const { events } = record(channel.stream);
  socket.message(foreign()?.("new Uint8Array([1, 2]).buffer") ?? Uint8Array.of(1, 2).buffer);
  await microtasks();
  assertEquals(events, [Uint8Array.of(1, 2)]);
  channel.terminate();
});

Deno.test("native: the channel closes above maxQueueSize, and queued messages stay readable", async () => {
  const { channel, socket } = wrap({ maxQueueSize: 100 });
  const first = "1".repeat(50);
  const second = new Uint8Array(50);
  socket.message(first);
  socket.message(second);
  assertEquals(channel.state, "open");
  socket.message("x".repeat(50));
  assertEquals([channel.state, socket.closes], ["closing", [[]]]);
  socket.message("dropped");
  assertEquals(channel.sink.add("dropped"), false);
  socket.closed({ code: 1005, wasClean: true });
  const { error, initiator } = await channel.closed;
  assertInstanceOf(error, WebSocketChannelError);
  assertEquals(
    error.message,
    "What waits to be read, 150 bytes, exceeds maxQueueSize (100 bytes)",
  );
  assertEquals(initiator, "local");
  const { events } = record(channel.stream);
  await microtasks();
  assertEquals(events, [first, second, "x".repeat(50), "done"]);
});

// How a channel ends.

Deno.test("native: code 0, 1006 or none means an abnormal end: 1006, by the transport, with an error", async () => {
  for (const code of [0, 1006, undefined]) {
    const { channel, clock, socket } = wrap();
    const { events } = record(channel.stream);
    socket.emit("error", { message: "Unexpected EOF" });
    socket.closed({ code, reason: "", wasClean: false });
    const { error, ...info } = await channel.closed;
    assertEquals(info, { code: 1006, reason: "", wasClean: false, initiator: "transport" });
    assertInstanceOf(error, WebSocketChannelError);
    assertEquals(error.message, "The connection was lost: it ended without a Close frame");
    assertEquals(error.cause, "Unexpected EOF");
    await microtasks();
    assertEquals([events, channel.closeCode, clock.pending], [["done"], 1006, 0]);
    await channel.sink.done;
  }
});

Deno.test("native S93 a close event ends the channel, an error event alone doesn't", async () => {
  const { channel, socket } = wrap();
  socket.emit("error", { error: new Error("odd") });
  assertEquals(channel.state, "open");
  socket.message("still here");
  assertEquals((await channel.stream.next()).value, "still here");
  socket.closed({ code: 4000, reason: "bye", wasClean: true });
  assertEquals(await channel.closed, {
    code: 4000,
    reason: "bye",
    wasClean: true,
    initiator: "remote",
    received: { code: 4000, reason: "bye" },
  });
});

const NOTHING = "the connection could not be opened, and the platform does not report why";

Deno.test("native: a failed attempt is one ConnectError with the platform's text and status", async () => {
  for (
    const [message, told, phase, status, retryable] of [
      ["Invalid status code: 401", "the server answered 401", "handshake", 401, false],
      ["Expected 101 status code: 503", "the server answered 503", "handshake", 503, true],
      [
        "invalid peer certificate: Expired",
        "invalid peer certificate: Expired",
        "tls",
        null,
        false,
      ],
      ["in other words", "in other words", null, null, true],
      ["", NOTHING, null, null, true],
    ] as const
  ) {
    const { channel, clock, socket } = wrap({}, new FakeWebSocket(0));
    const { events } = record(channel.stream);
    socket.emit("error", { message });
    socket.closed({ code: 0 });
    const error = await rejection(channel.ready);
    assertInstanceOf(error, ConnectError);
    assertEquals(error.message, `Cannot connect: ${told}`);
    assertEquals([error.phase, error.status, error.retryable], [phase, status, retryable]);
    await microtasks();
    assertEquals([events, clock.pending], [[["error", error], "done"], 0]);
    assertStrictEquals((await channel.closed).error, error);
  }
});

Deno.test("native: unhandled promises of a channel cause no uncaught error", async () => {
  await assertNoUncaught(() => {
    const { socket } = wrap({}, new FakeWebSocket(0));
    socket.closed({ code: 1006 });
    wrap().socket.closed({ code: 0 });
    NativeChannel.from(Promise.reject(new Error("none")), {}, new ManualClock());
  });
});

Deno.test("native: events after the end change nothing", async () => {
  const { channel, socket } = wrap();
  const { events } = record(channel.stream);
  socket.closed({ code: 1000, wasClean: true });
  const info = await channel.closed;
  socket.message("late");
  socket.emit("error", { message: "late" });
  socket.open();
  socket.closed({ code: 4000 });
  await microtasks();
  assertEquals([events, channel.closeCode], [["done"], 1000]);
  assertStrictEquals(await channel.closed, info);
});

// Closing.

Deno.test("native: close(code, reason) sends both to the peer, and settles at the close event", async () => {
  const { channel, clock, socket } = wrap();
  const done = channel.sink.close(3005, "please");
  assertEquals([socket.closes, channel.state], [[[3005, "please"]], "closing"]);
  assertEquals(await settled(done), false);
  socket.closed({ code: 3005, reason: "please", wasClean: true });
  await done;
  assertEquals(await channel.closed, {
    code: 3005,
    reason: "please",
    wasClean: true,
    initiator: "local",
    sent: { code: 3005, reason: "please" },
    received: { code: 3005, reason: "please" },
  });
  assertEquals(clock.pending, 0);
});

Deno.test("native S148 close() never passes undefined and a reason to the socket", () => {
  const { channel, socket } = wrap();
  assertThrows(() => channel.sink.close(undefined, "why"), TypeError, "a reason needs a code");
  assertEquals([socket.closes, channel.state], [[], "open"]);
  channel.sink.close(undefined, "");
  assertEquals(socket.closes, [[]]);
  channel.terminate();
});

Deno.test("native: a close event inside close() has the same result in the same order", async () => {
  const { channel, clock, socket } = wrap();
  socket.onClose = (it) => it.closed({ code: 1000, reason: "", wasClean: true });
  const order: string[] = [];
  channel.stream.listen(() => {}, { onDone: () => order.push(`onDone ${channel.closeCode}`) });
  const done = channel.sink.close(1000).then(() => order.push("done"));
  channel.closed.then(() => order.push("closed"));
  await done;
  await channel.closed;
  assertEquals([channel.state, clock.pending], ["closed", 0]);
  await microtasks();
  assertEquals(order, ["onDone 1000", "done", "closed"]);
  assertEquals(await channel.closed, {
    code: 1000,
    reason: "",
    wasClean: true,
    initiator: "local",
    sent: { code: 1000, reason: "" },
    received: { code: 1000, reason: "" },
  });
});

Deno.test("native: a close event inside close() while connecting causes an AbortError by this side", async () => {
  const { channel, clock, socket } = wrap({}, new FakeWebSocket(0));
  socket.onClose = (it) => {
    it.emit("error", { message: "" });
    it.closed({ code: 1006, wasClean: false });
  };
  const { events } = record(channel.stream);
  channel.sink.add("never sent");
  await channel.sink.close();
  const error = await rejection(channel.ready);
  assert(error instanceof DOMException);
  assertEquals(error.name, "AbortError");
  await microtasks();
  assertEquals([events, socket.sent, clock.pending], [["done"], [], 0]);
  assertEquals((await channel.closed).initiator, "local");
});

Deno.test("native: a socket that refuses 1001 gets 1000, and closed reports the sent code", async () => {
  const { channel, socket } = wrap();
  socket.refuses = (code) => code !== 1000 && code < 3000;
  channel.sink.close(1001, "bye");
  assertEquals(socket.closes, [[1001, "bye"], [1000, "bye"]]);
  socket.closed({ code: 1000, reason: "bye", wasClean: true });
  assertEquals((await channel.closed).sent, { code: 1000, reason: "bye" });
});

Deno.test("native: any other refused code throws a RangeError, and the channel stays open", async () => {
  const { channel, clock, socket } = wrap();
  const waits = clock.pending;
  socket.refuses = (code) => code !== 1000 && code < 3000;
  const error = assertThrows(() => channel.sink.close(1011, "oops"), RangeError);
  assertEquals(
    error.message,
    "Cannot close: the code must be one of 1000, 1001 and 3000-4999 on this transport, got 1011",
  );
  assertEquals([channel.state, channel.sink.add("on"), clock.pending], ["open", true, waits]);
  socket.closed({ code: 0 });
  const info = await channel.closed;
  assertEquals([info.initiator, "sent" in info], ["transport", false]);
});

Deno.test("native G6 the channel ends after closeTimeout without an answer, and leaves no timer", async () => {
  const { channel, clock, socket } = wrap({ closeTimeout: 300 });
  const done = channel.sink.close(1000);
  clock.advance(299);
  assertEquals([channel.state, await settled(done)], ["closing", false]);
  clock.advance(1);
  await done;
  const { error, ...rest } = await channel.closed;
  assertEquals(rest, {
    code: 1006,
    reason: "",
    wasClean: false,
    initiator: "timeout",
    sent: { code: 1000, reason: "" },
  });
  assertEquals((error as Error).name, "TimeoutError");
  assertEquals([socket.closes.length, clock.pending], [2, 0]);
  socket.closed({ code: 1000, wasClean: true });
  assertEquals((await channel.closed).code, 1006);
});

Deno.test("native: the close event clears the close timer", () => {
  const { channel, clock, socket } = wrap();
  channel.sink.close();
  assert(clock.pending > 0);
  socket.closed({ code: 1005, wasClean: true });
  assertEquals(clock.pending, 0);
});

Deno.test("native G8 polling detects a peer that closes and leaves TCP open, and the wait is limited", async () => {
  const { channel, clock, socket } = wrap({ closeTimeout: 1000 });
  clock.advance(3500);
  assertEquals(channel.state, "open");
  socket.readyState = 2;
  clock.advance(500);
  assertEquals([channel.state, channel.sink.add("dropped")], ["closing", false]);
  clock.advance(1000);
  const { code, initiator, wasClean, error } = await channel.closed;
  assertEquals({ code, initiator, wasClean }, {
    code: 1006,
    initiator: "timeout",
    wasClean: false,
  });
  assertEquals(
    (error as Error).message,
    "Cannot close within 1000 ms: the connection stayed open after the peer's Close",
  );
  assertEquals(clock.pending, 0);
});

Deno.test("native: a close event after the peer's Close completes the close info", async () => {
  const { channel, clock, socket } = wrap({ closeTimeout: 1000 });
  socket.readyState = 2;
  clock.advance(1000);
  socket.closed({ code: 4123, reason: "bye", wasClean: true });
  const { code, reason, initiator, wasClean } = await channel.closed;
  assertEquals({ code, reason, initiator, wasClean }, {
    code: 4123,
    reason: "bye",
    initiator: "remote",
    wasClean: true,
  });
  assertEquals(clock.pending, 0);
});

Deno.test("native: terminate calls the socket's own terminate, or its close otherwise", async () => {
  const { channel, clock, socket } = wrap();
  let terminated = 0;
  const able = Object.assign(new FakeWebSocket(), { terminate: () => void terminated++ });
  const other = wrap({}, able);
  channel.terminate();
  other.channel.terminate();
  assertEquals([socket.closes, terminated, able.closes], [[[]], 1, []]);
  const { code, initiator, wasClean } = await channel.closed;
  assertEquals({ code, initiator, wasClean }, { code: 1006, initiator: "local", wasClean: false });
  assertEquals([clock.pending, other.clock.pending], [0, 0]);
});

Deno.test("native: a channel ends normally if its socket's close throws", async () => {
  const { channel, socket } = wrap();
  socket.onClose = () => {
    throw new Error("broken");
  };
  channel.terminate();
  assertEquals((await channel.closed).initiator, "local");
});

Deno.test("native S119 addError closes without a code; done rejects with it", async () => {
  const { channel, socket } = wrap();
  const error = new Error("my own");
  channel.sink.addError(error);
  assertEquals([socket.closes, channel.sink.add("dropped")], [[[]], false]);
  socket.closed({ code: 1005, wasClean: true });
  assertStrictEquals(await rejection(channel.sink.done), error);
  assertStrictEquals((await channel.closed).error, error);
});

Deno.test("native C12 add throws after close, and returns false after the peer's close", () => {
  const mine = wrap();
  mine.channel.sink.close();
  assertInvalidState(() => mine.channel.sink.add("x"));
  const theirs = wrap();
  theirs.socket.closed({ code: 1000, wasClean: true });
  assertEquals(theirs.channel.sink.add("x"), false);
  assertEquals(theirs.socket.sent, []);
  mine.channel.terminate();
});

Deno.test("native: an aborted signal ends the attempt, and has no effect later", async () => {
  const reason = new Error("changed my mind");
  const given = new AbortController();
  const { channel, clock, socket } = wrap({ signal: given.signal }, new FakeWebSocket(0));
  given.abort(reason);
  assertStrictEquals(await rejection(channel.ready), reason);
  assertEquals([socket.closes, clock.pending], [[[]], 0]);
  const late = new AbortController();
  const open = wrap({ signal: late.signal });
  late.abort(reason);
  assertEquals(open.channel.state, "open");
  open.channel.terminate();
  const before = wrap({ signal: AbortSignal.abort(reason) }, new FakeWebSocket(0));
  assertStrictEquals(await rejection(before.channel.ready), reason);
  assertEquals([before.socket.closes, before.clock.pending], [[[]], 0]);
});

Deno.test("native: a connection lost after close() ends locally, not cleanly, and without an error", async () => {
  const { channel, socket } = wrap();
  channel.sink.close(3000, "mine");
  socket.closed({ code: 0, wasClean: false });
  assertEquals(await channel.closed, {
    code: 1006,
    reason: "",
    wasClean: false,
    initiator: "local",
    sent: { code: 3000, reason: "mine" },
  });
});

Deno.test("native: closed reports an unclean end after a Close if the socket does", async () => {
  const { channel, socket } = wrap();
  socket.closed({ code: 4000, reason: "half", wasClean: false });
  const { code, wasClean, initiator } = await channel.closed;
  assertEquals([code, wasClean, initiator], [4000, false, "remote"]);
});

Deno.test("native: extensions are those of the socket", () => {
  const socket = new FakeWebSocket(0);
  const { channel } = wrap({}, socket);
  socket.extensions = "permessage-deflate";
  assertEquals(channel.extensions, "");
  socket.open();
  assertEquals(channel.extensions, "permessage-deflate");
  channel.terminate();
});

// Backpressure, by polling bufferedAmount.

Deno.test("native: ready follows bufferedAmount, which the channel polls only while a caller waits", async () => {
  const { channel, clock, socket } = wrap({ highWaterMark: 100 });
  const idle = clock.pending;
  await channel.sink.ready;
  assertEquals(clock.pending, idle);
  socket.bufferedAmount = 100;
  assertEquals(channel.sink.bufferedAmount, 100);
  const ready = channel.sink.ready;
  clock.advance(500);
  assertEquals(await settled(ready), false);
  socket.bufferedAmount = 99;
  clock.advance(32);
  await ready;
  assertEquals(clock.pending, idle);
  channel.terminate();
});

Deno.test("native: flush fulfils when nothing is buffered, and rejects when the channel ends before", async () => {
  const { channel, clock, socket } = wrap();
  await channel.sink.flush();
  socket.bufferedAmount = 7;
  const flushed = channel.sink.flush();
  socket.bufferedAmount = 1;
  clock.advance(100);
  assertEquals(await settled(flushed), false);
  socket.bufferedAmount = 0;
  clock.advance(32);
  await flushed;
  socket.bufferedAmount = 7;
  const never = channel.sink.flush();
  socket.closed({ code: 0 });
  assertInstanceOf(await rejection(never), Error);
  assertEquals(clock.pending, 0);
});

Deno.test("native G15 flush rejects even if a lost socket resets bufferedAmount", async () => {
  const { channel, clock, socket } = wrap();
  socket.bufferedAmount = 7;
  const flushed = channel.sink.flush();
  socket.readyState = 3;
  socket.bufferedAmount = 0;
  clock.advance(100);
  assertEquals(await settled(flushed), false);
  socket.closed({ code: 1006 });
  assertInstanceOf(await rejection(flushed), Error);
  assertEquals(clock.pending, 0);
});

Deno.test("native: senders that wait for room while connecting continue when the socket opens", async () => {
  const { channel, clock, socket } = wrap({ highWaterMark: 3 }, new FakeWebSocket(0));
  channel.sink.add("four");
  const ready = channel.sink.ready;
  const flushed = channel.sink.flush();
  assertEquals(await settled(ready), false);
  socket.bufferedAmount = 4;
  socket.open();
  assertEquals([await settled(ready), await settled(flushed)], [false, false]);
  socket.bufferedAmount = 0;
  clock.advance(1);
  await ready;
  await flushed;
  channel.terminate();
  assertEquals(clock.pending, 0);
});

Deno.test("native: on a socket without pings, latency is null and ping rejects with an UnsupportedError", async () => {
  const { channel } = wrap();
  const error = await rejection(channel.ping());
  assertInstanceOf(error, Error);
  assertEquals(error.name, "UnsupportedError");
  channel.terminate();
});
