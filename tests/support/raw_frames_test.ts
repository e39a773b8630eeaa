import { Buffer } from "node:buffer";
import { assertEquals } from "@std/assert";
import { type ClientFrame, ClientFrames, opcodes, rawClose, rawFrame } from "./raw_frames.ts";

Deno.test("raw frames: RFC 6455 §5.7's unmasked examples", () => {
  assertEquals(rawFrame(opcodes.text, "Hello").toString("hex"), "810548656c6c6f");
  const first = rawFrame(opcodes.text, "Hel", { fin: false });
  const last = rawFrame(opcodes.continuation, "lo");
  assertEquals([first, last].map((it) => it.toString("hex")), ["010348656c", "80026c6f"]);
  assertEquals(rawFrame(opcodes.ping, "Hello").toString("hex"), "890548656c6c6f");
  const head = (size: number): string =>
    rawFrame(opcodes.binary, new Uint8Array(size)).subarray(0, -size).toString("hex");
  assertEquals([head(125), head(126), head(256)], ["827d", "827e007e", "827e0100"]);
  assertEquals([head(65535), head(65536)], ["827effff", "827f0000000000010000"]);
});

Deno.test("raw frames: a Close with and without a code, RSV bits", () => {
  assertEquals(rawClose().toString("hex"), "8800");
  assertEquals(rawClose(1000, "ok").toString("hex"), "880403e86f6b");
  assertEquals(rawFrame(opcodes.text, "", { rsv: 4 }).toString("hex"), "c100");
});

Deno.test("raw frames: a client's frames, whole, byte by byte and several at once", () => {
  // RFC 6455 §5.7: "a single-frame masked text message", then an unmasked fragment of 126 bytes.
  const bytes = Buffer.concat([
    Buffer.from("818537fa213d7f9f4d5158", "hex"),
    rawFrame(opcodes.binary, new Uint8Array(126).fill(7), { fin: false, rsv: 1 }),
    rawFrame(opcodes.continuation, new Uint8Array(65536)),
  ]);
  const expected: ClientFrame[] = [
    { fin: true, rsv: 0, opcode: 1, masked: true, payload: Buffer.from("Hello") },
    { fin: false, rsv: 1, opcode: 2, masked: false, payload: Buffer.alloc(126, 7) },
    { fin: true, rsv: 0, opcode: 0, masked: false, payload: Buffer.alloc(65536) },
  ];
  assertEquals(new ClientFrames().push(bytes), expected);
  const single = new ClientFrames();
  assertEquals([...bytes].flatMap((byte) => single.push(Buffer.of(byte))), expected);
});
