/** Messages that are reported in parts, and messages that are sent in fragments. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  InflateError,
  type InflatePartsEvents,
  type MessageDeflate,
} from "../../src/protocol/message_deflate.ts";
import { Protocol } from "../../src/protocol/protocol.ts";
import type { ProtocolEvents, ProtocolOptions } from "../../src/protocol/protocol_events.ts";
import { LARGEST_PIECE } from "../../src/protocol/work_budget.ts";
import { hex, joined, utf8 } from "../support/bytes.ts";
import { frame, KEY_NUMBER, peerFrame } from "../support/frames.ts";
import { splits } from "./support.ts";

interface Large {
  protocol: Protocol;
  log: string[];
  /** A callback for each part. */
  onPart: () => void;
  sent(): string;
}

function open(options: Partial<ProtocolOptions> = {}): Large {
  const log: string[] = [];
  const events: ProtocolEvents = {
    onMessage: (message) =>
      log.push(`whole ${typeof message === "string" ? message : hex(message)}`),
    onLargeMessage: (kind) => log.push(`begin ${kind}`),
    onPart(part, size) {
      log.push(`${typeof part === "string" ? part : hex(part)} ${size}`);
      large.onPart();
    },
    onLargeEnd: () => log.push("end"),
    onPong: (payload) => log.push(`pong ${hex(payload)}`),
    onClose: (code) => log.push(`close ${code}`),
    onFailure: ({ code, reason }) => log.push(`failure ${code} ${reason}`),
    onOutput() {},
    onUnblocked: () => log.push("unblocked"),
  };
  const protocol = new Protocol({
    side: "client",
    maskingKeys: () => KEY_NUMBER,
    maxMessageSize: 100,
    streamLargerThan: 4,
    ...options,
  }, events);
  const large: Large = {
    protocol,
    log,
    onPart: () => {},
    sent: () => hex(joined(protocol.output.takeAll())),
  };
  return large;
}

/** Returns the joined content of the parts, and every other event. */
function joinedParts(log: string[]): string[] {
  const told: string[] = [];
  let content = "";
  for (const entry of log) {
    const part = /^(.*) \d+$/s.exec(entry);
    if (part === null || /^(pong|close|failure|whole|begin)/.test(entry)) {
      if (content !== "" && !entry.startsWith("pong")) told.push(content);
      if (!entry.startsWith("pong")) content = "";
      told.push(entry);
    } else content += part[1];
  }
  return told;
}

Deno.test("large messages: a larger frame or fragmented message is reported in parts, however it is cut", () => {
  for (const side of ["client", "server"] as const) {
    const bytes = joined([
      peerFrame(side, { opcode: 1, payload: "four" }),
      peerFrame(side, { opcode: 1, payload: "12345" }),
      peerFrame(side, { opcode: 2, payload: Uint8Array.of(1, 2), fin: false }),
      peerFrame(side, { opcode: 0, payload: "", fin: false }),
      peerFrame(side, { opcode: 10, payload: "p" }),
      peerFrame(side, { opcode: 0, payload: Uint8Array.of(3, 4, 5) }),
      peerFrame(side, { opcode: 1, payload: utf8("é€").subarray(0, 4), fin: false }),
      peerFrame(side, { opcode: 0, payload: utf8("é€").subarray(4) }),
      peerFrame(side, { opcode: 2, payload: "ab", fin: false }),
      peerFrame(side, { opcode: 0, payload: "cd" }),
    ]);
    for (const chunks of splits(bytes)) {
      for (const ownsChunks of [true, false]) {
        const { protocol, log } = open({ side, ownsChunks });
        for (const chunk of chunks) protocol.receive(ownsChunks ? chunk.slice() : chunk);
        const told = log.join(" ");
        assertEquals(told.match(/begin \w+|whole \w+|end/g), [
          "whole four",
          "begin text",
          "end",
          "begin binary",
          "end",
          "begin text",
          "end",
          "whole 61626364",
        ]);
        const parts = joinedParts(log);
        assert(parts.includes("12345"), told);
        assert(parts.includes("é€"), told);
        assert(told.includes("pong 70"), told);
      }
    }
  }
});

