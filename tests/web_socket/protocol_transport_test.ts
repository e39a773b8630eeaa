import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { LimitError, ProtocolError, WebSocketChannelError } from "../../mod.ts";
import type { DeflateParameters } from "../../src/permessage_deflate/deflate_parameters.ts";
import { InflateError, type MessageDeflate } from "../../src/protocol/message_deflate.ts";
import { sendPrepared } from "../../src/server/broadcast.ts";
import { PreparedMessage } from "../../src/protocol/prepared_message.ts";
import { Channel } from "../../src/web_socket/channel.ts";
import { NO_CAPABILITIES } from "../../src/web_socket/capabilities.ts";
import { ChannelCore } from "../../src/web_socket/channel_core.ts";
import { ProtocolTransport } from "../../src/web_socket/protocol_transport.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { microtasks, record, settled } from "../support/events.ts";
import { collectUncaught } from "../support/unhandled.ts";
import { fromHex, hex, joined, utf8 } from "../support/bytes.ts";
import {
  clientFrame,
  closeFrame,
  closePayload,
  frame,
  framesIn,
  KEY,
  type ReadFrame,
} from "../support/frames.ts";
import { ended, FakeBytes, FakeWire, rig, wireRig } from "./support.ts";

const GRACE = 10;

const BOMB: MessageDeflate = {
  compress: () => null,
  decompress: () => {
    throw new InflateError("too-big");
  },
};

/** Creates a client with a limit of 100 bytes per message and the test's decompressor. */
function inflating(deflate: MessageDeflate): { channel: Channel; wire: FakeWire } {
  const wire = new FakeWire();
  const identity = { transport: "bytes", capabilities: NO_CAPABILITIES, url: () => "" } as const;
  const core = new ChannelCore({}, new ManualClock(), identity);
  const options = { maxMessageSize: 100 };
  const transport = new ProtocolTransport(core, wire, { side: "client", options, deflate });
  core.attach(transport);
  core.open({ protocol: null, extensions: "", response: null });
  wire.listen(transport);
  transport.start(options);
  return { channel: new Channel(core), wire };
}

/** Creates a Close frame of a client. */
function clientClose(code: number, reason = ""): Uint8Array {
  return clientFrame({ opcode: 8, payload: closePayload(code, reason) });
}

/** Returns the frames that a client or a server wrote since the last call. */
function frames(wire: FakeWire): ReadFrame[] {
  return framesIn(joined(wire.written.splice(0)));
}

/** Returns the frames as `opcode:payload in hexadecimal`. */
async function told(wire: FakeWire): Promise<string[]> {
  return (await nextFrames(wire)).map(({ opcode, payload }) => `${opcode}:${hex(payload)}`);
}

async function nextFrames(wire: FakeWire): Promise<ReadFrame[]> {
  await microtasks();
  return frames(wire);
}

function coreOf(channel: Channel): ChannelCore {
  const core = Channel.coreOf(channel);
  assert(core !== null);
  return core;
}

function payloadOf({ written }: FakeWire): Uint8Array {
  const wire = new FakeWire();
  wire.written.push(...written);
  return frames(wire)[0]?.payload ?? new Uint8Array();
}

// Sending.

Deno.test("if each chunk has its own turn, the messages that its reader sends leave in one write after it", async () => {
  const { channel, wire } = wireRig({ side: "server", endsTurns: true });
  const text = (payload: string): Uint8Array => frame({ opcode: 1, payload, key: KEY });
  channel.stream.listen((message) => {
    channel.sink.add(message);
    channel.sink.add("!");
    assertEquals(wire.written.length, 0);
  });
  wire.receive(joined([text("a"), text("b")]));
  assertEquals([wire.written.length, wire.sent()], [1, "810161" + "810121" + "810162" + "810121"]);
  wire.receive(frame({ opcode: 9, payload: "p", key: KEY }));
  assertEquals([wire.written.length, wire.sent()], [1, "8a0170"]);
  // A message that was sent before waits for the end of its turn.
  channel.sink.add("first");
  wire.receive(text("c"));
  assertEquals(wire.written.length, 0);
  await microtasks();
  assertEquals([wire.written.length, wire.sent().length], [1, 2 * (7 + 3 + 3)]);
  channel.terminate();
});

Deno.test("messages of one turn leave in one write, and a single message without delay", async () => {
  const { channel, wire } = wireRig({ side: "server" });
  for (let i = 0; i < 100; i++) channel.sink.add("x");
  assertEquals(wire.written.length, 0);
  await Promise.resolve();
  assertEquals(wire.written.length, 1);
  assertEquals(wire.sent(), "810178".repeat(100));
  channel.sink.add("alone");
  await Promise.resolve();
  assertEquals([wire.written.length, wire.sent()], [1, "8105616c6f6e65"]);
  channel.terminate();
});

Deno.test("S151 bufferedAmount counts the payloads that are queued here and in the transport", async () => {
  const { channel, wire } = wireRig({ side: "server" });
  channel.sink.add("12345");
  channel.sink.add(new Uint8Array(200));
  assertEquals(channel.sink.bufferedAmount, 5 + 200);
  wire.full = true;
  await microtasks();
  assertEquals(channel.sink.bufferedAmount, 5 + 200);
  channel.sink.add("1");
  assertEquals(channel.sink.bufferedAmount, 5 + 200 + 1);
  await microtasks();
  wire.drain();
  assertEquals(channel.sink.bufferedAmount, 0);
  channel.terminate();
});

