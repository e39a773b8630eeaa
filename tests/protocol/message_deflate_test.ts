import { assertEquals, assertInstanceOf } from "@std/assert";
import {
  InflateError,
  inflateFailure,
  type MessageDeflate,
} from "../../src/protocol/message_deflate.ts";
import { PreparedMessage } from "../../src/protocol/prepared_message.ts";
import { record, splits, told } from "./support.ts";
import { hex, joined, utf8 } from "../support/bytes.ts";
import { frame, KEY } from "../support/frames.ts";

/** A substitute for DEFLATE: it puts a 0 before the reversed payload; "!" does not shrink. */
const backwards: MessageDeflate = {
  compress: (payload) =>
    payload[0] === 0x21 ? null : joined([Uint8Array.of(0), payload.slice().reverse()]),
  decompress(payload, maxLength) {
    if (payload[0] !== 0) throw new InflateError("corrupt");
    if (payload.length - 1 > maxLength) throw new InflateError("too-big");
    return payload.slice(1).reverse();
  },
};
const deflate = { deflate: backwards };

Deno.test("deflate: messages are sent compressed, with RSV1, unless they do not shrink or opt out", () => {
  const { protocol, sent } = record("server", deflate);
  const sending: [() => void, Uint8Array][] = [
    [() => protocol.sendText("abc"), frame({ opcode: 1, rsv: 4, payload: "\0cba" })],
    [() => protocol.sendBinary(utf8("abc")), frame({ opcode: 2, rsv: 4, payload: "\0cba" })],
    [() => protocol.sendText("!abc"), frame({ opcode: 1, payload: "!abc" })],
    [() => protocol.sendBinary(utf8("!abc")), frame({ opcode: 2, payload: "!abc" })],
    [() => protocol.sendText("abc", { compress: false }), frame({ opcode: 1, payload: "abc" })],
    [
      () => protocol.sendBinary(utf8("abc"), { compress: false }),
      frame({ opcode: 2, payload: "abc" }),
    ],
    [
      () => protocol.sendText("abc", { compress: true }),
      frame({ opcode: 1, rsv: 4, payload: "\0cba" }),
    ],
    [() => protocol.sendBinary(utf8("abc"), {}), frame({ opcode: 2, rsv: 4, payload: "\0cba" })],
    [() => protocol.ping(utf8("abc")), frame({ opcode: 9, payload: "abc" })],
    [() => protocol.close(1000), frame({ opcode: 8, payload: Uint8Array.of(3, 232) })],
  ];
  for (const [send, expected] of sending) {
    send();
    assertEquals(sent(), hex(expected));
  }
});

Deno.test("deflate: compressed and plain messages alternate, in one frame and in fragments", () => {
  const wire = joined([
    frame({ opcode: 1, rsv: 4, payload: "\0olleh" }),
    frame({ opcode: 1, payload: "plain" }),
    frame({ opcode: 2, rsv: 4, fin: false, payload: "\0c" }),
    frame({ opcode: 9 }),
    frame({ opcode: 0, fin: false }),
    frame({ opcode: 0, payload: "ba" }),
    frame({ opcode: 1, rsv: 4, fin: false }),
    frame({ opcode: 0, payload: joined([Uint8Array.of(0), utf8("é").reverse()]) }),
  ]);
  for (const chunks of splits(wire)) {
    const peer = record("client", deflate);
    for (const chunk of chunks) peer.protocol.receive(chunk);
    assertEquals(told(peer), ["text hello", "text plain", "ping ", "binary 616263", "text é"]);
  }
});

function failureOf(payload: Uint8Array | string, options = {}): [string[], string] {
  const peer = record("client", { ...deflate, ...options });
  peer.protocol.receive(frame({ opcode: 1, rsv: 4, payload }));
  return [told(peer), peer.sent().slice(0, 4)];
}

Deno.test("deflate: corrupt 1007, too big 1009, not UTF-8 after inflating 1007, our own error 1011", () => {
  assertEquals(failureOf("corrupt")[0], ["failure 1007 Invalid compressed data"]);
  assertEquals(failureOf(Uint8Array.of(0, 0xff))[0], ["failure 1007 Invalid UTF-8"]);
  const bomb = {
    compress: () => null,
    decompress: (_: Uint8Array, max: number): Uint8Array => {
      assertEquals(max, 5);
      throw new InflateError("too-big");
    },
  };
  assertEquals(failureOf("\0", { maxMessageSize: 5, deflate: bomb })[0], [
    "failure 1009 Message too big",
  ]);
  const broken = {
    ...bomb,
    decompress: (): Uint8Array => {
      throw new Error("out of memory");
    },
  };
  assertEquals(failureOf("\0", { deflate: broken })[0], ["failure 1011 Decompression failed"]);
});

Deno.test("attack 20: the sum of compressed fragments is limited before they are inflated", () => {
  const peer = record("client", { ...deflate, maxMessageSize: 10 });
  peer.protocol.receive(frame({ opcode: 1, rsv: 4, fin: false, payload: new Uint8Array(6) }));
  peer.protocol.receive(frame({ opcode: 0, fin: false, payload: new Uint8Array(5) }));
  assertEquals(told(peer), ["failure 1009 Message too big"]);
});

Deno.test("deflate: after our own Close, nothing is inflated", () => {
  const peer = record("client", deflate);
  peer.protocol.close();
  peer.protocol.receive(frame({ opcode: 1, rsv: 4, payload: "corrupt" }));
  peer.protocol.receive(frame({ opcode: 8 }));
  assertEquals(told(peer), ["close 1005 "]);
});

Deno.test("deflate: a client masks compressed bytes, and does not change the compressor's buffer", () => {
  const compressed = utf8("compressed");
  const { protocol, sent } = record("client", {
    deflate: { ...backwards, compress: () => compressed },
  });
  protocol.sendText("x");
  assertEquals(sent(), hex(frame({ opcode: 1, rsv: 4, key: KEY, payload: "compressed" })));
  assertEquals(compressed, utf8("compressed"));
});

Deno.test("InflateError: an Error with its reason and its cause", () => {
  const cause = new Error("zlib");
  const error = new InflateError("corrupt", { cause });
  assertInstanceOf(error, Error);
  assertEquals([error.name, error.reason, error.cause], ["InflateError", "corrupt", cause]);
  assertEquals(inflateFailure(error).code, 1007);
  assertEquals(inflateFailure(new InflateError("too-big")).code, 1009);
  assertEquals(inflateFailure(undefined).code, 1011);
});

Deno.test("payloadSize: the size of the queued messages, before compression and without frames", () => {
  for (const options of [{}, deflate]) {
    const { protocol } = record("server", options);
    assertEquals(protocol.output.payloadSize, 0);
    protocol.sendText("é");
    protocol.sendText("a".repeat(40_000) + "é");
    protocol.sendBinary(new Uint8Array(300));
    protocol.sendPrepared(new PreparedMessage("prepared"));
    protocol.ping(utf8("abc"));
    protocol.close(1000);
    assertEquals(protocol.output.payloadSize, 2 + 40_002 + 300 + 8);
    protocol.output.takeAll();
    assertEquals(protocol.output.payloadSize, 0);
  }
});
