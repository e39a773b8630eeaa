import { assert, assertEquals } from "@std/assert";
import { Deadline } from "../../src/web_socket/deadline.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

/** A deadline, and when it passed. */
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

Deno.test("a deadline is exact to the millisecond while nothing stalls", () => {
  for (const ms of [0, 1, 7, 10, 100, 333, 5000, 30_000]) {
    const rig = new Rig(ms);
    if (ms > 0) rig.clock.advance(ms - 1);
    assertEquals(rig.upAt, null, `${ms} ms`);
    rig.clock.advance(1);
    assertEquals([rig.upAt, rig.clock.pending], [ms, 0], `${ms} ms`);
  }
});

Deno.test("a cleared deadline does not call back, also when cleared inside a check", () => {
  const early = new Rig(1000);
  early.deadline.clear();
  const late = new Rig(1000, (rig) => rig.deadline.clear());
  for (const { clock } of [early, late]) clock.advance(10_000);
  assertEquals([early.upAt, early.looks.length, early.clock.pending], [null, 0, 0]);
  assertEquals([late.upAt, late.looks.length, late.clock.pending], [null, 1, 0]);
});

Deno.test("a deadline checks several times; the checks add up to the whole time", () => {
  const rig = new Rig(1000);
  rig.clock.advance(1000);
  assert(rig.looks.length >= 4);
  assertEquals(rig.looks.reduce((sum, it) => sum + it, 0), 1000);
});

Deno.test("restart: the whole time starts again at that moment", () => {
  const rig = new Rig(1000);
  rig.clock.advance(937);
  rig.deadline.restart();
  rig.clock.advance(999);
  assertEquals(rig.upAt, null);
  rig.clock.advance(1 + 125);
  assert(rig.upAt !== null && rig.upAt >= 1937);
});

Deno.test("restart inside a check: the deadline continues", () => {
  const rig = new Rig(1000, ({ looks, deadline }) => looks.length === 8 && deadline.restart());
  rig.clock.advance(1999);
  assertEquals(rig.upAt, null);
  rig.clock.advance(1);
  assertEquals(rig.upAt, 2000);
});

Deno.test("a new limit applies to the running deadline", () => {
  const rig = new Rig(1000);
  rig.deadline.limit = 2000;
  rig.clock.advance(1999);
  assertEquals(rig.upAt, null);
  rig.clock.advance(1);
  assertEquals(rig.upAt, 2000);
});

Deno.test("attack 57: a stall at any moment does not shorten the peer's time", () => {
  for (let before = 0; before <= 990; before += 45) {
    for (const stall of [1001, 1100, 60_000]) {
      const rig = new Rig(1000);
      rig.clock.advance(before);
      rig.clock.stall(stall);
      // The peer gets at least one turn of input before the deadline, and at most the length of the stall in addition.
      assertEquals(rig.upAt, null, `${before} + ${stall}`);
      rig.clock.advance(9);
      assertEquals(rig.upAt, null, `${before} + ${stall}`);
      rig.clock.advance(1000);
      assert(rig.upAt !== null, `${before} + ${stall}`);
    }
  }
});

Deno.test("attack 57: a stall that is shorter than the deadline does not count either", () => {
  const rig = new Rig(1000);
  rig.clock.advance(100);
  rig.clock.stall(850);
  rig.clock.advance(800);
  assertEquals(rig.upAt, null);
  rig.clock.advance(100);
  assert(rig.upAt !== null);
});

Deno.test("attack 57: a last part that is slightly late gets one more turn, and only one", () => {
  const rig = new Rig(1000);
  rig.clock.advance(999);
  rig.clock.stall(5);
  assertEquals(rig.upAt, null);
  rig.clock.advance(9);
  rig.clock.stall(5);
  assertEquals(rig.upAt, 1018);
});

Deno.test("attack 57: timers that are always slightly late do not delay a deadline", () => {
  const rig = new Rig(5000);
  for (let i = 0; i < 200 && rig.upAt === null; i++) rig.clock.stall(50);
  assert(rig.upAt !== null && rig.upAt <= 5200, `${rig.upAt}`);
});

Deno.test("its timers let the process end if the caller wants that", () => {
  for (const unref of [true, false]) {
    const clock = new ManualClock();
    let count = 0;
    Object.assign(clock, { unref: () => count++ });
    new Deadline(clock, { ms: 1000, onTime: () => {}, unref });
    clock.advance(1000);
    assertEquals(count > 0, unref);
  }
});
