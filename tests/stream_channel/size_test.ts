import { assert, assertEquals } from "@std/assert";
import { sizeOf, sizeOfDocument } from "../../src/stream_channel/size.ts";

Deno.test("sizeOf: the length of text and bytes, at least 32; else 64", () => {
  assertEquals(sizeOf(""), 32);
  assertEquals(sizeOf("x".repeat(100)), 100);
  assertEquals(sizeOf(new Uint8Array(new ArrayBuffer(500), 100, 200)), 200);
  assertEquals(sizeOf(new ArrayBuffer(500)), 500);
  for (const value of [0, null, undefined, {}, ["x".repeat(1000)]]) assertEquals(sizeOf(value), 64);
});

Deno.test("sizeOfDocument: with all that is inside", () => {
  assertEquals(sizeOfDocument("x".repeat(100)), 100);
  assertEquals(sizeOfDocument(7), 64);
  assertEquals(sizeOfDocument(null), 64);
  assertEquals(sizeOfDocument(new Uint8Array(100)), 100);
  assertEquals(sizeOfDocument({}), 64);
  assertEquals(sizeOfDocument({ ab: "cde", f: [null] }), 64 + 2 + 3 + 8 + 1 + 64 + 1 + 8);
});

Deno.test("sizeOfDocument: neither depth nor a cycle is too much", () => {
  const depth = 90_000;
  const deep = JSON.parse("[".repeat(depth) + "]".repeat(depth));
  assert(sizeOfDocument(deep) >= depth * 64);
  const cycle: unknown[] = [];
  cycle.push(cycle, cycle);
  assert(sizeOfDocument(cycle) > 64);
});
