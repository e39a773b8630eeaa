/** Reading within a budget, and messages that are decompressed in pieces. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  InflateError,
  type InflateEvents,
  type MessageDeflate,
} from "../../src/protocol/message_deflate.ts";
import { lastBoundary } from "../../src/protocol/utf8.ts";
import { FRAME_COST, LARGEST_PIECE, type WorkBudget } from "../../src/protocol/work_budget.ts";
import { record, type Recorded, told } from "./support.ts";
import { joined, utf8 } from "../support/bytes.ts";
import { frame } from "../support/frames.ts";

function texts(count: number): Uint8Array {
  return joined(Array.from({ length: count }, (_, i) => frame({ opcode: 1, payload: `${i}` })));
}

/** Continues with a new budget, and returns all events so far. */
function proceed(peer: Recorded, budget: WorkBudget, left: number): string[] {
  budget.left = left;
  peer.protocol.proceed();
  return told(peer);
}

Deno.test("budget: after it is used up nothing is read, and incoming bytes are kept until there is more", () => {
  for (const ownsChunks of [false, true]) {
    const budget: WorkBudget = { left: 2 * FRAME_COST };
    const peer = record("client", { budget, ownsChunks });
    const wire = texts(5);
    peer.protocol.receive(wire.slice(0, 8));
    assertEquals([told(peer), peer.protocol.isBehind], [["text 0", "text 1"], true]);
    peer.protocol.receive(wire.slice(8));
    assertEquals(peer.protocol.pendingInput, 9);
    assertEquals(proceed(peer, budget, FRAME_COST + 1), ["text 0", "text 1", "text 2"]);
    peer.protocol.pause();
    assertEquals(peer.protocol.isBehind, false);
    assertEquals(proceed(peer, budget, 10_000).length, 3);
    peer.protocol.resume();
    assertEquals(told(peer).at(-1), "text 4");
    assertEquals([peer.protocol.isBehind, peer.protocol.pendingInput], [false, 0]);
  }
});

Deno.test("budget: a payload in parts waits for it as well, and each byte counts", () => {
  for (const ownsChunks of [false, true]) {
    const budget: WorkBudget = { left: 1 };
    const peer = record("client", { budget, ownsChunks });
    const whole = new Uint8Array(2.5 * LARGEST_PIECE).fill(97);
    const wire = frame({ opcode: 2, payload: whole });
    peer.protocol.receive(wire.slice(0, 100));
    peer.protocol.receive(wire.slice(100));
    const messages: unknown[] = [];
    peer.log.push = () => messages.push(1);
    const spent: number[] = [];
    for (let turns = 0; messages.length === 0; turns++) {
      proceed(peer, budget, 1);
      spent.push(1 - budget.left);
    }
    assertEquals(peer.protocol.isBehind, false);
    const sum = spent.reduce((a, b) => a + b);
    assertEquals([spent.length, sum], [3, whole.length - 100 + (wire.length - whole.length)]);
  }
});

Deno.test("budget: a large frame in its own chunk is read piece by piece", () => {
  const budget: WorkBudget = { left: 1 };
  const peer = record("client", { budget, ownsChunks: true });
  let size = 0;
  peer.onMessage = (message) => size = message.length;
  peer.log.push = () => 0;
  peer.protocol.receive(frame({ opcode: 2, payload: new Uint8Array(3 * LARGEST_PIECE) }));
  let turns = 0;
  for (; size === 0; turns++) proceed(peer, budget, 1);
  assertEquals([size, turns], [3 * LARGEST_PIECE, 2]);
});

Deno.test("budget: nothing is pending after the connection has ended", () => {
  for (const end of ["close", "end"] as const) {
    const budget: WorkBudget = { left: 1 };
    const peer = record("client", { budget });
    peer.protocol.receive(joined([texts(3), frame({ opcode: 8 })]));
    if (end === "end") peer.protocol.end();
    else {
      peer.protocol.close();
      assertEquals(peer.protocol.isBehind, true);
      assertEquals(proceed(peer, budget, 10_000), ["text 0", "close 1005 "]);
    }
    assertEquals([peer.protocol.isBehind, peer.protocol.pendingInput], [false, 0]);
  }
});