Deno.test("G15 nothing is written while the transport is full, and everything afterwards", async () => {
  const { channel, wire } = wireRig({ side: "server" });
  wire.full = true;
  channel.sink.add(new Uint8Array(70_000));
  await microtasks();
  const written = wire.written.length;
  const { ready } = channel.sink;
  const flushed = channel.sink.flush();
  for (let i = 0; i < 10; i++) {
    channel.sink.add("behind");
    await microtasks();
  }
  assertEquals(wire.written.length, written);
  assertEquals(channel.sink.bufferedAmount, 70_000 + 60);
  assertFalse(await settled(ready));
  assertFalse(await settled(flushed));
  wire.drain();
  await ready;
  await flushed;
  assertEquals([wire.written.length, channel.sink.bufferedAmount], [written + 1, 0]);
  assertEquals(frames(wire).length, 11);
  channel.terminate();
});

Deno.test("G15 with a smaller high-water mark than the transport's, ready waits for the smaller one", async () => {
  const { channel, wire } = wireRig({ side: "server", highWaterMark: 100 });
  wire.full = true;
  channel.sink.add(new Uint8Array(200));
  await microtasks();
  const { ready } = channel.sink;
  assertFalse(await settled(ready));
  wire.drain();
  assert(await settled(ready));
  const none = wireRig({ side: "server", highWaterMark: 0 });
  assert(await settled(none.channel.sink.ready));
  none.channel.sink.add("x");
  const room = none.channel.sink.ready;
  await room;
  await microtasks();
  assertEquals(none.wire.sent(), "810178");
  channel.terminate();
  none.channel.terminate();
});

Deno.test("flush and ready also settle while the channel is closing", async () => {
  const { channel, wire } = wireRig({ side: "server" });
  wire.full = true;
  channel.sink.add(new Uint8Array(70_000));
  const flushed = channel.sink.flush();
  void channel.sink.close();
  assertFalse(await settled(flushed));
  wire.drain();
  await flushed;
  assertEquals(channel.state, "closing");
  channel.terminate();
});

Deno.test("a message that is added in a turn of the transport's drain is not lost", async () => {
  const { channel, wire } = wireRig({ side: "server" });
  wire.full = true;
  channel.sink.add(new Uint8Array(70_000));
  await microtasks();
  channel.sink.add("a");
  void channel.sink.ready.then(() => channel.sink.add("b"));
  await microtasks();
  wire.drain();
  await microtasks();
  assertEquals(frames(wire).length, 3);
  channel.terminate();
});

Deno.test("a large output is written at once to a wire that releases chunks", async () => {
  const { channel, wire } = wireRig({ side: "server", releasesChunks: true, highWaterMark: 100 });
  const core = coreOf(channel);
  channel.sink.add(new Uint8Array(16_000));
  assertEquals(wire.written.length, 0);
  channel.sink.add(new Uint8Array(16_000));
  assertEquals([wire.written.length, channel.sink.bufferedAmount], [1, 0]);
  channel.sink.add("a");
  assertEquals(wire.written.length, 1);
  await microtasks();
  assertEquals(wire.written.splice(0).length, 2);
  wire.full = true;
  channel.sink.add(new Uint8Array(40_000));
  channel.sink.add(new Uint8Array(40_000));
  // The first message found no room, so the second one is queued in the protocol.
  assertEquals(wire.written.reduce((sum, { length }) => sum + length, 0), 40_004);
  assertEquals([channel.sink.bufferedAmount, core.load], [80_000, 80_008]);
  channel.terminate();
  const other = wireRig({ side: "server", highWaterMark: 100 });
  other.channel.sink.add(new Uint8Array(60_000));
  assertEquals(other.wire.written.length, 0);
  await microtasks();
  assertEquals(other.channel.sink.bufferedAmount, 0);
  other.channel.terminate();
});

Deno.test("many messages and prepared messages are also written at once, however small they are", () => {
  const { channel, wire } = wireRig({ side: "server", releasesChunks: true });
  for (let i = 0; i < 63; i++) channel.sink.add("");
  assertEquals(wire.written.length, 0);
  channel.sink.add("");
  assertEquals([wire.written.length, wire.sent()], [1, "8100".repeat(64)]);
  const shared = new PreparedMessage("");
  for (let i = 0; i < 63; i++) sendPrepared(coreOf(channel), shared);
  assertEquals(wire.written.length, 0);
  sendPrepared(coreOf(channel), shared);
  assertEquals(wire.sent(), "8100".repeat(64));
  channel.terminate();
});

Deno.test("a message that took long to compress is also written at once, however small it became", () => {
  const deflate: DeflateParameters = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: 15,
    clientMaxWindowBits: 15,
  };
  const { channel, wire } = wireRig({ side: "server", releasesChunks: true, deflate });
  let added = 0;
  while (wire.written.length === 0 && added < 64) {
    channel.sink.add("x".repeat(3000));
    added++;
  }
  assertLess(added, 11);
  assertLess(wire.sent().length / 2, 1000);
  channel.terminate();
});

