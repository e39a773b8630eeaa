/** Sockets with non-standard behaviour: a channel still ends in the same way. */

import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { NativeChannel } from "../../src/native/native_channel.ts";
import type { WebSocketLike } from "../../src/native/web_socket_like.ts";
import { WebSocketChannelError } from "../../src/web_socket/errors.ts";
import { microtasks, record, settled } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { wrap } from "./support.ts";

function throwBroken(): never {
  throw new Error("broken");
}

Deno.test("odd sockets: a channel created in the socket's open event stays open when the event fires again", async () => {
  const socket = new FakeWebSocket(0);
  let channel: NativeChannel | undefined;
  socket.addEventListener("open", () => channel ??= wrap({}, socket).channel);
  socket.open();
  socket.emit("open");
  await channel?.ready;
  assertEquals([channel?.state, socket.closes], ["open", []]);
  channel?.sink.close();
  socket.emit("open");
  assertEquals(socket.closes, [[]]);
  channel?.terminate();
});

Deno.test("odd sockets: a socket that is still closing at its close event gets the answer to the peer's Close", async () => {
  for (
    const [code, reason, answer] of [
      [3001, "bye", [3001, "bye"]],
      [1000, "", [1000, ""]],
      [1005, "", []],
    ] as const
  ) {
    const { channel, socket } = wrap();
    socket.readyState = 2;
    socket.emit("close", { code, reason, wasClean: true });
    assertEquals(socket.closes, [[...answer]]);
    const { initiator, wasClean } = await channel.closed;
    assertEquals([initiator, wasClean, channel.closeCode], ["remote", true, code]);
  }
  // The side that closed first has already sent its Close, and a lost connection has no Close.
  const own = wrap();
  void own.channel.sink.close(1000);
  own.socket.readyState = 2;
  own.socket.emit("close", { code: 1000, reason: "", wasClean: true });
  assertEquals(own.socket.closes, [[1000, ""]]);
  const lost = wrap();
  lost.socket.readyState = 2;
  lost.socket.emit("close", { code: 1006, reason: "", wasClean: false });
  assertEquals(lost.socket.closes, []);
});

Deno.test("odd sockets: a close event inside terminate doesn't change the close info", async () => {
  for (const hasTerminate of [false, true]) {
    const { channel, clock, socket } = wrap();
    const end = (): void => socket.closed({ code: 1006, wasClean: false });
    if (hasTerminate) Object.assign(socket, { terminate: end });
    socket.onClose = end;
    channel.terminate();
    await microtasks();
    assertEquals(await channel.closed, {
      code: 1006,
      reason: "",
      wasClean: false,
      initiator: "local",
    });
    assertEquals(clock.pending, 0);
  }
});

Deno.test("odd sockets G6 a close event during the destruction at closeTimeout still reports a timeout", async () => {
  const { channel, clock, socket } = wrap({ closeTimeout: 10 });
  channel.sink.close(3000);
  socket.onClose = (it) => it.closed({ code: 1006, wasClean: false });
  clock.advance(10);
  const { error, ...rest } = await channel.closed;
  assertEquals(rest, {
    code: 1006,
    reason: "",
    wasClean: false,
    initiator: "timeout",
    sent: { code: 3000, reason: "" },
  });
  assertEquals((error as Error).name, "TimeoutError");
  await microtasks();
  assertEquals(clock.pending, 0);
});

Deno.test("odd sockets: closeTimeout 0 waits only one turn of the event loop", async () => {
  const { channel, clock } = wrap({ closeTimeout: 0 });
  const done = channel.sink.close(1000);
  assertEquals([channel.state, await settled(done), clock.nextIn], ["closing", false, 0]);
  clock.advance(0);
  await done;
  assertEquals([(await channel.closed).initiator, clock.pending], ["timeout", 0]);
});

Deno.test("odd sockets G11 add returns false and sends nothing on a socket that is closing without an event", async () => {
  const { channel, clock, socket } = wrap();
  socket.readyState = 2;
  assertEquals([channel.sink.add("dropped"), channel.state], [false, "closing"]);
  assertEquals([channel.sink.add("again"), socket.sent], [false, []]);
  socket.closed({ code: 4000, reason: "bye", wasClean: true });
  const { code, initiator } = await channel.closed;
  assertEquals([code, initiator, clock.pending], [4000, "remote", 0]);
});

