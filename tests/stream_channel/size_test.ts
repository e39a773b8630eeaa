import { assert, assertEquals } from "@std/assert";
import { sizeOf, sizeOfClone } from "../../src/stream_channel/counted_queue.ts";

Deno.test("sizeOf: the length of text and bytes, at least 32; other scalars count 64", () => {
  assertEquals(sizeOf(""), 32);
  assertEquals(sizeOf("x".repeat(100)), 100);
  assertEquals(sizeOf(new Uint8Array(new ArrayBuffer(500), 100, 200)), 200);
  assertEquals(sizeOf(new ArrayBuffer(500)), 500);
  for (const value of [0, null, undefined, true, 7n, Symbol("s"), () => {}]) {
    assertEquals(sizeOf(value), 64);
  }
  assertEquals(sizeOf(1n << 8000n), 1001);
});

Deno.test("sizeOf: an object counts with its whole content", () => {
  assertEquals(sizeOf({}), 64);
  assertEquals(sizeOf({ ab: "cde", f: [null] }), 64 + 2 + 3 + 8 + 1 + 64 + 8);
  assertEquals(sizeOf([new Uint8Array(100), new ArrayBuffer(50)]), 64 + 64 + 100 + 64 + 50);
  assertEquals(sizeOf(new Map<unknown, unknown>([["key", [1]]])), 64 + 8 + 3 + 64 + 8);
  assertEquals(sizeOf(new Set(["abc"])), 64 + 8 + 3);
  assertEquals(sizeOf({ blob: new Blob(["x".repeat(100)]) }), 64 + 4 + 64 + 100);
  assertEquals(sizeOf([1n << 8000n]), 64 + 1001);
  assertEquals(sizeOf([new Date(), /x/]), 64 + 64 + 64);
  const shared = { a: 1 };
  // With few objects or many, each counts once.
  const few = [shared, shared];
  assertEquals(sizeOf([few, few, few]), 64 + 64 + 64 + 1 + 8 + 8 + 8 + 8);
  const many = Array.from({ length: 50 }, () => ({}));
  assertEquals(sizeOf([...many, ...many]), 64 + 50 * 64 + 50 * 8);
  const bytes = new Uint8Array(100);
  assertEquals(sizeOf([bytes, bytes.subarray(1)]), 64 + 64 + 64 + 100);
  assertEquals(
    sizeOf([bytes, bytes, bytes.subarray(1), bytes.buffer]),
    64 + 64 + 8 + 64 + 64 + 100,
  );
  assertEquals(sizeOf([shared, shared]), 64 + 64 + 1 + 8 + 8);
  assert(sizeOf({ error: new Error("x".repeat(1000)) }) > 1000);
  // A page that is not isolated has no SharedArrayBuffer.
  const Shared = globalThis.SharedArrayBuffer;
  if (Shared !== undefined) assert(sizeOf([new Shared(1000)]) > 1000);
});

Deno.test("sizeOf: it supports deep values and cycles", () => {
  const depth = 90_000;
  const deep = JSON.parse("[".repeat(depth) + "]".repeat(depth));
  assertEquals(sizeOf(deep, Infinity), depth * 64);
  const cycle: unknown[] = [];
  cycle.push(cycle, cycle);
  assertEquals(sizeOf(cycle), 64 + 8 + 8);
});

Deno.test("sizeOf: counting stops when the size is large enough", () => {
  const many = Array.from({ length: 1000 }, () => [1]);
  assertEquals(sizeOf(many, Infinity), 64 + 1000 * 72);
  const size = sizeOf(many, 500);
  assert(size >= 500 && size < 700, `${size}`);
});

Deno.test("sizeOfClone: a view counts with its whole buffer", () => {
  assertEquals(sizeOfClone(new Uint8Array(new ArrayBuffer(500), 100, 200), 1000), 500);
  assertEquals(sizeOfClone(new DataView(new ArrayBuffer(500), 100), 1000), 500);
  assertEquals(sizeOfClone("text", 1000), 32);
  assertEquals(sizeOfClone({ view: new Uint8Array(500).subarray(1) }, 1000), 64 + 4 + 64 + 500);
});