Deno.test("flush settles even if more is written meanwhile", async () => {
  const { channel, wire } = wireRig({ side: "server", releasesChunks: true, highWaterMark: 100 });
  wire.full = true;
  channel.sink.add(new Uint8Array(40_000));
  channel.sink.add(new Uint8Array(40_000));
  const flushed = channel.sink.flush();
  await microtasks();
  wire.drain(50);
  wire.full = true;
  await microtasks();
  assertFalse(await settled(flushed));
  wire.drain();
  await flushed;
  assertEquals(channel.sink.bufferedAmount, 0);
  channel.terminate();
});

Deno.test("a client encodes a prepared message each time, so that each frame has its own masking key", async () => {
  const { channel, wire } = wireRig();
  const shared = new PreparedMessage("Hello");
  sendPrepared(coreOf(channel), shared);
  sendPrepared(coreOf(channel), shared);
  const [first, second] = await nextFrames(wire);
  assertEquals([first?.payload, second?.payload], [utf8("Hello"), utf8("Hello")]);
  channel.terminate();
});

// Receiving.

Deno.test("a message is delivered in the call that received its last byte", () => {
  const { channel, wire } = wireRig();
  const { events } = record(channel.stream);
  wire.receive(fromHex("8105 6865 6c6c"));
  assertEquals(events, []);
  wire.receive(fromHex("6f 8201 07"));
  assertEquals(events, ["hello", Uint8Array.of(7)]);
  channel.terminate();
});

Deno.test("G14 bytes for a paused reader wait up to a limit, and are then delivered in order", async () => {
  const { channel, wire } = wireRig({ highWaterMark: 1000 });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  const text = (i: number): string => `${i}`.padStart(100, "0");
  let sent = 0;
  while (!wire.log.includes("pause") && sent < 100_000) {
    wire.receive(frame({ opcode: 1, payload: text(sent++) }));
  }
  // The limit is the channel's high-water mark plus the transport's 64 KiB.
  assert(sent * 102 < 1000 + 65_536 + 400, `${sent}`);
  assertEquals(events, []);
  subscription.resume();
  await microtasks();
  assertEquals(events, Array.from({ length: sent }, (_, i) => text(i)));
  assertEquals(wire.log, ["pause", "resume"]);
  channel.terminate();
});

Deno.test("G14 Pings are answered up to the limit, and again when the reader resumes", async () => {
  const { channel, wire } = wireRig({ highWaterMark: 1000 });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  const ping = frame({ opcode: 9, payload: "?" });
  wire.receive(frame({ opcode: 1, payload: "x".repeat(990) }), ping);
  assertEquals(await told(wire), ["10:3f"]);
  wire.receive(joined([frame({ opcode: 1, payload: "x".repeat(10) }), ping]));
  assertEquals(await told(wire), []);
  subscription.resume();
  assertEquals(await told(wire), ["10:3f"]);
  assertEquals(events.length, 2);
  channel.terminate();
});

Deno.test("G16 without a reader, memory is limited, and the channel sees a close below the limit", async () => {
  const { channel, wire } = wireRig();
  wire.receive(frame({ opcode: 1, payload: "unread" }), closeFrame(3000, "x"));
  wire.finish();
  assertEquals(await ended(channel), {
    code: 3000,
    reason: "x",
    wasClean: true,
    initiator: "remote",
    sent: { code: 3000, reason: "x" },
    received: { code: 3000, reason: "x" },
  });
  assertEquals((await channel.stream.next()).value, "unread");
});

Deno.test("a listener that throws loses no message and does not break the channel", async () => {
  const { channel, wire } = wireRig();
  const got: unknown[] = [];
  const error = new Error("the listener's");
  const uncaught = await collectUncaught(async () => {
    channel.stream.listen((message) => {
      got.push(message);
      if (message === "1") throw error;
    });
    wire.receive(fromHex("810131 810132 890178 810133"));
    assertEquals(got, ["1", "2", "3"]);
    assertEquals(await told(wire), ["10:78"]);
  });
  assertEquals(uncaught, [error]);
  assertEquals(channel.state, "open");
  channel.terminate();
});

Deno.test("a listener may send, close and terminate", async () => {
  const { channel, wire } = wireRig({ side: "server" });
  const got: unknown[] = [];
  channel.stream.listen((message) => {
    got.push(message);
    channel.sink.add("answer");
    if (message === "2") void channel.sink.close(3000);
  });
  const text = (payload: string): Uint8Array => frame({ opcode: 1, payload, key: KEY });
  wire.receive(joined([text("1"), text("2"), text("3"), clientClose(3000)]));
  assertEquals(await told(wire), ["1:616e73776572", "1:616e73776572", "8:0bb8"]);
  assertEquals(got, ["1", "2"]);
  assertEquals((await ended(channel)).initiator, "local");
  const other = wireRig();
  other.channel.stream.listen(() => other.channel.terminate());
  other.wire.receive(fromHex("810131 810132"));
  assertEquals((await ended(other.channel)).code, 1006);
});

