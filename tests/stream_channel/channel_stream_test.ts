import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import { StreamController } from "../support/controllers.ts";
import {
  assertInvalidState,
  assertRejectsInvalidState,
  microtasks,
  record,
} from "../support/events.ts";
import { collectUncaught } from "../support/unhandled.ts";

Deno.test("the user's side of a stream is one object, and reveals nothing of the producing side", () => {
  const controller = new StreamController<number>();
  const { stream } = controller;
  assertStrictEquals(stream.readable, stream.readable);
  assertEquals(Object.keys(stream), []);
  assertEquals(
    Object.getOwnPropertyNames(Object.getPrototypeOf(stream)),
    ["constructor", "listen", "next", "discard", "readable"],
  );
  assertEquals(Object.getOwnPropertyNames(stream.constructor).sort(), [
    "length",
    "name",
    "prototype",
  ]);
  const subscription = stream.listen(() => {});
  assertEquals(Object.keys(subscription), []);
  assertEquals(
    Object.getOwnPropertyNames(Object.getPrototypeOf(subscription)).sort(),
    ["cancel", "constructor", "isPaused", "pause", "resume"],
  );
});

Deno.test("listen: callbacks are called without `this`", () => {
  const controller = new StreamController<number>();
  const owners: unknown[] = [];
  controller.stream.listen(function (this: unknown) {
    owners.push(this);
  });
  controller.add(1);
  assertEquals(owners, [undefined]);
});

Deno.test("listen: a message reaches the listener inside add", () => {
  const controller = new StreamController<number>();
  const events = record(controller.stream).events;
  controller.add(1);
  assertEquals(events, [1]);
  controller.add(2);
  controller.end();
  assertEquals(events, [1, 2, "done"]);
});

Deno.test("listen: a microtask delivers earlier messages, followed by those that arrive meanwhile", async () => {
  const controller = new StreamController<number>();
  controller.add(1);
  controller.add(2);
  const events = record(controller.stream).events;
  controller.add(3);
  assertEquals(events, []);
  await microtasks();
  assertEquals(events, [1, 2, 3]);
  controller.add(4);
  assertEquals(events, [1, 2, 3, 4]);
});

Deno.test("listen: the callback is never called during its own call", () => {
  const controller = new StreamController<number>();
  const events: string[] = [];
  controller.stream.listen((value) => {
    events.push(`in ${value}`);
    if (value === 1) {
      controller.add(2);
      controller.add(3);
    }
    if (value === 3) controller.end();
    events.push(`out ${value}`);
  }, { onDone: () => events.push("done") });
  controller.add(1);
  assertEquals(events, ["in 1", "out 1", "in 2", "out 2", "in 3", "out 3", "done"]);
});

Deno.test("listen: done does not interrupt the callback in which the stream ends", () => {
  const controller = new StreamController<number>();
  const events: string[] = [];
  controller.stream.listen(() => {
    controller.end();
    events.push("out");
  }, { onDone: () => events.push("done") });
  controller.add(1);
  assertEquals(events, ["out", "done"]);
});

Deno.test("listen: a microtask delivers queued messages, also if the stream ends meanwhile", async () => {
  const controller = new StreamController<number>();
  controller.add(1);
  const { events, subscription } = record(controller.stream);
  controller.end();
  assertEquals(events, []);
  await microtasks();
  assertEquals(events, [1, "done"]);
  subscription.resume();
  assertEquals(events, [1, "done"]);
});

Deno.test("pause: it takes effect before the next message or the end", async () => {
  const controller = new StreamController<number>();
  const events: unknown[] = [];
  const subscription = controller.stream.listen((value) => {
    events.push(value);
    if (value === 1) subscription.pause();
  }, { onDone: () => events.push("done") });
  controller.add(1);
  controller.add(2);
  controller.end();
  await microtasks();
  assertEquals(events, [1]);
  assert(subscription.isPaused);
  subscription.resume();
  assertEquals(events, [1]);
  await microtasks();
  assertEquals(events, [1, 2, "done"]);
});

Deno.test("pause: pausing again stops the delivery of queued messages", async () => {
  const controller = new StreamController<number>();
  const events: number[] = [];
  [1, 2, 3, 4].forEach((value) => controller.add(value));
  const subscription = controller.stream.listen((value) => {
    events.push(value);
    subscription.pause();
  });
  for (let round = 1; round <= 4; round++) {
    await microtasks();
    assertEquals(events.length, round);
    subscription.resume();
  }
  await microtasks();
  controller.add(5);
  assertEquals(events, [1, 2, 3, 4, 5]);
});

