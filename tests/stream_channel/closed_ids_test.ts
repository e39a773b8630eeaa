import { assert, assertEquals, assertFalse, assertLessOrEqual } from "@std/assert";
import { ClosedIds } from "../../src/stream_channel/closed_ids.ts";
import { seededRandom } from "../support/random.ts";

Deno.test("S69 a million closed ids of each side are two ranges", () => {
  const ids = new ClosedIds();
  for (let id = 0; id < 2_000_000; id++) ids.add(id);
  assertEquals(ids.ranges, 2);
  assert(ids.has(0) && ids.has(1_999_999));
  assertFalse(ids.has(2_000_000));
});

Deno.test("the same answers as a set, in any order", () => {
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

Deno.test("ids that leave gaps don't pile up: the lowest gaps count as closed", () => {
  const ids = new ClosedIds();
  for (let id = 1; id < 100_000; id += 4) ids.add(id);
  assertLessOrEqual(ids.ranges, 4096);
  assert(ids.has(3));
  assertFalse(ids.has(99_995));
  assert(ids.has(99_997));
});

Deno.test("the first id that was not closed, in steps of two", () => {
  const ids = new ClosedIds();
  for (const id of [2, 4, 6, 10, 3]) ids.add(id);
  const next = [0, 1, 2, 3, 4, 6, 8, 10, 12, 5].map((id) => ids.next(id));
  assertEquals(next, [0, 1, 8, 5, 8, 8, 8, 12, 12, 5]);
});
