import { assert, assertEquals, assertFalse, assertStrictEquals, assertThrows } from "@std/assert";
import type { Side } from "../../src/protocol/frame.ts";
import { PreparedMessage } from "../../src/protocol/prepared_message.ts";
import { Protocol } from "../../src/protocol/protocol.ts";
import { record, splits, told } from "./support.ts";
import { fromHex, hex, joined, utf8 } from "../support/bytes.ts";
import { closePayload, frame, KEY, KEY_NUMBER, peerFrame } from "../support/frames.ts";
import { type Vector, vectors } from "./vectors.ts";

const sides: readonly Side[] = ["client", "server"];

function send(vector: Vector): string | null {
  const sender = record(vector.side === "server" ? "client" : "server");
  const how = vector.send;
  if (how === undefined) return null;
  if ("text" in how) sender.protocol.sendText(how.text);
  else if ("binary" in how) sender.protocol.sendBinary(how.binary);
  else if ("ping" in how) sender.protocol.ping(how.ping);
  else if ("pong" in how) sender.protocol.pong(how.pong);
  else sender.protocol.close(...how.close);
  assertEquals(sender.log, ["output"], vector.name);
  const size = sender.protocol.output.size;
  const sent = sender.sent();
  assertEquals(size, sent.length / 2, vector.name);
  assertEquals(sender.protocol.output.size, 0, vector.name);
  return sent;
}

for (const vector of vectors) {
  Deno.test(`encode: ${vector.name}`, () => {
    const sent = send(vector);
    if (sent !== null) assert(sent === hex(vector.wire), "other bytes were sent");
  });

  Deno.test(`G23 decode, whole, byte by byte, split everywhere: ${vector.name}`, () => {
    for (const ownsChunks of [false, true]) {
      for (const chunks of splits(vector.wire)) {
        const receiver = record(vector.side, { ownsChunks });
        for (const chunk of chunks) receiver.protocol.receive(chunk.slice());
        const same = told(receiver).join("\n") === vector.told.join("\n");
        assert(same, `owned ${ownsChunks}, ${chunks.length} chunks, first ${chunks[0]?.length}`);
      }
    }
  });

  Deno.test(`G23 decode with further bytes after the frame: ${vector.name}`, () => {
    const after = peerFrame(vector.side, { opcode: 1, payload: "behind" });
    const isClose = vector.told[0]?.startsWith("close");
    const expected = isClose ? vector.told : [...vector.told, "text behind"];
    const wire = joined([vector.wire, after]);
    for (const chunks of [[wire], [wire.subarray(0, -3), wire.subarray(-3)]]) {
      const receiver = record(vector.side);
      for (const chunk of chunks) receiver.protocol.receive(chunk);
      assert(told(receiver).join("\n") === expected.join("\n"));
    }
  });
}

Deno.test("G23 chunks may be views with an offset and of a subclass, and stay unchanged", () => {
  class Chunk extends Uint8Array {
    override slice(start?: number, end?: number): Uint8Array<ArrayBuffer> {
      return this.subarray(start, end) as Uint8Array<ArrayBuffer>;
    }
  }
  const wire = peerFrame("server", { opcode: 2, payload: new Uint8Array(100).fill(1) });
  const around = new Uint8Array(wire.length + 14).fill(0xee);
  around.set(wire, 7);
  const before = hex(around);
  const receiver = record("server");
  receiver.onMessage = (message) => assertStrictEquals(message.constructor, Uint8Array);
  receiver.protocol.receive(new Chunk(around.buffer, 7, wire.length));
  receiver.protocol.receive(around.subarray(7, 20));
  receiver.protocol.receive(around.subarray(20, 7 + wire.length));
  const message = `binary ${"01".repeat(100)}`;
  assertEquals(told(receiver), [message, message]);
  assertEquals(hex(around), before);
});

Deno.test("a binary message is a view only of a transferred chunk", () => {
  const payload = Uint8Array.of(1, 2, 3);
  for (const ownsChunks of [true, false]) {
    const chunk = peerFrame("client", { opcode: 2, payload });
    const receiver = record("client", { ownsChunks });
    receiver.onMessage = (message) => {
      assert(typeof message !== "string");
      assertEquals(message.buffer === chunk.buffer, ownsChunks);
    };
    receiver.protocol.receive(chunk);
    assertEquals(told(receiver), ["binary 010203"]);
  }
});

interface Rule {
  opcode: number;
  fin: boolean;
  rsv: number;
  masked: boolean;
}