Deno.test("large text: it is decoded as it arrives, wherever it is cut, and the limit counts everything", () => {
  const text = "aä€😀".repeat(LARGEST_PIECE / 4);
  const payload = utf8(text);
  for (const shift of [0, 1, 2, 3]) {
    const whole = "x".repeat(shift) + text;
    const wire = frame({ opcode: 1, payload: joined([utf8("x".repeat(shift)), payload]) });
    const peer = record("client", { maxMessageSize: payload.length + 3 });
    let same = false;
    peer.onMessage = (message) => same = message === whole;
    peer.log.push = () => 0;
    for (let at = 0; at < wire.length; at += 60_000) {
      peer.protocol.receive(wire.slice(at, at + 60_000));
    }
    assert(same, `${shift}`);
  }
  const peer = record("client", { maxMessageSize: payload.length });
  const wires = [
    frame({ opcode: 1, fin: false, payload }),
    frame({ opcode: 0, payload: "?" }),
  ];
  for (const wire of wires) peer.protocol.receive(wire);
  assertEquals(told(peer), ["failure 1009 Message too big"]);
});

Deno.test("large text: an invalid end fails, also if a code point is truncated", () => {
  for (const end of [[0xff], [0xc3], [0xf0, 0x9f, 0x98]]) {
    const payload = new Uint8Array(2 * LARGEST_PIECE).fill(97);
    payload.set(end, payload.length - end.length);
    const peer = record("client");
    peer.protocol.receive(frame({ opcode: 1, payload }));
    assertEquals(told(peer), ["failure 1007 Invalid UTF-8"]);
  }
});

Deno.test("lastBoundary: the start of the last code point, at most 3 bytes back", () => {
  const cases: [number[], number][] = [
    [[], 0],
    [[0x61], 1],
    [[0x61, 0xc3], 1],
    [[0x61, 0xc3, 0xa4], 1],
    [[0x61, 0xe2, 0x82], 1],
    [[0xf0, 0x9f, 0x98], 0],
    [[0xf0, 0x9f, 0x98, 0x80], 4],
    [[0x80, 0x80], 2],
    [[0x61, 0x80], 2],
    [[0x80, 0x80, 0x80, 0x80, 0x80], 5],
  ];
  for (const [bytes, at] of cases) {
    assertEquals(lastBoundary(Uint8Array.from(bytes), bytes.length), at, `${bytes}`);
  }
});

/** A decompressor that returns output only when the test asks for it. */
class Slow implements MessageDeflate {
  receiver: InflateEvents | null = null;
  abandoned = 0;
  /** A callback inside `decompress`. */
  during: (receiver: InflateEvents) => void = () => {};
  compress(): null {
    return null;
  }
  decompress(_: Uint8Array, __: number, receiver: InflateEvents): null {
    this.receiver = receiver;
    this.during(receiver);
    return null;
  }
  abandon(): void {
    this.abandoned++;
  }
}

interface Inflating {
  readonly peer: Recorded;
  readonly deflate: Slow;
  readonly receiver: InflateEvents;
}

/** Creates a message that is being decompressed, and another one after it. */
function inflating(opcode = 1, during?: (receiver: InflateEvents) => void): Inflating {
  const deflate = new Slow();
  if (during !== undefined) deflate.during = during;
  const peer = record("client", { deflate });
  peer.protocol.receive(
    joined([frame({ opcode, rsv: 4, payload: "?" }), frame({ opcode: 1, payload: "behind" })]),
  );
  return { peer, deflate, receiver: deflate.receiver as InflateEvents };
}

