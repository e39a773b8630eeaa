import { assertEquals, assertRejects } from "@std/assert";
import { MemoryLine } from "../../src/testing/memory_line.ts";
import { microtasks, record } from "../support/events.ts";
import { FakeClock } from "../support/fake_clock.ts";

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

Deno.test("bytes arrive in order, from a microtask, and then the end", async () => {
  const line = new MemoryLine(new FakeClock(), null);
  const { events } = record(line.incoming.stream);
  let ended = 0;
  line.onEnded = () => ended++;
  line.outgoing.sink.add(bytes(1, 2));
  line.outgoing.sink.add(bytes(3));
  line.outgoing.close();
  assertEquals(line.outgoing.sink.bufferedAmount, 3);
  assertEquals(events, []);
  await microtasks();
  assertEquals(events, [bytes(1, 2), bytes(3), "done"]);
  assertEquals([line.isEnded, ended, line.outgoing.sink.bufferedAmount], [true, 1, 0]);
});

Deno.test("attack 16: what arrives is a copy", async () => {
  const line = new MemoryLine(new FakeClock(), null);
  const { events } = record(line.incoming.stream);
  const sent = bytes(1, 2);
  line.outgoing.sink.add(sent);
  sent.fill(9);
  await microtasks();
  assertEquals(events, [bytes(1, 2)]);
});

Deno.test("a full receiver holds the sender back", async () => {
  const line = new MemoryLine(new FakeClock(), null);
  const { events, subscription } = record(line.incoming.stream);
  subscription.pause();
  const chunk = new Uint8Array(64 * 1024);
  for (let i = 0; i < 3; i++) line.outgoing.sink.add(chunk);
  await microtasks();
  assertEquals(line.outgoing.sink.bufferedAmount, 2 * chunk.length);
  const flushed = line.outgoing.sink.flush();
  subscription.resume();
  await flushed;
  assertEquals(events.length, 3);
  assertEquals(line.outgoing.sink.bufferedAmount, 0);
});

Deno.test("the end comes although the receiver is full", async () => {
  const line = new MemoryLine(new FakeClock(), null);
  const { events, subscription } = record(line.incoming.stream);
  subscription.pause();
  for (let i = 0; i < 3; i++) line.outgoing.sink.add(new Uint8Array(64 * 1024));
  line.end();
  await microtasks();
  assertEquals(line.isEnded, true);
  subscription.resume();
  await microtasks();
  assertEquals(events.length, 4);
});

Deno.test("pieces and delays: one piece each time", async () => {
  const clock = new FakeClock();
  const arrived: number[] = [];
  const line = new MemoryLine(clock, {
    pieceSize: () => 2,
    delay: () => 10,
    onArrived: (_line, length) => arrived.push(length),
  });
  const { events } = record(line.incoming.stream);
  line.outgoing.sink.add(bytes(1, 2, 3, 4, 5));
  line.outgoing.sink.add(bytes(6));
  line.end();
  clock.advance(9);
  assertEquals(events, []);
  clock.advance(1);
  assertEquals(events, [bytes(1, 2)]);
  clock.advance(30);
  await microtasks();
  assertEquals(events, [bytes(1, 2), bytes(3, 4), bytes(5), bytes(6), "done"]);
  assertEquals(arrived, [2, 2, 1, 1]);
  assertEquals(clock.pending, 0);
});

Deno.test("a stall holds everything back, the end included, for its time", async () => {
  const clock = new FakeClock();
  let stalls = 1;
  const line = new MemoryLine(clock, {
    pieceSize: () => Infinity,
    delay: () => 0,
    onArrived: (it) => stalls-- > 0 && it.stall(100),
  });
  const { events } = record(line.incoming.stream);
  line.outgoing.sink.add(bytes(1));
  await microtasks();
  line.outgoing.sink.add(bytes(2));
  line.end();
  await microtasks();
  assertEquals(events, [bytes(1)]);
  clock.advance(100);
  await microtasks();
  assertEquals(events, [bytes(1), bytes(2), "done"]);
});

Deno.test("dropped: nothing arrives any more, no timer is left, and flush rejects", async () => {
  for (const error of [undefined, new Error("reset")]) {
    const clock = new FakeClock();
    const line = new MemoryLine(clock, {
      pieceSize: () => 1,
      delay: () => 10,
      onArrived: () => {},
    });
    const { events } = record(line.incoming.stream);
    line.outgoing.sink.add(bytes(1, 2));
    const flushed = line.outgoing.sink.flush();
    clock.advance(10);
    line.drop(error);
    line.drop(error);
    line.outgoing.finish(error);
    await assertRejects(() => flushed);
    assertEquals(clock.pending, 0);
    assertEquals(events, [bytes(1), ...(error === undefined ? [] : [["error", error]]), "done"]);
    assertEquals(line.outgoing.sink.add(bytes(3)), false);
  }
});
