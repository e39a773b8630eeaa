import { assertEquals } from "@std/assert";
import {
  type Extension,
  parseExtensions,
  serializeExtensions,
} from "../../src/handshake/extensions.ts";
import { assertFailures, failureMessage } from "./support.ts";

Deno.test("Extensions are read with their parameters, in order", () => {
  const cases: [string, Extension[]][] = [
    ["a", [{ name: "a", parameters: [] }]],
    [" \ta\t ", [{ name: "a", parameters: [] }]],
    ["a, b", [{ name: "a", parameters: [] }, { name: "b", parameters: [] }]],
    [", a,,b ,", [{ name: "a", parameters: [] }, { name: "b", parameters: [] }]],
    ["a;b;c=d", [{ name: "a", parameters: [["b", null], ["c", "d"]] }]],
    ["a ; b = c ;d", [{ name: "a", parameters: [["b", "c"], ["d", null]] }]],
    ["a; b=1; b=2", [{ name: "a", parameters: [["b", "1"], ["b", "2"]] }]],
    ['a; b="c" ; d', [{ name: "a", parameters: [["b", "c"], ["d", null]] }]],
    ['a; b="\\c\\d"', [{ name: "a", parameters: [["b", "cd"]] }]],
    ["__proto__; constructor=toString", [
      { name: "__proto__", parameters: [["constructor", "toString"]] },
    ]],
    ["permessage-deflate; client_max_window_bits", [
      { name: "permessage-deflate", parameters: [["client_max_window_bits", null]] },
    ]],
  ];
  for (const [text, expected] of cases) assertEquals(parseExtensions(text), expected, text);
});

Deno.test("Malformed extensions are rejected", () => {
  const texts = [
    "",
    " ",
    ",",
    ", ,",
    ";",
    "=",
    "a;",
    "a; ;b",
    "a b",
    "a;b c",
    "a=b",
    "a;=b",
    "a;b=",
    "a;b= ,c",
    "a;b=c=d",
    "a;b=c d",
    'a;b="',
    'a;b="c',
    'a;b="c\\',
    'a;b="c\\"',
    'a;b=""',
    'a;b="c d"',
    'a;b="c,d"',
    'a;b="c"d',
    'a;"b"=c',
    '"a"',
    "a/b",
    "é",
    "a\x00",
    "a\r\nb",
    "a;b=(c)",
  ];
  assertFailures("bad-extensions", texts.map((it) => [it, () => parseExtensions(it)] as const));
  assertEquals(
    failureMessage(() => parseExtensions("abc d")),
    "Sec-WebSocket-Extensions is malformed at character 4",
  );
});

Deno.test("extensions are written in the form in which they are read", () => {
  const text = "a; b; c=d, e";
  assertEquals(serializeExtensions(parseExtensions(text)), text);
  assertEquals(serializeExtensions([]), "");
});
