import { assert, assertEquals } from "@std/assert";
import { msText, Statistics } from "../../src/cli/statistics.ts";

Deno.test("W28 statistics: computes quantiles to 1 %, mean, deviation, minimum and maximum", () => {
  const times = new Statistics();
  assertEquals([times.quantile(0.5), times.mean, times.deviation], [0, 0, 0]);
  for (let i = 1; i <= 1000; i++) times.add(i / 10);
  for (const [part, expected] of [[0.5, 50], [0.9, 90], [0.99, 99], [1, 100]] as const) {
    const found = times.quantile(part);
    assert(Math.abs(found - expected) <= expected * 0.011, `${part}: ${found}`);
  }
  assertEquals([times.min, times.max, times.count], [0.1, 100, 1000]);
  assert(Math.abs(times.mean - 50.05) < 0.001);
  assert(Math.abs(times.deviation - 28.867) < 0.01);
  assertEquals([0.0567, 1.234, 12.34, 123.4].map(msText), [
    "0.057 ms",
    "1.23 ms",
    "12.3 ms",
    "123 ms",
  ]);
});