/** RFC 6455 §5 and RFC 7692 §6, implemented a second time in another way: which frames without a payload are legal. */
function expected(rule: Rule, side: Side, deflate: boolean, unfinished: boolean): string | null {
  const { opcode, fin, rsv, masked } = rule;
  if (masked && side === "client") return "Frame masked";
  if (!masked && side === "server") return "Frame not masked";
  if (rsv & 3) return "Reserved bit set";
  if ([3, 4, 5, 6, 7, 11, 12, 13, 14, 15].includes(opcode)) return "Reserved opcode";
  if (rsv === 4 && (!deflate || opcode === 0 || opcode > 7)) return "Reserved bit set";
  if (opcode > 7) return fin ? null : "Control frame fragmented";
  if (opcode === 0) return unfinished ? null : "Nothing to continue";
  return unfinished ? "Previous message unfinished" : null;
}

const deflate = {
  compress: () => null,
  decompress: () => utf8("inflated"),
};

for (const side of sides) {
  Deno.test(`G20 G27 every opcode × fin × rsv × mask × length form × state, ${side}`, () => {
    for (const withDeflate of [false, true]) {
      for (const unfinished of [false, true]) {
        for (const closing of [false, true]) {
          for (let first = 0; first < 256; first++) {
            for (const masked of [false, true]) {
              for (const form of [7, 16, 64] as const) {
                const rule = { opcode: first & 15, fin: first > 127, rsv: first >> 4 & 7, masked };
                const wire = frame({ ...rule, form, ...(masked ? { key: KEY } : {}) });
                const peer = record(side, withDeflate ? { deflate } : {});
                if (unfinished) {
                  peer.protocol.receive(peerFrame(side, { opcode: 2, fin: false, payload: "x" }));
                }
                if (closing) peer.protocol.close(1000);
                peer.protocol.receive(wire);
                const failure = expected(rule, side, withDeflate, unfinished);
                const label = JSON.stringify({
                  side,
                  withDeflate,
                  unfinished,
                  closing,
                  form,
                  rule,
                });
                checkOutcome(
                  told(peer),
                  failure,
                  rule,
                  { withDeflate, unfinished, closing },
                  label,
                );
              }
            }
          }
        }
      }
    }
  });
}

function checkOutcome(
  log: string[],
  failure: string | null,
  rule: Rule,
  state: { withDeflate: boolean; unfinished: boolean; closing: boolean },
  label: string,
): void {
  if (failure !== null) return assertEquals(log, [`failure 1002 ${failure}`], label);
  if (rule.opcode === 8) return assertEquals(log, ["close 1005 "], label);
  if (rule.opcode === 9) return assertEquals(log, ["ping "], label);
  if (rule.opcode === 10) return assertEquals(log, ["pong "], label);
  if (state.closing || !rule.fin) return assertEquals(log, [], label);
  if (state.unfinished) return assertEquals(log, ["binary 78"], label);
  const inflated = rule.rsv === 4;
  const message = rule.opcode === 1
    ? `text ${inflated ? "inflated" : ""}`
    : `binary ${inflated ? hex(utf8("inflated")) : ""}`;
  assertEquals(log, [message], label);
}

Deno.test("G21 a Ping with a payload between two fragments: the Pong has the payload, and the message is complete", () => {
  for (const side of sides) {
    const wire = joined([
      peerFrame(side, { opcode: 2, fin: false, payload: "first" }),
      peerFrame(side, { opcode: 9, payload: "between" }),
      peerFrame(side, { opcode: 0, payload: "last" }),
    ]);
    for (const chunks of splits(wire)) {
      const peer = record(side);
      for (const chunk of chunks) peer.protocol.receive(chunk);
      assertEquals(told(peer), [
        `ping ${hex(utf8("between"))}`,
        `binary ${hex(utf8("firstlast"))}`,
      ]);
      const key = side === "client" ? { key: KEY } : {};
      assertEquals(peer.sent(), hex(frame({ opcode: 10, payload: "between", ...key })));
    }
  }
});

Deno.test("G21 a Close with a payload between two fragments", () => {
  const peer = record("server");
  peer.protocol.receive(peerFrame("server", { opcode: 2, fin: false, payload: "first" }));
  peer.protocol.receive(peerFrame("server", { opcode: 8, payload: closePayload(1001, "bye") }));
  peer.protocol.receive(peerFrame("server", { opcode: 0, payload: "last" }));
  assertEquals(told(peer), ["close 1001 bye"]);
  assertEquals(peer.sent(), hex(frame({ opcode: 8, payload: closePayload(1001, "bye") })));
});

