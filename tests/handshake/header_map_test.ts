import { assert, assertEquals, assertFalse } from "@std/assert";
import { HeaderMap, splitList, trim } from "../../src/handshake/header_map.ts";

Deno.test("trim removes spaces and tabs, and nothing else", () => {
  assertEquals(trim(" \t a b\t "), "a b");
  assertEquals(trim("a"), "a");
  assertEquals(trim(" \t "), "");
  assertEquals(trim(""), "");
  assertEquals(trim("\u{a0}a\u{a0}"), "\u{a0}a\u{a0}");
});

Deno.test("splitList ignores empty elements", () => {
  assertEquals(splitList(" a ,,b,\t, c d ,"), ["a", "b", "c d"]);
  assertEquals(splitList(""), []);
});

Deno.test("A HeaderMap keeps every value of a name, in any letter case", () => {
  const headers = new HeaderMap([["Set-Cookie", "a"], ["X", ""], ["set-COOKIE", "b"]]);
  assertEquals(headers.get("SET-cookie"), "a, b");
  assertEquals(headers.all("Set-Cookie"), ["a", "b"]);
  assertEquals(headers.get("x"), "");
  assert(headers.has("X"));
  assertFalse(headers.has("Y"));
  assertEquals(headers.get("Y"), null);
  assertEquals(headers.all("Y"), []);
  assertEquals([...headers], [["set-cookie", "a"], ["set-cookie", "b"], ["x", ""]]);
  assertEquals([...new HeaderMap()], []);
});

Deno.test("A HeaderMap finds a word in lists over several lines", () => {
  const headers = new HeaderMap([["Connection", "keep-alive , Upgrade"], ["Connection", "x"]]);
  assert(headers.lists("connection", "upgrade"));
  assert(headers.lists("connection", "x"));
  assertFalse(headers.lists("connection", "keep"));
  assertFalse(headers.lists("upgrade", "websocket"));
});

Deno.test("A HeaderMap treats the names of an object's own members like any other name", () => {
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    const empty = new HeaderMap();
    assertFalse(empty.has(name));
    assertEquals(empty.get(name), null);
    assertEquals([...new HeaderMap([[name, "v"]])], [[name.toLowerCase(), "v"]]);
  }
});

Deno.test("A map of alternating names and values ignores a name without a value", () => {
  const map = HeaderMap.ofRaw(["A", "1", "b", "2", "a", "3", "c"]);
  assertEquals([map.get("a"), map.get("B"), map.get("c")], ["1, 3", "2", null]);
});

Deno.test("header map: a list of pairs may contain a name without a value, which is ignored", () => {
  for (const raw of [["A", "1", "b", "2"], ["A", "1", "b", "2", "C"]]) {
    assertEquals([...HeaderMap.ofRaw(raw)], [["a", "1"], ["b", "2"]]);
    assertEquals(HeaderMap.ofRaw(raw).get("B"), "2");
  }
});

Deno.test("header map: in a list, spaces and tabs around a value are removed", () => {
  const map = HeaderMap.ofRaw(["Upgrade", " \t websocket \t", "X", "\t", "Y", "a \t b"]);
  assertEquals([...map], [["upgrade", "websocket"], ["x", ""], ["y", "a \t b"]]);
});
