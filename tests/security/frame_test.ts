/** Frames of a hostile peer: they cause a clear close code, use bounded memory, and the process keeps running. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, record, told } from "../protocol/support.ts";
import { fromHex, hex, joined, utf8 } from "../support/bytes.ts";
import { closePayload, frame, KEY, peerFrame } from "../support/frames.ts";

/**
 * Counts the bytes of all `Uint8Array`s that `body` allocates, without views: it replaces the global class by
 * one that counts.
 */
function allocated(body: () => void): number {
  const genuine = globalThis.Uint8Array;
  let total = 0;
  globalThis.Uint8Array = new Proxy(genuine, {
    construct(target, [first, ...rest]) {
      if (typeof first === "number") total += first;
      else if (first instanceof genuine) total += first.length;
      return Reflect.construct(target, [first, ...rest]);
    },
  });
  try {
    body();
  } finally {
    globalThis.Uint8Array = genuine;
  }
  return total;
}

/** The header of an unmasked binary frame that announces `length` bytes. */
function announces(length: bigint, first = 0x82): Uint8Array<ArrayBuffer> {
  return fromHex(
    first.toString(16).padStart(2, "0") + "7f" + length.toString(16).padStart(16, "0"),
  );
}

Deno.test("attack 1: 64-bit lengths: 1002 or 1009, no error escapes, nothing is allocated", () => {
  const cases: [bigint, string][] = [
    [1n << 63n, "failure 1002 Invalid payload length"],
    [(1n << 64n) - 1n, "failure 1002 Invalid payload length"],
    [(1n << 63n) - 1n, "failure 1009 Message too big"],
    [1n << 32n, "failure 1009 Message too big"],
    [(1n << 53n) + 1n, "failure 1009 Message too big"],
    [1n << 53n, "failure 1009 Message too big"],
    [(1n << 53n) - 1n, "failure 1009 Message too big"],
  ];
  for (const [length, failure] of cases) {
    for (const maxMessageSize of [1 << 20, Infinity]) {
      const peer = record("client", { maxMessageSize, ownsChunks: true });
      const header = announces(length);
      const bytes = allocated(() => peer.protocol.receive(header));
      assertEquals([told(peer), peer.protocol.state], [[failure], "closed"], `${length}`);
      // The Close frame, and a new shared buffer if the last one was just used up.
      assert(bytes < 65536 + 200, `${bytes}`);
    }
  }
});

Deno.test("attack 2: a header that announces hundreds of MiB, then silence", () => {
  const refused = record("client", { maxMessageSize: 1 << 20 });
  refused.protocol.receive(announces(2n ** 31n - 1n));
  assertEquals(told(refused), ["failure 1009 Message too big"]);
  const peer = record("client", { maxMessageSize: Infinity });
  const bytes = allocated(() => {
    peer.protocol.receive(announces(2n ** 29n - 1000n));
    peer.protocol.receive(new Uint8Array(100));
  });
  assert(bytes < 4096, `${bytes}`);
  assertEquals(told(peer), []);
});

Deno.test("attack 2: the protocol allocates in proportion to the bytes received", () => {
  const peer = record("client", { maxMessageSize: Infinity, ownsChunks: true });
  peer.protocol.receive(announces(2n ** 29n - 1000n));
  const chunk = new Uint8Array(1000);
  const bytes = allocated(() => {
    for (let i = 0; i < 1000; i++) peer.protocol.receive(chunk);
  });
  // 1,000,000 bytes arrived; the last buffer has at most twice that, and all earlier ones together as much again.
  assert(bytes < 5_000_000, `${bytes}`);
});

Deno.test("attack 3: non-minimal lengths are accepted", () => {
  for (const form of [7, 16, 64] as const) {
    const peer = record("client");
    peer.protocol.receive(frame({ opcode: 1, payload: "abc", form }));
    peer.protocol.receive(frame({ opcode: 9, payload: "?", form }));
    assertEquals(told(peer), ["text abc", "ping 3f"]);
  }
  const peer = record("client");
  peer.protocol.receive(frame({ opcode: 2, payload: new Uint8Array(300), form: 64 }));
  assertEquals(told(peer), [`binary ${"00".repeat(300)}`]);
});

