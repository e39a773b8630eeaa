import { assert, assertEquals } from "@std/assert";
import { BAD_UTF8, CORRUPT_COMPRESSION, type Failure } from "../../src/protocol/failure.ts";
import { FrameHeader } from "../../src/protocol/frame.ts";
import { InflateError } from "../../src/protocol/message_deflate.ts";
import {
  FrameInPieces,
  InflatingMessage,
  joinHeader,
  MessageInPieces,
  type MessageOptions,
} from "../../src/protocol/pieces.ts";
import { LARGEST_PIECE } from "../../src/protocol/work_budget.ts";
import { record, type Recorded, splits, told } from "./support.ts";
import { hex, joined, utf8 } from "../support/bytes.ts";
import { frame, KEY_NUMBER } from "../support/frames.ts";

const OPTIONS: MessageOptions = {
  maxSize: 100,
  budget: { left: Infinity },
  invalidText: "fail",
};

function header(flags: number, length: number, key?: number): FrameHeader {
  return Object.assign(new FrameHeader(), {
    flags,
    length,
    masked: key !== undefined,
    key: key ?? 0,
  });
}

Deno.test("pieces: a header is joined, and has no more bytes than the longest header", () => {
  const chunk = Uint8Array.from({ length: 30 }, (_, i) => i);
  const first = joinHeader(new Uint8Array(0), chunk, 28);
  assertEquals(first, Uint8Array.of(28, 29));
  assertEquals(joinHeader(first, chunk, 1), Uint8Array.of(28, 29, ...chunk.subarray(1, 13)));
});

Deno.test("pieces: a frame copies and unmasks its payload, and does not change the chunk", () => {
  const message = new MessageInPieces(0x82, OPTIONS);
  const frame = new FrameInPieces(header(0x82, 5, KEY_NUMBER), message);
  const chunk = Uint8Array.of(0, 0, 0x37, 0xfa, 0x21, 0x3d, 0x37);
  assert(frame.take(chunk, 2, 5));
  assertEquals([frame.remaining, message.size], [2, 3]);
  assert(frame.take(chunk, 5, 7));
  assertEquals([frame.remaining, message.finish()], [0, new Uint8Array(5)]);
  assertEquals(chunk[2], 0x37);
  const dropped = new FrameInPieces(header(0x81, 2), null);
  assert(dropped.take(Uint8Array.of(0xff, 0xff), 0, 2));
  assertEquals(dropped.remaining, 0);
});

Deno.test("pieces: text that is not UTF-8 is detected at once, or at its end", () => {
  for (const [payload, within] of [[[0x61, 0xff], false], [[0x61, 0xc3], true]] as const) {
    const message = new MessageInPieces(0x81, OPTIONS);
    const frame = new FrameInPieces(header(0x81, 2), message);
    assertEquals(frame.take(Uint8Array.from(payload), 0, 2), within);
    assertEquals(message.finish(), null);
  }
});

Deno.test("pieces: added bytes have no header, and compressed text is not checked as text", () => {
  const text = new MessageInPieces(0x81, OPTIONS);
  assert(text.add(utf8("he")) && text.add(utf8("llo")) && text.decode());
  assertEquals([text.isText, text.finish()], [true, "hello"]);
  const compressed = new MessageInPieces(0xc1, OPTIONS);
  assert(compressed.add(Uint8Array.of(0xff)) && compressed.decode());
  assertEquals([compressed.isText, compressed.finish()], [false, Uint8Array.of(0xff)]);
});

// Decompressing.

interface Collecting {
  readonly inflating: InflatingMessage;
  readonly message: MessageInPieces;
  readonly reported: (Failure | null)[];
}

function collecting(flags: number): Collecting {
  const message = new MessageInPieces(flags, { ...OPTIONS, maxSize: 1 << 24 });
  const reported: (Failure | null)[] = [];
  const inflating = new InflatingMessage(message, (failure) => reported.push(failure));
  return { inflating, message, reported };
}

Deno.test("inflating: the end is stored during the call, and reported after it", () => {
  for (const isLate of [false, true]) {
    const { inflating, message, reported } = collecting(0x81);
    inflating.isLate = isLate;
    assertEquals([inflating.outcome, inflating.onInflated(utf8("text"))], [undefined, true]);
    inflating.onInflateEnd(null);
    inflating.onInflateEnd(new InflateError("corrupt"));
    assertEquals([inflating.outcome, reported], [null, isLate ? [null] : []]);
    assertEquals(message.finish(), "text");
    const failing = collecting(0x82);
    failing.inflating.isLate = isLate;
    failing.inflating.onInflateEnd(new InflateError("corrupt"));
    assertEquals(failing.inflating.outcome, CORRUPT_COMPRESSION);
    assertEquals(failing.reported, isLate ? [CORRUPT_COMPRESSION] : []);
  }
});