Deno.test("large messages: text that was decoded before it became large is reported first", () => {
  const { protocol, log } = open({
    streamLargerThan: LARGEST_PIECE + 100,
    maxMessageSize: Infinity,
  });
  protocol.receive(frame({ opcode: 1, payload: "a".repeat(LARGEST_PIECE + 10), fin: false }));
  assertEquals(log, []);
  protocol.receive(frame({ opcode: 0, payload: "b".repeat(100) }));
  assertEquals(
    log.map((it) => it.length > 100 ? `${it.length}` : it),
    [
      "begin text",
      `${LARGEST_PIECE + 8}`,
      `aaaaaaaaaa ${LARGEST_PIECE + 10}`,
      `${"b".repeat(100)} ${LARGEST_PIECE + 110}`,
      "end",
    ].map((it) => it.length > 100 ? `${it.length}` : it),
  );
});

Deno.test("large messages: text that is not UTF-8 fails, or is replaced", () => {
  const bad: [chunk: number[], fin: boolean][] = [
    [[97, 98, 99, 100, 101, 0xff, 97], true],
    [[97, 98, 99, 100, 101, 0xe2], true],
    [[97, 98, 99, 100, 101, 0xe2, 0x82], true],
  ];
  for (const [payload, fin] of bad) {
    const bytes = frame({ opcode: 1, payload: Uint8Array.from(payload), fin });
    const failing = open();
    failing.protocol.receive(bytes);
    assertEquals(failing.log.at(-1), "failure 1007 Invalid UTF-8");
    const replacing = open({ invalidText: "replace" });
    replacing.protocol.receive(bytes);
    assertEquals(replacing.log.at(-1), "end");
    assert(replacing.log.join("").includes("\ufffd"));
  }
});

Deno.test("large messages: the size limit applies, and may exceed the maximum string length", () => {
  const { protocol, log } = open({ maxMessageSize: 10 });
  protocol.receive(frame({ opcode: 2, payload: "123456", fin: false }));
  protocol.receive(frame({ opcode: 0, payload: "12345" }));
  assertEquals(log.at(-1), "failure 1009 Message too big");
  const endless = open({ maxMessageSize: Infinity });
  const head = Uint8Array.of(2, 127, 0, 0, 1, 0, 0, 0, 0, 0);
  endless.protocol.receive(joined([head, utf8("xy")]));
  assertEquals(endless.log, ["begin binary", "7879 2"]);
});

Deno.test("large messages: a skipped message counts and ends; a dropped one does neither", () => {
  const { protocol, log } = open();
  protocol.skip();
  protocol.receive(frame({ opcode: 1, payload: "123456", fin: false }));
  protocol.skip();
  protocol.receive(frame({ opcode: 0, payload: "7", fin: false }));
  protocol.receive(frame({ opcode: 0, payload: "8" }));
  assertEquals(log, ["begin text", "123456 6", "end"]);
  protocol.receive(frame({ opcode: 1, payload: "123456", fin: false }));
  protocol.drop();
  protocol.receive(frame({ opcode: 0, payload: "7" }));
  protocol.receive(frame({ opcode: 8, payload: "" }));
  assertEquals(log.slice(3), ["begin text", "123456 6", "close 1005"]);
});

Deno.test("large messages: an event may pause, close and throw in the middle", () => {
  const bytes = joined([
    frame({ opcode: 1, payload: "123456" }),
    frame({ opcode: 1, payload: "x" }),
  ]);
  const paused = open();
  paused.onPart = () => paused.protocol.pause();
  paused.protocol.receive(bytes);
  assertEquals(paused.log, ["begin text", "123456 6", "end"]);
  paused.protocol.resume();
  assertEquals(paused.log.at(-1), "whole x");
  const closing = open();
  closing.onPart = () => closing.protocol.close();
  closing.protocol.receive(bytes);
  assertEquals(closing.log, ["begin text", "123456 6"]);
  const throwing = open();
  throwing.onPart = () => {
    throw new Error("a fault of the owner's");
  };
  assertThrows(() => throwing.protocol.receive(bytes), Error, "the owner's");
  throwing.protocol.receive(new Uint8Array());
  assertEquals(throwing.log, ["begin text", "123456 6", "end", "whole x"]);
  const ending = open();
  ending.onPart = () => ending.protocol.end();
  ending.protocol.receive(frame({ opcode: 2, payload: "1234", fin: false }));
  ending.protocol.receive(frame({ opcode: 0, payload: "5" }));
  assertEquals(ending.log, ["begin binary", "31323334 4"]);
});

// Compressed messages.

/** A decompressor that the test controls: it returns the test's output. */
class FakeDeflate implements MessageDeflate {
  receiver: InflatePartsEvents | null = null;
  readonly log: string[] = [];
  /** A callback for each piece. */
  onPush: (bytes: Uint8Array, isLast: boolean) => void = () => {};

  compress(): null {
    return null;
  }

  decompress(): null {
    return null;
  }