Deno.test("the source pauses at the high-water mark and resumes when there is room", async () => {
  const asked: string[] = [];
  const controller = new StreamController<string>({
    pause: () => asked.push("pause"),
    resume: () => asked.push("resume"),
  }, { highWaterMark: 100 });
  controller.add("x".repeat(60));
  assertEquals(asked, []);
  controller.add("x".repeat(60));
  assertEquals(asked, ["pause"]);
  assertEquals(controller.queuedSize, 120);
  await controller.stream.next();
  assertEquals(asked, ["pause", "resume"]);
  controller.add("x".repeat(60));
  assertEquals(asked, ["pause", "resume", "pause"]);
  await controller.stream.next();
  await controller.stream.next();
  assertEquals(asked, ["pause", "resume", "pause", "resume"]);
  assertEquals(controller.queuedSize, 0);
});

Deno.test("empty messages count as well, so their number is limited", () => {
  let paused = false;
  const controller = new StreamController<string>({ pause: () => paused = true }, {
    highWaterMark: 320,
  });
  for (let i = 0; i < 9; i++) controller.add("");
  assertFalse(paused);
  controller.add("");
  assert(paused);
});

Deno.test("cancel: delivery stops, including done; the source continues, and its values are dropped", () => {
  const asked: string[] = [];
  const controller = new StreamController<string>({
    pause: () => asked.push("pause"),
    resume: () => asked.push("resume"),
    cancel: () => asked.push("cancel"),
  }, { highWaterMark: 1 });
  const events: unknown[] = [];
  const subscription = controller.stream.listen((value) => events.push(value), {
    onDone: () => events.push("done"),
  });
  subscription.pause();
  controller.add("a");
  assertEquals(asked, ["pause"]);
  subscription.cancel();
  subscription.cancel();
  assertEquals(asked, ["pause", "cancel", "resume"]);
  controller.add("b");
  controller.end();
  assertEquals(events, []);
  assertEquals(controller.queuedSize, 0);
});

Deno.test("discard: it drops the queued messages and the error, and notifies even a paused listener", async () => {
  const controller = new StreamController<number>();
  const events: unknown[] = [];
  const subscription = controller.stream.listen((value) => events.push(value), {
    onError: () => events.push("error"),
    onDone: () => events.push("done"),
  });
  subscription.pause();
  controller.add(1);
  controller.fail(new Error("never told"));
  controller.discard();
  subscription.pause();
  assertEquals(events, []);
  await microtasks();
  assertEquals(events, ["done"]);
});

Deno.test("S1 guarantee 1: a stream has one reader in its life", async () => {
  const reads: Record<string, (controller: StreamController<number>) => unknown> = {
    listen: (it) => it.stream.listen(() => {}),
    next: (it) => it.stream.next(),
    iterate: (it) => it.stream[Symbol.asyncIterator](),
  };
  for (const [first, take] of Object.entries(reads)) {
    for (const [second, again] of Object.entries(reads)) {
      const oneReader = first === "next" && (second === "next" || second === "iterate");
      const controller = new StreamController<number>();
      take(controller);
      if (oneReader) again(controller);
      else await assertHasReader(second, () => again(controller));
      controller.end();
      await microtasks();
      if (!oneReader) await assertHasReader(second, () => again(controller));
    }
    const controller = new StreamController<number>();
    take(controller);
    const read = controller.stream.readable.getReader().read();
    assertEquals((await assertRejects(() => read, DOMException)).name, "InvalidStateError");
    const viewed = new StreamController<number>();
    void viewed.stream.readable.getReader().read();
    await microtasks();
    await assertHasReader(first, () => take(viewed));
  }
});

/** `next` returns a promise, which rejects; the others throw. */
async function assertHasReader(how: string, read: () => unknown): Promise<void> {
  if (how === "next") await assertRejectsInvalidState(read() as Promise<unknown>);
  else assertInvalidState(read);
}

