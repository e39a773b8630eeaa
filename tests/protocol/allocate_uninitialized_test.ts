import { assertEquals } from "@std/assert";
import { allocateUninitialized } from "../../src/protocol/allocate_uninitialized.ts";

Deno.test("allocateUninitialized returns plain bytes in their own buffer, of any size", () => {
  for (const length of [0, 1, 0xfff, 0x1000, 0x10_0001]) {
    const bytes = allocateUninitialized(length);
    assertEquals(bytes.constructor, Uint8Array);
    assertEquals([bytes.length, bytes.byteOffset], [length, 0]);
    assertEquals(bytes.buffer.byteLength, length);
  }
});
