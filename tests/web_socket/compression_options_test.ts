import { assertEquals, assertThrows } from "@std/assert";
import { readCompression } from "../../src/web_socket/compression_options.ts";

Deno.test("compression options: what is right is read", () => {
  for (const value of [undefined, true, false]) assertEquals(readCompression(value), value);
  const all = { serverNoContextTakeover: true, clientMaxWindowBits: 8, threshold: 0, level: -1 };
  assertEquals(readCompression(all), all);
});

Deno.test("compression options: what is wrong is an error that names it", () => {
  const wrong: [unknown, new () => Error, string][] = [
    [{ levl: 5 }, TypeError, "compression.levl: there is no such option, got 5. Did you mean"],
    [{ level: "9" }, TypeError, 'compression.level: it must be a number, got "9"'],
    [{ level: 10 }, RangeError, "compression.level: it must be an integer of -1–9, got 10"],
    [{ serverMaxWindowBits: 7 }, RangeError, "compression.serverMaxWindowBits"],
    [null, TypeError, "the option compression: it must be an object, got null"],
  ];
  for (const [value, kind, text] of wrong) {
    assertThrows(() => readCompression(value as { level: number }), kind, text);
  }
});
