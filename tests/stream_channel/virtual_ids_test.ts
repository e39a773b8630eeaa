import { assert, assertEquals, assertFalse, assertLessOrEqual } from "@std/assert";
import { ClosedIds, PendingMessages } from "../../src/stream_channel/virtual_ids.ts";
import { seededRandom } from "../support/random.ts";

Deno.test("the messages of an id are kept in order, until its end", () => {
  const pending = new PendingMessages();
  assert(pending.add(1, [1, "a"]));
  assert(pending.add(3, [3, "b"]));
  assert(pending.add(1, [1, "c"]));
  assert(pending.add(1, [1]));
  assert(pending.add(1, [1, "late"]));
  assertEquals(pending.count, 2);
  const taken = pending.take(1);
  assertEquals([taken?.values, taken?.closed], [["a", "c"], true]);
  assertEquals(pending.take(1), undefined);
  pending.clear();
  assertEquals([pending.count, pending.size], [0, 0]);
});

Deno.test("beyond the limit, the id that exceeded it is dropped, and the others stay", () => {
  const pending = new PendingMessages(1000);
  assert(pending.add(1, [1, "x".repeat(500)]));
  assert(pending.add(3, [3, "x".repeat(200)]));
  const { size } = pending;
  assertFalse(pending.add(3, [3, "x".repeat(200)]));
  assertEquals(pending.take(3), undefined);
  assertEquals(pending.size, size - 128 - 200);
  assertFalse(pending.add(5, [5, ["x".repeat(500), { key: "x".repeat(500) }]]));
  assertEquals(pending.count, 1);
});

Deno.test("S69 a million closed ids of each side are stored as two ranges", () => {
  const ids = new ClosedIds();
  for (let id = 0; id < 2_000_000; id++) ids.add(id);
  assertEquals(ids.ranges, 2);
  assert(ids.has(0) && ids.has(1_999_999));
  assertFalse(ids.has(2_000_000));
});

Deno.test("closed ids give the same answers as a set, in any order", () => {
  const random = seededRandom();
  for (let round = 0; round < 50; round++) {
    const ids = new ClosedIds();
    const set = new Set<number>();
    for (let i = 0; i < 200; i++) {
      const id = random.integer(0, 150);
      ids.add(id);
      set.add(id);
      for (let other = 0; other <= 151; other++) {
        assertEquals(ids.has(other), set.has(other), `seed ${random.seed}, id ${other}`);
      }
    }
  }
});

Deno.test("ids with gaps use limited memory: the lowest gaps count as closed", () => {
  const ids = new ClosedIds();
  for (let id = 1; id < 100_000; id += 4) ids.add(id);
  assertLessOrEqual(ids.ranges, 4096);
  assert(ids.has(3));
  assertFalse(ids.has(99_995));
  assert(ids.has(99_997));
});

Deno.test("next returns the first id that is not closed, in steps of two", () => {
  const ids = new ClosedIds();
  for (const id of [2, 4, 6, 10, 3]) ids.add(id);
  const next = [0, 1, 2, 3, 4, 6, 8, 10, 12, 5].map((id) => ids.next(id));
  assertEquals(next, [0, 1, 8, 5, 8, 8, 8, 12, 12, 5]);
});