Deno.test("G17 after a reader leaves, messages are dropped, Pings are answered and a close is seen", async () => {
  const { channel, wire } = wireRig({ highWaterMark: 10 });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  wire.receive(frame({ opcode: 1, payload: "x".repeat(100) }));
  subscription.cancel();
  wire.receive(
    frame({ opcode: 1, payload: "y".repeat(100) }),
    frame({ opcode: 9 }),
    closeFrame(1000),
  );
  assertEquals(await told(wire), ["10:", "8:03e8"]);
  wire.finish();
  assertEquals([(await ended(channel)).wasClean, events], [true, []]);
});

Deno.test("maxMessageSize: the last byte counts, and 1009 is sent and reported", async () => {
  const { channel, wire, clock } = wireRig({ maxMessageSize: 10, side: "client" });
  const { events } = record(channel.stream);
  wire.receive(frame({ opcode: 1, payload: "0123456789" }));
  wire.receive(frame({ opcode: 1, payload: "01234", fin: false }));
  wire.receive(frame({ opcode: 0, payload: "567890" }));
  const info = await ended(channel);
  assertEquals([info.code, info.initiator, info.wasClean], [1006, "local", false]);
  const { error } = await channel.closed;
  assertInstanceOf(error, LimitError);
  assertEquals(error.message, "Message of 11 bytes exceeds maxMessageSize (10 bytes)");
  assertEquals([error.option, error.limit, error.actual], ["maxMessageSize", 10, 11]);
  assertEquals(info.sent, { code: 1009, reason: "Message too big" });
  assertEquals(events, ["0123456789", "done"]);
  assertEquals(clock.pending, 0);
});

Deno.test("maxMessageSize: a message that is too large after decompression", async () => {
  const { channel, wire } = inflating(BOMB);
  wire.receive(frame({ opcode: 2, rsv: 4, payload: new Uint8Array(7) }));
  const { initiator, error, sent } = await channel.closed;
  assertEquals([initiator, sent?.code], ["local", 1009]);
  assertInstanceOf(error, LimitError);
  assertEquals(
    error.message,
    "Message of 7 compressed bytes exceeds maxMessageSize (100 bytes)",
  );
  assertEquals([error.limit, error.actual], [100, 7]);
});

Deno.test("if this end's decompressor fails, the code is 1011, and the peer is not blamed", async () => {
  const cause = new Error("out of memory");
  const deflate = {
    ...BOMB,
    decompress: (): never => {
      throw cause;
    },
  };
  const { channel, wire } = inflating(deflate);
  wire.receive(frame({ opcode: 2, rsv: 4, payload: "x" }));
  const { initiator, error, sent } = await channel.closed;
  assertEquals([initiator, sent?.code], ["local", 1011]);
  assertInstanceOf(error, WebSocketChannelError);
  assertFalse(error instanceof ProtocolError);
  assertEquals(error.message, "Cannot read a message: it could not be decompressed");
  assertStrictEquals(error.cause, cause);
});

// Failing.

Deno.test("S22 S179 a peer that violates the protocol gets a Close, and closed has a ProtocolError and 1006", async () => {
  const cases: [name: string, received: string, code: number][] = [
    ["a reserved bit", "c100", 1002],
    ["a masked frame", "8180 00000000", 1002],
    ["text that is not UTF-8", "8101 ff", 1007],
    ["a Close of one byte", "8801 03", 1002],
    ["a close code that must not be sent", "8802 03ed", 1002],
  ];
  for (const [name, received, code] of cases) {
    const { channel, wire, clock } = wireRig();
    const { events } = record(channel.stream);
    channel.sink.add("before");
    wire.receive(fromHex("810131" + received + "810132"));
    assertEquals(channel.state, "closing", name);
    assertFalse(channel.sink.add("dropped"));
    const info = await ended(channel);
    assertEquals([info.code, info.wasClean, info.initiator], [1006, false, "protocol-error"], name);
    const { error } = await channel.closed;
    assertInstanceOf(error, ProtocolError);
    assertEquals([error.closeCode, (info.sent as { code: number }).code], [code, code], name);
    const [text, last] = frames(wire);
    assertEquals(new TextDecoder().decode(text?.payload), "before");
    assertEquals(hex(last?.payload.subarray(0, 2) ?? utf8("")), code.toString(16).padStart(4, "0"));
    assertEquals([events, clock.pending], [["1", "done"], 0], name);
    assertEquals(wire.log, ["end"]);
  }
});

Deno.test("G26 if the bytes end or fail before or inside a frame, the code is 1006, with the cause", async () => {
  const cause = new Error("reset");
  for (const received of ["", "8105 6865", "82", "01 0131"]) {
    for (const fails of [false, true]) {
      const { channel, wire, clock } = wireRig();
      const { events } = record(channel.stream);
      wire.receive(fromHex("810131" + received));
      if (fails) wire.fail(cause);
      else wire.finish();
      assertEquals(await ended(channel), {
        code: 1006,
        reason: "",
        wasClean: false,
        initiator: "transport",
      });
      const { error } = await channel.closed;
      assertInstanceOf(error, WebSocketChannelError);
      assertStrictEquals(error.cause, fails ? cause : undefined);
      assertEquals("cause" in error, fails);
      assertEquals([events, clock.pending, channel.closeCode], [["1", "done"], 0, 1006]);
      await channel.sink.done;
    }
  }
});