  inflateInParts(maxLength: number, receiver: InflatePartsEvents) {
    this.receiver = receiver;
    this.log.push(`limit ${maxLength}`);
    return {
      push: (bytes: Uint8Array, isLast: boolean) => {
        this.log.push(`push ${hex(bytes)}${isLast ? " last" : ""}`);
        this.onPush(bytes, isLast);
      },
      pause: () => this.log.push("pause"),
      resume: () => this.log.push("resume"),
    };
  }

  compressFragment(payload: Uint8Array): Uint8Array | null {
    return payload.length === 0 ? Uint8Array.of(0) : Uint8Array.from(payload, (it) => it + 1);
  }

  abandon(): void {
    this.log.push("abandon");
  }
}

function compressed(options: Partial<ProtocolOptions> = {}) {
  const deflate = new FakeDeflate();
  return Object.assign(open({ deflate, ...options }), { deflate });
}

Deno.test("large messages, compressed: the decompressed size decides", () => {
  const { protocol, log, deflate } = compressed();
  const small = frame({ opcode: 1, rsv: 4, payload: "c" });
  protocol.receive(joined([small, small, frame({ opcode: 10, payload: "p" })]));
  assert(protocol.isBusy);
  deflate.receiver?.onInflated(utf8("12"));
  deflate.receiver?.onInflated(utf8("34"));
  assertEquals(log, []);
  deflate.receiver?.onInflateEnd(null);
  assertEquals(log, ["whole 1234", "unblocked"]);
  protocol.proceed();
  deflate.receiver?.onInflated(utf8("123"));
  deflate.receiver?.onInflated(utf8("45"));
  protocol.pause();
  deflate.receiver?.onInflated(utf8("6"));
  protocol.resume();
  deflate.receiver?.onInflateEnd(null);
  protocol.proceed();
  assertEquals(log.slice(2), ["begin text", "123 3", "45 5", "6 6", "end", "unblocked", "pong 70"]);
  assertEquals(deflate.log, [
    "limit 100",
    "push 63 last",
    "limit 100",
    "push 63 last",
    "pause",
    "resume",
  ]);
});

Deno.test("large messages, compressed: a larger payload is decompressed as it arrives", () => {
  const { protocol, log, deflate } = compressed({ maxMessageSize: 1 << 20 });
  protocol.receive(frame({ opcode: 2, rsv: 4, payload: "ab", fin: false }));
  assertEquals(deflate.log, []);
  protocol.receive(frame({ opcode: 0, payload: "cdef", fin: false }));
  assertEquals(deflate.log.slice(1), ["push 6162", "push 63646566"]);
  assertEquals(protocol.isBusy, false);
  deflate.receiver?.onInflateMore();
  protocol.receive(frame({ opcode: 0, payload: "", fin: false }));
  protocol.receive(frame({ opcode: 0, payload: new Uint8Array(70_000), fin: false }));
  assert(protocol.isBusy);
  protocol.receive(frame({ opcode: 0, payload: "" }));
  deflate.receiver?.onInflated(new Uint8Array(5));
  deflate.receiver?.onInflateMore();
  assertEquals(log, ["begin binary", "0000000000 5", "unblocked"]);
  protocol.proceed();
  assertEquals(deflate.log.at(-1), "push  last");
  deflate.receiver?.onInflateEnd(null);
  assertEquals(log.slice(3), ["end", "unblocked"]);
});

