import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { MessageSink, sinkControl } from "../../src/stream_channel/channel_sink.ts";
import { SinkController } from "../support/controllers.ts";
import { Deferred } from "../../src/stream_channel/errors.ts";
import { assertInvalidState, microtasks, settled } from "../support/events.ts";
import { open, Target } from "./targets.ts";

Deno.test("add: it delivers inside the call, in order", () => {
  const { target, controller } = open();
  assert(controller.sink.add("a"));
  assert(controller.sink.add("b"));
  assertEquals(target.values, ["a", "b"]);
  assertEquals(controller.sink.bufferedAmount, 2);
});

Deno.test("add: it passes further arguments to the target, also if the target only checks them", () => {
  const told: unknown[] = [];
  const target = Object.assign(new Target(), {
    add: (...given: unknown[]) => void told.push(["add", ...given]),
    check: (...given: unknown[]) => void told.push(["check", ...given]),
  });
  const sink = new MessageSink<string, number>(target);
  sink.add("a", 1);
  sinkControl.disconnect(sink);
  sink.add("b", 2);
  assertEquals(told, [["add", "a", 1], ["check", "b", 2]]);
});

Deno.test("the user's side of a sink reveals nothing of the consuming side", () => {
  const { sink } = open().controller;
  assertEquals(Object.keys(sink), []);
  assertEquals(Object.getOwnPropertyNames(Object.getPrototypeOf(sink)).sort(), [
    "add",
    "addError",
    "addStream",
    "bufferedAmount",
    "close",
    "constructor",
    "done",
    "flush",
    "hasRoom",
    "ready",
    "writable",
  ]);
  assertEquals(Object.getOwnPropertyNames(sink.constructor).sort(), [
    "length",
    "name",
    "prototype",
  ]);
});

Deno.test("add: it checks the value before the state", () => {
  const { controller } = open();
  const bad = 42 as unknown as string;
  assertThrows(() => controller.sink.add(bad), TypeError);
  assert(controller.sink.add("still open"));
  controller.disconnect();
  assertThrows(() => controller.sink.add(bad), TypeError);
  assertFalse(controller.sink.add("dropped"));
  controller.sink.close();
  assertThrows(() => controller.sink.add(bad), TypeError);
  assertInvalidState(() => controller.sink.add("late"));
});

Deno.test("S18 guarantee 3: after the other end has ended, values are dropped until the user closes", async () => {
  const { target, controller } = open();
  controller.disconnect();
  controller.finish();
  await controller.sink.done;
  assertFalse(controller.sink.add("a"));
  controller.sink.addError(new Error("dropped"));
  await assertRejects(() => controller.sink.addStream(["b"]), DOMException);
  assertEquals(target.values, []);
  await controller.sink.close();
  assertInvalidState(() => controller.sink.add("c"));
  assertInvalidState(() => controller.sink.addError(new Error("late")));
  assertInvalidState(() => controller.sink.addStream(["d"]));
});

Deno.test("close: it returns the same promise as done every time, and calls the target once", async () => {
  const { target, controller } = open();
  const closed = controller.sink.close();
  assertStrictEquals(controller.sink.close(), closed);
  assertStrictEquals(controller.sink.done, closed);
  assertEquals(target.calls, ["close"]);
  assertFalse(await settled(closed));
  controller.finish();
  await closed;
});

Deno.test("S21 guarantee 6: an error closes the channel and rejects done, and later values are dropped", async () => {
  const { target, controller } = open();
  const error = new Error("broken");
  controller.sink.addError(error);
  controller.sink.addError(new Error("second"));
  assertEquals(target.calls, [["abort", error]]);
  assertFalse(controller.sink.add("a"));
  controller.finish();
  assertStrictEquals(await assertRejects(() => controller.sink.done), error);
  assertStrictEquals(controller.sink.close(), controller.sink.done);
});

Deno.test("ready: at the high-water mark, it waits for room or the end", async () => {
  const { target, controller } = open({ highWaterMark: 4 });
  await controller.sink.ready;
  controller.sink.add("abcd");
  const ready = controller.sink.ready;
  assertStrictEquals(controller.sink.ready, ready);
  assertFalse(await settled(ready));
  target.bufferedAmount = 4;
  controller.drained();
  assertFalse(await settled(ready));
  target.bufferedAmount = 3;
  controller.drained();
  await ready;
  controller.sink.add("e");
  const again = controller.sink.ready;
  assertFalse(await settled(again));
  controller.disconnect();
  await again;
  await controller.sink.ready;
});

