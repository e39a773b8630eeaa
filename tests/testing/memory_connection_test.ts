import { assert, assertEquals, assertRejects } from "@std/assert";
import { type LineFaults, MemoryConnection } from "../../src/testing/memory_connection.ts";
import { microtasks, record, settled } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

const ONE = Uint8Array.of(1);

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

/** Pieces of 2 bytes, each 10 ms after the previous one. */
class SlowPieces implements LineFaults {
  isStalled = false;
  readonly arrived: Uint8Array[] = [];
  readonly #clock: ManualClock;
  #timer: unknown;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  pieceSize(): number {
    return 2;
  }

  plan(arrive: () => void): void {
    this.#timer = this.#clock.setTimeout(arrive, 10);
  }

  onArrived(piece: Uint8Array): void {
    this.arrived.push(piece);
  }

  cancel(): void {
    this.#clock.clearTimeout(this.#timer);
  }
}

Deno.test("each side reads what the other one writes", async () => {
  const { client, server } = new MemoryConnection();
  const [atClient, atServer] = [record(client.stream), record(server.stream)];
  client.sink.add(ONE);
  server.sink.add(Uint8Array.of(2));
  await microtasks();
  assertEquals(atServer.events, [ONE]);
  assertEquals(atClient.events, [Uint8Array.of(2)]);
});

Deno.test("closing ends one half; the connection has ended when the other half has ended, too", async () => {
  const { client, server } = new MemoryConnection();
  const [atClient, atServer] = [record(client.stream), record(server.stream)];
  const closed = client.sink.close();
  await microtasks();
  assertEquals(atServer.events, ["done"]);
  server.sink.add(ONE);
  await microtasks();
  // Closing this side's sink ends this side's stream only if the channel above does that.
  assertEquals(atClient.events, [ONE]);
  assertEquals(await settled(closed), false);
  await server.sink.close();
  await closed;
  assertEquals(atClient.events, [ONE, "done"]);
});

Deno.test("after destroying, the other side reads the sent bytes and the end, and can send no more", async () => {
  const { client, server } = new MemoryConnection();
  const [atClient, atServer] = [record(client.stream), record(server.stream)];
  client.sink.add(ONE);
  server.sink.add(ONE);
  const lost = server.sink.flush();
  client.destroy?.();
  client.destroy?.();
  await client.sink.done;
  await server.sink.done;
  await assertRejects(() => lost);
  assertEquals(atServer.events, [ONE, "done"]);
  assertEquals(atClient.events, ["done"]);
  assertEquals(server.sink.add(ONE), false);
  server.destroy?.();
});

Deno.test("a connection can be destroyed after its own end", async () => {
  const { client, server } = new MemoryConnection();
  void client.sink.close();
  await microtasks();
  client.destroy?.();
  await client.sink.done;
  await server.sink.done;
});

Deno.test("an error in a sink destroys the connection", async () => {
  const { client, server } = new MemoryConnection();
  const { events } = record(server.stream);
  client.sink.addError(new Error("broken"));
  await assertRejects(() => client.sink.done, Error, "broken");
  await server.sink.done;
  assertEquals(events, ["done"]);
});

Deno.test("reset: both streams fail at once, and bytes in flight are lost", async () => {
  const connection = new MemoryConnection();
  const { client, server } = connection;
  const [atClient, atServer] = [record(client.stream), record(server.stream)];
  client.sink.add(ONE);
  connection.reset();
  connection.reset();
  await Promise.all([client.sink.done, server.sink.done]);
  for (const { events } of [atClient, atServer]) {
    const [failure, done] = events as [[string, Error], string];
    assertEquals([failure[0], failure[1].message, done], [
      "error",
      "The connection was reset",
      "done",
    ]);
  }
  client.destroy?.();
  assert(!client.sink.add(ONE));
});

Deno.test("bytes arrive in order from a microtask, and then the end", async () => {
  const { client, server } = new MemoryConnection();
  const { events } = record(server.stream);
  client.sink.add(bytes(1, 2));
  client.sink.add(bytes());
  client.sink.add(bytes(3));
  void client.sink.close();
  assertEquals(client.sink.bufferedAmount, 3);
  assertEquals(events, []);
  await microtasks();
  assertEquals(events, [bytes(1, 2), bytes(), bytes(3), "done"]);
  assertEquals(client.sink.bufferedAmount, 0);
});

