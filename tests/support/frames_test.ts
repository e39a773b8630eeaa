import { assertEquals, assertThrows } from "@std/assert";
import { fromHex, hex, joined, utf8 } from "./bytes.ts";
import {
  closeFrame,
  frame,
  FrameReader,
  framesIn,
  KEY,
  opcodes,
  type ReadFrame,
} from "./frames.ts";

Deno.test("frames: encode the examples of RFC 6455 §5.7", () => {
  assertEquals(hex(frame({ opcode: opcodes.text, payload: "Hello" })), "810548656c6c6f");
  const masked = frame({ opcode: opcodes.text, payload: "Hello", key: KEY });
  assertEquals(hex(masked), "818537fa213d7f9f4d5158");
  const first = frame({ opcode: opcodes.text, payload: "Hel", fin: false });
  const last = frame({ opcode: opcodes.continuation, payload: "lo" });
  assertEquals([first, last].map(hex), ["010348656c", "80026c6f"]);
  assertEquals(hex(frame({ opcode: opcodes.ping, payload: "Hello" })), "890548656c6c6f");
  const head = (size: number): string =>
    hex(frame({ opcode: opcodes.binary, payload: new Uint8Array(size) }).subarray(0, -size));
  assertEquals([head(125), head(126), head(256)], ["827d", "827e007e", "827e0100"]);
  assertEquals([head(65535), head(65536)], ["827effff", "827f0000000000010000"]);
});

Deno.test("frames: encode a Close with and without a code, RSV bits, and a length that is not the shortest", () => {
  assertEquals(hex(closeFrame()), "8800");
  assertEquals(hex(closeFrame(1000, "ok")), "880403e86f6b");
  assertEquals(hex(frame({ opcode: opcodes.text, rsv: 4 })), "c100");
  assertEquals(hex(frame({ opcode: opcodes.text, form: 64 })), "817f0000000000000000");
});

Deno.test("frames: decode from one chunk, byte by byte, and several at once", () => {
  const bytes = joined([
    fromHex("818537fa213d 7f9f4d5158"),
    frame({ opcode: 2, payload: new Uint8Array(126).fill(7), fin: false, rsv: 1 }),
    frame({ opcode: 0, payload: new Uint8Array(65536) }),
  ]);
  const expected: ReadFrame[] = [
    { fin: true, rsv: 0, opcode: 1, masked: true, payload: utf8("Hello") },
    { fin: false, rsv: 1, opcode: 2, masked: false, payload: new Uint8Array(126).fill(7) },
    { fin: true, rsv: 0, opcode: 0, masked: false, payload: new Uint8Array(65536) },
  ];
  assertEquals(framesIn(bytes), expected);
  const single = new FrameReader();
  assertEquals([...bytes].flatMap((byte) => single.push(Uint8Array.of(byte))), expected);
});

Deno.test("bytes: refuse a text that is not hexadecimal", () => {
  assertEquals(fromHex("0a FF\n00"), Uint8Array.of(10, 255, 0));
  for (const text of ["0", "0g", "123"]) assertThrows(() => fromHex(text), SyntaxError);
});
