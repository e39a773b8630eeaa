import {
  assert,
  assertEquals,
  assertFalse,
  assertGreater,
  assertInstanceOf,
  assertLess,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { type CloseInfo, ConnectError, WebSocketChannel } from "../../mod.ts";
import { signKey } from "../../src/handshake/accept_key.ts";
import type { StreamChannel } from "../../src/stream_channel/mod.ts";
import { MessagePortChannel, MultiChannel, withGuarantees } from "../../src/stream_channel/mod.ts";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import { zlibAbilities } from "../../src/permessage_deflate/deflate.ts";
import { connectOver, connectOverWire, over, overWire } from "../../src/web_socket/over.ts";
import type { ConnectOverOptions, OverOptions } from "../../src/web_socket/options.ts";
import { Channel } from "../../src/web_socket/channel.ts";
import { ChannelWire } from "../../src/web_socket/channel_wire.ts";
import { systemClock } from "../../src/web_socket/clock.ts";
import { assertInvalidState, microtasks, nextMessage, settled } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { joined, utf8 } from "../support/bytes.ts";
import { frame, framesIn, KEY } from "../support/frames.ts";
import { FakeBytes } from "./support.ts";

type Bytes = StreamChannel<Uint8Array>;

interface Ends {
  readonly client: WebSocketChannel;
  readonly server: WebSocketChannel;
  readonly clock: ManualClock;
}

function ends(
  bytes: { local: Bytes; foreign: Bytes },
  options: Partial<OverOptions> = {},
  clock = new ManualClock(),
): Ends {
  return {
    client: over(bytes.local, { ...options, side: "client" }, clock),
    server: over(bytes.foreign, { ...options, side: "server" }, clock),
    clock,
  };
}

/** Exchanges messages both ways; then `closer` starts the closing handshake. */
async function assertConverses(
  { client, server }: Ends,
  closer: "client" | "server",
): Promise<void> {
  const large = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251);
  for (const [from, to] of [[client, server], [server, client]] as const) {
    from.sink.add("text");
    from.sink.add(large);
    assertEquals(await nextMessage(to), "text");
    assertEquals(new Uint8Array(await nextMessage(to) as Uint8Array), large);
  }
  const [own, other] = closer === "client" ? [client, server] : [server, client];
  await own.sink.close(3000, "bye");
  const content = { code: 3000, reason: "bye" };
  const info: CloseInfo = {
    ...content,
    wasClean: true,
    initiator: "local",
    sent: content,
    received: content,
  };
  assertEquals(await own.closed, info);
  assertEquals(await other.closed, { ...info, initiator: "remote" });
  assertEquals([client.state, server.state], ["closed", "closed"]);
  assert((await own.stream.next()).done);
  assert((await other.stream.next()).done);
}

const carriers: [name: string, make: () => { local: Bytes; foreign: Bytes }][] = [
  ["a pair", () => channelPair<Uint8Array>()],
  ["a synchronous pair", () => channelPair<Uint8Array>({ sync: true })],
  ["a pair with guarantees on top", () => {
    const { local, foreign } = channelPair<Uint8Array>();
    return { local: withGuarantees(local), foreign: withGuarantees(foreign) };
  }],
  ["a virtual channel of a MultiChannel", () => {
    const { local, foreign } = channelPair<unknown>();
    const near = new MultiChannel<Uint8Array>(local);
    const far = new MultiChannel<Uint8Array>(foreign);
    const virtual = near.virtualChannel();
    return { local: virtual, foreign: far.virtualChannel(virtual.id) };
  }],
];
for (const [name, make] of carriers) {
  for (const closer of ["client", "server"] as const) {
    Deno.test(`G28 over ${name}: messages, and the closing handshake of the ${closer}`, async () => {
      const both = ends(make());
      await assertConverses(both, closer);
      assertEquals(both.clock.pending, 0);
    });
  }
}

for (const closer of ["client", "server"] as const) {
  Deno.test(`G28 over a MessagePort: the closing handshake of the ${closer}`, async () => {
    const { port1, port2 } = new MessageChannel();
    const bytes = {
      local: new MessagePortChannel<Uint8Array>(port1),
      foreign: new MessagePortChannel<Uint8Array>(port2),
    };
    const both = ends(bytes);
    await assertConverses(both, closer);
    assertEquals(both.clock.pending, 0);
  });
}

