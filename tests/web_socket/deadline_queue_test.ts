import { assertEquals, assertThrows } from "@std/assert";
import { DeadlineQueue, type Timed } from "../../src/web_socket/deadline_queue.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { seededRandom } from "../support/random.ts";

/** An entry that records when its deadline passed. */
class Item implements Timed {
  since = 0;
  previous: Timed | null = null;
  next: Timed | null = null;
  readonly #onTime: (item: Item) => void;

  constructor(onTime: (item: Item) => void) {
    this.#onTime = onTime;
  }

  onTime(): void {
    this.#onTime(this);
  }
}

Deno.test("deadline queue: each entry is called after its time, with a single timer", () => {
  const clock = new ManualClock();
  const queue = new DeadlineQueue(clock, { ms: 100 });
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    queue.add(new Item(() => times.push(clock.now())));
    assertEquals(clock.pending, 1);
    clock.advance(7);
  }
  clock.advance(200);
  assertEquals([times, clock.pending], [[100, 107, 114, 121, 128], 0]);
});

Deno.test("deadline queue: a deleted entry is not called, at any position; a stopped queue leaves no timer", () => {
  const clock = new ManualClock();
  const queue = new DeadlineQueue(clock, { ms: 100 });
  const called: number[] = [];
  const items = [0, 1, 2, 3].map((i) => new Item(() => called.push(i)));
  for (const item of items) {
    queue.add(item);
    clock.advance(10);
  }
  const [first, second, , last] = items as [Item, Item, Item, Item];
  for (const item of [second, first, last, last, first, new Item(() => {})]) queue.delete(item);
  clock.advance(79);
  assertEquals(called, []);
  clock.advance(1);
  assertEquals([called, clock.pending], [[2], 0]);
  queue.add(first);
  queue.delete(first);
  clock.advance(30);
  queue.add(last);
  queue.delete(last);
  clock.advance(20);
  queue.add(first);
  clock.advance(99);
  assertEquals(called, [2]);
  clock.advance(1);
  assertEquals([called, clock.pending], [[2, 0], 0]);
  queue.add(first);
  queue.delete(first);
  queue.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("deadline queue: an entry that is called may add itself again, and delete others", () => {
  const clock = new ManualClock();
  const queue = new DeadlineQueue(clock, { ms: 10 });
  const called: string[] = [];
  const other = new Item(() => called.push("other"));
  const again = new Item((item) => {
    called.push(`again ${clock.now()}`);
    queue.delete(other);
    if (called.length < 3) queue.add(item);
  });
  queue.add(again);
  queue.add(other);
  clock.advance(100);
  assertEquals([called, clock.pending], [["again 10", "again 20", "again 30"], 0]);
});

Deno.test("deadline queue: an entry that throws does not delay the others", () => {
  const clock = new ManualClock();
  const queue = new DeadlineQueue(clock, { ms: 10 });
  const called: number[] = [];
  queue.add(
    new Item(() => {
      throw new Error("a fault");
    }),
  );
  queue.add(new Item(() => called.push(clock.now())));
  assertThrows(() => clock.advance(10), Error, "a fault");
  clock.advance(10);
  assertEquals([called, clock.pending], [[10], 0]);
});

Deno.test("attack 46: a stall of this process counts for no deadline, including one added after it", () => {
  const clock = new ManualClock();
  const queue = new DeadlineQueue(clock, { ms: 800 });
  const times: number[] = [];
  const add = () => queue.add(new Item(() => times.push(clock.now())));
  add();
  clock.advance(50);
  add();
  // The part ends at 100, 5000 ms late; until then the queue has not noticed the stall.
  clock.stall(5000);
  add();
  clock.advance(699);
  assertEquals(times, []);
  clock.advance(1);
  // 100 ms of their own parts, and 700 ms after the stall.
  assertEquals(times.length, 1);
  clock.advance(100);
  assertEquals([times.length, clock.pending], [3, 0]);
});

Deno.test("deadline queue: a plain queue counts stalls", () => {
  const clock = new ManualClock();
  const queue = new DeadlineQueue(clock, { ms: 800, isPlain: true });
  let called = 0;
  queue.add(new Item(() => called++));
  clock.advance(10);
  assertEquals(clock.nextIn, 790);
  clock.stall(5000);
  assertEquals([called, clock.pending], [1, 0]);
});

Deno.test("fuzz: a deadline queue calls the same entries as a simple list of times", () => {
  const random = seededRandom();
  for (let round = 0; round < 50; round++) {
    const clock = new ManualClock();
    const ms = random.integer(1, 200);
    const queue = new DeadlineQueue(clock, { ms });
    const due = new Map<Item, number>();
    const called = (item: Item): void => {
      assertEquals(due.get(item), clock.now(), `seed ${random.seed}`);
      due.delete(item);
    };
    for (let step = 0; step < 100; step++) {
      const items = [...due.keys()];
      if (random.integer(0, 2) > 0) {
        const item = new Item(called);
        due.set(item, clock.now() + ms);
        queue.add(item);
      } else if (items.length > 0) {
        const item = items[random.integer(0, items.length - 1)] as Item;
        due.delete(item);
        queue.delete(item);
      }
      clock.advance(random.integer(0, 60));
    }
    clock.advance(ms);
    assertEquals([due.size, clock.pending], [0, 0], `seed ${random.seed}`);
  }
});
