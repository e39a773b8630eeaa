import { assertEquals } from "@std/assert";
import { FrameReader } from "../../src/cli/frame_reader.ts";
import { seededRandom } from "../support/random.ts";

/** Encodes a frame without the library. */
function frame(flags: number, payload: Uint8Array, key?: readonly number[]): number[] {
  const mask = key === undefined ? 0 : 0x80;
  const { length } = payload;
  const size = length < 126 ? [mask | length] : [mask | 126, length >> 8, length & 255];
  const body = [...payload].map((it, i) => it ^ (key?.[i % 4] ?? 0));
  return [flags, ...size, ...key ?? [], ...body];
}

const text = (it: string): Uint8Array => new TextEncoder().encode(it);

/** The events of a reader that gets bytes in pieces. */
function told(bytes: readonly number[], sizeOf: () => number, limit = 1000): string[] {
  const lines: string[] = [];
  const reader = new FrameReader({
    onFrame: ({ name, fin, rsv, masked, size }) =>
      lines.push(`${name} ${fin} ${rsv} ${masked} ${size}`),
    onMessage: ({ kind, size, frames, isCompressed, content }) =>
      lines.push(
        `${kind} of ${size} in ${frames}${isCompressed ? ", compressed" : ""}: ${
          content === null ? null : new TextDecoder().decode(content)
        }`,
      ),
    onControl: (name, payload) => lines.push(`${name}: ${[...payload]}`),
  }, limit);
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(at + sizeOf(), bytes.length);
    reader.push(Uint8Array.from(bytes.slice(at, end)));
    at = end;
  }
  return lines;
}

Deno.test("W29 frame reader: reads frames, messages and control frames from chunks of any size", () => {
  const key = [1, 2, 3, 4];
  const bytes = [
    ...frame(0x81, text("hello"), key),
    ...frame(0x01, text("in "), key),
    ...frame(0x89, Uint8Array.of(7), key),
    ...frame(0x00, text("three "), key),
    ...frame(0x80, text("parts"), key),
    ...frame(0x82, new Uint8Array(2000), key),
    ...frame(0xc1, text("packed"), key),
    ...frame(0x8a, new Uint8Array(0)),
    ...frame(0x83, text("?")),
    ...frame(0x88, Uint8Array.of(3, 232), key),
  ];
  const expected = [
    "text true 0 true 5",
    "text of 5 in 1: hello",
    "text false 0 true 3",
    "ping true 0 true 1",
    "ping: 7",
    "continuation false 0 true 6",
    "continuation true 0 true 5",
    "text of 14 in 3: in three parts",
    "binary true 0 true 2000",
    "binary of 2000 in 1: null",
    "text true 4 true 6",
    "text of 6 in 1, compressed: null",
    "pong true 0 false 0",
    "pong: ",
    "reserved 3 true 0 false 1",
    "binary of 1 in 1: ?",
    "close true 0 true 2",
    "close: 3,232",
  ];
  assertEquals(told(bytes, () => bytes.length), expected);
  assertEquals(told(bytes, () => 1), expected);
  const { seed, integer } = seededRandom();
  for (let i = 0; i < 20; i++) {
    assertEquals(told(bytes, () => integer(1, 50)), expected, `seed ${seed}`);
  }
});

Deno.test("attack 80: frame reader: a header with a huge length allocates no memory", () => {
  const huge = [0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255, ...new Array(100).fill(1)];
  assertEquals(told(huge, () => 7), []);
});
