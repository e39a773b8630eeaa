/** Bytes inside other values, against every memory limit. */

import { assert, assertEquals, assertLess } from "@std/assert";
import {
  channelPair,
  MessagePortChannel,
  MultiChannel,
  type StreamChannel,
  StreamChannelCompleter,
} from "../../src/stream_channel/mod.ts";
import { StreamController } from "../support/controllers.ts";
import { microtasks } from "../support/events.ts";
import { turn } from "../support/turns.ts";
import { CountedSource, PausedReader } from "../stream_channel/raw_channel.ts";

const MIB = 1 << 20;

/** Functions that create a value of one mebibyte. */
const HIDDEN: Readonly<Record<string, () => unknown>> = {
  "bytes": () => new Uint8Array(MIB),
  "bytes in an object": () => ({ data: new Uint8Array(MIB) }),
  "bytes deep inside": () => ({ a: [{ b: [[{ c: new Float64Array(MIB / 8) }]] }] }),
  "a DataView in an array": () => [new DataView(new ArrayBuffer(MIB))],
  "a small view of a large buffer": () => ({ view: new Uint8Array(MIB).subarray(5, 6) }),
  "an ArrayBuffer in an object": () => ({ buffer: new ArrayBuffer(MIB) }),
  "bytes as values of a Map": () => new Map([["a", new Uint8Array(MIB)]]),
  "bytes as keys of a Map": () => new Map([[new Uint8Array(MIB), 1]]),
  "bytes in a Set": () => ({ set: new Set([new Uint8Array(MIB)]) }),
  "many numbers in a Map": () => new Map(Array.from({ length: MIB / 16 }, (_, i) => [i, i])),
  "a Map of a subclass": () =>
    new (class extends Map<unknown, unknown> {})([[1, new Uint8Array(MIB)]]),
  "an instance of a class": () =>
    new (class {
      data = new Uint8Array(MIB);
    })(),
  "an object without a prototype": () =>
    Object.assign(Object.create(null), { data: new Uint8Array(MIB) }),
  "a Blob": () => ({ blob: new Blob([new Uint8Array(MIB)]) }),
  "a bigint": () => ({ big: 1n << BigInt(8 * MIB - 1) }),
  "a bigint by itself": () => 1n << BigInt(8 * MIB - 1),
  "a string in an object": () => ({ text: "x".repeat(MIB) }),
  "long keys": () => ({ ["k".repeat(MIB)]: 1 }),
  "an array of numbers": () => Array.from({ length: MIB / 8 }, (_, i) => i),
  "many small objects": () => Array.from({ length: MIB / 64 }, () => ({})),
  "a cycle": () => {
    const cycle: Record<string, unknown> = { data: new Uint8Array(MIB) };
    cycle.self = cycle;
    return cycle;
  },
};

/** The values that a structured clone accepts. */
const CLONEABLE = Object.entries(HIDDEN);

/** Maximum number of values, each a mebibyte, that may be taken from an endless source. */
const FEW = 4;

