import { assert, assertEquals } from "@std/assert";
import { FrameWriter } from "../../src/protocol/frame_writer.ts";
import { frame, hex, joined, KEY, KEY_NUMBER, utf8 } from "./support.ts";

Deno.test("writer: pieces of all kinds in order, sizes told beforehand", () => {
  for (const masked of [false, true]) {
    const writer = new FrameWriter(masked ? () => KEY_NUMBER : null, false);
    const key = masked ? { key: KEY } : {};
    const expected: Uint8Array[] = [];
    for (const length of [3, 20_000, 5, 0, 16_384, 16_383, 70_000, 1]) {
      const payload = new Uint8Array(length).fill(length);
      const text = "é".repeat(length >> 1);
      writer.write(0x82, payload);
      writer.writeText(0x81, text);
      expected.push(
        frame({ opcode: 2, payload, ...key }),
        frame({ opcode: 1, payload: text, ...key }),
      );
      assertEquals(writer.sizeOf(payload), expected.at(-2)?.length);
    }
    const all = joined(expected);
    assertEquals(writer.size, all.length);
    assert(hex(joined(writer.take())) === hex(all));
  }
});

Deno.test("writer: text that grows in the middle of a pair of surrogates", () => {
  for (let before = 16_380; before < 16_390; before++) {
    const text = "x".repeat(before) + "😀".repeat(3000) + "\udc00";
    const writer = new FrameWriter(null, false);
    writer.writeText(0x81, text);
    const expected = frame({ opcode: 1, payload: utf8(text) });
    assert(hex(joined(writer.take())) === hex(expected), `${before}`);
  }
});

Deno.test("writer: a masking key a frame, asked for in order", () => {
  let next = 1;
  const writer = new FrameWriter(() => next++, false);
  writer.write(0x82, new Uint8Array(4));
  writer.writeText(0x81, "\0\0");
  writer.write(0x89, new Uint8Array(0));
  assertEquals(
    hex(joined(writer.take())),
    "828400000001" + "00000001" + "818200000002" + "0000" + "898000000003",
  );
});