Deno.test("inflating in pieces: later frames wait until the message is complete", () => {
  for (const opcode of [1, 2]) {
    const { peer, receiver } = inflating(opcode);
    assertEquals([peer.protocol.isBusy, peer.protocol.isBehind, told(peer)], [true, true, []]);
    peer.protocol.receive(frame({ opcode: 9 }));
    receiver.onInflated(utf8("he"));
    receiver.onInflated(utf8("llo"));
    receiver.onInflateEnd(null);
    receiver.onInflateEnd(null);
    const first = opcode === 1 ? "text hello" : "binary 68656c6c6f";
    assertEquals(told(peer), [first, "unblocked"]);
    assertEquals([peer.protocol.isBusy, peer.protocol.isBehind], [false, true]);
    peer.protocol.proceed();
    assertEquals(told(peer), [first, "unblocked", "text behind", "ping "]);
  }
});

Deno.test("inflating in pieces: output or a failure inside the call delays nothing", () => {
  const { peer } = inflating(1, (receiver) => {
    receiver.onInflated(utf8("hello"));
    receiver.onInflateEnd(null);
  });
  assertEquals(told(peer), ["text hello", "text behind"]);
  const failed = inflating(1, (receiver) => receiver.onInflateEnd(new InflateError("corrupt")));
  assertEquals(told(failed.peer), ["failure 1007 Invalid compressed data"]);
  const later = inflating();
  later.receiver.onInflateEnd(new InflateError("too-big"));
  assertEquals(told(later.peer), ["failure 1009 Message too big"]);
});

Deno.test("inflating in pieces: text that is not UTF-8 is abandoned in the middle", () => {
  const bad = new Uint8Array(LARGEST_PIECE).fill(0xff);
  const { peer, deflate, receiver } = inflating();
  receiver.onInflated(bad);
  assertEquals([told(peer), deflate.abandoned], [["failure 1007 Invalid UTF-8"], 1]);
  receiver.onInflated(bad);
  receiver.onInflatedSize(5);
  receiver.onInflateEnd(null);
  const within = inflating(1, (receiver) => receiver.onInflated(bad));
  assertEquals(told(within.peer), ["failure 1007 Invalid UTF-8"]);
  assertEquals([told(peer).length, within.deflate.abandoned], [1, 1]);
});

Deno.test("inflating in pieces: a large message is accepted when its size is known, into a buffer of that size", () => {
  const piece = new Uint8Array(3 * LARGEST_PIECE).fill(1);
  const { peer, receiver } = inflating(2);
  let message: string | Uint8Array = "";
  peer.onMessage = (it) => message = it;
  peer.log.push = () => 0;
  assertEquals(receiver.onInflated(piece), true);
  assertEquals(receiver.onInflated(piece), true);
  assertEquals(receiver.onInflated(piece), false);
  receiver.onInflatedSize(3 * piece.length);
  assertEquals(receiver.onInflated(piece), true);
  receiver.onInflateEnd(null);
  assert(message as unknown instanceof Uint8Array);
  const { length, buffer } = message as unknown as Uint8Array;
  assertEquals([length, buffer.byteLength], [3 * piece.length, 3 * piece.length]);
});

Deno.test("inflating in pieces: our Close and the end abandon it, and later frames are read", () => {
  const { peer, deflate, receiver } = inflating();
  peer.protocol.close();
  receiver.onInflateEnd(null);
  assertEquals([peer.protocol.isBusy, deflate.abandoned], [false, 1]);
  peer.protocol.receive(frame({ opcode: 8 }));
  assertEquals(told(peer), ["unblocked", "close 1005 "]);
  const ended = inflating();
  ended.peer.protocol.end();
  assertEquals([told(ended.peer), ended.deflate.abandoned], [[], 1]);
  // A decompressor without `abandon` is allowed.
  const plain = record("client", { deflate: { compress: () => null, decompress: () => null } });
  plain.protocol.receive(frame({ opcode: 1, rsv: 4, payload: "?" }));
  plain.protocol.end();
  assertEquals(told(plain), []);
});

Deno.test("inflating in pieces: an exception of the listener is rethrown, and breaks nothing", () => {
  const { peer, receiver } = inflating();
  const mine = new Error("mine");
  peer.onMessage = () => {
    throw mine;
  };
  assertEquals(assertThrows(() => receiver.onInflateEnd(null)), mine);
  peer.onMessage = () => {};
  peer.protocol.proceed();
  assertEquals(told(peer), ["text ", "unblocked", "text behind"]);
});