Deno.test("G28 over Web Streams, and over a WebSocket in a WebSocket", async () => {
  const up = new TransformStream<Uint8Array, Uint8Array>();
  const down = new TransformStream<Uint8Array, Uint8Array>();
  const client = WebSocketChannel.over({ readable: down.readable, writable: up.writable }, {
    side: "client",
  });
  const server = WebSocketChannel.over({ readable: up.readable, writable: down.writable }, {
    side: "server",
  });
  await assertConverses({ client, server, clock: new ManualClock() }, "client");
  const outer = ends(channelPair<Uint8Array>());
  const inner = ends({ local: outer.client as Bytes, foreign: outer.server as Bytes });
  await assertConverses(inner, "server");
  assert((await outer.client.closed).wasClean);
});

Deno.test("both ends close at once: each end is clean, and reports itself as the initiator", async () => {
  const { client, server, clock } = ends(channelPair<Uint8Array>());
  void client.sink.close(3000, "mine");
  void server.sink.close(3001, "its");
  const mine = { code: 3000, reason: "mine" };
  const its = { code: 3001, reason: "its" };
  const info = { wasClean: true, initiator: "local" } as const;
  assertEquals(await client.closed, { ...its, ...info, sent: mine, received: its });
  assertEquals(await server.closed, { ...mine, ...info, sent: its, received: mine });
  assertEquals(clock.pending, 0);
});

Deno.test("a sink closes after the peer's Close, even if nothing reads its readable", async () => {
  for (const first of [true, false]) {
    const { client, server } = ends(channelPair());
    if (first) assertFalse(client.readable.locked);
    await Promise.all([server.sink.close(), client.closed]);
    const { readable } = client;
    await client.sink.close();
    await client[Symbol.asyncDispose]();
    assert((await readable.getReader().read()).done);
  }
});

Deno.test("if another caller closes the bytes while there is no reader, the channel ends without losing a message", async () => {
  const { local, foreign } = channelPair<Uint8Array>({ highWaterMark: 1 });
  const server = over(foreign, { side: "server", highWaterMark: 1 }, new ManualClock());
  const message = frame({ opcode: 1, payload: "A", key: KEY });
  local.sink.add(joined([message, message]));
  local.sink.add(message);
  await microtasks();
  void foreign.sink.close();
  assert(await settled(server.closed));
  assertEquals((await server.closed).initiator, "transport");
  assertEquals([await nextMessage(server), await nextMessage(server)], ["A", "A"]);
});

Deno.test("S156 S157 the channel is open at once, with the given protocol and extensions", async () => {
  const { local } = channelPair<Uint8Array>();
  const channel = over(local, { side: "server", protocol: "v2" });
  assertEquals([channel.state, channel.protocol, channel.extensions], ["open", "v2", ""]);
  assertEquals([channel.response, channel.closeCode, channel.latency], [null, null, null]);
  await channel.ready;
  const { capabilities } = channel;
  assertEquals(
    Object.entries(capabilities).filter(([, able]) => able).map(([name]) => name).sort(),
    [
      "allCloseCodes",
      "compressionOptions",
      "inboundBackpressure",
      "messageLimit",
      "messageStreams",
      "ping",
    ],
  );
  channel.ref();
  channel.unref();
  channel.terminate();
});

Deno.test("the channel has the capability terminate if its bytes can be destroyed", () => {
  const bytes = new FakeBytes();
  const channel = overWire(() => new ChannelWire(bytes, bytes), { side: "client" }, systemClock);
  assert(channel.capabilities.terminate);
  channel.terminate();
  assertEquals(bytes.log, ["cancel", "destroy"]);
});

