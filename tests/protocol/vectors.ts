/** A table of frames, for encoding and decoding. */

import type { Side } from "../../src/protocol/frame.ts";
import { fromHex, hex, utf8 } from "../support/bytes.ts";
import { closePayload, frame, KEY } from "../support/frames.ts";

export interface Vector {
  name: string;
  /** The receiver. */
  side: Side;
  /** The bytes. */
  wire: Uint8Array<ArrayBuffer>;
  /** The receiver's events. */
  told: string[];
  /** The sender's call; omitted for frames that the package never sends. */
  send?: { text: string } | { binary: Uint8Array } | { ping: Uint8Array } | { pong: Uint8Array } | {
    close: [code?: number, reason?: string];
  };
}

const hello = utf8("Hello");

/** The examples of RFC 6455 §5.7, byte for byte. */
const rfc: Vector[] = [
  {
    name: "RFC 6455 §5.7: a single-frame unmasked text message",
    side: "client",
    wire: fromHex("81 05 48 65 6c 6c 6f"),
    told: ["text Hello"],
    send: { text: "Hello" },
  },
  {
    name: "RFC 6455 §5.7: a single-frame masked text message",
    side: "server",
    wire: fromHex("81 85 37 fa 21 3d 7f 9f 4d 51 58"),
    told: ["text Hello"],
    send: { text: "Hello" },
  },
  {
    name: "RFC 6455 §5.7: a fragmented unmasked text message",
    side: "client",
    wire: fromHex("01 03 48 65 6c 80 02 6c 6f"),
    told: ["text Hello"],
  },
  {
    name: "RFC 6455 §5.7: unmasked Ping request",
    side: "client",
    wire: fromHex("89 05 48 65 6c 6c 6f"),
    told: [`ping ${hex(hello)}`],
    send: { ping: hello },
  },
  {
    name: "RFC 6455 §5.7: masked Pong response",
    side: "server",
    wire: fromHex("8a 85 37 fa 21 3d 7f 9f 4d 51 58"),
    told: [`pong ${hex(hello)}`],
    send: { pong: hello },
  },
  {
    name: "RFC 6455 §5.7: 256 bytes binary message in a single unmasked frame",
    side: "client",
    wire: fromHex("82 7e 01 00" + "5a".repeat(256)),
    told: [`binary ${"5a".repeat(256)}`],
    send: { binary: new Uint8Array(256).fill(0x5a) },
  },
  {
    name: "RFC 6455 §5.7: 64 KiB binary message in a single unmasked frame",
    side: "client",
    wire: fromHex("82 7f 00 00 00 00 00 01 00 00" + "5a".repeat(65536)),
    told: [`binary ${"5a".repeat(65536)}`],
    send: { binary: new Uint8Array(65536).fill(0x5a) },
  },
];

/** The same frame for both sides. */
function both(
  name: string,
  spec: { opcode: number; payload?: Uint8Array | string },
  told: string[],
  send: NonNullable<Vector["send"]>,
): Vector[] {
  return [
    { name: `${name}, masked`, side: "server", wire: frame({ ...spec, key: KEY }), told, send },
    { name: `${name}, unmasked`, side: "client", wire: frame(spec), told, send },
  ];
}

function binary(length: number): Vector[] {
  const payload = Uint8Array.from({ length }, (_, i) => i * 7 + 1);
  const told = [`binary ${hex(payload)}`];
  return both(`G24 binary of ${length} bytes`, { opcode: 2, payload }, told, { binary: payload });
}

function text(name: string, payload: string, received: string = payload): Vector[] {
  return both(name, { opcode: 1, payload }, [`text ${received}`], { text: payload });
}

function close(name: string, code?: number, reason = ""): Vector[] {
  const payload = code === undefined ? new Uint8Array(0) : closePayload(code, reason);
  const told = [`close ${code ?? 1005} ${reason}`];
  const close: [code?: number, reason?: string] = code === undefined ? [] : [code, reason];
  return both(name, { opcode: 8, payload }, told, { close });
}

const longText = "é漢😀x".repeat(2000);

export const vectors: readonly Vector[] = [
  ...rfc,
  ...[0, 1, 2, 3, 47, 48, 51, 125, 126, 127, 16383, 16384, 65535, 65536].flatMap(binary),
  ...text("empty text", ""),
  ...text("text of one code point of each length", "aé漢😀"),
  ...text("G22 text with a BOM", "\ufeffBOM"),
  ...text("text of 125 bytes in fewer units", "é".repeat(62) + "a"),
  ...text("text of 126 bytes in 63 units", "é".repeat(63)),
  ...text("ASCII of 49 units", "a".repeat(49)),
  ...text("ASCII of 40,000 units", "0123456789".repeat(4000)),
  ...text("text of 22,000 bytes", longText),
  ...text("text of 65,538 bytes in 21,846 units", "漢".repeat(21846)),
  ...text("text of 65,538 bytes, nearly all ASCII", "x".repeat(65535) + "漢"),
  ...text("a lone surrogate", "a\ud800b", "a\ufffdb"),
  ...both("an empty Ping", { opcode: 9 }, ["ping "], { ping: new Uint8Array(0) }),
  ...both("a Ping of 125 bytes", { opcode: 9, payload: new Uint8Array(125).fill(9) }, [
    `ping ${"09".repeat(125)}`,
  ], { ping: new Uint8Array(125).fill(9) }),
  ...both("a Pong", { opcode: 10, payload: "pong" }, [`pong ${hex(utf8("pong"))}`], {
    pong: utf8("pong"),
  }),
  ...close("an empty Close"),
  ...close("a Close with a code", 1001),
  ...close("a Close with a code and a reason", 4321, "raisin é"),
  ...close("a Close with a reason of 123 bytes", 1000, "r".repeat(123)),
];