Deno.test("odd sockets G13 addStream ends and cancels its source on a socket that is closing without an event", async () => {
  const { channel, socket } = wrap();
  let cancelled = 0;
  const source = new ReadableStream<string>({
    pull: (controller) => controller.enqueue("dropped"),
    cancel: () => void cancelled++,
  });
  socket.readyState = 2;
  const added = channel.sink.addStream(source);
  added.catch(() => {});
  await microtasks();
  assertEquals([cancelled, socket.sent], [1, []]);
  channel.terminate();
  await assertRejects(() => added, DOMException);
});

Deno.test("odd sockets: the close timer ends close, addError and dispose if the socket's close throws", async () => {
  const actions: ((channel: NativeChannel) => Promise<unknown> | void)[] = [
    (channel) => channel.sink.close(),
    (channel) => channel[Symbol.asyncDispose](),
    (channel) => channel.sink.addError(new Error("my own")),
  ];
  for (const act of actions) {
    const { channel, clock, socket } = wrap({ closeTimeout: 10 });
    socket.onClose = throwBroken;
    const result = act(channel);
    assertEquals(channel.state, "closing");
    clock.advance(10);
    await result;
    assertEquals([(await channel.closed).initiator, clock.pending], ["timeout", 0]);
  }
});

Deno.test("odd sockets: when send throws for an early message, ready settles and closed has the error", async () => {
  const { channel, clock, socket } = wrap({}, new FakeWebSocket(0));
  const error = new Error("broken");
  socket.send = () => {
    throw error;
  };
  channel.sink.add("one");
  channel.sink.add("two");
  const { events } = record(channel.stream);
  socket.open();
  await channel.ready;
  assertEquals([channel.state, socket.closes, channel.sink.add("x")], ["closing", [[]], false]);
  socket.closed({ code: 1005, wasClean: true });
  const info = await channel.closed;
  assertEquals([info.initiator, clock.pending, events], ["local", 0, ["done"]]);
  assertStrictEquals(info.error, error);
});

Deno.test("odd sockets: connectTimeout ends a connecting socket that fires only an error event", async () => {
  const { channel, clock, socket } = wrap({ connectTimeout: 100 }, new FakeWebSocket(0));
  socket.emit("error", { message: "odd" });
  clock.advance(100);
  assertEquals([(await channel.closed).initiator, clock.pending], ["timeout", 0]);
});

Deno.test("odd sockets: a value that isn't a socket throws a TypeError and leaves no timer", () => {
  for (const wrong of [null, undefined, 42, "ws://example.com", {}]) {
    const clock = new ManualClock();
    assertThrows(
      () => NativeChannel.from(wrong as unknown as WebSocketLike, {}, clock),
      TypeError,
      "Cannot wrap the WebSocket",
    );
    assertEquals(clock.pending, 0);
  }
});

Deno.test("odd sockets: a promise of a value that isn't a socket fails the channel, with a TypeError as cause", async () => {
  const clock = new ManualClock();
  const none = Promise.resolve(null as unknown as WebSocketLike);
  const error = await NativeChannel.from(none, {}, clock).ready.catch((it: unknown) => it);
  assertInstanceOf(error, WebSocketChannelError);
  assertInstanceOf(error.cause, TypeError);
  assertEquals(clock.pending, 0);
});

Deno.test("odd sockets: close, terminate and addError end a channel whose promise never settles", async () => {
  const actions: ((channel: NativeChannel) => void)[] = [
    (channel) => void channel.sink.close(),
    (channel) => channel.terminate(),
    (channel) => channel.sink.addError(new Error("my own")),
  ];
  for (const act of actions) {
    const clock = new ManualClock();
    const channel = NativeChannel.from(new Promise<WebSocketLike>(() => {}), {}, clock);
    act(channel);
    assertEquals(channel.state, "closed");
    assertEquals([(await channel.closed).initiator, clock.pending], ["local", 0]);
  }
});