Deno.test("large messages, compressed: every way to end in the middle", () => {
  const ends: [(it: ReturnType<typeof compressed>) => void, string][] = [
    [
      ({ deflate }) => deflate.receiver?.onInflateEnd(new InflateError("too-big")),
      "failure 1009 Message too big",
    ],
    [
      ({ deflate }) => deflate.receiver?.onInflateEnd(new InflateError("corrupt")),
      "failure 1007 Invalid compressed data",
    ],
    [
      ({ deflate }) => deflate.receiver?.onInflated(Uint8Array.of(0xff, 97)),
      "failure 1007 Invalid UTF-8",
    ],
    [({ deflate }) => {
      deflate.receiver?.onInflated(Uint8Array.of(0xe2));
      deflate.receiver?.onInflateEnd(null);
    }, "failure 1007 Invalid UTF-8"],
    [({ protocol }) => protocol.close(), "123456 6"],
    [({ protocol }) => protocol.drop(), "123456 6"],
  ];
  for (const [end, last] of ends) {
    const it = compressed();
    it.protocol.receive(frame({ opcode: 1, rsv: 4, payload: "abcde", fin: false }));
    it.deflate.receiver?.onInflated(utf8("123456"));
    end(it);
    assertEquals(it.log.filter((entry) => entry !== "unblocked").at(-1), last);
    const told = it.log.length;
    it.deflate.receiver?.onInflated(utf8("7"));
    it.deflate.receiver?.onInflateMore();
    it.deflate.receiver?.onInflateEnd(null);
    assertEquals(it.log.length, told);
  }
  // Invalid from the beginning, and an owner that closes at the first part.
  const bad = compressed();
  bad.protocol.receive(frame({ opcode: 1, rsv: 4, payload: "abcd" }));
  bad.deflate.receiver?.onInflated(Uint8Array.of(97, 98));
  bad.deflate.receiver?.onInflated(Uint8Array.of(0xff, 0xff, 0xff));
  assertEquals(bad.log.filter((it) => it.startsWith("failure")), ["failure 1007 Invalid UTF-8"]);
  const closing = compressed();
  closing.protocol.receive(frame({ opcode: 2, rsv: 4, payload: "abcd" }));
  closing.deflate.receiver?.onInflated(utf8("12"));
  closing.onPart = () => closing.protocol.close();
  closing.deflate.receiver?.onInflated(utf8("345"));
  assertEquals(closing.log.filter((it) => it !== "unblocked"), ["begin binary", "3132 2"]);
});

Deno.test("large messages, compressed: the listener of the last part may close", () => {
  const it = compressed({ invalidText: "replace" });
  it.protocol.receive(frame({ opcode: 1, rsv: 4, payload: "abcd" }));
  it.deflate.receiver?.onInflated(joined([utf8("12345"), Uint8Array.of(0xe2)]));
  it.onPart = () => it.protocol.close();
  it.deflate.receiver?.onInflateEnd(null);
  assertEquals(it.log.filter((entry) => entry !== "unblocked"), [
    "begin text",
    "12345 6",
    "\ufffd 6",
  ]);
});

Deno.test("large messages, compressed: a skipped message is still decompressed, because later ones depend on it", () => {
  const { protocol, log, deflate } = compressed();
  protocol.receive(frame({ opcode: 1, rsv: 4, payload: "abcde", fin: false }));
  deflate.receiver?.onInflated(utf8("123456"));
  protocol.skip();
  deflate.receiver?.onInflated(utf8("7"));
  protocol.receive(frame({ opcode: 0, payload: "" }));
  deflate.receiver?.onInflateEnd(null);
  assertEquals(log, ["begin text", "123456 6", "end", "unblocked"]);
});

Deno.test("large messages, compressed: a synchronous decompressor blocks nothing", () => {
  const it = compressed();
  it.deflate.onPush = (_, isLast) => {
    it.deflate.receiver?.onInflated(utf8("abcdef"));
    if (isLast) it.deflate.receiver?.onInflateEnd(null);
  };
  it.protocol.receive(
    joined([frame({ opcode: 1, rsv: 4, payload: "c" }), frame({ opcode: 1, payload: "x" })]),
  );
  assertEquals(it.log, ["begin text", "abcdef 6", "end", "whole x"]);
  assertEquals(it.protocol.isBusy, false);
  const without = open({ deflate: { compress: () => null, decompress: () => null } });
  without.protocol.receive(frame({ opcode: 1, rsv: 4, payload: "c" }));
  assert(without.protocol.isBusy);
  without.protocol.pause();
  without.protocol.resume();
});

// Sending.

Deno.test("large messages: after the first fragment, other opcodes follow, with control frames between", () => {
  const { protocol, sent } = open({ side: "server" });
  const fragment = { opcode: 1, fin: false, compress: true };
  assert(protocol.sendFragment(utf8("a"), fragment));
  assert(protocol.ping());
  assert(protocol.sendFragment(utf8("b"), { ...fragment, opcode: 0 }));
  assert(protocol.sendFragment(new Uint8Array(), { ...fragment, opcode: 0, fin: true }));
  assertEquals(sent(), "01016189000001628000");
  protocol.close();
  assertEquals(protocol.sendFragment(utf8("c"), fragment), false);
});

Deno.test("large messages: only the first compressed fragment has the RSV1 bit", () => {
  const { protocol, sent } = compressed({ side: "server" });
  const fragment = { opcode: 2, fin: false, compress: true };
  protocol.sendFragment(utf8("a"), fragment);
  protocol.sendFragment(new Uint8Array(), { ...fragment, opcode: 0, fin: true });
  assertEquals(sent(), "420162800100");
  protocol.sendFragment(utf8("a"), { ...fragment, compress: false });
  assertEquals(sent(), "020161");
});