Deno.test("G22 fragmented text that is split inside a code point, at every position", () => {
  const text = "\ufeffaé漢😀";
  const bytes = utf8(text);
  for (let i = 0; i <= bytes.length; i++) {
    for (let j = i; j <= bytes.length; j++) {
      const wire = joined([
        frame({ opcode: 1, fin: false, payload: bytes.subarray(0, i) }),
        frame({ opcode: 0, fin: false, payload: bytes.subarray(i, j) }),
        frame({ opcode: 0, payload: bytes.subarray(j) }),
      ]);
      for (const chunks of [[wire], [wire.subarray(0, 5), wire.subarray(5)]]) {
        const peer = record("client");
        for (const chunk of chunks) peer.protocol.receive(chunk);
        assertEquals(told(peer), [`text ${text}`]);
      }
    }
  }
});

Deno.test("G22 invalid UTF-8 at the end of the first fragment fails at once", () => {
  const peer = record("client");
  peer.protocol.receive(frame({ opcode: 1, fin: false, payload: Uint8Array.of(0x61, 0xff) }));
  assertEquals(told(peer), ["failure 1007 Invalid UTF-8"]);
  assertEquals(
    peer.sent(),
    hex(frame({ opcode: 8, key: KEY, payload: closePayload(1007, "Invalid UTF-8") })),
  );
});

Deno.test("G22 text that ends within a code point fails at its end, in one piece or in many", () => {
  for (const payload of [Uint8Array.of(0x61, 0xc3), Uint8Array.of(0xf0, 0x9f, 0x98)]) {
    for (const chunks of splits(frame({ opcode: 1, payload }))) {
      const peer = record("client");
      for (const chunk of chunks) peer.protocol.receive(chunk);
      assertEquals(told(peer), ["failure 1007 Invalid UTF-8"]);
    }
  }
});

Deno.test("G24 the limit applies to one frame and to the sum of fragments, and not a byte earlier", () => {
  const limit = { maxMessageSize: 1000 };
  const fits = record("client", limit);
  fits.protocol.receive(frame({ opcode: 2, payload: new Uint8Array(1000) }));
  fits.protocol.receive(frame({ opcode: 2, fin: false, payload: new Uint8Array(999) }));
  fits.protocol.receive(frame({ opcode: 0, payload: new Uint8Array(1) }));
  assertEquals(told(fits).map((entry) => entry.length), [2007, 2007]);
  const single = record("client", limit);
  // The header alone exceeds the limit.
  single.protocol.receive(fromHex("82 7e 03 e9"));
  assertEquals(told(single), ["failure 1009 Message too big"]);
  const sum = record("client", limit);
  sum.protocol.receive(frame({ opcode: 2, fin: false, payload: new Uint8Array(999) }));
  sum.protocol.receive(fromHex("80 02"));
  assertEquals(told(sum), ["failure 1009 Message too big"]);
});

const sendable = [1000, 1001, 1003, 1007, 1011, 1012, 1014, 3000, 4999];
const unsendable = [0, 999, 1004, 1005, 1006, 1015, 1016, 1999, 2999, 5000, 65535];

Deno.test("G25 Close payloads: 0, 1 and 2 bytes, and every relevant code", () => {
  const outcome = (payload: Uint8Array): [string[], string] => {
    const peer = record("client");
    peer.protocol.receive(frame({ opcode: 8, payload }));
    assertEquals(peer.protocol.state, "closed");
    return [told(peer), peer.sent()];
  };
  const sent = (payload: Uint8Array): string => hex(frame({ opcode: 8, payload, key: KEY }));
  assertEquals(outcome(new Uint8Array(0)), [["close 1005 "], sent(new Uint8Array(0))]);
  assertEquals(outcome(Uint8Array.of(3)), [
    ["failure 1002 Close frame too short"],
    sent(closePayload(1002, "Close frame too short")),
  ]);
  for (const code of sendable) {
    assertEquals(outcome(closePayload(code)), [[`close ${code} `], sent(closePayload(code))]);
  }
  for (const code of unsendable) {
    assertEquals(outcome(closePayload(code)), [
      ["failure 1002 Invalid close code"],
      sent(closePayload(1002, "Invalid close code")),
    ]);
  }
  assertEquals(outcome(closePayload(1000, Uint8Array.of(0xff)))[0], ["failure 1007 Invalid UTF-8"]);
});

Deno.test("G26 the transport ends before a frame, in the middle of one, or with an unread message", () => {
  const wire = frame({ opcode: 1, payload: "text" });
  for (const part of [0, 1, 3]) {
    const peer = record("client");
    peer.protocol.receive(wire.subarray(0, part));
    peer.protocol.end();
    assertEquals(peer.protocol.state, "closed");
    assertEquals(peer.protocol.receivedClose, null);
    assertFalse(peer.protocol.sendText("late"));
    peer.protocol.receive(wire.subarray(part));
    assertEquals(peer.log, []);
  }
});

