import { assertEquals } from "@std/assert";
import { hexLines, printable, printableJson, printableLines } from "../../src/cli/printable.ts";

Deno.test("attack 80: printable: escapes every character that a terminal executes, hides or reorders", () => {
  assertEquals(
    printable("a\x1b[2Jb\r\n\t\x7f\x9b\u202e\u2066\u200b\ufeff"),
    "a\\x1b[2Jb\\r\\n\\t\\x7f\\x9b\\u202e\\u2066\\u200b\\ufeff",
  );
  assertEquals(printable("grüße 😀 \u{e0041}"), "grüße 😀 \\u{e0041}");
  assertEquals(printable("\ud800x\udc00"), "\\ud800x\\udc00");
  for (let code = 0; code < 0xa0; code++) {
    if (code >= 0x20 && code < 0x7f) continue;
    assertEquals(/^\\[a-z0-9]+$/.test(printable(String.fromCharCode(code))), true, `${code}`);
  }
  assertEquals(printableLines("a\r\nb\nc\x07"), "a\n  b\n  c\\x07");
  const value = { text: "\x1b\x9b\u202e😀", list: ["\n"] };
  const json = printableJson(value);
  assertEquals(json, '{"text":"\\u001b\\u009b\\u202e😀","list":["\\n"]}');
  assertEquals(JSON.parse(json), value);
});

Deno.test("W27 printable: prints bytes in hexadecimal, up to a limit", () => {
  const [line, rest] = hexLines(Uint8Array.from({ length: 20 }, (_, i) => i + 60), 16);
  assertEquals(line, "000000  3c 3d 3e 3f 40 41 42 43 44 45 46 47 48 49 4a 4b  <=>?@ABCDEFGHIJK");
  assertEquals(rest, "… 4 more bytes");
  assertEquals(hexLines(new Uint8Array(0)), []);
});
