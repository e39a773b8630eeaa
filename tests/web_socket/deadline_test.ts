import { assert, assertEquals } from "@std/assert";
import { Deadline } from "../../src/web_socket/deadline.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

/** A deadline, and when its time was up. */
class Rig {
  readonly clock = new ManualClock(5);
  readonly looks: number[] = [];
  readonly deadline: Deadline;
  upAt: number | null = null;

  constructor(ms: number, onLook = (_rig: Rig): void => {}) {
    this.deadline = new Deadline(this.clock, {
      ms,
      onTime: () => this.upAt = this.clock.now() - 5,
      onLook: (counted) => {
        this.looks.push(counted);
        onLook(this);
      },
    });
  }
}

Deno.test("a deadline is kept to the millisecond while nothing stalls", () => {
  for (const ms of [0, 1, 7, 10, 100, 333, 5000, 30_000]) {
    const rig = new Rig(ms);
    if (ms > 0) rig.clock.advance(ms - 1);
    assertEquals(rig.upAt, null, `${ms} ms`);
    rig.clock.advance(1);
    assertEquals([rig.upAt, rig.clock.pending], [ms, 0], `${ms} ms`);
  }
});

Deno.test("a deadline that is cleared is silent, also from inside a look", () => {
  const early = new Rig(1000);
  early.deadline.clear();
  const late = new Rig(1000, (rig) => rig.deadline.clear());
  for (const { clock } of [early, late]) clock.advance(10_000);
  assertEquals([early.upAt, early.looks.length, early.clock.pending], [null, 0, 0]);
  assertEquals([late.upAt, late.looks.length, late.clock.pending], [null, 1, 0]);
});

Deno.test("it looks several times; what the looks count is the whole time", () => {
  const rig = new Rig(1000);
  rig.clock.advance(1000);
  assert(rig.looks.length >= 4);
  assertEquals(rig.looks.reduce((sum, it) => sum + it, 0), 1000);
});

Deno.test("restart: the whole time again, from that moment on", () => {
  const rig = new Rig(1000);
  rig.clock.advance(937);
  rig.deadline.restart();
  rig.clock.advance(999);
  assertEquals(rig.upAt, null);
  rig.clock.advance(1 + 125);
  assert(rig.upAt !== null && rig.upAt >= 1937);
});

Deno.test("restart from inside a look: it runs on", () => {
  const rig = new Rig(1000, ({ looks, deadline }) => looks.length === 8 && deadline.restart());
  rig.clock.advance(1999);
  assertEquals(rig.upAt, null);
  rig.clock.advance(1);
  assertEquals(rig.upAt, 2000);
});

Deno.test("a new limit applies to what runs", () => {
  const rig = new Rig(1000);
  rig.deadline.limit = 2000;
  rig.clock.advance(1999);
  assertEquals(rig.upAt, null);
  rig.clock.advance(1);
  assertEquals(rig.upAt, 2000);
});

Deno.test("attack 57: a stall at any moment leaves the peer its time", () => {
  for (let before = 0; before <= 990; before += 45) {
    for (const stall of [1001, 1100, 60_000]) {
      const rig = new Rig(1000);
      rig.clock.advance(before);
      rig.clock.stall(stall);
      // At least one turn of input before the time is up, and no more than the stall in addition.
      assertEquals(rig.upAt, null, `${before} + ${stall}`);
      rig.clock.advance(9);
      assertEquals(rig.upAt, null, `${before} + ${stall}`);
      rig.clock.advance(1000);
      assert(rig.upAt !== null, `${before} + ${stall}`);
    }
  }
});

Deno.test("attack 57: a stall that is shorter than the deadline doesn't count either", () => {
  const rig = new Rig(1000);
  rig.clock.advance(100);
  rig.clock.stall(850);
  rig.clock.advance(800);
  assertEquals(rig.upAt, null);
  rig.clock.advance(100);
  assert(rig.upAt !== null);
});

Deno.test("attack 57: a last part that is a little late gets one more turn, and only one", () => {
  const rig = new Rig(1000);
  rig.clock.advance(999);
  rig.clock.stall(5);
  assertEquals(rig.upAt, null);
  rig.clock.advance(9);
  rig.clock.stall(5);
  assertEquals(rig.upAt, 1018);
});

Deno.test("attack 57: timers that are always a little late don't hold a deadline up", () => {
  const rig = new Rig(5000);
  for (let i = 0; i < 200 && rig.upAt === null; i++) rig.clock.stall(50);
  assert(rig.upAt !== null && rig.upAt <= 5200, `${rig.upAt}`);
});

Deno.test("its timers let the process end where the caller wants that", () => {
  for (const unref of [true, false]) {
    const clock = new ManualClock();
    let count = 0;
    Object.assign(clock, { unref: () => count++ });
    new Deadline(clock, { ms: 1000, onTime: () => {}, unref });
    clock.advance(1000);
    assertEquals(count > 0, unref);
  }
});