Deno.test("100,000 queued messages are read in order", async () => {
  const controller = new StreamController<number>();
  for (let i = 0; i < 100_000; i++) controller.add(i);
  controller.end();
  let expected = 0;
  for await (const value of controller.stream) {
    if (value !== expected++) throw new Error(`got ${value}, expected ${expected - 1}`);
  }
  assertEquals(expected, 100_000);
});

Deno.test("listen: S8 an error that a callback throws is rethrown, and affects neither the source nor a message", async () => {
  const controller = new StreamController<number>();
  const events: unknown[] = [];
  const fail = (event: unknown): never => {
    events.push(event);
    throw event;
  };
  const lost = new Error("lost");
  const uncaught = await collectUncaught(async () => {
    controller.add(1);
    controller.stream.listen(fail, { onError: fail, onDone: () => fail("done") });
    controller.add(2);
    await microtasks();
    controller.add(3);
    controller.fail(lost);
  });
  assertEquals(events, [1, 2, 3, lost, "done"]);
  assertEquals(uncaught, events);
});

Deno.test("listen: an error is reported once, after the messages, followed by done", async () => {
  for (const early of [true, false]) {
    const controller = new StreamController<number>();
    const late = early ? undefined : record(controller.stream).events;
    controller.add(1);
    const error = new Error("lost");
    controller.fail(error);
    controller.fail(new Error("later"));
    controller.add(2);
    controller.end();
    const events = late ?? record(controller.stream).events;
    await microtasks();
    assertEquals(events, [1, ["error", error], "done"]);
  }
});

Deno.test("a signal cancels the subscription", () => {
  const controller = new StreamController<number>();
  const abort = new AbortController();
  const events: number[] = [];
  controller.stream.listen((value) => events.push(value), { signal: abort.signal });
  controller.add(1);
  abort.abort();
  controller.add(2);
  assertEquals(events, [1]);
  const other = new StreamController<number>();
  other.stream.listen((value) => events.push(value), { signal: AbortSignal.abort() });
  other.add(3);
  assertEquals(events, [1]);
});

Deno.test("next: concurrent calls resolve in order", async () => {
  const controller = new StreamController<number>();
  const results = Promise.all([1, 2, 3, 4].map(() => controller.stream.next()));
  controller.add(1);
  controller.add(2);
  controller.end();
  assertEquals(await results, [
    { done: false, value: 1 },
    { done: false, value: 2 },
    { done: true, value: undefined },
    { done: true, value: undefined },
  ]);
});

Deno.test("next: calls of next and then one loop are one reader", async () => {
  const controller = new StreamController<number>();
  [1, 2, 3, 4].forEach((value) => controller.add(value));
  controller.end();
  assertEquals(await controller.stream.next(), { done: false, value: 1 });
  const rest: number[] = [];
  for await (const value of controller.stream) rest.push(value);
  assertEquals(rest, [2, 3, 4]);
  assertInvalidState(() => controller.stream[Symbol.asyncIterator]());
  await assertRejectsInvalidState(controller.stream.next());
});

Deno.test("for await: an error is thrown once, and then the stream has ended", async () => {
  for (const waiting of [true, false]) {
    const controller = new StreamController<number>();
    const iterator = controller.stream[Symbol.asyncIterator]();
    const error = new Error("lost");
    if (!waiting) controller.fail(error);
    const first = assertRejects(() => iterator.next(), Error, "lost");
    if (waiting) controller.fail(error);
    assertStrictEquals(await first, error);
    assertEquals(await iterator.next(), { done: true, value: undefined });
  }
});

Deno.test("for await: leaving the loop stops delivery and releases the queued messages", async () => {
  let cancelled = 0;
  const controller = new StreamController<number>({ cancel: () => cancelled++ });
  [1, 2, 3].forEach((value) => controller.add(value));
  for await (const value of controller.stream) {
    if (value === 2) break;
  }
  assertEquals(cancelled, 1);
  assertEquals(controller.queuedSize, 0);
  controller.add(4);
  assertEquals(controller.queuedSize, 0);
});

Deno.test("for await: return() resolves the pending calls of next()", async () => {
  const controller = new StreamController<number>();
  const iterator = controller.stream[Symbol.asyncIterator]();
  const next = iterator.next();
  await iterator.return?.();
  assertEquals(await next, { done: true, value: undefined });
});