Deno.test("G8 our Close and then the peer's: no answer is sent, and both codes are known", () => {
  const peer = record("client");
  assert(peer.protocol.close(1001, "going"));
  assertEquals(peer.protocol.state, "closing");
  assertFalse(peer.protocol.close(1002));
  peer.sent();
  peer.protocol.receive(frame({ opcode: 8, payload: closePayload(1000, "ok") }));
  assertEquals(peer.protocol.state, "closed");
  assertEquals(peer.protocol.sentClose, { code: 1001, reason: "going" });
  assertEquals(peer.protocol.receivedClose, { code: 1000, reason: "ok" });
  assertEquals(peer.sent(), "");
  assertEquals(peer.log, ["output", "close 1000 ok"]);
});

Deno.test("G8 simultaneous close from both sides", () => {
  const client = record("client");
  const server = record("server");
  client.protocol.close(3001);
  server.protocol.close();
  const toServer = client.protocol.output.takeAll();
  const toClient = server.protocol.output.takeAll();
  for (const chunk of toServer) server.protocol.receive(chunk);
  for (const chunk of toClient) client.protocol.receive(chunk);
  assertEquals([told(client), told(server)], [["close 1005 "], ["close 3001 "]]);
  assertEquals([client.sent(), server.sent()], ["", ""]);
  assertEquals(server.protocol.sentClose, { code: 1005, reason: "" });
});

Deno.test("G9 data between our Close and the peer's is dropped, but its frames are checked", () => {
  const peer = record("client", { maxMessageSize: 10 });
  peer.protocol.receive(frame({ opcode: 1, fin: false, payload: "abc" }));
  peer.protocol.close(1000);
  peer.protocol.receive(frame({ opcode: 0, payload: Uint8Array.of(0xff) }));
  // The message may exceed maxMessageSize, whole and in parts, because it is not kept.
  for (const chunks of splits(frame({ opcode: 2, payload: new Uint8Array(300) }))) {
    for (const chunk of chunks) peer.protocol.receive(chunk);
  }
  peer.protocol.receive(frame({ opcode: 8 }));
  assertEquals(told(peer), ["close 1005 "]);
  const broken = record("client");
  broken.protocol.close(1000);
  broken.sent();
  broken.protocol.receive(frame({ opcode: 0 }));
  assertEquals(told(broken), ["failure 1002 Nothing to continue"]);
  assertEquals([broken.sent(), broken.protocol.sentClose?.code], ["", 1000]);
});

Deno.test("ten Pings in one chunk get ten Pongs, in order", () => {
  const payloads = Array.from({ length: 10 }, (_, i) => `payload-${i}`);
  const { protocol, sent } = record("client");
  protocol.receive(joined(payloads.map((payload) => frame({ opcode: 9, payload }))));
  const pongs = payloads.map((payload) => frame({ opcode: 10, payload, key: KEY }));
  assertEquals(protocol.output.size, joined(pongs).length);
  assertEquals(sent(), hex(joined(pongs)));
});

Deno.test("a Pong is sent before the messages that are sent after its Ping", () => {
  const { protocol, sent } = record("server");
  protocol.sendText("a");
  protocol.receive(frame({ opcode: 9, payload: "?", key: KEY }));
  protocol.sendText("b");
  assertEquals(sent(), "810161" + "8a013f" + "810162");
});

Deno.test("at most 64 Pongs are queued, and the latest after them", () => {
  const { protocol, sent } = record("server");
  for (let i = 0; i < 100; i++) {
    protocol.receive(frame({ opcode: 9, payload: Uint8Array.of(i), key: KEY }));
  }
  protocol.sendText("b");
  assertEquals(protocol.output.size, 65 * 3 + 3);
  const pongs = Array.from({ length: 64 }, (_, i) => hex(Uint8Array.of(0x8a, 1, i)));
  assertEquals(sent(), pongs.join("") + "810162" + "8a0163");
});

Deno.test("G19 a Ping after our own Close is answered: RFC 6455 §5.5.2", () => {
  const peer = record("server");
  peer.protocol.close(1000);
  peer.sent();
  peer.protocol.receive(peerFrame("server", { opcode: 9, payload: "?" }));
  assertEquals(peer.sent(), hex(frame({ opcode: 10, payload: "?" })));
});

Deno.test("G11 nothing is sent after either side's Close, or after a failure", () => {
  const ours = record("client");
  ours.protocol.close();
  const theirs = record("client");
  theirs.protocol.receive(frame({ opcode: 8 }));
  const failed = record("client");
  failed.protocol.receive(fromHex("83 00"));
  for (const { protocol, sent } of [ours, theirs, failed]) {
    sent();
    assertFalse(protocol.sendText("x"));
    assertFalse(protocol.sendBinary(new Uint8Array(1)));
    assertFalse(protocol.ping());
    assertFalse(protocol.pong());
    assertFalse(protocol.close(1000));
    assertEquals(sent(), "");
  }
});