for (const [name, make] of Object.entries(HIDDEN)) {
  Deno.test(`attack 65: MultiChannel keeps about 1 MiB for ids without a channel: ${name}`, async () => {
    const { local, foreign } = channelPair<unknown>();
    const multi = new MultiChannel<unknown>(local);
    const answers = new PausedReader(foreign.stream);
    answers.resume();
    for (let i = 0; i < 16; i++) {
      foreign.sink.add([2 * i + 1, make()]);
      await foreign.sink.ready;
      await microtasks();
    }
    // The MultiChannel closes the id whose message exceeded the limit, and reports that to the peer.
    const refused = answers.received.length;
    assert(refused >= 14, `${refused} of 16 were refused`);
    await multi.sink.close();
    await foreign.sink.close();
  });

  Deno.test(`attack 65: a virtual channel without a reader pauses the MultiChannel: ${name}`, async () => {
    const { local, foreign } = channelPair<unknown>();
    const multi = new MultiChannel<unknown>(local);
    const source = new CountedSource(100, () => [0, make()]);
    const added = foreign.sink.addStream(source);
    await stands(() => source.produced);
    assertLess(source.produced, 2 * FEW);
    await multi.sink.close();
    await added.catch(() => {});
  });

  Deno.test(`attack 65: a pair whose reader is paused stops the producer: ${name}`, async () => {
    const { local, foreign } = channelPair<unknown>();
    const source = new CountedSource(10, make);
    const reader = new PausedReader(foreign.stream);
    const added = local.sink.addStream(source);
    await stands(() => source.produced);
    assertLess(source.produced, FEW);
    reader.resume();
    await added;
    await local.sink.close();
    await reader.over;
    assertEquals(reader.received.length, 10);
  });

  Deno.test(`attack 65: messages queued for a channel that isn't there yet are counted: ${name}`, async () => {
    const { channel } = new StreamChannelCompleter<unknown>();
    channel.sink.add(make());
    channel.sink.add(make());
    let hasRoom = false;
    channel.sink.ready.then(() => hasRoom = true);
    await microtasks();
    assertEquals(hasRoom, false);
    await channel.sink.close();
  });
}

for (const [name, make] of CLONEABLE) {
  Deno.test(`attack 65: a MessagePortChannel has about its highWaterMark in flight: ${name}`, async () => {
    for (const highWaterMark of [undefined, 300_000]) {
      const { port1, port2 } = new MessageChannel();
      const here = new MessagePortChannel<unknown>(port1);
      const there = new MessagePortChannel<unknown>(port2, { highWaterMark });
      const source = new CountedSource(8, make);
      const reader = new PausedReader(there.stream);
      const added = here.sink.addStream(source);
      await quiet(() => source.produced);
      assertLess(source.produced, FEW);
      // All arrive once they are read: the two ends agree on what is still in flight.
      reader.resume();
      await added;
      here.sink.close();
      await reader.over;
      assertEquals(reader.received.length, 8);
    }
  });
}

Deno.test("attack 65: values whose clone has another size don't change the credit", async () => {
  const odd: (() => unknown)[] = [
    () => Object.assign(new Map([["a", 1]]), { lost: "x".repeat(1000) }),
    () => Object.assign(new Error("e"), { lost: "x".repeat(1000) }),
    () => Object.defineProperty({}, "got", { enumerable: true, get: () => "x".repeat(1000) }),
    () => ({ [Symbol("s")]: "x".repeat(1000) }),
    () => new Date(),
    () => /x/g,
    () => Object("text"),
  ];
  for (const make of odd) {
    const { port1, port2 } = new MessageChannel();
    const here = new MessagePortChannel<unknown>(port1, { highWaterMark: 4000 });
    const there = new MessagePortChannel<unknown>(port2, { highWaterMark: 4000 });
    const reader = new PausedReader(there.stream);
    reader.resume();
    // First many values that are read at once, then one that is not: the credit must be the same as before.
    await here.sink.addStream(new CountedSource(2000, make));
    await here.sink.flush();
    here.sink.add(new Uint8Array(70_000));
    assert(here.sink.bufferedAmount > 0, "the credit has grown");
    here.sink.close();
    await reader.over;
    assertEquals(reader.received.length, 2001);
  }
});

Deno.test("attack 65: counting calls no getter, and survives a Proxy that throws", async () => {
  let calls = 0;
  const counted = {
    data: new Uint8Array(MIB),
    get got(): number {
      return calls++;
    },
  };
  const trapped = new Proxy({}, {
    get: () => thrown(),
    has: () => thrown(),
    ownKeys: () => thrown(),
    getPrototypeOf: () => thrown(),
    getOwnPropertyDescriptor: () => thrown(),
  });
  const tagged = {
    data: new Uint8Array(MIB),
    get [Symbol.toStringTag](): string {
      throw new Error("a tag that throws");
    },
  };
  const lying = { data: new Uint8Array(MIB), [Symbol.toStringTag]: "Map", size: 0, byteLength: 1 };
  for (const value of [counted, [counted], { counted }, new Map([[1, counted]])]) {
    assertLess(await producedWith(() => value), FEW);
  }
  for (const value of [{ data: new Uint8Array(MIB), trapped }, tagged, lying]) {
    assertLess(await producedWith(() => value), FEW);
  }
  // The value counts as an object of unknown content.
  assert(await producedWith(() => trapped) > 1000);
  assertEquals(calls, 0);
});