Deno.test("attack 4: 65,536 fragments of 64 bytes are a message of 4 MiB, in linear memory", () => {
  const size = 65536 * 64;
  const peer = record("client", { maxMessageSize: size, ownsChunks: true });
  const lengths: number[] = [];
  peer.log.push = () => 0;
  peer.onMessage = (message) => lengths.push(message.length);
  const first = frame({ opcode: 2, fin: false, payload: new Uint8Array(64) });
  const middle = frame({ opcode: 0, fin: false, payload: new Uint8Array(64) });
  const last = frame({ opcode: 0, payload: new Uint8Array(64) });
  const bytes = allocated(() => {
    peer.protocol.receive(first);
    for (let i = 2; i < 65536; i++) peer.protocol.receive(middle);
    peer.protocol.receive(last);
  });
  assertEquals(lengths, [size]);
  assert(bytes <= 4 * size, `${bytes}`);
});

Deno.test("attack 4: empty and one-byte fragments, millions of bytes: memory stays in proportion to their payload", () => {
  const peer = record("client", { maxMessageSize: 131_072, ownsChunks: true });
  const empty = joined(Array.from({ length: 1000 }, () => fromHex("00 00")));
  const single = joined(Array.from({ length: 1000 }, () => fromHex("00 01 61")));
  peer.protocol.receive(fromHex("02 00"));
  assertEquals(
    allocated(() => {
      for (let i = 0; i < 1000; i++) peer.protocol.receive(empty);
    }),
    0,
  );
  const bytes = allocated(() => {
    for (let i = 0; i < 131; i++) peer.protocol.receive(single);
  });
  assert(bytes <= 8 * 131_000, `${bytes}`);
  assertEquals(told(peer), []);
  peer.protocol.receive(single);
  assertEquals(told(peer), ["failure 1009 Message too big"]);
});

Deno.test("attack 5: a large frame in tiny chunks is copied into one growing buffer", () => {
  const peer = record("server");
  const payload = Uint8Array.from({ length: 100_000 }, (_, i) => i * 31);
  const wire = peerFrame("server", { opcode: 2, payload });
  const bytes = allocated(() => {
    for (let i = 0; i < wire.length; i++) peer.protocol.receive(wire.subarray(i, i + 1));
  });
  assert(told(peer)[0] === describe(payload));
  // Growing by four to exactly the announced length; a chunk's own copy is not kept.
  assert(bytes < 5 * payload.length, `${bytes}`);
});

Deno.test("attack 6: fragments below the limit whose sum is above it", () => {
  const peer = record("client", { maxMessageSize: 100 });
  peer.protocol.receive(frame({ opcode: 2, fin: false, payload: new Uint8Array(60) }));
  peer.protocol.receive(frame({ opcode: 0, fin: false, payload: new Uint8Array(40) }));
  assertEquals(told(peer), []);
  // The header alone is enough.
  peer.protocol.receive(fromHex("80 01"));
  assertEquals(told(peer), ["failure 1009 Message too big"]);
});

Deno.test("attack 7: a part of a header at the end of a chunk is copied, not kept", () => {
  const chunk = new Uint8Array(65536);
  chunk.set(frame({ opcode: 2, payload: new Uint8Array(65536 - 4 - 5) }));
  chunk.set(fromHex("82 7f 00 00 00"), 65531);
  const peer = record("client", { ownsChunks: true });
  const bytes = allocated(() => peer.protocol.receive(chunk));
  assertEquals(bytes, 5);
  chunk.fill(0xff);
  peer.protocol.receive(fromHex("00 00 00 00 01 07"));
  assertEquals(told(peer).length, 2);
  assertEquals(told(peer)[1], "binary 07");
});