Deno.test("S155 invalid options throw at once, and the bytes stay untouched", () => {
  const { local } = channelPair<Uint8Array>();
  const wrong: [unknown, new () => Error][] = [
    [{}, TypeError],
    [{ side: "both" }, TypeError],
    [{ side: "client", extensions: "unknown" }, SyntaxError],
    [{ side: "client", extensions: "permessage-deflate; client_max_window_bits" }, SyntaxError],
    [{ side: "client", extensions: "permessage-deflate; server_max_window_bits=7" }, SyntaxError],
    [{ side: "client", extensions: ";" }, SyntaxError],
    [{ side: "client", maxMessageSize: 0 }, RangeError],
    [{ side: "client", maxMessageSize: NaN }, RangeError],
    [{ side: "client", pingInterval: -1 }, RangeError],
    [{ side: "client", pingTimeout: 2 ** 31 }, RangeError],
    [{ side: "client", closeTimeout: "1" }, TypeError],
    [{ side: "client", highWaterMark: -1 }, RangeError],
    [{ side: "client", compression: { level: 10 } }, RangeError],
  ];
  for (const [options, kind] of wrong) {
    assertThrows(() => over(local, options as OverOptions), kind, "", JSON.stringify(options));
  }
  assertThrows(() => connectOver(local, "ws://host", { maxMessageSize: -1 }), RangeError);
  assertThrows(() => connectOver(local, "ftp://host"), SyntaxError);
  // The bytes can still be read.
  local.stream.listen(() => {});
});

// Compression.

const DEFLATE = "permessage-deflate";
const TEXT = JSON.stringify({ words: Array(200).fill("compressible ") });

/** Returns how many bytes a channel sends for each message. */
function sizes(options: OverOptions, send: (channel: WebSocketChannel) => void): Promise<number[]> {
  const bytes = new FakeBytes();
  const channel = over(bytes, options);
  send(channel);
  return microtasks().then(() => {
    channel.terminate();
    return framesIn(joined(bytes.written)).map(({ payload }) => payload.length);
  });
}

Deno.test("S197 both ends use the compression that the handshake agreed on", async () => {
  if (!zlibAbilities().available) return;
  for (const parameters of ["", "; server_no_context_takeover; client_max_window_bits=9"]) {
    const both = ends(channelPair<Uint8Array>(), { extensions: DEFLATE + parameters });
    assertEquals(both.client.extensions, DEFLATE + parameters);
    for (let i = 0; i < 3; i++) {
      both.client.sink.add(TEXT);
      assertEquals(await nextMessage(both.server), TEXT);
      both.server.sink.add(utf8(TEXT));
      assertEquals(new Uint8Array(await nextMessage(both.client) as Uint8Array), utf8(TEXT));
    }
    await assertConverses(both, "client");
  }
});

Deno.test("messages are compressed from the threshold on, unless they opt out", async () => {
  if (!zlibAbilities().available) return;
  const large = "x".repeat(1024);
  const small = "x".repeat(1023);
  const lengths = await sizes({ side: "server", extensions: DEFLATE }, ({ sink }) => {
    sink.add(small);
    sink.add(large);
    sink.add(large, {});
    sink.add(large, { compress: true });
    sink.add(large, { compress: false });
    sink.add(large);
  });
  const [first, second = 0, third = 0, fourth = 0, fifth, sixth = 0] = lengths;
  assertEquals([lengths.length, first, fifth], [6, 1023, 1024]);
  for (const length of [second, third, fourth, sixth]) assertLess(length, 30);
  const all = await sizes(
    { side: "server", extensions: DEFLATE, compression: { threshold: 0 } },
    ({ sink }) => sink.add("y".repeat(100)),
  );
  assertLess(all[0] ?? Infinity, 20);
});

Deno.test("the user chooses the level; without an agreement nothing is compressed", async () => {
  if (!zlibAbilities().available) return;
  const send = ({ sink }: WebSocketChannel): void => void sink.add(TEXT);
  const [raw] = await sizes({ side: "server", compression: { threshold: 0 } }, send);
  assertEquals(raw, TEXT.length);
  const level = (n: number): Promise<number[]> =>
    sizes({ side: "server", extensions: DEFLATE, compression: { level: n } }, send);
  // A message that does not shrink is sent uncompressed.
  assertEquals(await level(0), [TEXT.length]);
  assertLess((await level(9))[0] ?? Infinity, 200);
});