Deno.test("readable: it delivers the messages, buffers nothing itself, and closes with the stream", async () => {
  const controller = new StreamController<string>({}, { highWaterMark: 64 });
  const { readable } = controller.stream;
  controller.add("a");
  controller.add("b");
  await microtasks();
  assertEquals(controller.queuedSize, 64);
  const reader = readable.getReader();
  assertEquals((await reader.read()).value, "a");
  assertEquals((await reader.read()).value, "b");
  const third = reader.read();
  controller.add("c");
  controller.add("d");
  controller.end();
  assertEquals((await third).value, "c");
  assertEquals((await reader.read()).value, "d");
  assert((await reader.read()).done);
  await reader.closed;
});

Deno.test("readable: it reports the end without a reader", async () => {
  for (const first of [true, false]) {
    const controller = new StreamController<string>();
    if (first) controller.end();
    const reader = controller.stream.readable.getReader();
    if (!first) controller.end();
    await reader.closed;
    const failing = new StreamController<string>();
    if (first) failing.fail(new Error("lost"));
    const failed = failing.stream.readable.getReader();
    const read = assertRejects(() => failed.read(), Error, "lost");
    if (!first) failing.fail(new Error("lost"));
    await assertRejects(() => failed.closed, Error, "lost");
    await read;
  }
});

// For example after a peer's Close, if the user closes the sink, too.
Deno.test("readable: a view without a reader ends once, also if the rest is discarded", async () => {
  for (const first of [true, false]) {
    for (const error of [undefined, new Error("lost")]) {
      const controller = new StreamController<string>();
      const end = (): void => error === undefined ? controller.end() : controller.fail(error);
      if (first) end();
      const { readable } = controller.stream;
      if (!first) end();
      controller.discard();
      const read = readable.getReader().read();
      if (error === undefined) assert((await read).done);
      else await assertRejects(() => read, Error, "lost");
      assertStrictEquals(controller.stream.readable, readable);
    }
  }
});

Deno.test("readable: cancel asks the source to close", async () => {
  const reasons: unknown[] = [];
  const controller = new StreamController<string>({
    close: (reason) => void reasons.push(reason),
  });
  await controller.stream.readable.cancel("enough");
  assertEquals(reasons, ["enough"]);
});

Deno.test("discard: queued and later messages are dropped, and the source never pauses", () => {
  const asked: string[] = [];
  const controller = new StreamController<number>({
    pause: () => asked.push("pause"),
    resume: () => asked.push("resume"),
    cancel: () => asked.push("cancel"),
  }, { highWaterMark: 1 });
  controller.add(1);
  assertEquals(asked, ["pause"]);
  controller.stream.discard();
  assertEquals(asked, ["pause", "cancel", "resume"]);
  for (let i = 0; i < 100; i++) controller.add(i);
  assertEquals([controller.queuedSize, controller.isPaused], [0, false]);
  // A second call does nothing.
  controller.stream.discard();
  assertEquals(asked, ["pause", "cancel", "resume"]);
});

Deno.test("discard: it becomes the reader, also after next(), but not in place of another reader", async () => {
  const controller = new StreamController<number>();
  const { stream } = controller;
  controller.add(1);
  assertEquals((await stream.next()).value, 1);
  const waiting = stream.next();
  stream.discard();
  assertEquals(await waiting, { done: true, value: undefined });
  assertInvalidState(() => stream.listen(() => {}));
  assertInvalidState(() => stream[Symbol.asyncIterator]());
  await assertRejectsInvalidState(stream.next());
  const listened = new StreamController<number>();
  const { events } = record(listened.stream);
  assertInvalidState(() => listened.stream.discard());
  listened.add(1);
  assertEquals(events, [1]);
  const iterated = new StreamController<number>();
  const iterator = iterated.stream[Symbol.asyncIterator]();
  assertInvalidState(() => iterated.stream.discard());
  await iterator.return?.();
  iterated.stream.discard();
});

Deno.test("discard: the error and the end are dropped, and the view ends without an error", async () => {
  for (const when of ["before", "after"] as const) {
    const controller = new StreamController<number>();
    const { readable } = controller.stream;
    if (when === "before") controller.fail(new Error("lost"));
    controller.stream.discard();
    if (when === "after") controller.fail(new Error("lost"));
    const read = readable.getReader().read();
    if (when === "after") await assertRejectsInvalidState(read);
    else await assertRejects(() => read, Error, "lost");
  }
});