Deno.test("attack 5: tiny chunks received while the reader pauses are joined in linear time", () => {
  const peer = record("client");
  peer.protocol.pause();
  const wire = frame({ opcode: 2, payload: new Uint8Array(50_000) });
  const bytes = allocated(() => {
    for (let i = 0; i < wire.length; i++) peer.protocol.receive(wire.subarray(i, i + 1));
  });
  assertEquals(peer.protocol.pendingInput, wire.length);
  assert(bytes <= 4 * wire.length, `${bytes}`);
  peer.protocol.resume();
  assert(told(peer)[0] === `binary ${"00".repeat(50_000)}`);
});

Deno.test("attack 8: a flood of Pings while the peer doesn't read: few Pongs are queued, the latest is last", () => {
  const peer = record("server");
  peer.log.push = () => 0;
  for (let i = 0; i < 100_000; i++) {
    peer.protocol.receive(peerFrame("server", { opcode: 9, payload: String(i) }));
    assert(peer.protocol.output.size <= 65 * 127);
  }
  const latest = hex(frame({ opcode: 10, payload: "99999" }));
  const sent = peer.sent();
  assert(sent.endsWith(latest));
  assert(sent.startsWith(hex(frame({ opcode: 10, payload: "0" }))));
  // Each Pong that is sent makes room for another.
  for (let i = 0; i < 65; i++) {
    peer.protocol.receive(peerFrame("server", { opcode: 9, payload: "y" }));
  }
  assertEquals(peer.sent(), hex(frame({ opcode: 10, payload: "y" })).repeat(65));
  const client = record("client");
  client.protocol.receive(frame({ opcode: 9, payload: new Uint8Array(125) }));
  client.protocol.receive(frame({ opcode: 9, payload: "x" }));
  client.protocol.sendText("behind");
  client.protocol.close(1000);
  const pong = frame({ opcode: 10, payload: "x", key: KEY });
  assert(client.sent().includes(hex(pong)));
});

Deno.test("attack 10: a Pong's payload stays bytes, with any content", () => {
  const peer = record("client");
  for (const payload of ["__proto__", "constructor", "toString"]) {
    peer.protocol.receive(frame({ opcode: 10, payload }));
  }
  assertEquals(
    told(peer),
    ["__proto__", "constructor", "toString"].map((name) => `pong ${hex(utf8(name))}`),
  );
});

/** The client's reports and its answer to the given bytes. */
function outcome(...wire: Uint8Array[]): [string[], string] {
  const peer = record("client");
  for (const chunk of wire) peer.protocol.receive(chunk);
  return [told(peer), peer.sent()];
}

function closed(code: number, reason = ""): string {
  return hex(frame({ opcode: 8, payload: closePayload(code, reason), key: KEY }));
}

Deno.test("attack 11: control frames: fragmented, too long, with a reserved bit", () => {
  for (const opcode of [8, 9, 10]) {
    const cases: [Uint8Array, string][] = [
      [frame({ opcode, fin: false }), "Control frame fragmented"],
      [frame({ opcode, payload: new Uint8Array(126) }), "Control frame too long"],
      [announces(1n << 40n, 0x80 | opcode), "Control frame too long"],
      ...[1, 2, 4].map((rsv): [Uint8Array, string] => [frame({ opcode, rsv }), "Reserved bit set"]),
    ];
    for (const [wire, reason] of cases) {
      assertEquals(outcome(wire), [[`failure 1002 ${reason}`], closed(1002, reason)]);
    }
  }
});

Deno.test("attack 11: Close frames with invalid codes or reasons", () => {
  const reason = "Invalid close code";
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535]) {
    const wire = frame({ opcode: 8, payload: closePayload(code) });
    assertEquals(outcome(wire), [[`failure 1002 ${reason}`], closed(1002, reason)]);
  }
  const short = "Close frame too short";
  assertEquals(outcome(frame({ opcode: 8, payload: "x" })), [
    [`failure 1002 ${short}`],
    closed(1002, short),
  ]);
  const notText = closePayload(1000, Uint8Array.of(0x61, 0xed, 0xa0, 0x80));
  assertEquals(outcome(frame({ opcode: 8, payload: notText })), [
    ["failure 1007 Invalid UTF-8"],
    closed(1007, "Invalid UTF-8"),
  ]);
});

