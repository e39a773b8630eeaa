import { assert, assertEquals, assertFalse, assertInstanceOf } from "@std/assert";
import { WebSocketChannelError } from "../../src/web_socket/errors.ts";
import {
  Keepalive,
  type KeepaliveTimes,
  MAX_PENDING_PINGS,
} from "../../src/web_socket/keepalive.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { settled } from "../support/events.ts";
import { rejection } from "../support/promises.ts";

/** The minimum grace, in milliseconds: a peer is never given up at the exact moment its time ends. */
const GRACE = 10;

class Owner {
  readonly clock: ManualClock;
  readonly pings: Uint8Array[] = [];
  isReading = true;
  deaths = 0;
  readonly keepalive: Keepalive;
  readonly #times: KeepaliveTimes;

  constructor(pingInterval = 0, pingTimeout = pingInterval, clock = new ManualClock()) {
    this.clock = clock;
    this.keepalive = new Keepalive(this, clock);
    this.#times = { pingInterval, pingTimeout };
  }

  start(): this {
    this.keepalive.start(this.#times);
    return this;
  }

  sendPing(payload: Uint8Array): void {
    this.pings.push(payload);
  }

  onDead(): void {
    this.deaths++;
    this.keepalive.stop();
  }

  /** The peer answers a ping: the latest one by default. */
  answer(index = this.pings.length - 1): void {
    this.keepalive.heard();
    this.keepalive.onPong(this.pings[index] ?? new Uint8Array(4));
  }
}

Deno.test("ping resolves with the round-trip time, and latency has it too", async () => {
  const owner = new Owner();
  assertEquals(owner.keepalive.latency, null);
  const ping = owner.keepalive.ping();
  owner.clock.advance(25);
  assertFalse(await settled(ping));
  owner.answer();
  assertEquals(await ping, 25);
  assertEquals(owner.keepalive.latency, 25);
  assertEquals(owner.clock.pending, 0);
});

Deno.test("ping with an aborted signal sends nothing", async () => {
  const owner = new Owner();
  const ping = owner.keepalive.ping(undefined, AbortSignal.abort("enough"));
  assertEquals([await rejection(ping), owner.pings.length], ["enough", 0]);
});

Deno.test("S172 RFC 6455 §5.5.3: one Pong answers the pings before it, not later ones", async () => {
  const owner = new Owner();
  const first = owner.keepalive.ping();
  owner.clock.advance(5);
  const second = owner.keepalive.ping();
  owner.clock.advance(5);
  const third = owner.keepalive.ping();
  owner.clock.advance(5);
  owner.answer(1);
  assertEquals([await first, await second], [15, 10]);
  assertFalse(await settled(third));
  owner.answer(0);
  assertFalse(await settled(third));
  assertEquals(owner.keepalive.latency, 10);
  owner.answer();
  assertEquals(await third, 5);
});

Deno.test("an unsolicited Pong is ignored", async () => {
  const owner = new Owner();
  const ping = owner.keepalive.ping();
  for (const payload of [[], [0, 0, 0, 0], [0, 0, 0, 2], [255, 255, 255, 255], [0, 0, 0, 1, 0]]) {
    owner.keepalive.onPong(Uint8Array.from(payload));
  }
  assertFalse(await settled(ping));
  assertEquals(owner.keepalive.latency, null);
  owner.answer();
  assertEquals(await ping, 0);
});

Deno.test("attack 9: the number of unanswered pings is limited", async () => {
  const owner = new Owner();
  const pings = Array.from({ length: MAX_PENDING_PINGS }, () => owner.keepalive.ping());
  const error = await rejection(owner.keepalive.ping());
  assertInstanceOf(error, WebSocketChannelError);
  assertEquals(owner.pings.length, MAX_PENDING_PINGS);
  assertFalse(await settled(Promise.race(pings)));
  owner.answer();
  assertEquals(await Promise.all(pings), pings.map(() => 0));
  const again = owner.keepalive.ping();
  owner.answer();
  assertEquals(await again, 0);
});

Deno.test("attack 9: only the latest regular ping is kept if a busy peer never answers", () => {
  const owner = new Owner(10);
  owner.start();
  for (let i = 0; i < 100; i++) {
    owner.keepalive.heard();
    owner.clock.advance(10);
  }
  assert(owner.pings.length > 2, String(owner.pings.length));
  for (let i = 0; i < owner.pings.length - 1; i++) owner.answer(i);
  assertEquals(owner.keepalive.latency, null);
  owner.answer();
  assertEquals(owner.keepalive.latency, 0);
  owner.keepalive.stop();
});

Deno.test("stop rejects the pending pings, and causes no unhandled rejection", async () => {
  const owner = new Owner(10);
  owner.start();
  void owner.keepalive.ping();
  const ping = owner.keepalive.ping();
  owner.keepalive.stop();
  assertInstanceOf(await rejection(ping), WebSocketChannelError);
  assertEquals(owner.clock.pending, 0);
});

Deno.test("it sends a ping each interval while the peer answers, and reports the latency", () => {
  for (const timeout of [1000, 300, 2000]) {
    const owner = new Owner(1000, timeout);
    owner.start();
    for (let i = 1; i <= 10; i++) {
      owner.clock.advance(timeout > 1000 && i > 1 ? timeout - 7 : 1000 - (i === 1 ? 0 : 7));
      assertEquals(owner.pings.length, i, `timeout ${timeout}`);
      owner.clock.advance(7);
      owner.answer();
      assertEquals(owner.keepalive.latency, 7);
    }
    assertEquals(owner.deaths, 0);
  }
});

Deno.test("G18 a silent peer is dead after the timeout and a short grace", () => {
  const owner = new Owner(1000, 300);
  owner.start();
  owner.clock.advance(1300 + GRACE - 1);
  assertEquals([owner.pings.length, owner.deaths], [1, 0]);
  owner.clock.advance(1);
  assertEquals([owner.pings.length, owner.deaths, owner.clock.pending], [1, 1, 0]);
});

Deno.test("any bytes count as a sign of life, also during the grace", () => {
  const owner = new Owner(1000, 300);
  owner.start();
  for (let i = 1; i <= 300; i++) {
    owner.clock.advance(300);
    owner.keepalive.heard();
  }
  const late = new Owner(1000, 300);
  late.start();
  late.clock.advance(1300 + GRACE / 2);
  late.keepalive.heard();
  late.clock.advance(GRACE);
  assertEquals([owner.deaths, late.deaths], [0, 0]);
});

Deno.test("bytes that arrived before the ping do not answer it", () => {
  const owner = new Owner(1000, 300);
  owner.start();
  owner.clock.advance(999);
  owner.keepalive.heard();
  owner.clock.advance(1 + 300 + GRACE);
  assertEquals(owner.deaths, 1);
});

Deno.test("a timeout of 0: it sends pings and never gives up a peer", () => {
  const owner = new Owner(1000, 0);
  owner.start();
  owner.clock.advance(10_000);
  assertEquals([owner.pings.length, owner.deaths], [10, 0]);
});

Deno.test("the peer is not blamed while this end does not read", () => {
  const owner = new Owner(1000, 300);
  owner.start();
  owner.isReading = false;
  owner.clock.advance(10_000);
  assertEquals(owner.deaths, 0);
  assert(owner.pings.length >= 9);
  owner.isReading = true;
  owner.clock.advance(1300 + GRACE + 1000);
  assertEquals(owner.deaths, 1);
});

Deno.test("the regular pings do not use up the user's limit, and one Pong answers both kinds", async () => {
  const owner = new Owner(10, 0);
  owner.start();
  owner.clock.advance(10 * 2 * MAX_PENDING_PINGS);
  assertEquals(owner.pings.length, 2 * MAX_PENDING_PINGS);
  const ping = owner.keepalive.ping();
  owner.clock.advance(10);
  // The answer to the keepalive's own ping, which was sent after the user's.
  owner.answer();
  assertEquals(await ping, 10);
});

Deno.test("attack 46: after a stall of the event loop, received bytes are read before a peer is given up", () => {
  for (const stall of [301, 400, 1000, 60_000]) {
    const owner = new Owner(1000, 300);
    owner.start();
    owner.clock.advance(1000);
    owner.clock.stall(stall);
    assertEquals(owner.deaths, 0, `stall ${stall}`);
    // The bytes that the peer sent meanwhile are read in the turn after the timers.
    owner.answer();
    owner.clock.advance(1000);
    assertEquals(owner.deaths, 0, `stall ${stall}`);
    assertEquals(owner.pings.length, 2, `stall ${stall}`);
  }
});

Deno.test("attack 46: repeated stalls give up no peer, and a dead peer is found after they end", () => {
  const owner = new Owner(1000, 300);
  owner.start();
  owner.clock.advance(1000);
  for (let i = 0; i < 50; i++) owner.clock.stall(1000);
  assertEquals(owner.deaths, 0);
  owner.clock.advance(300 + GRACE);
  assertEquals(owner.deaths, 1);
});

Deno.test("a stall before the next ping does not shorten the peer's time", () => {
  const owner = new Owner(1000, 300);
  owner.start();
  owner.clock.stall(5000);
  assertEquals(owner.pings.length, 1);
  owner.clock.advance(299);
  owner.answer();
  owner.clock.advance(200);
  assertEquals(owner.deaths, 0);
});

Deno.test("attack 47: no timer of the keepalive keeps the process alive", () => {
  const owner = new Owner(1000, 300);
  const running: unknown[] = [];
  Object.assign(owner.clock, { unref: (handle: unknown) => running.push(handle) });
  owner.start();
  owner.clock.advance(1300);
  assert(running.length >= 3);
  assertFalse(running.includes(undefined));
});

Deno.test("a thousand connections with the same interval use at most two timers", () => {
  const clock = new ManualClock();
  const owners: Owner[] = [];
  for (let i = 0; i < 1000; i++) {
    owners.push(new Owner(1000, 300, clock).start());
    clock.advance(1);
  }
  assert(clock.pending <= 2, `${clock.pending} timers`);
  // Each pings at its own time: after i, and after an interval.
  clock.advance(500);
  assertEquals(owners.filter(({ pings }) => pings.length === 1).length, 501);
  for (const owner of owners.slice(0, 501)) {
    if (owner.deaths === 0) owner.answer();
  }
  assert(clock.pending <= 3, `${clock.pending} timers`);
  clock.advance(1500);
  // Every peer has left a ping unanswered by now.
  assertEquals(owners.filter(({ deaths }) => deaths === 0).length, 0);
  assertEquals(clock.pending, 0);
});

Deno.test("connections of one clock stop one by one, and the others ping and end at their own time", () => {
  const clock = new ManualClock();
  const [first, second, third] = [0, 1, 2].map(() => {
    const owner = new Owner(1000, 300, clock).start();
    clock.advance(100);
    return owner;
  }) as [Owner, Owner, Owner];
  first.keepalive.stop();
  clock.advance(700 + 99);
  assertEquals([first, second, third].map(({ pings }) => pings.length), [0, 0, 0]);
  clock.advance(1);
  assertEquals([first, second, third].map(({ pings }) => pings.length), [0, 1, 0]);
  clock.advance(300 + GRACE - 1);
  assertEquals([second.deaths, third.pings.length], [0, 1]);
  clock.advance(1);
  assertEquals([second.deaths, third.deaths], [1, 0]);
  clock.advance(100);
  assertEquals([third.deaths, clock.pending], [1, 0]);
});