Deno.test("a wire that fails while the reader pauses is reported at once, and nothing is lost", async () => {
  const { channel, wire, clock } = wireRig({ highWaterMark: 500, pingInterval: 1000 });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  for (let i = 0; i < 20; i++) wire.receive(frame({ opcode: 1, payload: "x".repeat(100) }));
  const cause = new Error("reset");
  wire.fail(cause);
  const info = await ended(channel);
  assertEquals([info.code, info.initiator, clock.pending], [1006, "transport", 0]);
  assertStrictEquals(((await channel.closed).error as Error).cause, cause);
  assertFalse(channel.sink.add("dropped"));
  assertEquals(events, []);
  subscription.resume();
  await microtasks();
  assertEquals(events.length, 21);
  assertEquals(events[20], "done");
});

Deno.test("a wire that ends while the reader pauses, with a Close among the unread bytes", async () => {
  const { channel, wire, clock } = wireRig({ highWaterMark: 500 });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  wire.receive(frame({ opcode: 1, payload: "x".repeat(600) }));
  wire.receive(joined([frame({ opcode: 1, payload: "last" }), closeFrame(4000, "bye")]));
  wire.finish();
  assertEquals(channel.state, "open");
  wire.break();
  const info = await ended(channel);
  // The answer could not be written.
  assertEquals([info.code, info.reason, info.wasClean, info.sent], [
    4000,
    "bye",
    false,
    undefined,
  ]);
  assertEquals(clock.pending, 0);
  subscription.resume();
  await microtasks();
  assertEquals(events, ["x".repeat(600), "last", "done"]);
});

Deno.test("if only the writing half breaks, the channel reads for at most closeTimeout", async () => {
  const { channel, wire, clock } = wireRig({ closeTimeout: 100 });
  const { events } = record(channel.stream);
  const cause = new Error("broken");
  wire.break({ error: cause });
  await microtasks();
  wire.receive(frame({ opcode: 1, payload: "still" }));
  clock.advance(99);
  assertEquals(channel.state, "open");
  clock.advance(1);
  assertEquals((await ended(channel)).initiator, "transport");
  assertStrictEquals(((await channel.closed).error as Error).cause, cause);
  assertEquals([events, clock.pending], [["still", "done"], 0]);
});

// Closing.

Deno.test("G9 close ends the stream at once, drops later messages and sees the peer's Close", async () => {
  for (const side of ["client", "server"] as const) {
    const { channel, wire, clock } = wireRig({ side });
    const { events } = record(channel.stream);
    const key = side === "server" ? KEY : undefined;
    const peer = (opcode: number, payload: Uint8Array | string): Uint8Array =>
      frame({ opcode, payload, ...(key === undefined ? {} : { key }) });
    const closed = channel.sink.close(3000, "bye");
    clock.advance(4999);
    assertEquals(channel.state, "closing");
    wire.receive(peer(1, "dropped"));
    // RFC 6455 §5.5.2: a Ping is answered unless a Close was received.
    wire.receive(peer(9, "?"));
    assertEquals(await told(wire), ["8:0bb8627965", "10:3f"]);
    assertEquals(events, ["done"]);
    wire.receive(peer(8, closePayload(3000, "bye")));
    // RFC 6455 §7.1.1: a client waits for the server to end TCP.
    assertEquals(channel.state, "closing");
    if (side === "client") {
      assertFalse(await settled(closed));
      wire.finish();
    }
    await closed;
    assertEquals((await ended(channel)).wasClean, true);
    assertEquals([wire.log, clock.pending], [["end"], 0]);
  }
});

Deno.test("S177 a Close is answered after the messages that were added before", async () => {
  const { channel, wire } = wireRig();
  channel.stream.listen(() => {});
  channel.sink.add("last");
  wire.receive(closeFrame(4000));
  assertFalse(channel.sink.add("dropped"));
  assertEquals(await told(wire), ["1:6c617374", "8:0fa0"]);
  wire.finish();
  assertEquals((await ended(channel)).sent, { code: 4000, reason: "" });
});

Deno.test("if the transport ends in the same turn as the peer's Close, the answer is still sent", async () => {
  const { channel, wire } = wireRig();
  channel.stream.listen(() => {});
  wire.receive(closeFrame(1000));
  wire.finish();
  assertEquals(await told(wire), ["8:03e8"]);
  assert((await channel.closed).wasClean);
});

Deno.test("the peer's Close and the end wait for a slow reader", async () => {
  const { channel, wire } = wireRig({ side: "server" });
  const conclude = heldEnding(channel);
  wire.receive(frame({ opcode: 1, payload: "a", key: KEY }), clientClose(1000));
  wire.receive(frame({ opcode: 1, payload: "late", key: KEY }));
  wire.finish();
  assertEquals([channel.state, conclude.length], ["open", 1]);
  channel.sink.add("answer");
  conclude[0]?.();
  assertEquals(channel.state, "closing");
  assertEquals(await told(wire), ["1:616e73776572", "8:03e8"]);
  assertEquals((await ended(channel)).wasClean, true);
  conclude[0]?.();
  assertEquals((await channel.stream.next()).value, "a");
  assertFalse(wire.log.includes("destroy"));
});