Deno.test("attack 11: data after Close, and a second Close, are ignored", () => {
  const first = frame({ opcode: 8, payload: closePayload(1001, "bye") });
  const others = [
    frame({ opcode: 1, payload: "late" }),
    frame({ opcode: 8, payload: closePayload(1002) }),
    fromHex("ff ff ff"),
  ];
  const expected = [["close 1001 bye"], closed(1001, "bye")];
  assertEquals(outcome(first, ...others), expected);
  assertEquals(outcome(joined([first, ...others])), expected);
});

Deno.test("attack 12: continuations, interleaved messages, reserved opcodes and bits", () => {
  const begun = frame({ opcode: 1, fin: false, payload: "a" });
  const cases: [Uint8Array[], string][] = [
    [[frame({ opcode: 0 })], "Nothing to continue"],
    [[frame({ opcode: 0, fin: false })], "Nothing to continue"],
    [[begun, frame({ opcode: 1 })], "Previous message unfinished"],
    [[begun, frame({ opcode: 2, fin: false })], "Previous message unfinished"],
    [[begun, frame({ opcode: 0, rsv: 4 })], "Reserved bit set"],
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [Uint8Array[], string] => [
      [frame({ opcode })],
      "Reserved opcode",
    ]),
    ...[1, 2, 3, 4, 5, 6, 7].map((rsv): [Uint8Array[], string] => [
      [frame({ opcode: 2, rsv })],
      "Reserved bit set",
    ]),
  ];
  for (const [wire, reason] of cases) {
    assertEquals(outcome(...wire), [[`failure 1002 ${reason}`], closed(1002, reason)]);
  }
});

Deno.test("attack 13: an unmasked frame to a server, a masked one to a client", () => {
  for (const payload of ["", "x"]) {
    for (const opcode of [1, 2, 8, 9, 10]) {
      const server = record("server");
      server.protocol.receive(frame({ opcode, payload }));
      assertEquals(told(server), ["failure 1002 Frame not masked"]);
      const client = record("client");
      client.protocol.receive(frame({ opcode, payload, key: KEY }));
      assertEquals(told(client), ["failure 1002 Frame masked"]);
    }
  }
});

Deno.test("attack 14: bad UTF-8 fails at the first bad byte, in the middle of a frame or of a code point", () => {
  // The sequences of Autobahn 6.4: valid Greek, then above U+10FFFF, then valid again.
  const text = fromHex("ce ba e1 bd b9 cf 83 ce bc ce b5 f4 90 80 80 65 64 69 74 65 64");
  const place = 12;
  for (const fragments of [false, true]) {
    const peer = record("client");
    if (!fragments) peer.protocol.receive(fromHex("81 15"));
    for (let i = 0; i < text.length; i++) {
      assertEquals(told(peer), i <= place ? [] : ["failure 1007 Invalid UTF-8"], `${i}`);
      const part = text.subarray(i, i + 1);
      const fragment = frame({ opcode: i === 0 ? 1 : 0, fin: false, payload: part });
      peer.protocol.receive(fragments ? fragment : part);
    }
  }
});

Deno.test("attack 14: surrogates, overlong forms, truncated ends: the same result however the bytes are cut", () => {
  const bad = ["ed a0 80", "ed bf bf", "c0 80", "e0 80 af", "f0 80 80 80", "f8 88 80 80 80", "c3"];
  for (const text of bad) {
    const payload = fromHex(text);
    const whole = frame({ opcode: 1, payload });
    assertEquals(outcome(whole)[0], ["failure 1007 Invalid UTF-8"], text);
    const bytes = Array.from(whole, (_, i) => whole.subarray(i, i + 1));
    assertEquals(outcome(...bytes)[0], ["failure 1007 Invalid UTF-8"], text);
  }
});