Deno.test("inflating: large text that is not UTF-8 is reported at once", () => {
  const { inflating, reported } = collecting(0x81);
  assertEquals(inflating.onInflated(new Uint8Array(LARGEST_PIECE).fill(0xff)), true);
  assertEquals(reported, [BAD_UTF8]);
});

Deno.test("inflating: a large binary message waits for its size", () => {
  const { inflating, message } = collecting(0x82);
  const piece = new Uint8Array(5 * LARGEST_PIECE);
  assertEquals(inflating.onInflated(piece), false);
  inflating.onInflatedSize(piece.length);
  assertEquals([inflating.onInflated(piece), message.size], [true, piece.length]);
});

Deno.test("inflating: after it is abandoned, it accepts everything and reports nothing", () => {
  const { inflating, message, reported } = collecting(0x81);
  inflating.isLate = true;
  inflating.abandon();
  assertEquals(inflating.onInflated(utf8("text")), true);
  inflating.onInflatedSize(10);
  inflating.onInflateEnd(null);
  assertEquals([message.size, inflating.outcome, reported], [0, undefined, []]);
});

// The messages that a connection assembles from the pieces.

interface Client extends Recorded {
  messages: (string | Uint8Array)[];
  receive(chunk: Uint8Array): void;
}

function client(maxMessageSize = 1 << 24): Client {
  const recorded = record("client", { maxMessageSize, ownsChunks: true });
  const messages: (string | Uint8Array)[] = [];
  recorded.onMessage = (message) => messages.push(message);
  const receive = (chunk: Uint8Array): void => recorded.protocol.receive(chunk.slice());
  return Object.assign(recorded, { messages, receive });
}

Deno.test("pieces: fragments, including empty ones, with control frames between", () => {
  const wire = joined([
    frame({ opcode: 2, fin: false }),
    frame({ opcode: 0, fin: false, payload: "a" }),
    frame({ opcode: 9, payload: "?" }),
    frame({ opcode: 0, fin: false }),
    frame({ opcode: 0, fin: false, payload: "bc" }),
    frame({ opcode: 0 }),
    frame({ opcode: 1, fin: false }),
    frame({ opcode: 0 }),
  ]);
  for (const chunks of splits(wire)) {
    const peer = client();
    chunks.forEach(peer.receive);
    assertEquals(told(peer), ["ping 3f", "binary 616263", "text "]);
  }
});

Deno.test("pieces: a message in many small fragments uses little more memory than its bytes", () => {
  for (const [count, size] of [[3, 5], [100, 64], [1000, 64]] as const) {
    const { receive, messages } = client();
    receive(frame({ opcode: 2, fin: false }));
    for (let i = 1; i < count; i++) {
      receive(frame({ opcode: 0, fin: false, payload: new Uint8Array(size) }));
    }
    receive(frame({ opcode: 0, payload: new Uint8Array(size) }));
    const [message] = messages;
    assert(message instanceof Uint8Array);
    assertEquals(message.length, count * size);
    assert(message.buffer.byteLength <= 2 * message.length, `${message.buffer.byteLength}`);
  }
});

Deno.test("pieces: a frame in many chunks ends in a buffer of exactly its size", () => {
  const { receive, messages } = client();
  const payload = Uint8Array.from({ length: 200_000 }, (_, i) => i);
  const wire = frame({ opcode: 2, payload });
  for (let at = 0; at < wire.length; at += 1000) receive(wire.subarray(at, at + 1000));
  const [message] = messages;
  assert(message instanceof Uint8Array);
  assert(hex(message) === hex(payload));
  assertEquals(message.buffer.byteLength, payload.length);
});

Deno.test("pieces: after our Close, messages are dropped from between any two of their bytes", () => {
  const wire = joined([
    frame({ opcode: 1, fin: false, payload: "abc" }),
    frame({ opcode: 10, payload: "def" }),
    frame({ opcode: 0, fin: false, payload: Uint8Array.of(0xff, 0xff) }),
    frame({ opcode: 0 }),
    frame({ opcode: 1, payload: utf8("gone") }),
    frame({ opcode: 9 }),
  ]);
  for (let at = 0; at < 12; at++) {
    const peer = client();
    peer.receive(wire.subarray(0, at));
    peer.protocol.close(1000);
    peer.receive(wire.subarray(at));
    assertEquals(told(peer), [`pong ${hex(utf8("def"))}`, "ping "]);
  }
});

Deno.test("pieces: a length above the safe integers is too big even if the message would be dropped", () => {
  const peer = client(10);
  peer.protocol.close(1000);
  peer.receive(Uint8Array.of(0x82, 127, 0, 0x1f, 255, 255, 255, 255, 255, 255));
  assertEquals(told(peer), []);
  const other = client();
  other.protocol.close(1000);
  other.receive(Uint8Array.of(0x82, 127, 0, 0x20, 0, 0, 0, 0, 0, 0));
  assertEquals(told(other), ["failure 1009 Message too big"]);
});