/** Collects the functions that apply the peer's end while earlier messages are unread. */
function heldEnding(channel: Channel): (() => void)[] {
  const held: (() => void)[] = [];
  coreOf(channel).onEarlyEnding = (conclude) => held.push(conclude);
  return held;
}

Deno.test("neither a broken wire nor an own Close waits for the reader", async () => {
  const broken = wireRig({ side: "server" });
  assertEquals(heldEnding(broken.channel), []);
  broken.wire.receive(frame({ opcode: 1, payload: "a", key: KEY }), fromHex("ff80 00000000"));
  assertEquals(broken.channel.state, "open");
  broken.wire.break();
  const failed = await ended(broken.channel);
  assertEquals([failed.code, failed.initiator], [1006, "protocol-error"]);
  const closing = wireRig({ side: "server" });
  heldEnding(closing.channel);
  closing.wire.receive(frame({ opcode: 1, payload: "a", key: KEY }), clientClose(1000));
  void closing.channel.sink.close(4000);
  const info = await ended(closing.channel);
  assertEquals([info.code, info.sent, info.initiator], [1000, { code: 4000, reason: "" }, "local"]);
  const failing = wireRig({ side: "server" });
  heldEnding(failing.channel);
  failing.wire.receive(clientClose(1000));
  failing.wire.fail(new Error("reset"));
  const lost = await ended(failing.channel);
  // The answer could not be written.
  assertEquals([lost.code, lost.wasClean, lost.sent], [1000, false, undefined]);
  for (const { clock } of [broken, closing, failing]) assertEquals(clock.pending, 0);
});

Deno.test("if the writing half breaks and the peer's Close has arrived, no timer is left", async () => {
  for (const side of ["client", "server"] as const) {
    for (const isBefore of [true, false]) {
      const { channel, wire, clock } = wireRig({ side });
      channel.stream.listen(() => {});
      const peer = (): void =>
        wire.receive(side === "server" ? clientClose(1000) : closeFrame(1000));
      if (isBefore) peer();
      wire.break();
      if (!isBefore) peer();
      // RFC 6455 §7.1.1: a client waits for the server to end TCP.
      if (side === "client") wire.finish();
      const info = await ended(channel);
      assertEquals([info.code, info.initiator], [1000, "remote"], `${side} ${isBefore}`);
      assertEquals(clock.pending, 0, `${side} ${isBefore}`);
    }
  }
});

Deno.test("an end that arrives on a paused wire waits for the reader", async () => {
  const { channel, wire } = wireRig({ highWaterMark: 10 });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  const { events: transport } = wire;
  const big = frame({ opcode: 1, payload: "x".repeat(20) });
  // Like a transport that took the wire over and delivers what arrived meanwhile.
  transport?.onChunk(joined([big, frame({ opcode: 1, payload: "y" }), closeFrame(4000)]));
  transport?.onEnd(null);
  await microtasks();
  assertEquals(channel.state, "open");
  subscription.resume();
  const { code, wasClean } = await ended(channel);
  assertEquals([events, code, wasClean], [["x".repeat(20), "y", "done"], 4000, true]);
});

Deno.test("G6 attack 43: closeTimeout ends a connection without an answer, even if bytes keep arriving", async () => {
  const { channel, wire, clock } = wireRig({ closeTimeout: 1000, pingInterval: 100 });
  void channel.sink.close(1000);
  for (let i = 0; i < 999; i++) {
    clock.advance(1);
    wire.receive(frame({ opcode: i % 2 + 1, payload: "x" }));
    await Promise.resolve();
  }
  assertEquals([channel.state, clock.pending], ["closing", 1]);
  clock.advance(1);
  assertEquals(await ended(channel), {
    code: 1006,
    reason: "",
    wasClean: false,
    initiator: "timeout",
    sent: { code: 1000, reason: "" },
  });
  assertEquals([wire.log, clock.pending], [["destroy"], 0]);
});

Deno.test("attack 43: closeTimeout applies inside a frame that never ends, and if a Close cannot be written", async () => {
  const half = wireRig({ closeTimeout: 1000 });
  half.wire.receive(fromHex("8164 6865"));
  void half.channel.sink.close(1000);
  half.clock.advance(1000);
  assertEquals((await ended(half.channel)).initiator, "timeout");
  const stuck = wireRig({ closeTimeout: 1000, side: "server" });
  stuck.channel.stream.listen(() => {});
  stuck.wire.full = true;
  stuck.channel.sink.add(new Uint8Array(100_000));
  await microtasks();
  stuck.wire.receive(clientClose(1000));
  await microtasks();
  assertEquals(stuck.channel.state, "closing");
  stuck.clock.advance(1000);
  const info = await ended(stuck.channel);
  assertEquals([info.code, info.wasClean, info.initiator], [1000, false, "timeout"]);
  assertEquals([half.clock.pending, stuck.clock.pending], [0, 0]);
});

Deno.test("G7 if the peer's transport never ends after its Close, closeTimeout ends the connection cleanly", async () => {
  for (const side of ["client", "server"] as const) {
    const { channel, wire, clock } = wireRig({ side, closeTimeout: 50 });
    wire.ends = false;
    void channel.sink.close(1000);
    wire.receive(side === "client" ? closeFrame(1000) : clientClose(1000));
    await microtasks();
    assertEquals(channel.state, "closing");
    clock.advance(50);
    const info = await ended(channel);
    assertEquals([info.code, info.wasClean, info.initiator], [1000, true, "local"], side);
    assert(wire.log.includes("destroy"));
    assertEquals(clock.pending, 0);
  }
});