Deno.test("attack 14: lone surrogates are sent as U+FFFD", () => {
  for (const text of ["\ud800", "a\udc00b", "\udc00\ud800", "x".repeat(9000) + "\ud800"]) {
    const peer = record("server");
    peer.protocol.sendText(text);
    const fixed = text.replaceAll(/[\ud800-\udfff]/g, "\ufffd");
    assert(peer.sent() === hex(frame({ opcode: 1, payload: fixed })));
  }
});

Deno.test("attack 15: the output has only bytes that were added, and no other byte of a shared buffer", () => {
  const peer = record("server");
  peer.protocol.sendBinary(new Uint8Array(5000).fill(0xaa));
  peer.protocol.sendText("é".repeat(100));
  peer.protocol.output.takeAll();
  // Three bytes per code unit are reserved; only the written bytes may be sent.
  peer.protocol.sendText("a".repeat(5000));
  peer.protocol.close(1000, "why");
  const expected = [
    frame({ opcode: 1, payload: "a".repeat(5000) }),
    frame({ opcode: 8, payload: closePayload(1000, "why") }),
  ];
  assert(peer.sent() === hex(joined(expected)));
  assertThrows(() => peer.protocol.close(1e9), RangeError);
});

Deno.test("attack 16: the caller's bytes are neither changed nor kept, in any kind of memory", () => {
  for (const size of [5, 100, 20_000]) {
    const expected = hex(frame({ opcode: 2, payload: new Uint8Array(size).fill(7), key: KEY }));
    const resizable = new Uint8Array(new ArrayBuffer(size, { maxByteLength: 2 * size }));
    const shared = new Uint8Array(new SharedArrayBuffer(size));
    for (const payload of [new Uint8Array(size), resizable, shared]) {
      const peer = record("client");
      payload.fill(7);
      peer.protocol.sendBinary(payload);
      assert(payload.every((byte) => byte === 7));
      payload.fill(9);
      assert(peer.sent() === expected, `${size}`);
    }
    const peer = record("client");
    const transferred = new Uint8Array(size).fill(7);
    peer.protocol.sendBinary(transferred);
    structuredClone(transferred, { transfer: [transferred.buffer] });
    assertEquals(transferred.length, 0);
    assert(peer.sent() === expected, `${size}`);
  }
});

Deno.test("attack 17: a client gets a new masking key for every frame, and sends no frame without one", () => {
  let asked = 0;
  const client = record("client", { maskingKeys: () => 0x01010101 * ++asked });
  const { protocol } = client;
  protocol.sendText("");
  protocol.sendText("x".repeat(100));
  protocol.sendText("x".repeat(20_000));
  protocol.sendBinary(new Uint8Array(20_000));
  protocol.sendBinary(new Uint8Array(1));
  protocol.ping();
  protocol.pong();
  protocol.receive(frame({ opcode: 9 }));
  protocol.close(1000);
  const server = record("server");
  server.protocol.receive(fromHex(client.sent()));
  assertEquals(asked, 9);
  assertEquals(told(server).map((entry) => entry.split(" ")[0]), [
    ...["text", "text", "text", "binary", "binary", "ping", "pong", "pong", "close"],
  ]);
});

Deno.test("attack 19: an error in a listener corrupts nothing and loses no later message", () => {
  for (const ownsChunks of [false, true]) {
    const peer = record("server", { ownsChunks });
    const wire = joined(
      ["a", "b", "c"].map((payload) => peerFrame("server", { opcode: 1, payload })),
    );
    peer.onMessage = (message) => {
      if (message === "a") throw new Error("the listener's");
    };
    assertThrows(() => peer.protocol.receive(wire.slice()), Error, "the listener's");
    peer.protocol.resume();
    assertEquals(told(peer), ["text a", "text b", "text c"]);
    assertThrows(() => peer.protocol.receive(wire.slice()), Error, "the listener's");
    peer.protocol.receive(peerFrame("server", { opcode: 8 }));
    assertEquals(told(peer).slice(3), ["text a", "text b", "text c", "close 1005 "]);
  }
});
