import { assert, assertEquals } from "@std/assert";
import { applyMask, copyMasked } from "../../src/protocol/mask.ts";
import { seededRandom } from "../support/random.ts";
import { hex } from "../support/bytes.ts";

const random = seededRandom();

/** RFC 6455 §5.3, literally: octet i is XORed with octet i modulo 4 of the key. */
function reference(payload: Uint8Array, key: number, phase = 0): Uint8Array {
  return payload.map((byte, i) => byte ^ (key >>> (24 - 8 * ((i + phase) % 4))) & 255);
}

const lengths = [0, 1, 2, 3, 4, 5, 7, 8, 31, 47, 48, 49, 50, 51, 52, 63, 79, 80, 81, 100, 1000];

for (const key of [0, 0x37fa213d, -1, 0x80000001 | 0, 0xff000000]) {
  Deno.test(`mask: every length, offset and phase, key ${key}`, () => {
    for (const length of lengths) {
      for (let offset = 0; offset < 5; offset++) {
        for (let phase = 0; phase < 5; phase++) {
          const bytes = random.bytes(length + 16);
          // A view that begins anywhere in its buffer.
          const view = bytes.subarray(offset);
          const expected = bytes.slice();
          const start = offset + 3;
          expected.set(reference(bytes.subarray(start, start + length), key, phase), start);
          applyMask(view, 3, 3 + length, key, phase);
          assertEquals(hex(bytes), hex(expected), `${length}, ${offset}, seed ${random.seed}`);
        }
      }
    }
  });
}

Deno.test("mask: copies have every length and offset, and the source is unchanged", () => {
  for (const length of [...lengths, 16383, 16384, 16385, 40001]) {
    const source = random.bytes(length);
    const before = source.slice();
    const expected = reference(source, 0x81fa213d);
    for (let at = 0; at < 5; at++) {
      const target = new Uint8Array(length + 8);
      copyMasked(source, source.length, target, at, 0x81fa213d);
      const same = Array.from(expected).every((byte, i) => byte === target[at + i]);
      assert(same, `${length} bytes at ${at}, seed ${random.seed}`);
      assertEquals([target.subarray(0, at), target.subarray(at + length)].map((it) => hex(it)), [
        "00".repeat(at),
        "00".repeat(8 - at),
      ]);
    }
    assert(source.every((byte, i) => byte === before[i]));
  }
});

Deno.test("mask: many frames in one chunk, and alternating chunks of any offset and size", () => {
  const chunks = [5, 64 * 1024, 200_000, 131_072].map((offset, i) => {
    const bytes = random.bytes(2000 + 8);
    const buffer = new ArrayBuffer(i % 2 === 0 ? 3000 : 200_000);
    const chunk = new Uint8Array(buffer, offset % 7, bytes.length);
    chunk.set(bytes);
    return { chunk, expected: bytes };
  });
  for (let round = 0; round < 200; round++) {
    const { chunk, expected } = random.pick(chunks);
    const start = random.integer(0, 1000);
    const end = random.integer(start, 2000);
    const key = random.integer(-(2 ** 31), 2 ** 31 - 1);
    expected.set(reference(expected.subarray(start, end), key), start);
    applyMask(chunk, start, end, key, 0);
    assertEquals(hex(chunk), hex(expected), `round ${round}, seed ${random.seed}`);
  }
});
