import { assertEquals, assertThrows } from "@std/assert";
import Strict from "./assert_strict.ts";

class Point {
  readonly x: number;

  constructor(x: number) {
    this.x = x;
  }
}

const CYCLE: unknown[] = [];
CYCLE.push(CYCLE);

const EQUAL: readonly (() => unknown)[] = [
  () => 1,
  () => NaN,
  () => "a",
  () => null,
  () => undefined,
  () => [1, [2, { a: 3 }]],
  () => ({ a: undefined }),
  () => Uint8Array.of(1, 2),
  () => Uint8Array.of(1, 2).buffer,
  () => new Map([[1, { a: 1 }]]),
  () => new Set(["a"]),
  () => new Date(5),
  () => /a/g,
  () => new Point(1),
  () => new TypeError("bad"),
  () => CYCLE,
];

const DIFFERENT: readonly [unknown, unknown][] = [
  [1, 2],
  [0, -0],
  [1, "1"],
  [null, undefined],
  [{}, null],
  [[1], [1, 2]],
  [[1], { 0: 1, length: 1 }],
  [{ a: undefined }, {}],
  [{ a: undefined }, { b: undefined }],
  [Uint8Array.of(1), Uint8Array.of(2)],
  [Uint8Array.of(1), [1]],
  [Uint8Array.of(1).buffer, Uint8Array.of(2).buffer],
  [new Map([[1, 1]]), new Map([[1, 2]])],
  [new Set([1]), new Set([2])],
  [new Date(5), new Date(6)],
  [/a/g, /a/],
  [new Point(1), { x: 1 }],
  [new TypeError("bad"), new RangeError("bad")],
  [new Error("a"), new Error("b")],
];

Deno.test("assert stand-in: distinguishes equal from unequal values", () => {
  for (const make of EQUAL) {
    Strict.deepStrictEqual(make(), make());
    assertThrows(() => Strict.notDeepStrictEqual(make(), make()), Strict.AssertionError);
  }
  for (const [a, b] of DIFFERENT) {
    Strict.notDeepStrictEqual(a, b);
    Strict.notDeepStrictEqual(b, a);
    assertThrows(() => Strict.deepStrictEqual(a, b), Strict.AssertionError);
  }
});

Deno.test("assert stand-in: the other assertions and their messages", () => {
  Strict.strictEqual(CYCLE, CYCLE);
  Strict.notStrictEqual([], []);
  Strict.match("abc", /b/);
  const failing: (() => void)[] = [
    () => Strict.strictEqual([], [], "why"),
    () => Strict.notStrictEqual(1, 1, "why"),
    () => Strict.match("abc", /d/, "why"),
    () => Strict.deepStrictEqual(1, 2, "why"),
  ];
  for (const fails of failing) assertThrows(fails, Strict.AssertionError, "why");
  const error = new RangeError("mine");
  assertEquals(assertThrows(() => Strict.strictEqual(1, 2, error), RangeError), error);
});
