import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  ChannelSinkController,
  ROOM,
  type SinkTarget,
} from "../../src/stream_channel/channel_sink.ts";
import { Deferred } from "../../src/stream_channel/deferred.ts";
import { assertInvalidState, microtasks, settled } from "../support/events.ts";

/** A target that keeps what it gets until the test takes it. */
class Target implements SinkTarget<string> {
  readonly values: string[] = [];
  readonly calls: unknown[] = [];
  bufferedAmount = 0;

  add(value: string): void {
    this.check(value);
    this.values.push(value);
    this.bufferedAmount += value.length;
  }

  check(value: unknown): void {
    if (typeof value !== "string") throw new TypeError(`Cannot send: ${value}`);
  }

  close(): void {
    this.calls.push("close");
  }

  abort(error: unknown): void {
    this.calls.push(["abort", error]);
  }

  watch(): void {
    this.calls.push("watch");
  }
}

function open(
  options?: { highWaterMark?: number; closeWins?: boolean },
): { target: Target; controller: ChannelSinkController<string> } {
  const target = new Target();
  return { target, controller: new ChannelSinkController<string>(target, options) };
}

/** A source that gives what the test puts in, and records that it was cancelled. */
class Source implements AsyncIterable<string> {
  cancelled = false;
  asked = 0;
  #waiting: ((result: IteratorResult<string>) => void)[] = [];
  #fail: ((error: unknown) => void)[] = [];

  put(value: string): void {
    this.#waiting.shift()?.({ done: false, value });
  }

  end(): void {
    this.#waiting.shift()?.({ done: true, value: undefined });
  }

