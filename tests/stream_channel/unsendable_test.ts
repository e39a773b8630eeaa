import { assertEquals } from "@std/assert";
import { findUnsendable, whyNoJson } from "../../src/stream_channel/unsendable.ts";

Deno.test("the first thing without JSON, in JSON.stringify's order", () => {
  assertEquals(findUnsendable({ a: [1, { b: 1n }], c: NaN }), {
    what: "JSON has no bigint",
    place: "$.a[1].b",
    isOurs: true,
  });
  assertEquals(findUnsendable({ a: undefined, b: [null], c: "x" }), null);
  const thrower = { toJSON: () => Promise.reject };
  assertEquals(findUnsendable(thrower)?.what, "JSON has no function");
});

Deno.test("whyNoJson looks at a value itself, not inside", () => {
  for (const value of [null, 1, "x", false, {}, [NaN], { a: 1n }, new Date(NaN)]) {
    assertEquals(whyNoJson(value), null);
  }
  for (const value of [undefined, NaN, 1n, new Map(), new Uint8Array(1)]) {
    assertEquals(typeof whyNoJson(value), "string");
  }
});