Deno.test("attack 43: a peer that ends its half and reads nothing does not keep the connection open", async () => {
  const { channel, wire, clock } = wireRig();
  wire.full = true;
  wire.ends = false;
  channel.sink.add(new Uint8Array(100_000));
  await microtasks();
  wire.finish();
  assertEquals((await ended(channel)).code, 1006);
  assertEquals([wire.log.includes("destroy"), clock.pending], [true, 0]);
  const closing = wireRig({ closeTimeout: 50 });
  closing.wire.full = true;
  closing.wire.ends = false;
  closing.channel.sink.add(new Uint8Array(100_000));
  void closing.channel.sink.close();
  closing.wire.finish();
  await microtasks();
  assertEquals(closing.channel.state, "closing");
  closing.clock.advance(50);
  assertEquals((await ended(closing.channel)).initiator, "timeout");
  assertEquals(closing.clock.pending, 0);
});

Deno.test("closing continues to read although the reader pauses beyond the high-water mark", async () => {
  const { channel, wire } = wireRig({ highWaterMark: 10 });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  wire.receive(frame({ opcode: 1, payload: "x".repeat(100) }));
  wire.receive(frame({ opcode: 1, payload: "y" }));
  void channel.sink.close();
  wire.receive(closeFrame());
  wire.finish();
  assert((await ended(channel)).wasClean);
  assertEquals(events, ["done"]);
});

Deno.test("G12 after an error in the sink, 1011 is sent, done rejects, and closed has the error", async () => {
  const { channel, wire } = wireRig();
  const error = new Error("the user's");
  channel.sink.addError(error);
  assertEquals(await told(wire), ["8:03f3"]);
  wire.receive(closeFrame(1011));
  wire.finish();
  assertEquals(await assertRejects(() => channel.sink.done), error);
  const info = await channel.closed;
  assertStrictEquals(info.error, error);
  assertEquals([info.wasClean, info.initiator, info.sent?.code], [true, "local", 1011]);
});

Deno.test("terminate ends the connection at once, without a Close", async () => {
  const { channel, wire, clock } = wireRig({ pingInterval: 10 });
  const { events } = record(channel.stream);
  channel.sink.add("lost");
  const ping = channel.ping();
  channel.terminate();
  assertEquals([channel.state, clock.pending], ["closed", 0]);
  await assertRejects(() => ping, WebSocketChannelError);
  wire.receive(frame({ opcode: 1, payload: "late" }));
  assertEquals((await ended(channel)).initiator, "local");
  assertEquals([events, wire.sent(), wire.log], [["done"], "", ["destroy"]]);
});

Deno.test("terminate closes bytes that cannot be destroyed", async () => {
  for (const canDestroy of [true, false]) {
    const { channel, bytes, clock } = rig({
      bytes: new FakeBytes({ canDestroy }),
      pingInterval: 10,
    });
    const { events } = record(channel.stream);
    channel.sink.add("lost");
    channel.terminate();
    bytes.receive(frame({ opcode: 1, payload: "late" }));
    assertEquals((await ended(channel)).initiator, "local");
    assertEquals([events, bytes.sent(), clock.pending], [["done"], "", 0]);
    assertEquals(bytes.log, ["cancel", canDestroy ? "destroy" : "close"]);
  }
});

Deno.test("cancelling the readable closes the channel", async () => {
  const { channel, wire } = wireRig();
  const cancelled = channel.readable.cancel();
  assertEquals(await told(wire), ["8:"]);
  wire.receive(closeFrame());
  wire.finish();
  await cancelled;
  assert((await channel.closed).wasClean);
});

Deno.test("ready and flush settle when the connection is lost", async () => {
  const { channel, wire } = wireRig();
  wire.full = true;
  channel.sink.add(new Uint8Array(100_000));
  const { ready } = channel.sink;
  const flushed = channel.sink.flush();
  wire.fail(new Error("reset"));
  await ready;
  await assertRejects(() => flushed);
  assertFalse(channel.sink.add("dropped"));
});

// Pings.

Deno.test("ping: it measures the round-trip time, and latency has it", async () => {
  const { channel, wire, clock } = wireRig();
  assertEquals(channel.latency, null);
  const ping = channel.ping();
  await microtasks();
  const payload = payloadOf(wire);
  clock.advance(42);
  wire.receive(frame({ opcode: 10, payload: "unasked" }), frame({ opcode: 10, payload }));
  assertEquals([await ping, channel.latency], [42, 42]);
  channel.terminate();
});

Deno.test("a pending ping rejects with the peer's Close, before the connection ends", async () => {
  const { channel, wire } = wireRig();
  channel.stream.listen(() => {});
  const ping = channel.ping();
  await microtasks();
  wire.receive(closeFrame(1000));
  // The server has not ended TCP yet.
  assertFalse(await settled(channel.closed));
  await assertRejects(() => ping, WebSocketChannelError, "before the Pong arrived");
  assertFalse(await settled(channel.closed));
  channel.terminate();
});

