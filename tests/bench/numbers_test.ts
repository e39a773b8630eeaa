import { assertEquals } from "@std/assert";
import { number, sizeName } from "../../bench/numbers.ts";

Deno.test("bench: numbers are short", () => {
  const shown = [0.5, 0.123, 8, 12.34, 4096, 12_345, 2_000_000, 3e9].map(number);
  assertEquals(shown, ["0.50", "0.12", "8", "12.3", "4096", "12.3 k", "2.00 M", "3.00 G"]);
});

Deno.test("bench: units of sizes are powers of 1,024", () => {
  assertEquals([64, 16_384, 1 << 26].map(sizeName), ["64 B", "16 KiB", "64 MiB"]);
});
