import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { checkRange, SeededRandom } from "../../src/testing/random.ts";

Deno.test("the same seed gives the same numbers, and another seed other ones", () => {
  const numbers = (seed: number): number[] => {
    const random = new SeededRandom(seed);
    return Array.from({ length: 8 }, () => random.fraction());
  };
  assertEquals(numbers(1), numbers(1));
  assertNotEquals(numbers(1), numbers(2));
  assert(numbers(1).every((it) => it >= 0 && it < 1));
  assertThrows(() => new SeededRandom(0.5), RangeError, "0.5");
});

Deno.test("a range gives each of its numbers, including its ends, and no other", () => {
  const random = new SeededRandom(3);
  const seen = new Set(Array.from({ length: 200 }, () => random.choose([2, 5])));
  assertEquals([...seen].sort(), [2, 3, 4, 5]);
  assertEquals(random.choose(7), 7);
  assertEquals(random.choose(Infinity), Infinity);
});

Deno.test("a range must not be too low, reversed, or not a number", () => {
  checkRange("split", undefined, 1);
  checkRange("split", 1, 1);
  checkRange("split", [1, 1], 1);
  for (const bad of [0, NaN, [0, 3], [3, 2], [1, NaN]] as const) {
    assertThrows(() => checkRange("split", bad, 1), RangeError, "split");
  }
});