Deno.test("G5 arguments that cannot be sent throw and change nothing", () => {
  const { protocol, sent } = record("client");
  const long = new Uint8Array(126);
  for (const code of unsendable) assertThrows(() => protocol.close(code), RangeError);
  assertThrows(() => protocol.close(1000, "r".repeat(124)), RangeError);
  assertThrows(() => protocol.close(1000, "é".repeat(62)), RangeError);
  assertThrows(() => protocol.close(undefined, "reason"), RangeError);
  assertThrows(() => protocol.ping(long), RangeError);
  assertThrows(() => protocol.pong(long), RangeError);
  assertEquals([protocol.state, sent()], ["open", ""]);
});

Deno.test("S178 everything is ignored after a Close or a failure, in the same chunk too", () => {
  const text = frame({ opcode: 1, payload: "late" });
  for (const last of [frame({ opcode: 8 }), fromHex("8f 00"), fromHex("81 01 ff")]) {
    const peer = record("client");
    peer.protocol.receive(joined([text, last, text]));
    peer.protocol.receive(text);
    assertEquals(told(peer).length, 2);
    assertEquals(told(peer)[0], "text late");
    assertEquals(peer.protocol.pendingInput, 0);
  }
});

Deno.test("pause takes effect between messages of one chunk, and bytes are kept", () => {
  for (const ownsChunks of [false, true]) {
    const peer = record("client", { ownsChunks });
    peer.onMessage = () => peer.protocol.pause();
    const one = frame({ opcode: 1, payload: "1" });
    const chunk = joined([one, one, one]);
    peer.protocol.receive(chunk);
    chunk.fill(ownsChunks ? chunk[0] ?? 0 : 0xff, 0, 1);
    assertEquals([told(peer).length, peer.protocol.pendingInput], [1, 6]);
    peer.protocol.receive(frame({ opcode: 1, payload: "last" }));
    assertEquals([told(peer).length, peer.protocol.pendingInput], [1, 12]);
    peer.protocol.resume();
    assertEquals([told(peer).length, peer.protocol.pendingInput], [2, 9]);
    peer.onMessage = () => {};
    peer.protocol.resume();
    assertEquals(told(peer), ["text 1", "text 1", "text 1", "text last"]);
    assertEquals(peer.protocol.pendingInput, 0);
  }
});

Deno.test("pause in the middle of a frame holds the rest of the frame", () => {
  const peer = record("server");
  const wire = peerFrame("server", { opcode: 1, payload: "abcdef" });
  peer.protocol.receive(wire.subarray(0, 8));
  peer.protocol.pause();
  peer.protocol.receive(wire.subarray(8));
  assertEquals([told(peer), peer.protocol.pendingInput], [[], wire.length - 8]);
  peer.protocol.resume();
  assertEquals(told(peer), ["text abcdef"]);
});

Deno.test("pause by the message that ends a split frame keeps the bytes after it", () => {
  for (const ownsChunks of [false, true]) {
    const peer = record("client", { ownsChunks });
    peer.onMessage = () => peer.protocol.pause();
    const wire = joined([
      frame({ opcode: 1, payload: "split" }),
      frame({ opcode: 1, payload: "behind" }),
    ]);
    peer.protocol.receive(wire.slice(0, 4));
    const rest = wire.slice(4);
    peer.protocol.receive(rest);
    if (!ownsChunks) rest.fill(0xff);
    assertEquals([told(peer), peer.protocol.pendingInput], [["text split"], 8]);
    peer.protocol.resume();
    assertEquals(told(peer), ["text split", "text behind"]);
  }
});

Deno.test("receive inside an event is queued, so that events are not nested and stay in order", () => {
  const peer = record("client");
  let depth = 0;
  peer.onMessage = (message) => {
    assertEquals(depth++, 0);
    if (message === "a") peer.protocol.receive(frame({ opcode: 1, payload: "c" }));
    depth--;
  };
  peer.protocol.receive(
    joined([frame({ opcode: 1, payload: "a" }), frame({ opcode: 1, payload: "b" })]),
  );
  assertEquals(told(peer), ["text a", "text b", "text c"]);
});

Deno.test("resume inside an event, and end inside one", () => {
  const peer = record("client");
  peer.onMessage = (message) => {
    peer.protocol.pause();
    peer.protocol.resume();
    if (message === "b") peer.protocol.end();
  };
  const wire = ["a", "b", "c"].map((payload) => frame({ opcode: 1, payload }));
  peer.protocol.receive(joined(wire));
  assertEquals(told(peer), ["text a", "text b"]);
});

