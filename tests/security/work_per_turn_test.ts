/** The cost of a peer's frames in one turn of the event loop: no connection delays the others. */

import { assert, assertEquals, assertLess } from "@std/assert";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import { WebSocketChannel } from "../../src/web_socket_channel.ts";
import { joined, utf8 } from "../support/bytes.ts";
import { closePayload, frame } from "../support/frames.ts";
import { FakeBytes, rig } from "../web_socket/support.ts";
import { microtasks } from "../support/events.ts";
import { turn, TurnCounter } from "../support/turns.ts";
import { type Attacked, attacked, over } from "./support.ts";

const CHUNK = 64 * 1024;

/** Delivers bytes in chunks as a socket would. */
function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += CHUNK) yield bytes.slice(at, at + CHUNK);
}

/** `count` small messages, numbered from 0. */
function numbered(count: number): Uint8Array {
  return joined(Array.from({ length: count }, (_, i) => frame({ opcode: 1, payload: `${i}` })));
}

const COUNT = 60_000;
const ALL: string[] = Array.from({ length: COUNT }, (_, i) => `${i}`);

const NUMBERED: Uint8Array = numbered(COUNT);

/** Compares all at once, because comparing one by one is slow. */
function assertSame(log: readonly unknown[], expected: readonly unknown[]): void {
  if (log.join() !== expected.join()) assertEquals(log, expected);
}

Deno.test("attack 55: many tiny messages are delivered over many turns, complete and in order", async () => {
  const it = attacked();
  it.peer.sink.add(NUMBERED.slice());
  const { turns, most } = await it.counter.until(() => it.log.length === COUNT);
  assertSame(it.log, ALL);
  assertLess(most, COUNT / 2);
  assert(turns > 1, `${turns}`);
  await over(it);
});

Deno.test("attack 55: many Pings are answered over many turns", async () => {
  const it = attacked();
  const pings = joined(Array.from({ length: 20_000 }, () => frame({ opcode: 9, payload: "?" })));
  it.peer.sink.add(joined([pings, frame({ opcode: 1, payload: "behind" })]));
  assertEquals(it.log, []);
  const { turns } = await it.counter.until(() => it.log.length === 1);
  assert(turns > 2, `${turns}`);
  await over(it);
});

Deno.test("attack 55: many fragments are joined over many turns", async () => {
  const it = attacked();
  const parts = Array.from({ length: COUNT }, () => frame({ opcode: 0, fin: false, payload: "x" }));
  const wire = joined([frame({ opcode: 1, fin: false }), ...parts, frame({ opcode: 0 })]);
  it.peer.sink.add(wire);
  assertEquals(it.log, []);
  const { turns } = await it.counter.until(() => it.log.length === 1);
  assertEquals(it.log, ["x".repeat(COUNT)]);
  assert(turns > 1, `${turns}`);
  await over(it);
});

const MIB = 1024 * 1024;

for (const [name, text] of [["ASCII", "abcdefgh"], ["mixed", "aä€😀"], ["CJK", "漢字"]] as const) {
  Deno.test(`attack 55: a large text, ${name}, is decoded over many turns, and arrives whole`, async () => {
    const it = attacked();
    const whole = text.repeat(10 * MIB / utf8(text).length + 1);
    const payload = utf8(whole);
    const half = 5 * MIB + 1;
    const wires = [
      frame({ opcode: 1, payload }),
      joined([
        frame({ opcode: 1, fin: false, payload: payload.subarray(0, half) }),
        frame({ opcode: 0, payload: payload.subarray(half) }),
      ]),
    ];
    for (const wire of wires) {
      for (const chunk of chunksOf(wire)) it.peer.sink.add(chunk);
      const { turns } = await it.counter.until(() => it.log.length === 1);
      assert(it.log.pop() === whole);
      assert(turns > 2, `${turns}`);
    }
    it.peer.sink.add(wires[0] ?? new Uint8Array(0));
    await it.counter.until(() => it.log.length === 1);
    assert(it.log.pop() === whole);
    await over(it);
  });
}

Deno.test("attack 55: a large text that isn't UTF-8 fails with 1007, wherever the invalid byte is", async () => {
  for (const at of [0, 3 * MIB, 5 * MIB - 1]) {
    const it = attacked();
    const payload = new Uint8Array(5 * MIB).fill(97);
    payload[at] = 0xc3;
    for (const chunk of chunksOf(frame({ opcode: 1, payload }))) it.peer.sink.add(chunk);
    await it.counter.until(() => it.log.includes("done"));
    const { sent, initiator } = await closedBy(it);
    assertEquals([it.log, sent?.code, initiator], [["done"], 1007, "protocol-error"]);
  }
});

async function closedBy(it: Attacked): ReturnType<() => WebSocketChannel["closed"]> {
  it.peer.sink.close();
  return await it.channel.closed;
}

