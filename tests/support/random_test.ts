import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { seededRandom, testSeed } from "./random.ts";

Deno.test("random: the same seed gives the same numbers, and another seed gives others", () => {
  const draw = (seed: number): number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 20 }, () => random.fraction());
  };
  assertEquals(draw(1), draw(1));
  assertNotEquals(draw(1), draw(2));
  assertEquals(seededRandom(-1).seed, 0xffff_ffff);
  assertEquals(seededRandom().seed, testSeed());
});

Deno.test("random: integers stay within their bounds and reach them", () => {
  const random = seededRandom();
  const seen = new Set(Array.from({ length: 500 }, () => random.integer(-2, 3)));
  assertEquals([...seen].sort((a, b) => a - b), [-2, -1, 0, 1, 2, 3], `seed ${random.seed}`);
});

Deno.test("random: numbers are evenly distributed", () => {
  const random = seededRandom();
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i++) {
    const slot = Math.floor(random.fraction() * 10);
    counts[slot] = (counts[slot] ?? 0) + 1;
  }
  for (const count of counts) assert(count > 850 && count < 1150, `${counts} seed ${random.seed}`);
});

Deno.test("random: split, shuffle and pick keep every value", () => {
  const random = seededRandom();
  const bytes = random.bytes(1000);
  const pieces = random.split(bytes, 7);
  assert(pieces.every((it) => it.length >= 1 && it.length <= 7), `seed ${random.seed}`);
  assertEquals(Uint8Array.from(pieces.flatMap((it) => [...it])), bytes, `seed ${random.seed}`);
  assertEquals(random.split(new Uint8Array(0), 7), []);
  const values = [1, 2, 3, 4, 5];
  assertEquals(random.shuffle(values).sort(), values, `seed ${random.seed}`);
  assert(values.includes(random.pick(values)), `seed ${random.seed}`);
  assertThrows(() => random.pick([]), RangeError);
  assertEquals([random.chance(0), random.chance(1)], [false, true]);
});