Deno.test("onOutput is called once until the output is taken", () => {
  const peer = record("client");
  peer.protocol.sendText("a");
  peer.protocol.sendBinary(new Uint8Array(1));
  peer.protocol.ping();
  peer.protocol.receive(frame({ opcode: 9 }));
  assertEquals(peer.log, ["output", "ping "]);
  peer.protocol.output.takeAll();
  peer.protocol.receive(frame({ opcode: 9 }));
  peer.protocol.receive(frame({ opcode: 9 }));
  assertEquals(peer.log, ["output", "ping ", "output", "ping ", "ping "]);
  peer.protocol.output.takeAll();
  peer.protocol.pong();
  assertEquals(peer.log.length, 6);
  assertEquals(peer.protocol.output.takeAll().length, 1);
  assertEquals(peer.protocol.output.takeAll(), []);
});

Deno.test("a server needs no masking key", () => {
  const peer = record("server", {
    maskingKeys: () => {
      throw new Error("a server asked for a masking key");
    },
  });
  peer.protocol.sendText("é".repeat(30));
  peer.protocol.sendBinary(new Uint8Array(20000));
  assertEquals(peer.sent().length / 2, 62 + 20004);
});

Deno.test("onPing is optional: the Ping is still answered", () => {
  const nothing = (): void => {};
  const protocol = new Protocol(
    { side: "client", maskingKeys: () => KEY_NUMBER, maxMessageSize: Infinity },
    {
      onMessage: nothing,
      onPong: nothing,
      onClose: nothing,
      onFailure: nothing,
      onOutput: nothing,
    },
  );
  protocol.receive(frame({ opcode: 9, payload: "?" }));
  const expected = frame({ opcode: 10, payload: "?", key: KEY });
  assertEquals(protocol.output.size, expected.length);
  assertEquals(hex(joined(protocol.output.takeAll())), hex(expected));
});

Deno.test("64-bit lengths: 1002 if the most significant bit is set, 1009 if too big", () => {
  const outcomes: [string, number][] = [
    ["82 7f 80 00 00 00 00 00 00 00", 1002],
    ["82 7f ff ff ff ff ff ff ff ff", 1002],
    ["82 7f 7f ff ff ff ff ff ff ff", 1009],
    ["82 7f 00 20 00 00 00 00 00 01", 1009],
    ["82 7f 00 00 00 00 1f ff ff e9", 1009],
    ["89 7f 00 00 00 00 00 00 00 7e", 1002],
  ];
  for (const [header, code] of outcomes) {
    for (const maxMessageSize of [1000, Infinity]) {
      const peer = record("client", { maxMessageSize });
      peer.protocol.receive(fromHex(header));
      assertEquals(told(peer)[0]?.slice(0, 12), `failure ${code}`);
    }
  }
  // 512 MiB less 24 bytes is still allowed.
  const peer = record("client", { maxMessageSize: Infinity });
  peer.protocol.receive(fromHex("82 7f 00 00 00 00 1f ff ff e8"));
  assertEquals(told(peer), []);
});

Deno.test("the memory of released output is reused, and that of kept output is not", () => {
  const { protocol } = record("server", { recycles: true });
  const sent: string[] = [];
  const places = new Set<number>();
  const send = (text: string): Uint8Array => {
    protocol.sendText(text);
    const [chunk] = protocol.output.takeAll();
    assert(chunk !== undefined);
    places.add(chunk.byteOffset);
    sent.push(hex(chunk));
    return chunk;
  };
  // Another connection keeps the used part of the buffer, so that a new one starts here.
  const large = "x".repeat(21_000);
  const other = record("server").protocol;
  other.sendText(large);
  other.output.takeAll();
  for (const text of [large, "first", "second"]) {
    send(text);
    protocol.output.release(0);
  }
  assertEquals(places.size, 1);
  const kept = send("third");
  protocol.output.release(kept.length);
  send("fourth");
  assertEquals(hex(kept), sent[3]);
  assertEquals(places.size, 2);
  assertEquals(sent[4], hex(frame({ opcode: 1, payload: "fourth" })));
});