function thrown(): never {
  throw new Error("a trap that throws");
}

/** How many values a pair accepts while its reader is paused. */
async function producedWith(make: () => unknown): Promise<number> {
  const { local, foreign } = channelPair<unknown>();
  const source = new CountedSource(5000, make);
  const reader = new PausedReader(foreign.stream);
  const added = local.sink.addStream(source);
  await stands(() => source.produced);
  const { produced } = source;
  reader.resume();
  await added;
  return produced;
}

Deno.test("attack 65: a post calls a getter once, not twice", async () => {
  let calls = 0;
  const { port1, port2 } = new MessageChannel();
  const here = new MessagePortChannel<unknown>(port1);
  const there = new MessagePortChannel<unknown>(port2);
  const value = Object.defineProperty({}, "got", { enumerable: true, get: () => calls++ });
  here.sink.add(value);
  assertEquals((await there.stream.next()).value, { got: 0 });
  assertEquals(calls, 1);
  await here.sink.close();
  await there.sink.done;
});

Deno.test("attack 65: the same buffer counts once in a message, a view counts its own length", () => {
  const controller = new StreamController<unknown>();
  const buffer = new ArrayBuffer(1000);
  controller.add({ all: [buffer, new Uint8Array(buffer), new DataView(buffer, 5), buffer] });
  assertLess(controller.queuedSize, 2000);
  const before = controller.queuedSize;
  controller.add(new Uint8Array(MIB).subarray(0, 100));
  assertEquals(controller.queuedSize - before, 100);
});

Deno.test("attack 65: a value that changes while it is queued leaves no wrong count behind", async () => {
  const controller = new StreamController<unknown>();
  const growing: Record<string, unknown> = {};
  for (let i = 0; i < 3; i++) controller.add(growing);
  const { queuedSize } = controller;
  growing.data = new Uint8Array(MIB);
  await controller.stream.next();
  assertEquals(controller.queuedSize, queuedSize * 2 / 3);
});

Deno.test("attack 65: counting a huge object ends as soon as the highWaterMark is reached", async () => {
  let looked = 0;
  const huge = new Proxy(Array.from({ length: 10_000_000 }, () => 1), {
    getOwnPropertyDescriptor(target, key) {
      looked++;
      return Reflect.getOwnPropertyDescriptor(target, key);
    },
  });
  const { local, foreign } = channelPair<unknown>({ highWaterMark: 8000 });
  local.sink.add(huge);
  assert(local.sink.bufferedAmount >= 8000);
  assertLess(looked, 10_000);
  await foreign.stream.next();
  await local.sink.close();
});

/** Lets microtasks run until a count stays the same. */
async function stands(count: () => number): Promise<void> {
  let before = -1;
  for (let still = 0; still < 10;) {
    await microtasks(200);
    await turn();
    still = count() === before ? still + 1 : 0;
    before = count();
  }
}

/** Lets the event loop turn, by messages through ports, until a count stays the same. */
async function quiet(count: () => number): Promise<void> {
  let before = -1;
  for (let still = 0; still < 10;) {
    const { port1, port2 } = new MessageChannel();
    const there: StreamChannel<number> = new MessagePortChannel<number>(port2);
    const here: StreamChannel<number> = new MessagePortChannel<number>(port1);
    here.sink.add(1);
    await there.stream.next();
    await here.sink.close();
    await there.sink.done;
    still = count() === before ? still + 1 : 0;
    before = count();
  }
}
