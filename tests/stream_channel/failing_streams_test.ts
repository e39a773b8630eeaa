/** Web Streams that fail, close and abort in every order, as the halves of a channel. */

import { assert, assertEquals, assertFalse, assertRejects, assertStrictEquals } from "@std/assert";
import {
  channelPair,
  MultiChannel,
  StreamChannel,
  withGuarantees,
} from "../../src/stream_channel/mod.ts";
import { microtasks, record, settled } from "../support/events.ts";
import { turn } from "../support/turns.ts";
import { deferred } from "../support/promises.ts";

/** Two Web Streams, and the calls on them. */
class Halves {
  readonly told: unknown[] = [];
  readonly readable: ReadableStream<string>;
  readonly writable: WritableStream<string>;
  #source: ReadableStreamDefaultController<string> | undefined;
  #target: WritableStreamDefaultController | undefined;

  constructor(sink: UnderlyingSink<string> = {}) {
    this.readable = new ReadableStream<string>({
      start: (controller) => void (this.#source = controller),
      cancel: (reason) => void this.told.push(["cancel", reason]),
    });
    this.writable = new WritableStream<string>({
      write: (value) => void this.told.push(value),
      close: () => void this.told.push("close"),
      abort: (reason) => void this.told.push(["abort", reason]),
      ...sink,
      start: (controller) => void (this.#target = controller),
    });
  }

  give(value: string): void {
    this.#source?.enqueue(value);
  }

  end(): void {
    this.#source?.close();
  }

  failReadable(error: unknown): void {
    this.#source?.error(error);
  }

  failWritable(error: unknown): void {
    this.#target?.error(error);
  }
}

/** Returns the error that a promise rejects with at once; fails if the promise is still pending. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  for (let i = 0; i < 10 && !await settled(promise); i++);
  assert(await settled(promise), "still pending");
  return promise.then(() => assert(false, "fulfilled"), (error) => error);
}

const ERROR = new Error("mine");

Deno.test("a writable that fails: done, close and flush reject with its error", async () => {
  const failures: UnderlyingSink<string>[] = [
    { write: () => Promise.reject(ERROR) },
    {
      write: () => {
        throw ERROR;
      },
    },
  ];
  for (const failing of failures) {
    const { sink } = StreamChannel.from(new Halves(failing));
    sink.add("a");
    const flushed = sink.flush();
    assertStrictEquals(await rejection(sink.done), ERROR);
    assertStrictEquals(await rejection(flushed), ERROR);
    assertFalse(sink.add("late"));
    await sink.ready;
    assertStrictEquals(await rejection(sink.close()), ERROR);
  }
});

Deno.test("a writable that fails while nothing is written: done rejects with its error", async () => {
  const halves = new Halves();
  const { sink } = StreamChannel.from(halves);
  halves.failWritable(ERROR);
  assertStrictEquals(await rejection(sink.done), ERROR);
});

Deno.test("a writable that cannot close: close rejects with its error", async () => {
  const { sink } = StreamChannel.from(new Halves({ close: () => Promise.reject(ERROR) }));
  assertStrictEquals(await rejection(sink.close()), ERROR);
});

Deno.test("a writable that cannot abort: done rejects with the added error", async () => {
  const { sink } = StreamChannel.from(
    new Halves({ abort: () => Promise.reject(new Error("not mine")) }),
  );
  sink.addError(ERROR);
  assertStrictEquals(await rejection(sink.done), ERROR);
});

Deno.test("a writable that fails: the sink's own view errors with its error", async () => {
  const halves = new Halves();
  const { writable } = StreamChannel.from(halves);
  const writer = writable.getWriter();
  halves.failWritable(ERROR);
  assertStrictEquals(await rejection(writer.closed), ERROR);
});

Deno.test("a writable that fails: the readable half still delivers its values", async () => {
  const halves = new Halves();
  const channel = StreamChannel.from(halves);
  halves.failWritable(ERROR);
  assertStrictEquals(await rejection(channel.sink.done), ERROR);
  halves.give("a");
  halves.end();
  const { events } = record(channel.stream);
  await microtasks();
  assertEquals(events, ["a", "done"]);
});

Deno.test("a writable that fails, with guarantees: both ends notice", async () => {
  const halves = new Halves();
  const channel = withGuarantees(halves);
  const { events } = record(channel.stream);
  halves.give("a");
  await microtasks();
  halves.failWritable(ERROR);
  assertStrictEquals(await rejection(channel.sink.done), ERROR);
  await microtasks();
  assertEquals(events, ["a", ["error", ERROR], "done"]);
  assertEquals(halves.told.length, 1);
  assertFalse(channel.sink.add("late"));
});

Deno.test("an added error, with guarantees: both ends notice", async () => {
  const halves = new Halves();
  const channel = withGuarantees(halves);
  const { events } = record(channel.stream);
  channel.sink.addError(ERROR);
  assertStrictEquals(await rejection(channel.sink.done), ERROR);
  await microtasks();
  assertEquals(events.at(-1), "done");
  assertEquals(halves.told, [["cancel", ERROR], ["abort", ERROR]]);
});

Deno.test("a writable that fails under a MultiChannel: each virtual channel gets the error", async () => {
  const halves = new Halves();
  const multi = new MultiChannel<unknown>(
    halves as unknown as { readable: ReadableStream; writable: WritableStream },
  );
  const virtual = multi.virtualChannel();
  const { events } = record(multi.stream);
  const { events: virtualEvents } = record(virtual.stream);
  halves.failWritable(ERROR);
  assertStrictEquals(await rejection(virtual.sink.done), ERROR);
  assertStrictEquals(await rejection(multi.sink.done), ERROR);
  await microtasks();
  assertEquals(events, [["error", ERROR], "done"]);
  assertEquals(virtualEvents.at(-1), "done");
});

type Way = (halves: Halves) => void;

const FAILURES: Readonly<Record<string, Way>> = {
  "the writable fails": (halves) => halves.failWritable(ERROR),
  "the readable fails": (halves) => halves.failReadable(ERROR),
  "both fail, the readable first": (halves) => {
    halves.failReadable(ERROR);
    halves.failWritable(ERROR);
  },
  "both fail, the writable first": (halves) => {
    halves.failWritable(ERROR);
    halves.failReadable(ERROR);
  },
};

for (const [name, fail] of Object.entries(FAILURES)) {
  for (const first of [true, false]) {
    const place = first ? "one" : "other";
    Deno.test(`pipe, ${name} on ${place}: it rejects, and both ends notice`, async () => {
      const halves = new Halves();
      const { local, foreign } = channelPair<string>();
      const channel = StreamChannel.from(halves);
      const piped = first ? channel.pipe(foreign) : foreign.pipe(channel);
      const { events } = record(local.stream);
      local.sink.add("there");
      halves.give("back");
      await microtasks();
      assertEquals(events, ["back"]);
      assertEquals(halves.told, ["there"]);
      fail(halves);
      assertStrictEquals(await rejection(piped), ERROR);
      await microtasks();
      assertEquals(events.at(-1), "done");
      assertFalse(local.sink.add("late"));
      await local.sink.close();
      assert(await settled(channel.sink.done));
    });
  }
}

Deno.test("pipe between two pairs of Web Streams: one failure ends all four halves", async () => {
  for (const [name, fail] of Object.entries(FAILURES)) {
    const [a, b] = [new Halves(), new Halves()];
    const piped = StreamChannel.from(a).pipe(StreamChannel.from(b));
    fail(a);
    assertStrictEquals(await rejection(piped), ERROR, name);
    await microtasks();
    const told = b.told.map((it) => Array.isArray(it) ? it[0] : it).sort();
    assertEquals(told, ["abort", "cancel"], name);
  }
});

Deno.test("pipe into a writable that fails on a message rejects", async () => {
  const { local, foreign } = channelPair<string>();
  const piped = foreign.pipe(
    StreamChannel.from(new Halves({ write: () => Promise.reject(ERROR) })),
  );
  for (let i = 0; i < 10; i++) local.sink.add(`${i}`);
  assertStrictEquals(await rejection(piped), ERROR);
  await microtasks();
  assertFalse(local.sink.add("late"));
});

Deno.test("pipe: the end of one direction does not affect the other one", async () => {
  const [a, b] = [new Halves(), new Halves()];
  const piped = StreamChannel.from(a).pipe(StreamChannel.from(b));
  a.end();
  await microtasks();
  assertEquals(b.told, ["close"]);
  b.give("answer");
  b.end();
  await piped;
  assertEquals(a.told, ["answer", "close"]);
});

Deno.test("close with unread input settles; the kept values are delivered, then an error", async () => {
  const chunk = "x".repeat(1000);
  let given = 0;
  const { promise: closed, resolve: ended } = deferred();
  // Like a socket: its closing handshake completes when all its input has been read.
  const channel = StreamChannel.from<string, string>({
    readable: new ReadableStream({
      pull(controller) {
        controller.enqueue(chunk);
        if (++given < 3000) return;
        controller.close();
        ended();
      },
    }),
    writable: new WritableStream({ close: () => closed }),
  });
  for (let i = 0; i < 1000; i++) await microtasks();
  assert(given < 100, `${given} read before anybody asked`);
  const done = channel.sink.close();
  for (let i = 0; given < 3000 && i < 1000; i++) await turn();
  await done;
  let received = 0;
  const error = await assertRejects(async () => {
    for await (const _ of channel.stream) received++;
  }, DOMException);
  assertEquals(error.name, "InvalidStateError");
  // Strings count two bytes per code unit.
  assert(received > 30 && received < 2000, `${received} kept`);
});

Deno.test("close with a paused listener keeps the backpressure and loses nothing", async () => {
  let given = 0;
  const channel = StreamChannel.from<Uint8Array, Uint8Array>({
    readable: new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(1000));
        if (++given === 3000) controller.close();
      },
    }),
    writable: new WritableStream({ close: () => new Promise(() => {}) }),
  });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  void channel.sink.close();
  for (let i = 0; i < 200; i++) await microtasks();
  assert(given < 1500, `${given} read`);
  subscription.resume();
  for (let i = 0; events.at(-1) !== "done" && i < 1000; i++) await turn();
  assertEquals(events.length, 3001);
});