Deno.test("outputCost: each message and each byte counts, and compressed ones count more", () => {
  const { protocol } = record("server", {
    deflate: { compress: () => Uint8Array.of(1), decompress: (payload) => payload },
  });
  assertEquals(protocol.output.cost, 0);
  protocol.sendText("abc", { compress: false });
  protocol.sendBinary(new Uint8Array(100), { compress: false });
  assertEquals(protocol.output.cost, 2 * 512 + 103);
  protocol.sendText("abc");
  protocol.sendBinary(new Uint8Array(100));
  assertEquals(protocol.output.cost, 4 * 512 + 2 * 103 + 8 * 103);
  // A prepared message was compressed earlier, if at all.
  protocol.sendPrepared(new PreparedMessage("abc"));
  assertEquals(protocol.output.cost, 5 * 512 + 2 * 103 + 8 * 103 + 5);
  protocol.ping();
  protocol.output.takeAll();
  assertEquals(protocol.output.cost, 0);
});

Deno.test("if the owner defers the peer's end, the protocol can send until it concludes", () => {
  for (
    const [payload, told, sent] of [
      [closePayload(4000), "close 4000", "8102686988020fa0"],
      [closePayload(1005), "failure 1002", "81026869"],
    ] as const
  ) {
    const { protocol, log } = holding();
    protocol.conclude();
    const end = peerFrame("server", { opcode: 8, payload });
    protocol.receive(joined([end, peerFrame("server", { opcode: 1, payload: "late" })]));
    assertEquals([log, protocol.state, protocol.receivedClose], [[], "open", null]);
    assert(protocol.sendText("hi"));
    protocol.conclude();
    protocol.conclude();
    assertEquals([log, protocol.state], [[told], "closed"]);
    assert(hex(joined(protocol.output.takeAll())).startsWith(sent));
  }
  const { protocol, log } = holding();
  protocol.receive(peerFrame("server", { opcode: 8, payload: closePayload(1000) }));
  protocol.end();
  protocol.conclude();
  assertEquals([log, protocol.receivedClose, protocol.sentClose], [[], null, null]);
});

/** A server's end whose owner defers the end. */
function holding(): { protocol: Protocol; log: string[] } {
  const log: string[] = [];
  const options = { side: "server" as const, maskingKeys: () => 0, maxMessageSize: 100 };
  const protocol = new Protocol(options, {
    onMessage: () => log.push("message"),
    onPong: () => {},
    onEnding: () => false,
    onClose: (code) => log.push(`close ${code}`),
    onFailure: ({ code }) => log.push(`failure ${code}`),
    onOutput: () => {},
  });
  return { protocol, log };
}

Deno.test("takeChunk returns the output of a turn, unless it is several chunks", () => {
  const { protocol } = record("server", { recycles: true });
  assertEquals(protocol.output.takeChunk(), null);
  protocol.sendText("a");
  protocol.sendText("b");
  protocol.ping();
  const chunk = protocol.output.takeChunk();
  assertEquals(chunk && hex(chunk), "810161" + "810162" + "8900");
  assertEquals([protocol.output.size, protocol.output.payloadSize, protocol.output.cost], [
    0,
    0,
    0,
  ]);
  protocol.output.release(0);
  protocol.sendBinary(new Uint8Array(100_000));
  assertEquals([protocol.output.takeChunk(), protocol.output.payloadSize], [null, 100_000]);
  assertEquals([protocol.output.takeAll().length > 1, protocol.output.payloadSize], [true, 0]);
});

Deno.test("a prepared message that is the whole output is passed on uncopied", () => {
  for (const content of ["to all", new Uint8Array(0x4000)]) {
    const message = new PreparedMessage(content);
    const { protocol } = record("server", { recycles: true });
    protocol.sendPrepared(message);
    assertStrictEquals(protocol.output.takeChunk(), message.frame);
    protocol.output.release(0);
    protocol.sendPrepared(message);
    protocol.sendText("b");
    assertEquals(hex(joined(protocol.output.takeAll())), hex(message.frame) + "810162");
  }
});

Deno.test("attack 19: receive rethrows an error of an event, and keeps the bytes after it", () => {
  for (const ownsChunks of [false, true]) {
    for (const split of [0, 1, 3]) {
      const peer = record("client", { ownsChunks });
      const wire = joined([
        frame({ opcode: 2, payload: "abc" }),
        frame({ opcode: 2, payload: "d" }),
      ]);
      if (split > 0) peer.protocol.receive(wire.slice(0, split));
      peer.onMessage = () => {
        throw new Error("the owner's");
      };
      const rest = wire.slice(split);
      assertThrows(() => peer.protocol.receive(rest), Error, "the owner's");
      if (!ownsChunks) rest.fill(0xff);
      peer.onMessage = () => {};
      assertEquals(peer.protocol.pendingInput, 3);
      peer.protocol.receive(frame({ opcode: 2, payload: "e" }));
      assertEquals(told(peer), ["binary 616263", "binary 64", "binary 65"]);
      assertEquals(peer.protocol.pendingInput, 0);
    }
  }
});

