import { assertEquals } from "@std/assert";
import {
  decodeHeader,
  encodeHeader,
  encodeKey,
  FrameHeader,
  headerLength,
} from "../../src/protocol/frame.ts";
import { fromHex, hex } from "../support/bytes.ts";
import { frame, KEY, KEY_NUMBER } from "../support/frames.ts";

const lengths = [0, 1, 125, 126, 127, 255, 256, 65535, 65536, 2 ** 31, 2 ** 32 + 5, 2 ** 53 - 1];

for (const length of lengths) {
  for (const masked of [false, true]) {
    Deno.test(`header of ${length} bytes, masked ${masked}: encoded, decoded, truncated`, () => {
      const bytes = new Uint8Array(20).fill(0xee);
      const keyAt = encodeHeader(bytes, 3, 0xc2, length, masked);
      const end = masked ? encodeKey(bytes, keyAt, KEY_NUMBER) : keyAt;
      assertEquals(end - 3, headerLength(length, masked));
      assertEquals(bytes[end], 0xee);
      const header = new FrameHeader();
      for (let cut = 3; cut < end; cut++) {
        assertEquals(decodeHeader(bytes, 3, cut, header), 0);
        assertEquals([header.flags, header.length], [0, 0]);
      }
      assertEquals(decodeHeader(bytes, 3, 20, header), end - 3);
      const { flags, opcode, fin, isControl, key } = header;
      assertEquals([flags, opcode, fin, isControl], [0xc2, 2, true, false]);
      assertEquals([header.length, header.masked], [length, masked]);
      assertEquals(key, masked ? KEY_NUMBER : 0);
    });
  }
}

Deno.test("header: the encoded bytes equal hand-written ones", () => {
  for (const length of [0, 5, 125, 126, 65535, 65536]) {
    const bytes = new Uint8Array(14);
    const end = encodeKey(bytes, encodeHeader(bytes, 0, 0x81, length, true), KEY_NUMBER);
    const byHand = frame({ opcode: 1, key: KEY, payload: new Uint8Array(length) });
    assertEquals(hex(bytes.subarray(0, end)), hex(byHand.subarray(0, end)));
  }
});

Deno.test("header: lengths above the safe integers", () => {
  const decode = (text: string): number => {
    const header = new FrameHeader();
    decodeHeader(fromHex(text), 0, 10, header);
    return header.length;
  };
  assertEquals(decode("82 7f 00 20 00 00 00 00 00 00"), 2 ** 53);
  assertEquals(decode("82 7f 00 20 00 00 00 00 00 02"), 2 ** 53 + 2);
  assertEquals(decode("82 7f 7f ff ff ff ff ff ff ff"), 2 ** 63);
  assertEquals(decode("82 7f 80 00 00 00 00 00 00 00"), -1);
  assertEquals(decode("82 7f ff ff ff ff ff ff ff ff"), -1);
});

Deno.test("header: a key whose first bit is set", () => {
  const header = new FrameHeader();
  decodeHeader(fromHex("81 80 ff 00 00 01"), 0, 6, header);
  const bytes = new Uint8Array(4);
  encodeKey(bytes, 0, header.key);
  assertEquals(hex(bytes), "ff000001");
});