Deno.test("ready: the user's own close also counts as an end", async () => {
  const { controller } = open({ highWaterMark: 1 });
  controller.sink.add("a");
  const { ready } = controller.sink;
  controller.sink.close();
  await ready;
});

Deno.test("flush: it fulfils when everything is passed on, and rejects if that can no longer happen", async () => {
  const { target, controller } = open();
  await controller.sink.flush();
  controller.sink.add("abc");
  const flushed = controller.sink.flush();
  target.bufferedAmount = 1;
  controller.drained();
  assertFalse(await settled(flushed));
  target.bufferedAmount = 0;
  controller.drained();
  await flushed;
  controller.sink.add("d");
  const lost = controller.sink.flush();
  const cause = new Error("lost");
  controller.finish(cause);
  assertStrictEquals(await assertRejects(() => lost), cause);
  assertStrictEquals(await assertRejects(() => controller.sink.flush()), cause);
});

Deno.test("a target over another sink uses that sink's room, amount, flush, return value and failure", async () => {
  const room = new Deferred();
  const flushed: Promise<void> = Promise.resolve();
  const inner = {
    bufferedAmount: 1_000_000,
    hasRoom: false,
    ready: room.promise,
    flush: () => flushed,
  };
  const controller = new SinkController<string>(
    Object.assign(new Target(), { inner, add: (value: string) => value !== "dropped" }),
  );
  const { sink } = controller;
  assertEquals(sink.bufferedAmount, 1_000_000);
  const { ready } = sink;
  assertFalse(await settled(ready));
  assertStrictEquals(sink.ready, ready);
  room.resolve();
  await ready;
  assertFalse(sink.hasRoom);
  inner.hasRoom = true;
  assert(sink.hasRoom);
  await sink.ready;
  assertStrictEquals(sink.flush(), flushed);
  assert(sink.add("taken"));
  assertFalse(sink.add("dropped"));
  const error = new Error("inner");
  controller.fail(error);
  controller.fail(new Error("second"));
  assertStrictEquals(await assertRejects(() => sink.done), error);
  assertFalse(sink.add("late"));
});

Deno.test("a target over another sink that stays open: ready fulfils when this sink has ended", async () => {
  for (const end of ["disconnect", "finish", "close"] as const) {
    const never = new Deferred().promise;
    const controller = new SinkController<string>(Object.assign(new Target(), {
      inner: { bufferedAmount: 1, hasRoom: false, ready: never, flush: () => never },
    }));
    const { ready } = controller.sink;
    assertFalse(await settled(ready));
    void controller[end]();
    await ready;
    assert(controller.sink.hasRoom);
  }
});

Deno.test("a target that drops a value: the sink drops it too, and a running addStream ends", async () => {
  const target = Object.assign(new Target(), { add: () => false });
  const controller = new SinkController<string>(target);
  let given = 0;
  let cancelled = false;
  const adding = controller.sink.addStream((function* () {
    try {
      for (;; given++) yield "value";
    } finally {
      cancelled = true;
    }
  })());
  assertFalse(await settled(adding));
  controller.finish();
  await assertRejects(() => adding, DOMException);
  assertEquals([given, cancelled], [0, true]);
  assert(controller.isDisconnected);
});

Deno.test("writable: writes wait for room, close closes, and abort calls addError", async () => {
  const { target, controller } = open({ highWaterMark: 2 });
  const writer = controller.sink.writable.getWriter();
  await writer.write("a");
  const second = writer.write("b");
  assertFalse(await settled(second));
  target.bufferedAmount = 0;
  controller.drained();
  await second;
  const closed = writer.close();
  await microtasks();
  assertEquals(target.calls.at(-1), "close");
  controller.finish();
  await closed;

  const other = open();
  const error = new Error("stop");
  await other.controller.sink.writable.abort(error);
  assertEquals(other.target.calls, [["abort", error]]);
});

Deno.test("writable: it errors when the channel ends, so that pipeTo stops", async () => {
  for (const end of ["finish", "close", "before"] as const) {
    const { controller } = open();
    if (end === "before") controller.finish();
    let cancelled: unknown;
    const source = new ReadableStream<string>({ cancel: (reason) => void (cancelled = reason) });
    const piped = source.pipeTo(controller.sink.writable);
    if (end === "finish") controller.finish();
    if (end === "close") controller.sink.close();
    await assertRejects(() => piped, DOMException, "Cannot ");
    assert(cancelled instanceof DOMException);
  }
});