// The client's opening handshake.

interface Handshake {
  readonly channel: WebSocketChannel;
  readonly bytes: FakeBytes;
  readonly clock: ManualClock;
  answer(text: string | Uint8Array): void;
  accept(extra?: string): string;
}

function shake(options: ConnectOverOptions = {}, bytes = new FakeBytes()): Handshake {
  const clock = new ManualClock();
  const wireOf = (): ChannelWire => new ChannelWire(bytes, bytes);
  const channel = connectOverWire(wireOf, "ws://host/path?query", options, clock);
  const head = new TextDecoder().decode(joined(bytes.written.splice(0)));
  const key = /Sec-WebSocket-Key: (\S+)/.exec(head)?.[1] ?? "";
  return {
    channel,
    bytes,
    clock,
    answer: (text) => bytes.receive(typeof text === "string" ? utf8(text) : text),
    accept: (extra = "") =>
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${signKey(key)}\r\n${extra}\r\n`,
  };
}

async function failure(channel: WebSocketChannel): Promise<ConnectError> {
  assert(await settled(channel.ready));
  const error = await channel.ready.catch((error) => error);
  assertInstanceOf(error, ConnectError);
  assertStrictEquals((await channel.closed).error, error);
  return error;
}

Deno.test("handshake: the channel sends the request, and opens with the response", async () => {
  const bytes = new FakeBytes();
  const { channel, clock, answer, accept } = shake({ protocols: ["a", "b"] }, bytes);
  assertEquals([channel.state, channel.protocol, channel.response], ["connecting", null, null]);
  assert(channel.capabilities.headers && channel.capabilities["handshakeResponse"]);
  channel.sink.add("early");
  assertEquals([channel.sink.bufferedAmount, bytes.sent()], [5, ""]);
  answer(accept("Sec-WebSocket-Protocol: b\r\nX-Server: s\r\n"));
  await channel.ready;
  assertEquals([channel.state, channel.protocol, clock.pending], ["open", "b", 0]);
  assertEquals([channel.response?.status, channel.response?.headers.get("x-server")], [101, "s"]);
  await microtasks();
  // One masked frame of 5 bytes.
  assertEquals(bytes.sent().length, 2 * 11);
  channel.terminate();
});

Deno.test("a ping while connecting waits for the handshake, and rejects if that fails", async () => {
  const { channel, bytes, answer, accept } = shake();
  const ping = channel.ping();
  await microtasks();
  assertEquals(bytes.sent(), "");
  answer(accept());
  await microtasks();
  const wire = joined(bytes.written);
  const payload = wire.slice(6).map((byte, i) => byte ^ (wire[2 + i % 4] ?? 0));
  answer(frame({ opcode: 10, payload }));
  assertEquals(await ping, 0);
  channel.terminate();
  const refused = shake();
  const lost = refused.channel.ping();
  refused.answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  assertStrictEquals(await lost.catch((error) => error), await failure(refused.channel));
});

Deno.test("a listener's ping for a message that arrived with the 101 is answered", async () => {
  const { channel, bytes, clock, answer, accept } = shake({ pingInterval: 1000 });
  let ping: Promise<number> | undefined;
  channel.stream.listen(() => ping = channel.ping());
  answer(joined([utf8(accept()), frame({ opcode: 1, payload: "first" })]));
  await microtasks();
  const payload = bytes.written[0]?.slice(6).map((byte, i) =>
    byte ^ (bytes.written[0]?.[2 + i % 4] ?? 0)
  );
  answer(frame({ opcode: 10, payload: payload ?? "" }));
  assert(ping !== undefined && await settled(ping));
  assertEquals([await ping, channel.latency], [0, 0]);
  bytes.written.length = 0;
  clock.advance(1000);
  await microtasks();
  assertEquals(bytes.written[0]?.[0], 0x89);
  channel.terminate();
});

Deno.test("if a Close arrived with the 101 and waits for the reader, no Ping is sent", async () => {
  const { channel, bytes, clock, answer, accept } = shake({ pingInterval: 1000 });
  const held: (() => void)[] = [];
  Channel.coreOf(channel)!.onEarlyEnding = (conclude) => held.push(conclude);
  const close = frame({ opcode: 8, payload: Uint8Array.of(3, 232) });
  answer(joined([utf8(accept()), frame({ opcode: 1, payload: "first" }), close]));
  await microtasks();
  assertEquals([channel.state, held.length, clock.pending], ["open", 1, 0]);
  clock.advance(1000);
  await microtasks();
  assertEquals(bytes.sent(), "");
  held[0]?.();
  bytes.incoming.end();
  assert((await channel.closed).wasClean);
});

Deno.test("attack 28: frames after the 101 are delivered, in chunks of any size", async () => {
  const frames = joined([
    frame({ opcode: 1, payload: "one" }),
    frame({ opcode: 2, payload: "two" }),
    frame({ opcode: 8, payload: Uint8Array.of(3, 232) }),
  ]);
  for (const size of [1, 7, 1000]) {
    const { channel, bytes, answer, accept } = shake();
    const wire = joined([utf8(accept()), frames]);
    for (let at = 0; at < wire.length; at += size) answer(wire.slice(at, at + size));
    assertEquals(await nextMessage(channel), "one");
    assertEquals(await nextMessage(channel), utf8("two"));
    assert((await channel.stream.next()).done);
    assertEquals(channel.closeCode, 1000);
    bytes.incoming.end();
    assert((await channel.closed).wasClean);
  }
});

Deno.test("attack 28: a wrong Accept fails the handshake, and nothing after it is parsed", async () => {
  const { channel, bytes, clock, answer, accept } = shake();
  const wrong = accept().replace(/Accept: \S+/, "Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  answer(joined([utf8(wrong), frame({ opcode: 1, payload: "injected" })]));
  const error = await failure(channel);
  assertEquals([error.status, error.retryable], [101, false]);
  const read = channel.stream.next();
  assertStrictEquals(await read.catch((error) => error), error);
  assertEquals([bytes.log, clock.pending, channel.response], [["cancel", "destroy"], 0, null]);
});

Deno.test("a refusal's body with a known length, chunked, or up to the end", async () => {
  const cases: [fields: string, wire: string, ends: boolean][] = [
    ["Content-Length: 7\r\n", "because", false],
    ["Transfer-Encoding: chunked\r\n", "4\r\nbeca\r\n3\r\nuse\r\n0\r\n\r\n", false],
    ["", "because", true],
  ];
  for (const [fields, wire, atEnd] of cases) {
    const { channel, bytes, clock, answer } = shake();
    answer(`HTTP/1.1 503 Busy\r\nRetry-After: 3\r\n${fields}\r\n`);
    assertEquals([channel.state, clock.pending], ["connecting", 2]);
    for (const character of wire) answer(character);
    if (atEnd) bytes.incoming.end();
    const error = await failure(channel);
    assertEquals([error.status, error.retryAfter, error.retryable], [503, 3000, true]);
    assertEquals(new TextDecoder().decode(error.response?.body), "because");
    assertEquals(clock.pending, 0);
    assert(bytes.log.includes("destroy"), `${bytes.log}`);
    assertEquals((await channel.closed).initiator, "transport");
  }
});

Deno.test("attack 26: an endless body of a refusal is cut off at 64 KiB", async () => {
  const { channel, bytes, clock, answer } = shake();
  answer("HTTP/1.1 403 Forbidden\r\n\r\n");
  for (let i = 0; i < 100 && channel.state !== "closed"; i++) bytes.receive(new Uint8Array(10_000));
  const error = await failure(channel);
  assertEquals([error.response?.body.length, error.retryable, clock.pending], [65536, false, 0]);
});

Deno.test("a refusal whose body never ends is reported after closeTimeout, with the beginning of the body", async () => {
  const { channel, clock, answer } = shake({ closeTimeout: 100 });
  answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nhalf");
  clock.advance(99);
  assertFalse(await settled(channel.ready));
  clock.advance(1);
  const error = await failure(channel);
  assertEquals(new TextDecoder().decode(error.response?.body), "half");
  assertEquals(clock.pending, 0);
});

Deno.test("if the attempt ends while a refusal's body arrives, the attempt's error is reported", async () => {
  const { channel, clock, answer } = shake({ connectTimeout: 50, closeTimeout: 100 });
  answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nhalf");
  clock.advance(50);
  const error = await channel.ready.catch((error) => error);
  assertEquals([error.name, clock.pending], ["TimeoutError", 0]);
  assertEquals((await channel.closed).initiator, "timeout");
});

Deno.test("without a response: a TimeoutError names the phase, and a signal rejects with its reason", async () => {
  const silent = shake({ connectTimeout: 50 });
  silent.clock.advance(50);
  const error = await silent.channel.ready.catch((error) => error);
  assertEquals([error.name, silent.clock.pending], ["TimeoutError", 0]);
  assert(error.message.includes("handshake"), error.message);
  assertEquals(silent.bytes.log, ["cancel", "destroy"]);
  const controller = new AbortController();
  const aborted = shake({ signal: controller.signal });
  const reason = new Error("changed my mind");
  controller.abort(reason);
  assertStrictEquals(await aborted.channel.ready.catch((error) => error), reason);
  assertEquals(aborted.clock.pending, 0);
});

Deno.test("bytes that another caller wrote before are awaited like later ones", async () => {
  const bytes = new FakeBytes();
  bytes.full = true;
  bytes.sink.add(new Uint8Array(200));
  const channel = over(bytes, { side: "server", highWaterMark: 100 });
  channel.sink.add("x");
  await microtasks();
  assertEquals(bytes.written.length, 1);
  bytes.drain();
  await microtasks();
  assertEquals([bytes.written.length, channel.sink.bufferedAmount], [2, 0]);
  channel.terminate();
});

Deno.test("bytes with another reader cause an InvalidStateError at once, and stay untouched", () => {
  const bytes = new FakeBytes();
  bytes.stream.listen(() => {});
  assertInvalidState(() => over(bytes, { side: "client" }));
  assertInvalidState(() => connectOver(bytes, "ws://example.com"));
  assertEquals([bytes.log, bytes.sent()], [[], ""]);
});

Deno.test("a signal that has already aborted: nothing is sent, and the bytes are released", async () => {
  for (const canDestroy of [true, false]) {
    const bytes = new FakeBytes({ canDestroy });
    const { channel } = shake({ signal: AbortSignal.abort("no") }, bytes);
    assertEquals(await channel.ready.catch((error) => error), "no");
    assertEquals([bytes.sent(), bytes.log], ["", [canDestroy ? "destroy" : "close"]]);
  }
});

Deno.test("the bytes end before the response", async () => {
  const { channel, bytes, clock, answer } = shake();
  answer("HTTP/1.1 101 Swi");
  const cause = new Error("reset");
  bytes.fail(cause);
  const error = await failure(channel);
  assertEquals([error.cause, error.phase, clock.pending], [cause, "handshake", 0]);
});

Deno.test("closing while the handshake is in flight", async () => {
  const { channel, bytes, clock, answer, accept } = shake();
  channel.sink.add("discarded");
  await channel.sink.close(3000);
  answer(accept());
  const error = await channel.ready.catch((error) => error);
  assertEquals([error.name, channel.state, clock.pending], ["AbortError", "closed", 0]);
  assertEquals([bytes.sent(), bytes.log], ["", ["cancel", "destroy"]]);
});

Deno.test("the client offers compression if requested, and uses it if agreed", async () => {
  if (!zlibAbilities().available) return;
  const { channel, bytes, answer, accept } = shake({ compression: true });
  answer(accept("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10\r\n"));
  await channel.ready;
  assertEquals(channel.extensions, "permessage-deflate; client_max_window_bits=10");
  channel.sink.add(TEXT);
  await microtasks();
  const length = joined(bytes.written).length;
  assertGreater(length, 0);
  assertLess(length, TEXT.length / 4);
  channel.terminate();
  const unasked = shake();
  unasked.answer(unasked.accept("Sec-WebSocket-Extensions: permessage-deflate\r\n"));
  assertEquals((await failure(unasked.channel)).status, 101);
});
