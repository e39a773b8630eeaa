import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { ProtocolError, WebSocketChannelError } from "../../mod.ts";
import type { ProtocolChannel } from "../../src/web_socket/protocol_channel.ts";
import { microtasks, record, settled } from "../support/events.ts";
import { collectUncaught } from "../support/unhandled.ts";
import { closePayload, frame, fromHex, hex, joined, KEY, utf8 } from "../protocol/support.ts";
import { ended, FakeBytes, rig } from "./support.ts";

const GRACE = 10;

/** A Close frame of a server. */
function close(code?: number, reason = ""): Uint8Array {
  return frame({ opcode: 8, payload: code === undefined ? "" : closePayload(code, reason) });
}

/** A Close frame of a client. */
function clientClose(code: number, reason = ""): Uint8Array {
  return frame({ opcode: 8, payload: closePayload(code, reason), key: KEY });
}

interface Sent {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** The frames that a client or a server wrote since the last call. */
function frames(bytes: FakeBytes): Sent[] {
  const wire = joined(bytes.written.splice(0));
  const result: Sent[] = [];
  for (let at = 0; at < wire.length;) {
    const second = wire[at + 1] ?? 0;
    const short = second & 127;
    const view = new DataView(wire.buffer, at + 2);
    const length = short < 126 ? short : short === 126 ? view.getUint16(0) : view.getUint32(4);
    const keyAt = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    const masked = second > 127;
    const start = keyAt + (masked ? 4 : 0);
    const payload = wire.slice(start, start + length);
    if (masked) payload.forEach((byte, i) => payload[i] = byte ^ (wire[keyAt + i % 4] ?? 0));
    result.push({ opcode: (wire[at] ?? 0) & 15, payload });
    at = start + length;
  }
  return result;
}

/** The frames as `opcode:payload in hexadecimal`. */
async function told(bytes: FakeBytes): Promise<string[]> {
  await microtasks();
  return frames(bytes).map(({ opcode, payload }) => `${opcode}:${hex(payload)}`);
}

function payloadOf({ written }: FakeBytes): Uint8Array {
  const bytes = new FakeBytes();
  bytes.written.push(...written);
  return frames(bytes)[0]?.payload ?? new Uint8Array();
}

// Sending.

Deno.test("what is sent in one turn leaves in one write, a lone message without delay", async () => {
  const { channel, bytes } = rig({ side: "server" });
  for (let i = 0; i < 100; i++) channel.sink.add("x");
  assertEquals(bytes.written.length, 0);
  await Promise.resolve();
  assertEquals(bytes.written.length, 1);
  assertEquals(bytes.sent(), "810178".repeat(100));
  channel.sink.add("alone");
  await Promise.resolve();
  assertEquals([bytes.written.length, bytes.sent()], [1, "8105616c6f6e65"]);
  channel.terminate();
});

Deno.test("bufferedAmount counts payloads: those that wait here, and those that wait in the transport", async () => {
  const { channel, bytes } = rig({ side: "server" });
  channel.sink.add("12345");
  channel.sink.add(new Uint8Array(200));
  assertEquals(channel.sink.bufferedAmount, 5 + 200);
  bytes.full = true;
  await microtasks();
  assertEquals(channel.sink.bufferedAmount, 5 + 200);
  channel.sink.add("1");
  assertEquals(channel.sink.bufferedAmount, 5 + 200 + 1);
  await microtasks();
  bytes.drain();
  assertEquals(channel.sink.bufferedAmount, 0);
  channel.terminate();
});

Deno.test("G15 while the transport is full nothing is written, then all of it", async () => {
  const { channel, bytes } = rig({ side: "server" });
  bytes.full = true;
  channel.sink.add(new Uint8Array(70_000));
  await microtasks();
  const written = bytes.written.length;
  const { ready } = channel.sink;
  const flushed = channel.sink.flush();
  for (let i = 0; i < 10; i++) {
    channel.sink.add("behind");
    await microtasks();
  }
  assertEquals(bytes.written.length, written);
  assertEquals(channel.sink.bufferedAmount, 70_000 + 60);
  assertFalse(await settled(ready));
  assertFalse(await settled(flushed));
  bytes.drain();
  await ready;
  await flushed;
  assertEquals([bytes.written.length, channel.sink.bufferedAmount], [written + 1, 0]);
  assertEquals(frames(bytes).length, 11);
  channel.terminate();
});

Deno.test("G15 a smaller high-water mark than the transport's: ready waits for that", async () => {
  const { channel, bytes } = rig({ side: "server", highWaterMark: 100 });
  bytes.full = true;
  channel.sink.add(new Uint8Array(200));
  await microtasks();
  const { ready } = channel.sink;
  assertFalse(await settled(ready));
  bytes.drain();
  assert(await settled(ready));
  const none = rig({ side: "server", highWaterMark: 0 });
  assert(await settled(none.channel.sink.ready));
  none.channel.sink.add("x");
  const room = none.channel.sink.ready;
  await room;
  channel.terminate();
  none.channel.terminate();
});

Deno.test("flush and ready settle while the channel is closing, too", async () => {
  const { channel, bytes } = rig({ side: "server" });
  bytes.full = true;
  channel.sink.add(new Uint8Array(70_000));
  const flushed = channel.sink.flush();
  void channel.sink.close();
  assertFalse(await settled(flushed));
  bytes.drain();
  await flushed;
  assertEquals(channel.state, "closing");
  channel.terminate();
});

Deno.test("an add inside a turn of the transport's drain isn't lost", async () => {
  const { channel, bytes } = rig({ side: "server" });
  bytes.full = true;
  channel.sink.add(new Uint8Array(70_000));
  await microtasks();
  channel.sink.add("a");
  void channel.sink.ready.then(() => channel.sink.add("b"));
  await microtasks();
  bytes.drain();
  await microtasks();
  assertEquals(frames(bytes).length, 3);
  channel.terminate();
});

// Receiving.

Deno.test("a message is delivered in the call that brought its last byte", () => {
  const { channel, bytes } = rig();
  const { events } = record(channel.stream);
  bytes.receive(fromHex("8105 6865 6c6c"));
  assertEquals(events, []);
  bytes.receive(fromHex("6f 8201 07"));
  assertEquals(events, ["hello", Uint8Array.of(7)]);
  channel.terminate();
});

Deno.test("G14 a paused reader: bytes wait, bounded; then all of it, in order", async () => {
  const { channel, bytes } = rig({ highWaterMark: 1000 });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  const text = (i: number): string => `${i}`.padStart(100, "0");
  let sent = 0;
  while (!bytes.log.includes("pause") && sent < 100_000) {
    bytes.receive(frame({ opcode: 1, payload: text(sent++) }));
  }
  // The channel's own mark, and the transport's of 64 KiB.
  assert(sent * 102 < 1000 + 65_536 + 400, `${sent}`);
  assertEquals(events, []);
  subscription.resume();
  await microtasks();
  assertEquals(events, Array.from({ length: sent }, (_, i) => text(i)));
  assertEquals(bytes.log, ["pause", "resume"]);
  channel.terminate();
});

Deno.test("G14 Pings are answered up to the bound, and again when the reader goes on", async () => {
  const { channel, bytes } = rig({ highWaterMark: 1000 });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  const ping = frame({ opcode: 9, payload: "?" });
  bytes.receive(frame({ opcode: 1, payload: "x".repeat(990) }), ping);
  assertEquals(await told(bytes), ["10:3f"]);
  bytes.receive(joined([frame({ opcode: 1, payload: "x".repeat(10) }), ping]));
  assertEquals(await told(bytes), []);
  subscription.resume();
  assertEquals(await told(bytes), ["10:3f"]);
  assertEquals(events.length, 2);
  channel.terminate();
});

Deno.test("G16 with no reader at all: memory bounded, and the close is noticed below the bound", async () => {
  const { channel, bytes } = rig();
  bytes.receive(frame({ opcode: 1, payload: "unread" }), close(3000, "x"));
  bytes.incoming.end();
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

Deno.test("a listener that throws loses nothing and harms nothing", async () => {
  const { channel, bytes } = rig();
  const got: unknown[] = [];
  const error = new Error("the listener's");
  const uncaught = await collectUncaught(async () => {
    channel.stream.listen((message) => {
      got.push(message);
      if (message === "1") throw error;
    });
    bytes.receive(fromHex("810131 810132 890178 810133"));
    assertEquals(got, ["1", "2", "3"]);
    assertEquals(await told(bytes), ["10:78"]);
  });
  assertEquals(uncaught, [error]);
  assertEquals(channel.state, "open");
  channel.terminate();
});

Deno.test("a listener that sends, closes and terminates from inside", async () => {
  const { channel, bytes } = rig({ side: "server" });
  const got: unknown[] = [];
  channel.stream.listen((message) => {
    got.push(message);
    channel.sink.add("answer");
    if (message === "2") void channel.sink.close(3000);
  });
  const text = (payload: string): Uint8Array => frame({ opcode: 1, payload, key: KEY });
  bytes.receive(joined([text("1"), text("2"), text("3"), clientClose(3000)]));
  assertEquals(await told(bytes), ["1:616e73776572", "1:616e73776572", "8:0bb8"]);
  assertEquals(got, ["1", "2"]);
  assertEquals((await ended(channel)).initiator, "local");
  const other = rig();
  other.channel.stream.listen(() => other.channel.terminate());
  other.bytes.receive(fromHex("810131 810132"));
  assertEquals((await ended(other.channel)).code, 1006);
});

Deno.test("G17 a reader that leaves: messages are dropped, Pings answered, the close noticed", async () => {
  const { channel, bytes } = rig({ highWaterMark: 10 });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  bytes.receive(frame({ opcode: 1, payload: "x".repeat(100) }));
  subscription.cancel();
  bytes.receive(frame({ opcode: 1, payload: "y".repeat(100) }), frame({ opcode: 9 }), close(1000));
  assertEquals(await told(bytes), ["10:", "8:03e8"]);
  bytes.incoming.end();
  assertEquals([(await ended(channel)).wasClean, events], [true, []]);
});

Deno.test("maxMessageSize: the last byte counts, 1009 is sent and told", async () => {
  const { channel, bytes, clock } = rig({ maxMessageSize: 10, side: "client" });
  const { events } = record(channel.stream);
  bytes.receive(frame({ opcode: 1, payload: "0123456789" }));
  bytes.receive(frame({ opcode: 1, payload: "01234", fin: false }));
  bytes.receive(frame({ opcode: 0, payload: "567890" }));
  const info = await ended(channel);
  assertEquals([info.code, info.initiator], [1006, "protocol-error"]);
  assertEquals(info.sent, { code: 1009, reason: "Message too big" });
  assertEquals(events, ["0123456789", "done"]);
  assertEquals(clock.pending, 0);
});

// Failing.

Deno.test("a peer that breaks the protocol: told, a ProtocolError, 1006", async () => {
  const cases: [name: string, wire: string, code: number][] = [
    ["a reserved bit", "c100", 1002],
    ["a masked frame", "8180 00000000", 1002],
    ["text that is no UTF-8", "8101 ff", 1007],
    ["a Close of one byte", "8801 03", 1002],
    ["a close code that must not be sent", "8802 03ed", 1002],
  ];
  for (const [name, wire, code] of cases) {
    const { channel, bytes, clock } = rig();
    const { events } = record(channel.stream);
    channel.sink.add("before");
    bytes.receive(fromHex("810131" + wire + "810132"));
    assertEquals(channel.state, "closing", name);
    assertFalse(channel.sink.add("dropped"));
    const info = await ended(channel);
    assertEquals([info.code, info.wasClean, info.initiator], [1006, false, "protocol-error"], name);
    const { error } = await channel.closed;
    assertInstanceOf(error, ProtocolError);
    assertEquals([error.closeCode, (info.sent as { code: number }).code], [code, code], name);
    const [text, last] = frames(bytes);
    assertEquals(new TextDecoder().decode(text?.payload), "before");
    assertEquals(hex(last?.payload.subarray(0, 2) ?? utf8("")), code.toString(16).padStart(4, "0"));
    assertEquals([events, clock.pending], [["1", "done"], 0], name);
    assertEquals(bytes.log, ["close"]);
  }
});

Deno.test("G26 the bytes end or fail, before a frame and inside one: 1006, with the cause", async () => {
  const cause = new Error("reset");
  for (const wire of ["", "8105 6865", "82", "01 0131"]) {
    for (const fails of [false, true]) {
      const { channel, bytes, clock } = rig();
      const { events } = record(channel.stream);
      bytes.receive(fromHex("810131" + wire));
      if (fails) bytes.fail(cause);
      else bytes.incoming.end();
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

Deno.test("a transport that fails while the reader pauses: told at once, nothing is lost", async () => {
  const { channel, bytes, clock } = rig({ highWaterMark: 500, pingInterval: 1000 });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  for (let i = 0; i < 20; i++) bytes.receive(frame({ opcode: 1, payload: "x".repeat(100) }));
  const cause = new Error("reset");
  bytes.fail(cause);
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

Deno.test("a transport that is over while the reader pauses, with a Close in what waits", async () => {
  const { channel, bytes, clock } = rig({ highWaterMark: 500 });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  bytes.receive(frame({ opcode: 1, payload: "x".repeat(600) }));
  bytes.receive(joined([frame({ opcode: 1, payload: "last" }), close(4000, "bye")]));
  bytes.incoming.end();
  assertEquals(channel.state, "open");
  bytes.outgoing.finish();
  const info = await ended(channel);
  // The answer could not be written any more.
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

Deno.test("only the bytes' sink breaks: what still comes is read, for closeTimeout at most", async () => {
  const { channel, bytes, clock } = rig({ closeTimeout: 100 });
  const { events } = record(channel.stream);
  const cause = new Error("broken");
  bytes.outgoing.fail(cause);
  await microtasks();
  bytes.receive(frame({ opcode: 1, payload: "still" }));
  clock.advance(99);
  assertEquals(channel.state, "open");
  clock.advance(1);
  assertEquals((await ended(channel)).initiator, "transport");
  assertStrictEquals(((await channel.closed).error as Error).cause, cause);
  assertEquals([events, clock.pending], [["still", "done"], 0]);
});

// Closing.

Deno.test("G9 close: the stream ends at once, what comes is dropped, the peer's Close is seen", async () => {
  for (const side of ["client", "server"] as const) {
    const { channel, bytes, clock } = rig({ side });
    const { events } = record(channel.stream);
    const key = side === "server" ? KEY : undefined;
    const peer = (opcode: number, payload: Uint8Array | string): Uint8Array =>
      frame({ opcode, payload, ...(key === undefined ? {} : { key }) });
    const closed = channel.sink.close(3000, "bye");
    clock.advance(4999);
    assertEquals(channel.state, "closing");
    bytes.receive(peer(1, "dropped"));
    // RFC 6455 §5.5.2: a Ping is answered unless a Close was received.
    bytes.receive(peer(9, "?"));
    assertEquals(await told(bytes), ["8:0bb8627965", "10:3f"]);
    assertEquals(events, ["done"]);
    bytes.receive(peer(8, closePayload(3000, "bye")));
    // RFC 6455 §7.1.1: a client waits for the server to end TCP.
    assertEquals(channel.state, "closing");
    if (side === "client") {
      assertFalse(await settled(closed));
      bytes.incoming.end();
    }
    await closed;
    assertEquals((await ended(channel)).wasClean, true);
    assertEquals([bytes.log, clock.pending], [["close"], 0]);
  }
});

Deno.test("a Close is answered, behind what was added before", async () => {
  const { channel, bytes } = rig();
  channel.stream.listen(() => {});
  channel.sink.add("last");
  bytes.receive(close(4000));
  assertFalse(channel.sink.add("dropped"));
  assertEquals(await told(bytes), ["1:6c617374", "8:0fa0"]);
  bytes.incoming.end();
  assertEquals((await ended(channel)).sent, { code: 4000, reason: "" });
});

Deno.test("the transport ends in the same turn as the peer's Close: the answer still goes out", async () => {
  const { channel, bytes } = rig();
  channel.stream.listen(() => {});
  bytes.receive(close(1000));
  bytes.incoming.end();
  assertEquals(await told(bytes), ["8:03e8"]);
  assert((await channel.closed).wasClean);
});

Deno.test("G6 attack 43: no answer, and bytes that dribble for ever: over at closeTimeout", async () => {
  const { channel, bytes, clock } = rig({ closeTimeout: 1000, pingInterval: 100 });
  void channel.sink.close(1000);
  for (let i = 0; i < 999; i++) {
    clock.advance(1);
    bytes.receive(frame({ opcode: i % 2 + 1, payload: "x" }));
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
  assertEquals([bytes.log, clock.pending], [["cancel", "destroy"], 0]);
});

Deno.test("attack 43: inside a frame that never ends, and with a Close that can't be written", async () => {
  const half = rig({ closeTimeout: 1000 });
  half.bytes.receive(fromHex("8164 6865"));
  void half.channel.sink.close(1000);
  half.clock.advance(1000);
  assertEquals((await ended(half.channel)).initiator, "timeout");
  const stuck = rig({ closeTimeout: 1000, side: "server" });
  stuck.channel.stream.listen(() => {});
  stuck.bytes.full = true;
  stuck.channel.sink.add(new Uint8Array(100_000));
  await microtasks();
  stuck.bytes.receive(clientClose(1000));
  await microtasks();
  assertEquals(stuck.channel.state, "closing");
  stuck.clock.advance(1000);
  const info = await ended(stuck.channel);
  assertEquals([info.code, info.wasClean, info.initiator], [1000, false, "timeout"]);
  assertEquals([half.clock.pending, stuck.clock.pending], [0, 0]);
});

Deno.test("G7 the peer's Close came, its transport never ends: clean, at closeTimeout", async () => {
  for (const side of ["client", "server"] as const) {
    const { channel, bytes, clock } = rig({ side, closeTimeout: 50 });
    bytes.ends = false;
    void channel.sink.close(1000);
    bytes.receive(side === "client" ? close(1000) : clientClose(1000));
    await microtasks();
    assertEquals(channel.state, "closing");
    clock.advance(50);
    const info = await ended(channel);
    assertEquals([info.code, info.wasClean, info.initiator], [1000, true, "local"], side);
    assert(bytes.log.includes("destroy"));
    assertEquals(clock.pending, 0);
  }
});

Deno.test("attack 43: a peer that ends its half and reads nothing doesn't hold the connection", async () => {
  const { channel, bytes, clock } = rig();
  bytes.full = true;
  bytes.ends = false;
  channel.sink.add(new Uint8Array(100_000));
  await microtasks();
  bytes.incoming.end();
  assertEquals((await ended(channel)).code, 1006);
  assertEquals([bytes.log.includes("destroy"), clock.pending], [true, 0]);
  const closing = rig({ closeTimeout: 50 });
  closing.bytes.full = true;
  closing.bytes.ends = false;
  closing.channel.sink.add(new Uint8Array(100_000));
  void closing.channel.sink.close();
  closing.bytes.incoming.end();
  await microtasks();
  assertEquals(closing.channel.state, "closing");
  closing.clock.advance(50);
  assertEquals((await ended(closing.channel)).initiator, "timeout");
  assertEquals(closing.clock.pending, 0);
});

Deno.test("closing while the reader pauses beyond the high-water mark reads on", async () => {
  const { channel, bytes } = rig({ highWaterMark: 10 });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  bytes.receive(frame({ opcode: 1, payload: "x".repeat(100) }));
  bytes.receive(frame({ opcode: 1, payload: "y" }));
  void channel.sink.close();
  bytes.receive(close());
  bytes.incoming.end();
  assert((await ended(channel)).wasClean);
  assertEquals(events, ["done"]);
});

Deno.test("G12 an error in the sink: 1011 goes out, done rejects, closed has it", async () => {
  const { channel, bytes } = rig();
  const error = new Error("the user's");
  channel.sink.addError(error);
  assertEquals(await told(bytes), ["8:03f3"]);
  bytes.receive(close(1011));
  bytes.incoming.end();
  assertEquals(await assertRejects(() => channel.sink.done), error);
  const info = await channel.closed;
  assertStrictEquals(info.error, error);
  assertEquals([info.wasClean, info.initiator, info.sent?.code], [true, "local", 1011]);
});

Deno.test("terminate: at once, without a Close; where the bytes can't be destroyed they are closed", async () => {
  for (const canDestroy of [true, false]) {
    const { channel, bytes, clock } = rig({
      bytes: new FakeBytes({ canDestroy }),
      pingInterval: 10,
    });
    const { events } = record(channel.stream);
    channel.sink.add("lost");
    const ping = channel.ping();
    channel.terminate();
    assertEquals([channel.state, clock.pending], ["closed", 0]);
    await assertRejects(() => ping, WebSocketChannelError);
    bytes.receive(frame({ opcode: 1, payload: "late" }));
    assertEquals((await ended(channel)).initiator, "local");
    assertEquals([events, bytes.sent()], [["done"], ""]);
    assertEquals(bytes.log, ["cancel", canDestroy ? "destroy" : "close"]);
  }
});

Deno.test("cancelling the readable closes the channel", async () => {
  const { channel, bytes } = rig();
  const cancelled = channel.readable.cancel();
  assertEquals(await told(bytes), ["8:"]);
  bytes.receive(close());
  bytes.incoming.end();
  await cancelled;
  assert((await channel.closed).wasClean);
});

Deno.test("ready and flush settle when the connection is lost", async () => {
  const { channel, bytes } = rig();
  bytes.full = true;
  channel.sink.add(new Uint8Array(100_000));
  const { ready } = channel.sink;
  const flushed = channel.sink.flush();
  bytes.fail(new Error("reset"));
  await ready;
  await assertRejects(() => flushed);
  assertFalse(channel.sink.add("dropped"));
});

// Pings.

Deno.test("ping: the round trip's time, and latency", async () => {
  const { channel, bytes, clock } = rig();
  assertEquals(channel.latency, null);
  const ping = channel.ping();
  await microtasks();
  const payload = payloadOf(bytes);
  clock.advance(42);
  bytes.receive(frame({ opcode: 10, payload: "unasked" }), frame({ opcode: 10, payload }));
  assertEquals([await ping, channel.latency], [42, 42]);
  channel.terminate();
});

Deno.test("ping on a channel that is closing or over rejects", async () => {
  const { channel } = rig();
  void channel.sink.close();
  await assertRejects(() => channel.ping(), WebSocketChannelError, "closing");
  channel.terminate();
  await assertRejects(() => channel.ping(), WebSocketChannelError, "closed");
  const ping = channel.ping();
  assert(await settled(ping));
});

Deno.test("G18 a dead peer: 1006 at once, timeout, and no timer is left", async () => {
  const { channel, bytes, clock } = rig({ pingInterval: 1000, pingTimeout: 300 });
  const { events } = record(channel.stream);
  bytes.full = true;
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
  assertEquals(bytes.log, ["cancel", "destroy"]);
});

Deno.test("keepalive: Pongs, messages and parts of frames count as life", async () => {
  const { channel, bytes, clock } = rig({ pingInterval: 1000 });
  channel.stream.listen(() => {});
  for (let i = 0; i < 30; i++) {
    clock.advance(i === 0 ? 1000 : 997);
    await microtasks();
    const sent = frames(bytes);
    assertEquals(sent.map(({ opcode }) => opcode), [9]);
    clock.advance(3);
    const payload = sent[0]?.payload ?? "";
    if (i % 3 === 0) bytes.receive(frame({ opcode: 10, payload }));
    else bytes.receive(i % 3 === 1 ? fromHex("8104 6162") : fromHex("6162"));
  }
  assertEquals([channel.state, channel.latency], ["open", 3]);
  channel.terminate();
});

Deno.test("keepalive is suspended while the reader pauses beyond the high-water mark", async () => {
  const { channel, bytes, clock } = rig({ pingInterval: 1000, highWaterMark: 100 });
  const { events, subscription } = record(channel.stream);
  subscription.pause();
  bytes.receive(frame({ opcode: 1, payload: "x".repeat(100) }));
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

Deno.test("attack 46: after a stall of the event loop what waits is read first", async () => {
  const { channel, bytes, clock } = rig({ pingInterval: 1000 });
  clock.advance(1000);
  await microtasks();
  clock.stall(60_000);
  assertEquals(channel.state, "open");
  bytes.receive(frame({ opcode: 10, payload: frames(bytes)[0]?.payload ?? "" }));
  clock.advance(1000);
  assertEquals(channel.state, "open");
  assertEquals(channel.latency, 60_000);
  channel.terminate();
});

Deno.test("G19 after the local close no Ping goes out, and a Pong that comes does no harm", async () => {
  const { channel, bytes, clock } = rig({ pingInterval: 10, closeTimeout: 1000 });
  const ping = channel.ping();
  await microtasks();
  const payload = payloadOf(bytes);
  frames(bytes);
  void channel.sink.close();
  await assertRejects(() => ping, WebSocketChannelError);
  bytes.receive(frame({ opcode: 10, payload }));
  clock.advance(900);
  assertEquals(await told(bytes), ["8:"]);
  assertEquals(clock.pending, 1);
  channel.terminate();
});

Deno.test("attack 8: Pings while the peer reads nothing: the output is bounded", async () => {
  const { channel, bytes } = rig({ side: "server" });
  bytes.full = true;
  channel.sink.add(new Uint8Array(70_000));
  await microtasks();
  const before = channel.sink.bufferedAmount;
  const ping = frame({ opcode: 9, payload: "x".repeat(125), key: KEY });
  for (let i = 0; i < 2000; i++) {
    bytes.receive(ping.slice());
    if (i % 100 === 0) await microtasks();
  }
  assert(channel.sink.bufferedAmount - before <= 65 * 127);
  bytes.drain();
  assertEquals((await told(bytes)).filter((entry) => entry.startsWith("10:")).length, 65);
  channel.terminate();
});

// The beginning.

Deno.test("a transport for a channel that is over already is let go of", () => {
  for (const canDestroy of [true, false]) {
    const { channel } = rig();
    channel.terminate();
    const late = new FakeBytes({ canDestroy });
    channel.begin(late, { protocol: null, extensions: "", deflate: null });
    assertEquals(late.log, [canDestroy ? "destroy" : "close"]);
  }
});

Deno.test("ref and unref reach the transport", () => {
  const bytes: FakeBytes & { ref?: () => void; unref?: () => void } = new FakeBytes();
  bytes.ref = () => bytes.log.push("ref");
  bytes.unref = () => bytes.log.push("unref");
  const { channel } = rig({ bytes });
  channel.unref();
  channel.ref();
  assertEquals(bytes.log, ["unref", "ref"]);
  channel.terminate();
});

Deno.test("what can't be sent throws, and changes nothing", async () => {
  const { channel, bytes }: { channel: ProtocolChannel; bytes: FakeBytes } = rig();
  assertThrows(() => channel.sink.add(1 as unknown as string), TypeError);
  assertThrows(() => channel.sink.close(1005), RangeError);
  assertThrows(() => channel.sink.close(1000, "x".repeat(124)), SyntaxError);
  channel.sink.add("after");
  assertEquals(await told(bytes), ["1:6166746572"]);
  channel.terminate();
});