  fail(error: unknown): void {
    this.#fail.shift()?.(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    return {
      next: () => {
        this.asked++;
        return new Promise((resolve, reject) => {
          this.#waiting.push(resolve);
          this.#fail.push(reject);
        });
      },
      return: () => {
        this.cancelled = true;
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}

Deno.test("add: hands over inside the call, in order", () => {
  const { target, controller } = open();
  assert(controller.sink.add("a"));
  assert(controller.sink.add("b"));
  assertEquals(target.values, ["a", "b"]);
  assertEquals(controller.sink.bufferedAmount, 2);
});

Deno.test("add: the checks, in their order", () => {
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

Deno.test("S18 guarantee 3: once the other end is gone values are dropped, until the user closes", async () => {
  const { target, controller } = open();
  controller.disconnect();
  controller.finish();
  await controller.sink.done;
  assertFalse(controller.sink.add("a"));
  controller.sink.addError(new Error("dropped"));
  await controller.sink.addStream(["b"]);
  assertEquals(target.values, []);
  await controller.sink.close();
  assertInvalidState(() => controller.sink.add("c"));
  assertInvalidState(() => controller.sink.addError(new Error("late")));
  assertInvalidState(() => controller.sink.addStream(["d"]));
});

Deno.test("close: the same promise each time, and done; the target is told once", async () => {
  const { target, controller } = open();
  const closed = controller.sink.close();
  assertStrictEquals(controller.sink.close(), closed);
  assertStrictEquals(controller.sink.done, closed);
  assertEquals(target.calls, ["close"]);
  assertFalse(await settled(closed));
  controller.finish();
  await closed;
});

Deno.test("S21 guarantee 6: an error closes the channel and is done's, later values are dropped", async () => {
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

Deno.test("ready: waits at the high-water mark, for room or for the end", async () => {
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

Deno.test("ready: the user's own close is an end as well", async () => {
  const { controller } = open({ highWaterMark: 1 });
  controller.sink.add("a");
  const { ready } = controller.sink;
  controller.sink.close();
  await ready;
});

Deno.test("flush: fulfils when all is handed on, rejects when that will never be", async () => {
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
  assertEquals(
    (await assertRejects(() => controller.sink.flush(), DOMException)).name,
    "InvalidStateError",
  );
});

Deno.test("addStream: adds all, waits for room, leaves the sink usable", async () => {
  const { target, controller } = open({ highWaterMark: 2 });
  const source = new Source();
  const added = controller.sink.addStream(source);
  source.put("ab");
  await microtasks();
  assertEquals(target.values, ["ab"]);
  assertEquals(source.asked, 1, "full: the source isn't asked");
  target.bufferedAmount = 0;
  controller.drained();
  await microtasks();
  assertEquals(source.asked, 2);
  source.end();
  await added;
  assert(controller.sink.add("c"));
});

Deno.test("addStream: takes a plain iterable and a ReadableStream", async () => {
  const { target, controller } = open();
  await controller.sink.addStream(["a", "b"]);
  await controller.sink.addStream(new Blob(["cd"]).stream().pipeThrough(new TextDecoderStream()));
  assertEquals(target.values, ["a", "b", "cd"]);
});

Deno.test("addStream: is exclusive while it runs", async () => {
  const { controller } = open();
  const source = new Source();
  const added = controller.sink.addStream(source);
  assertInvalidState(() => controller.sink.add("a"));
  assertInvalidState(() => controller.sink.addError(new Error("x")));
  assertInvalidState(() => controller.sink.addStream([]));
  assertInvalidState(() => controller.sink.close());
  source.end();
  await added;
  assert(controller.sink.add("a"));
});

Deno.test("addStream: a failing source is an error of the channel, unless spared", async () => {
  const error = new Error("source");
  const failing = async function* (): AsyncGenerator<string> {
    yield await Promise.resolve("a");
    throw error;
  };
  const { target, controller } = open();
  assertStrictEquals(await assertRejects(() => controller.sink.addStream(failing())), error);
  assertEquals(target.calls, [["abort", error]]);
  assertFalse(controller.sink.add("b"));
  const spared = open();
  const options = { preventAbort: true };
  await assertRejects(() => spared.controller.sink.addStream(failing(), options), Error, "source");
  assertEquals(spared.target.calls, []);
  assert(spared.controller.sink.add("b"));
});

Deno.test("addStream: a value of the wrong kind cancels the source", async () => {
  const { controller } = open();
  const source = new Source();
  const added = controller.sink.addStream(source);
  source.put(42 as unknown as string);
  await assertRejects(() => added, TypeError);
  assert(source.cancelled);
});

Deno.test("addStream: the other end goes: the source is cancelled, the promise fulfils", async () => {
  const { controller } = open();
  const source = new Source();
  const added = controller.sink.addStream(source);
  await microtasks();
  controller.disconnect();
  await added;
  assert(source.cancelled);
});

Deno.test("addStream: a signal stops it and spares the channel", async () => {
  const { target, controller } = open({ highWaterMark: 1 });
  const abort = new AbortController();
  const source = new Source();
  const added = controller.sink.addStream(source, { signal: abort.signal });
  source.put("a");
  await microtasks();
  const reason = new Error("enough");
  abort.abort(reason);
  assertStrictEquals(await assertRejects(() => added), reason);
  assert(source.cancelled);
  target.bufferedAmount = 0;
  assert(controller.sink.add("b"));
  const { signal } = abort;
  assertStrictEquals(await assertRejects(() => controller.sink.addStream([], { signal })), reason);
});

Deno.test("addStream: close cancels the source where close wins", async () => {
  const { target, controller } = open({ closeWins: true });
  const source = new Source();
  const added = controller.sink.addStream(source);
  const closed = controller.sink.close();
  await added;
  assert(source.cancelled);
  assertEquals(target.calls, ["close"]);
  assertInvalidState(() => controller.sink.add("a"));
  controller.finish();
  await closed;
});

Deno.test("writable: writes wait for room; close closes; abort is addError", async () => {
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

Deno.test("writable: errors when the channel ends, so that pipeTo stops", async () => {
  for (const end of ["disconnect", "close", "before"]) {
    const { controller } = open();
    if (end === "before") controller.disconnect();
    let cancelled: unknown;
    const source = new ReadableStream<string>({ cancel: (reason) => void (cancelled = reason) });
    const piped = source.pipeTo(controller.sink.writable);
    if (end === "disconnect") controller.disconnect();
    if (end === "close") controller.sink.close();
    await assertRejects(() => piped, DOMException, "the channel is over");
    assert(cancelled instanceof DOMException);
  }
});

Deno.test("a target that is a sink itself: its ready, its flush, its false, its failure", async () => {
  const target = new Target();
  const room = new Deferred();
  const flushed: Promise<void> = Promise.resolve();
  const wrapping = Object.assign(target, {
    ready: room.promise as Promise<void>,
    flush: () => flushed,
    add: (value: string) => value !== "dropped",
  });
  const controller = new ChannelSinkController<string>(wrapping);
  const { sink } = controller;
  target.bufferedAmount = 1_000_000;
  const { ready } = sink;
  assertFalse(await settled(ready));
  assertStrictEquals(sink.ready, ready);
  room.resolve();
  await ready;
  wrapping.ready = ROOM;
  assertStrictEquals(sink.ready, ROOM);
  assertStrictEquals(sink.flush(), flushed);
  assert(sink.add("taken"));
  assertFalse(sink.add("dropped"));
  const error = new Error("inner");
  controller.fail(error);
  controller.fail(new Error("second"));
  assertStrictEquals(await assertRejects(() => sink.done), error);
  assertFalse(sink.add("late"));
});

Deno.test("a target that is a sink itself, and goes on: ready fulfils when this sink is over", async () => {
  for (const end of ["disconnect", "finish", "close"] as const) {
    const never = new Deferred().promise;
    const controller = new ChannelSinkController<string>(Object.assign(new Target(), {
      ready: never,
    }));
    const { ready } = controller.sink;
    assertFalse(await settled(ready));
    void controller[end]();
    await ready;
  }
});

Deno.test("a target that drops a value: the sink drops, and a running addStream ends", async () => {
  const target = Object.assign(new Target(), { add: () => false });
  const controller = new ChannelSinkController<string>(target);
  let given = 0;
  let cancelled = false;
  await controller.sink.addStream((function* () {
    try {
      for (;; given++) yield "value";
    } finally {
      cancelled = true;
    }
  })());
  assertEquals([given, cancelled], [0, true]);
  assert(controller.isDisconnected);
});
