import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  byteLengthOf,
  bytesOf,
  copyOf,
  isArrayBuffer,
  isBinary,
  lengthOf,
  plainBytes,
} from "../../src/realm/bytes.ts";
import { HOSTILE_KINDS, hostileBytes, withoutBytes } from "../support/hostile_bytes.ts";
import { foreign } from "../support/foreign_realm.ts";

const SIZES = [1, 32, 33, 100];

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i + length);
}

/** The elements as an array of bytes stores them, ignoring the object's own members. */
function elements(bytes: Uint8Array): number[] {
  return Array.from({ length: lengthOf(bytes) }, (_, i) => (bytes[i] as number) & 0xff);
}

Deno.test("bytes: bytes of every kind are read unchanged", () => {
  for (const kind of HOSTILE_KINDS) {
    for (const size of SIZES) {
      const { value, expected } = hostileBytes(kind, pattern(size));
      const what = `${kind}, ${size} bytes`;
      assert(isBinary(value), what);
      assertEquals(byteLengthOf(value), size, what);
      assertEquals(elements(bytesOf(value)), [...expected], what);
      assertEquals(plainBytes(value), expected, what);
      assertEquals(copyOf(value), expected, what);
      assert(copyOf(value).buffer !== (value.buffer ?? value), what);
    }
  }
});

Deno.test("bytes: a view keeps its bounds and isn't copied", () => {
  const buffer = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7).buffer;
  const bytes = new Uint8Array(buffer, 2, 3);
  assertStrictEquals(bytesOf(bytes), bytes);
  assertEquals(bytesOf(buffer), Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7));
  assertEquals(bytesOf(new DataView(buffer, 1, 2)), Uint8Array.of(1, 2));
  assertEquals(bytesOf(new Uint16Array(buffer, 2, 2)), Uint8Array.of(2, 3, 4, 5));
  for (const view of [bytes, new DataView(buffer), new Float64Array(buffer), buffer]) {
    assertStrictEquals(plainBytes(view).buffer, buffer);
  }
  assertEquals([bytesOf(new ArrayBuffer(0)), bytesOf(new Uint8Array())].map(lengthOf), [0, 0]);
});

Deno.test("bytes: a detached buffer or a value without bytes throws a TypeError", () => {
  for (const [name, value] of withoutBytes()) {
    for (const read of [bytesOf, plainBytes, copyOf]) {
      assertThrows(() => read(value), TypeError, "", name);
    }
    assert([null, 0].includes(byteLengthOf(value)), name);
  }
  const seen = withoutBytes().map(([_name, value]) => isBinary(value));
  assertEquals(seen, [true, true, true, true, false, false, false, false, false]);
  for (const no of ["text", [1], { byteLength: 1 }, new Blob([]), null, undefined, 1]) {
    assertEquals([isBinary(no), isArrayBuffer(no), byteLengthOf(no)], [false, false, null]);
  }
});

Deno.test("bytes: bytes of another realm are accepted", () => {
  const realm = foreign();
  if (realm === null) return;
  const values = [
    "new Uint8Array([1, 2, 3, 4])",
    "new Uint8Array([1, 2, 3, 4]).buffer",
    "new DataView(new Uint8Array([1, 2, 3, 4]).buffer)",
    "new Int8Array([1, 2, 3, 4])",
  ].map((it) => realm<Uint8Array>(it));
  for (const value of values) {
    assert(isBinary(value));
    assertEquals(byteLengthOf(value), 4);
    assertEquals(elements(bytesOf(value)), [1, 2, 3, 4]);
    assertEquals(plainBytes(value), Uint8Array.of(1, 2, 3, 4));
  }
});

Deno.test("bytes: shared memory is copied where its length must not change", () => {
  if (typeof SharedArrayBuffer === "undefined") return;
  for (const size of [33, 20_000]) {
    const shared = new Uint8Array(new SharedArrayBuffer(size)).fill(1);
    for (
      const bytes of [
        plainBytes(shared),
        copyOf(shared),
        bytesOf(new Uint16Array(shared.buffer, 0, 16)),
      ]
    ) {
      assertEquals(bytes, new Uint8Array(bytes.length).fill(1));
      assert(isArrayBuffer(bytes.buffer));
    }
    assertStrictEquals(bytesOf(shared), shared);
  }
});

Deno.test("bytes: optimised code also detects a detached buffer", () => {
  const empty = new Uint8Array(0);
  for (let i = 0; i < 300_000; i++) bytesOf(empty);
  for (const [what, value] of withoutBytes()) {
    if (isBinary(value)) assertThrows(() => bytesOf(value), TypeError, undefined, what);
  }
});
