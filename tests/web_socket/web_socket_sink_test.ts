import { assertEquals, assertThrows } from "@std/assert";
import { isSendable } from "../../status.ts";
import { checkCloseArguments, unsendable } from "../../src/web_socket/web_socket_sink.ts";

const check = (code?: number, reason?: string): void =>
  checkCloseArguments(code, reason, isSendable);

Deno.test("close arguments: none, a code, a code and a reason", () => {
  check();
  check(undefined, "");
  check(1000);
  check(1000, "");
  check(3005, "please close");
  check(4999, "x");
});

Deno.test("close arguments C2 C3 C4 G5 a code that may not be sent is a RangeError", () => {
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, -1, 1000.5, NaN]) {
    const error = assertThrows(() => check(code, "why"), RangeError);
    assertEquals(
      error.message,
      `Cannot close: the code must be one of 1000-1003, 1007-1014 and 3000-4999, got ${code}`,
    );
  }
  assertThrows(() => check("1000" as unknown as number), RangeError);
  assertThrows(() => check(null as unknown as number), RangeError);
});

Deno.test("close arguments G5 a reason needs a code", () => {
  const error = assertThrows(() => check(undefined, "why"), TypeError);
  assertEquals(error.message, 'Cannot close: a reason needs a code, got only "why"');
});

Deno.test("close arguments: a reason that is no text is a TypeError", () => {
  const error = assertThrows(() => check(1000, 42 as unknown as string), TypeError);
  assertEquals(error.message, "Cannot close: the reason must be a string, got number");
});

Deno.test("close arguments C5 a reason is at most 123 bytes of UTF-8. RFC 6455 §5.5", () => {
  check(1000, "x".repeat(123));
  check(1000, "é".repeat(61));
  check(1000, "€".repeat(41));
  check(1000, "🎈".repeat(30) + "abc");
  for (
    const [reason, bytes] of [
      ["x".repeat(124), 124],
      ["é".repeat(62), 124],
      ["€".repeat(41) + "x", 124],
      ["🎈".repeat(31), 124],
      // A lone surrogate becomes U+FFFD: three bytes.
      ["\ud800".repeat(42), 126],
    ] as const
  ) {
    const error = assertThrows(() => check(1000, reason), SyntaxError);
    assertEquals(
      error.message,
      `Cannot close: the reason must be at most 123 bytes of UTF-8, got ${bytes}`,
    );
  }
});

Deno.test("close arguments: unsendable names what can be sent", () => {
  const { message } = unsendable("x", "1000 only");
  assertEquals(message, "Cannot close: the code must be one of 1000 only, got a string");
});