Deno.test("attack 16: the received bytes are a copy", async () => {
  const { client, server } = new MemoryConnection();
  const { events } = record(server.stream);
  const sent = bytes(1, 2);
  client.sink.add(sent);
  sent.fill(9);
  await microtasks();
  assertEquals(events, [bytes(1, 2)]);
});

Deno.test("a full receiver holds up the sender", async () => {
  const { client, server } = new MemoryConnection();
  const { events, subscription } = record(server.stream);
  subscription.pause();
  const chunk = new Uint8Array(64 * 1024);
  for (let i = 0; i < 3; i++) client.sink.add(chunk);
  await microtasks();
  assertEquals(client.sink.bufferedAmount, 2 * chunk.length);
  const flushed = client.sink.flush();
  subscription.resume();
  await flushed;
  assertEquals(events.length, 3);
  assertEquals(client.sink.bufferedAmount, 0);
});

Deno.test("the end arrives even if the receiver is full", async () => {
  const { client, server } = new MemoryConnection();
  const { events, subscription } = record(server.stream);
  subscription.pause();
  for (let i = 0; i < 3; i++) client.sink.add(new Uint8Array(64 * 1024));
  void client.sink.close();
  await microtasks();
  assertEquals(client.sink.bufferedAmount, 0);
  subscription.resume();
  await microtasks();
  assertEquals(events.length, 4);
});

Deno.test("pieces and delays: one piece arrives at a time, and the end directly after the last one", async () => {
  const clock = new ManualClock();
  const faults: SlowPieces[] = [];
  const { client, server } = new MemoryConnection(() => {
    const slow = new SlowPieces(clock);
    faults.push(slow);
    return slow;
  });
  const { events } = record(server.stream);
  client.sink.add(bytes(1, 2, 3, 4, 5));
  client.sink.add(bytes(6));
  void client.sink.close();
  clock.advance(9);
  assertEquals(events, []);
  clock.advance(1);
  assertEquals(events, [bytes(1, 2)]);
  clock.advance(30);
  await microtasks();
  assertEquals(events, [bytes(1, 2), bytes(3, 4), bytes(5), bytes(6), "done"]);
  assertEquals(faults[0]?.arrived.map(({ length }) => length), [2, 2, 1, 1]);
  assertEquals(clock.pending, 0);
});

Deno.test("lost or destroyed: nothing more arrives, no timer is left, and flush rejects", async () => {
  for (const how of ["reset", "destroyed"] as const) {
    const clock = new ManualClock();
    const connection = new MemoryConnection(() => new SlowPieces(clock));
    const { client, server } = connection;
    const { events } = record(server.stream);
    client.sink.add(bytes(1, 2, 3));
    const flushed = client.sink.flush();
    clock.advance(10);
    if (how === "reset") connection.reset();
    else server.destroy();
    if (how === "reset") assertEquals(clock.pending, 0);
    clock.advance(10);
    await assertRejects(() => flushed);
    assertEquals(clock.pending, 0);
    const [first, ...rest] = events;
    assertEquals([first, rest.length, rest.at(-1)], [bytes(1, 2), how === "reset" ? 2 : 1, "done"]);
    assertEquals(client.sink.add(bytes(4)), false);
  }
});

Deno.test("a stall that starts with the last piece delays the end", async () => {
  const held: (() => void)[] = [];
  const faults = {
    isStalled: false,
    pieceSize: () => Infinity,
    plan: (arrive: () => void) => faults.isStalled ? held.push(arrive) : queueMicrotask(arrive),
    onArrived: () => void (faults.isStalled = true),
    cancel: () => {},
  };
  const { client, server } = new MemoryConnection(() => faults);
  const { events } = record(server.stream);
  client.sink.add(ONE);
  void client.sink.close();
  await microtasks();
  assertEquals(events, [ONE]);
  faults.isStalled = false;
  held.forEach((arrive) => arrive());
  assertEquals([events, held.length], [[ONE, "done"], 1]);
});