Deno.test("ping on a channel that is closing or has ended rejects", async () => {
  const { channel } = wireRig();
  void channel.sink.close();
  await assertRejects(() => channel.ping(), WebSocketChannelError, "closing");
  channel.terminate();
  await assertRejects(() => channel.ping(), WebSocketChannelError, "closed");
  const ping = channel.ping();
  assert(await settled(ping));
});

Deno.test("G18 a dead peer: the connection ends at once with 1006 and initiator timeout, and no timer is left", async () => {
  const { channel, wire, clock } = wireRig({ pingInterval: 1000, pingTimeout: 300 });
  const { events } = record(channel.stream);
  wire.full = true;
  channel.sink.add(new Uint8Array(100_000));
  clock.advance(1300 + GRACE - 1);
  await microtasks();
  assertEquals(channel.state, "open");
  clock.advance(1);
  assertEquals(channel.state, "closed");
  assertEquals(await ended(channel), {
    code: 1006,
    reason: "",
    wasClean: false,
    initiator: "timeout",
    dropped: 100_000,
  });
  assertEquals(((await channel.closed).error as DOMException).name, "TimeoutError");
  assertEquals([events, clock.pending], [["done"], 0]);
  assertEquals(wire.log, ["destroy"]);
});

Deno.test("keepalive: Pongs, messages and parts of frames count as signs of life", async () => {
  const { channel, wire, clock } = wireRig({ pingInterval: 1000 });
  channel.stream.listen(() => {});
  for (let i = 0; i < 30; i++) {
    clock.advance(i === 0 ? 1000 : 997);
    await microtasks();
    const sent = frames(wire);
    assertEquals(sent.map(({ opcode }) => opcode), [9]);
    clock.advance(3);
    const payload = sent[0]?.payload ?? "";
    if (i % 3 === 0) wire.receive(frame({ opcode: 10, payload }));
    else wire.receive(i % 3 === 1 ? fromHex("8104 6162") : fromHex("6162"));
  }
  assertEquals([channel.state, channel.latency], ["open", 3]);
  channel.terminate();
});

Deno.test("keepalive is suspended while the reader pauses beyond the high-water mark", async () => {
  const { channel, wire, clock } = wireRig({ pingInterval: 1000, highWaterMark: 100 });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  wire.receive(frame({ opcode: 1, payload: "x".repeat(100) }));
  clock.advance(100_000);
  await microtasks();
  assertEquals(channel.state, "open");
  subscription.resume();
  await microtasks();
  clock.advance(1000);
  assertEquals([channel.state, events.length], ["open", 1]);
  clock.advance(2000 + GRACE);
  assertEquals(channel.state, "closed");
  assertEquals(clock.pending, 0);
});

Deno.test("attack 46: after a stall of the event loop, buffered bytes are read first", async () => {
  const { channel, wire, clock } = wireRig({ pingInterval: 1000 });
  clock.advance(1000);
  await microtasks();
  clock.stall(60_000);
  assertEquals(channel.state, "open");
  wire.receive(frame({ opcode: 10, payload: frames(wire)[0]?.payload ?? "" }));
  clock.advance(1000);
  assertEquals(channel.state, "open");
  assertEquals(channel.latency, 60_000);
  channel.terminate();
});

Deno.test("G19 after the local close, no Ping is sent and an incoming Pong is ignored", async () => {
  const { channel, wire, clock } = wireRig({ pingInterval: 10, closeTimeout: 1000 });
  const ping = channel.ping();
  await microtasks();
  const payload = payloadOf(wire);
  frames(wire);
  void channel.sink.close();
  await assertRejects(() => ping, WebSocketChannelError);
  wire.receive(frame({ opcode: 10, payload }));
  clock.advance(900);
  assertEquals(await told(wire), ["8:"]);
  assertEquals(clock.pending, 1);
  channel.terminate();
});

Deno.test("attack 8: the output is limited while a peer sends Pings and reads nothing", async () => {
  const { channel, wire } = wireRig({ side: "server" });
  wire.full = true;
  channel.sink.add(new Uint8Array(70_000));
  await microtasks();
  const before = channel.sink.bufferedAmount;
  const ping = frame({ opcode: 9, payload: "x".repeat(125), key: KEY });
  for (let i = 0; i < 2000; i++) {
    wire.receive(ping.slice());
    if (i % 100 === 0) await microtasks();
  }
  assert(channel.sink.bufferedAmount - before <= 65 * 127);
  wire.drain();
  assertEquals((await told(wire)).filter((entry) => entry.startsWith("10:")).length, 65);
  channel.terminate();
});

Deno.test("ref and unref reach the wire", () => {
  const { channel, wire } = wireRig();
  channel.unref();
  channel.ref();
  assertEquals(wire.log, ["unref", "ref"]);
  channel.terminate();
});

Deno.test("a value that cannot be sent throws, and changes nothing", async () => {
  const { channel, wire } = wireRig();
  assertThrows(() => channel.sink.add(1 as unknown as string), TypeError);
  assertThrows(() => channel.sink.close(1005), RangeError);
  assertThrows(() => channel.sink.close(1000, "x".repeat(124)), SyntaxError);
  channel.sink.add("after");
  assertEquals(await told(wire), ["1:6166746572"]);
  channel.terminate();
});
