import { assertEquals } from "@std/assert";
import { median, quantile, ratioOf, type Result, rounded, spread } from "../../bench/row.ts";

function result(...values: number[]): Result {
  return { name: "it", values };
}

Deno.test("bench: median and quantiles are measured values", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 3, 2]), 3);
  assertEquals(quantile([5, 1, 4, 2, 3], 0), 1);
  assertEquals(quantile([5, 1, 4, 2, 3], 0.99), 5);
  assertEquals(median([]), 0);
});

Deno.test("bench: quantiles sort by number, not by text", () => {
  assertEquals(median([9, 10, 100]), 10);
});

Deno.test("bench: spread is half the distance between the quartiles, relative to the median", () => {
  assertEquals(spread([80, 90, 100, 110, 120]), 0.1);
  assertEquals(spread([]), 0);
});

Deno.test("bench: a ratio is the median of the rounds' ratios, so that a slow round doesn't count", () => {
  // The third round was disturbed for both: the ratio of the medians would be 2.2.
  assertEquals(ratioOf(result(20, 22, 2, 24, 20), result(10, 11, 1, 8, 10)), 2);
  assertEquals(ratioOf(result(), result(1)), null);
});

Deno.test("bench: values have four significant digits", () => {
  assertEquals(rounded(1234567), 1235000);
  assertEquals(rounded(0.00123456), 0.001235);
});