Deno.test("attack 55: a message of another connection doesn't wait for postponed work", async () => {
  const loaded = attacked();
  const other = attacked();
  loaded.peer.sink.add(NUMBERED.slice());
  other.peer.sink.add(frame({ opcode: 1, payload: "hello" }));
  const { turns } = await other.counter.until(() => other.log.length === 1);
  assert(turns <= 3, `${turns}`);
  assertLess(loaded.log.length, COUNT);
  await loaded.counter.until(() => loaded.log.length === COUNT);
  await over(loaded);
  await over(other);
});

Deno.test("attack 55: many such connections take turns", async () => {
  const all = Array.from({ length: 6 }, () => attacked());
  for (const { peer } of all) peer.sink.add(NUMBERED.slice());
  const first = all[0] as Attacked;
  const { turns } = await first.counter.until(() => all.some(({ log }) => log.length === COUNT));
  assert(turns > 2, `everything arrived in ${turns} turns`);
  for (const { log } of all) assert(log.length > COUNT / 4, `${all.map((it) => it.log.length)}`);
  for (const { counter, log } of all) await counter.until(() => log.length === COUNT);
  for (const it of all) {
    assertSame(it.log, ALL);
    await over(it);
  }
});

Deno.test("attack 55: a Close behind postponed work is handled after it", async () => {
  const it = attacked();
  it.peer.sink.add(joined([NUMBERED, frame({ opcode: 8, payload: closePayload(4321) })]));
  await turn();
  assertEquals([it.channel.state, it.channel.closeCode], ["open", null]);
  await it.counter.until(() => it.log.includes("done"));
  assertSame(it.log, [...ALL, "done"]);
  const { code, wasClean } = await closedBy(it);
  assertEquals([code, wasClean], [4321, true]);
});

Deno.test("attack 55: a loss behind postponed work is handled after it", async () => {
  for (const end of ["close", "fail"] as const) {
    const bytes = new FakeBytes();
    const { channel } = rig({ bytes });
    const counter = new TurnCounter();
    const log: unknown[] = [];
    channel.stream.listen((message) => log.push(message), { onDone: () => log.push("done") });
    bytes.receive(NUMBERED.slice());
    if (end === "fail") bytes.fail(new Error("reset"));
    else bytes.incoming.end();
    await microtasks();
    assertEquals(channel.state, "open");
    await counter.until(() => log.includes("done"));
    assertSame(log, [...ALL, "done"]);
    const { code, initiator } = await channel.closed;
    assertEquals([code, initiator], [1006, "transport"], end);
  }
});

Deno.test("attack 55: terminate drops postponed work", async () => {
  const it = attacked();
  it.peer.sink.add(NUMBERED.slice());
  it.channel.terminate();
  const before = it.log.length;
  assertLess(before, COUNT);
  for (let i = 0; i < 5; i++) await turn();
  assertSame(it.log, [...ALL.slice(0, before), "done"]);
});

Deno.test("attack 55: after close() postponed work is dropped, and the channel notices the peer's Close", async () => {
  const it = attacked();
  it.peer.sink.add(joined([NUMBERED, frame({ opcode: 8, payload: closePayload(1000) })]));
  const count = it.log.length;
  const closed = it.channel.sink.close(1000);
  await it.counter.until(() => it.channel.closeCode !== null);
  assertSame(it.log, [...ALL.slice(0, count), "done"]);
  const { wasClean, initiator } = await closedBy(it);
  assertEquals([wasClean, initiator], [true, "local"]);
  await closed;
});

Deno.test("attack 55: a reader that pauses during postponed work loses nothing", async () => {
  const { local, foreign: peer } = channelPair<Uint8Array>({ sync: true });
  const channel = WebSocketChannel.over(local, { side: "client" });
  const counter = new TurnCounter();
  const log: unknown[] = [];
  const subscription = channel.stream.listen((message) => {
    log.push(message);
    if (log.length % 7000 !== 0) return;
    subscription.pause();
    setTimeout(() => subscription.resume(), 0);
  }, { onDone: () => log.push("done") });
  peer.stream.listen(() => {});
  peer.sink.add(joined([NUMBERED, frame({ opcode: 8 })]));
  await counter.until(() => log.includes("done"));
  assertSame(log, [...ALL, "done"]);
  peer.sink.close();
  await channel.closed;
});

Deno.test("attack 55: a peer whose Pong is in the postponed work counts as alive", async () => {
  const bytes = new FakeBytes();
  const { channel, clock } = rig({ bytes, pingInterval: 1000, pingTimeout: 500 });
  const counter = new TurnCounter();
  let count = 0;
  channel.stream.listen(() => count++);
  bytes.receive(NUMBERED.slice());
  assertLess(count, COUNT);
  // The Pong can't be read before the next turn.
  clock.advance(10_000);
  assertEquals(channel.state, "open");
  await counter.until(() => count === COUNT);
  assertEquals(channel.state, "open");
  clock.advance(1000);
  clock.advance(600);
  assertEquals(channel.state, "closed");
});