Deno.test("a failure drops the queued input after it", () => {
  for (const ownsChunks of [false, true]) {
    const wire = joined([
      frame({ opcode: 1 }),
      frame({ opcode: 15 }),
      new Uint8Array(0),
      frame({ opcode: 2 }),
    ]);
    for (const chunks of splits(wire)) {
      const peer = record("client", { ownsChunks });
      peer.protocol.pause();
      for (const chunk of chunks) peer.protocol.receive(chunk.slice());
      assertEquals(peer.protocol.pendingInput, 6);
      peer.protocol.resume();
      assertEquals(told(peer), ["text ", "failure 1002 Reserved opcode"]);
      peer.protocol.receive(frame({ opcode: 2 }));
      assertEquals([told(peer).length, peer.protocol.pendingInput], [2, 0]);
    }
  }
});

Deno.test("pausing after each of many messages in one chunk takes linear time", () => {
  const peer = record("client", { ownsChunks: true });
  peer.onMessage = () => peer.protocol.pause();
  const count = 20_000;
  const wire = new Uint8Array(2 * count);
  for (let i = 0; i < count; i++) wire[2 * i] = 0x82;
  peer.protocol.receive(wire);
  for (let i = 1; i < count; i++) peer.protocol.resume();
  assertEquals([peer.log.length, peer.protocol.pendingInput], [count, 0]);
});

Deno.test("if a message's buffer is transferred, the bytes after it are lost, and nothing more is read", () => {
  const first = frame({ opcode: 2, payload: "1" });
  const second = frame({ opcode: 2, payload: "2" });
  for (const ownsChunks of [true, false]) {
    for (const tells of [true, false]) {
      const log: string[] = [];
      const protocol = new Protocol({
        side: "client",
        maskingKeys: () => 0,
        maxMessageSize: 100,
        ownsChunks,
      }, {
        onMessage(message) {
          log.push(hex(message as Uint8Array));
          structuredClone(message, { transfer: [(message as Uint8Array).buffer as ArrayBuffer] });
        },
        onPong() {},
        onClose() {},
        onFailure() {},
        onOutput() {},
        ...(tells ? { onInputLost: () => void log.push("lost") } : {}),
      });
      // No bytes follow the message.
      protocol.receive(first.slice());
      protocol.receive(second.slice());
      assertEquals(log, ["31", "32"]);
      protocol.receive(joined([first, second]));
      protocol.receive(second.slice());
      assertEquals(log.slice(2), tells ? ["31", "lost"] : ["31"]);
    }
  }
});

Deno.test("a connection without pending output releases its Output object for the next sender", () => {
  const { protocol: one } = record("server", { recycles: true });
  one.releaseOutput();
  assertEquals(one.pendingOutput, null);
  one.sendText("a");
  const { output } = one;
  one.releaseOutput();
  assertStrictEquals(one.pendingOutput, output, "not taken");
  assertEquals(
    hex(output.takeChunk() ?? new Uint8Array()),
    hex(frame({ opcode: 1, payload: "a" })),
  );
  one.releaseOutput();
  assertStrictEquals(one.pendingOutput, output, "not released");
  output.release(0);
  one.releaseOutput();
  assertEquals(one.pendingOutput, null);
  const { protocol: two } = record("client");
  two.sendText("b");
  assertStrictEquals(two.output, output);
  one.sendText("c");
  assert(one.output !== output);
  // Masked, and with chunks that are not released, as this connection requires.
  const sent = output.takeAll();
  assertEquals(hex(joined(sent)), hex(frame({ opcode: 1, payload: "b", key: KEY })));
  two.releaseOutput();
  assertEquals(two.pendingOutput, null);
});

Deno.test("conclude and end without a deferred end, and after one", () => {
  const { protocol, log } = record("server");
  protocol.conclude();
  assertEquals([protocol.state, protocol.sentClose, protocol.receivedClose, log], [
    "open",
    null,
    null,
    [],
  ]);
  protocol.end();
  protocol.conclude();
  assertEquals([protocol.state, log], ["closed", []]);
  const closing = record("server");
  closing.protocol.close(1000);
  closing.protocol.end();
  closing.protocol.conclude();
  assertEquals([closing.protocol.state, closing.protocol.sentClose?.code], ["closed", 1000]);
});

Deno.test("autoPong: false leaves the answers to Pings to the listener", () => {
  const { protocol, log, sent } = record("server", { autoPong: false });
  protocol.receive(peerFrame("server", { opcode: 9, payload: "x" }));
  assertEquals([log, sent()], [[`ping ${hex(utf8("x"))}`], ""]);
});
