import { assert, assertEquals } from "@std/assert";
import { decodeText, Utf8Validator } from "../../src/protocol/utf8.ts";
import { seededRandom } from "../support/random.ts";
import { fromHex, hex, utf8 } from "../support/bytes.ts";

function decode(bytes: Uint8Array): string | null {
  return decodeText(bytes, 0, bytes.length);
}

Deno.test("text: short and long text is decoded alike, and a BOM is kept", () => {
  const texts = [
    "",
    "a",
    "abcdefgh",
    "abcdefghi",
    "\ufeffabc",
    "é",
    "abcdefg\x7f",
    "abcdefgé",
    "漢😀",
  ];
  for (const text of texts) {
    for (const times of [1, 2, 9, 100]) {
      const long = text.repeat(times);
      assertEquals(decode(utf8(long)), long);
      assertEquals(decodeText(utf8(`<${long}>`), 1, 1 + utf8(long).length), long);
    }
  }
});

/** The position of the first byte that cannot be part of UTF-8, counted from 1; 0 for none. */
const bad: [string, number][] = [
  ["80", 1],
  ["bf", 1],
  ["c0 80", 1],
  ["c1 bf", 1],
  ["c2 41", 2],
  ["c2 c2", 2],
  ["e0 9f 80", 2],
  ["e0 a0 80", 0],
  ["e2 28 a1", 2],
  ["e2 82 28", 3],
  ["ed 9f bf", 0],
  ["ed a0 80", 2],
  ["ed bf bf", 2],
  ["f0 8f bf bf", 2],
  ["f0 90 80 80", 0],
  ["f4 8f bf bf", 0],
  ["f4 90 80 80", 2],
  ["f0 9f 98 7f", 4],
  ["f5 80 80 80", 1],
  ["fe", 1],
  ["ff", 1],
  ["ce ba e1 bd b9 cf 83 ce bc ce b5 f4 90 80 80 65", 13],
];

for (const [text, place] of bad) {
  for (const before of [0, 1, 7, 31, 32, 40, 300, 1000]) {
    Deno.test(`UTF-8: ${text} after ${before} bytes of ASCII fails at its byte ${place}`, () => {
      const bytes = new Uint8Array(before + fromHex(text).length + 600).fill(0x61);
      bytes.set(fromHex(text), before);
      const validator = new Utf8Validator();
      let at = 0;
      while (at < bytes.length && validator.push(bytes, at, at + 1)) at++;
      assertEquals(at, place === 0 ? bytes.length : before + place - 1);
      assertEquals(new Utf8Validator().push(bytes, 0, bytes.length), place === 0);
      assertEquals(new Utf8Validator().push(bytes, 0, at), true);
      assertEquals(decode(bytes) !== null, place === 0);
      for (const offset of [1, 2, 3]) {
        const moved = new Uint8Array(bytes.length + offset);
        moved.set(bytes, offset);
        assertEquals(new Utf8Validator().push(moved, offset, moved.length), place === 0);
      }
    });
  }
}

Deno.test("UTF-8: one invalid byte is found at any position of long ASCII", () => {
  for (const length of [300, 301, 302, 303, 315, 316]) {
    for (let at = 0; at < length; at++) {
      const bytes = new Uint8Array(length).fill(0x61);
      assert(new Utf8Validator().push(bytes, 0, length));
      bytes[at] = 0xff;
      assertEquals(new Utf8Validator().push(bytes, 0, length), false, `${at} of ${length}`);
    }
  }
});

Deno.test("UTF-8: the result equals the platform's decoder's for random bytes, split at random", () => {
  const random = seededRandom();
  const parts = [
    utf8("plain"),
    utf8("é漢😀"),
    Uint8Array.of(0xf0),
    Uint8Array.of(0x80),
    utf8("x".repeat(300)),
  ];
  for (let round = 0; round < 3000; round++) {
    const some = Array.from({ length: random.integer(0, 6) }, () => random.pick(parts));
    const bytes = Uint8Array.from(some.flatMap((part) => [...part]));
    const label = `${hex(bytes)}, seed ${random.seed}`;
    const platform = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    let expected: string | null = null;
    try {
      expected = platform.decode(bytes);
    } catch { /* not UTF-8 */ }
    assertEquals(decode(bytes), expected, label);
    const validator = new Utf8Validator();
    const valid = random.split(bytes, 50).every((part) => validator.push(part, 0, part.length));
    // A truncated text is still the beginning of UTF-8.
    if (expected !== null) assert(valid, label);
    if (!valid) assertEquals(expected, null, label);
  }
});

Deno.test("a validator reports whether its input ends between two code points", () => {
  const validator = new Utf8Validator();
  assertEquals(validator.isComplete, true);
  validator.push(Uint8Array.of(97, 0xc3), 0, 2);
  assertEquals(validator.isComplete, false);
  validator.push(Uint8Array.of(0xa9), 0, 1);
  assertEquals(validator.isComplete, true);
});
