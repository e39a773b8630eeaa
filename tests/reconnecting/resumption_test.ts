import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProtocolError, resumption, UnsupportedError } from "../../src/reconnecting/mod.ts";
import type { LineOpening, LineRest } from "../../src/reconnecting/line.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { BARE } from "../../src/web_socket/capabilities.ts";
import type { WebSocketChannel } from "../../src/web_socket/web_socket_channel.ts";
import { microtasks } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { LightConnection, ResumeClient } from "./resume_world.ts";

/** A client on a connection; the test acts as the server. */
function play(client: ResumeClient, members: object = {}): LightConnection {
  const connection = Object.assign(new LightConnection(), members);
  client.connect(connection as unknown as WebSocketChannel);
  return connection;
}

const HELLO = '!{"session":"a","received":0,"window":1000}';

Deno.test("resumption: each channel has its own session", () => {
  const value = resumption();
  const events = { onOpen() {}, onDrained() {}, onFault() {} };
  const options = { maxBuffer: 1, closeTimeout: 1, clock: new ManualClock() };
  const [one, other] = [value.createLine(events, options), value.createLine(events, options)];
  one.add("x", undefined);
  assertEquals([one.isFull, other.isFull], [true, false]);
  assertEquals([one.end(), other.end()], [{ unsent: ["x"] }, { unsent: [] }]);
});

Deno.test("resumption: the client sends nothing before the hellos, and one extra byte with each text", () => {
  const client = new ResumeClient(new ManualClock(), 5000);
  client.line.add("waits", undefined);
  const server = play(client);
  assertEquals(server.said, ['!{"attempt":1,"received":0,"window":5000}']);
  server.say(HELLO);
  client.line.add(new Uint8Array([1, 2]), undefined);
  assertEquals(server.said.slice(1), ["#0", "=waits", new Uint8Array([1, 2])]);
  assertEquals(client.openings, [{ resumable: true, unacknowledged: null, protocol: null }]);
});

Deno.test("resumption: the client acknowledges received messages after a second or 64 KiB", () => {
  const clock = new ManualClock();
  const client = new ResumeClient(clock);
  const server = play(client);
  server.say(HELLO, "=one", new Uint8Array(10));
  assertEquals(server.said.slice(1), ["#0"]);
  clock.advance(999);
  assertEquals(server.said.length, 2);
  clock.advance(1);
  assertEquals(server.said.slice(2), ["#2"]);
  for (let i = 0; i < 7; i++) server.say(`=${"x".repeat(9000)}`);
  assertEquals(server.said.length, 3);
  server.say(`=${"x".repeat(9000)}`);
  assertEquals(server.said.slice(3), ["#10"]);
  clock.advance(5000);
  assertEquals([server.said.length, clock.pending], [4, 0]);
});

Deno.test("resumption: the client acknowledges received messages at a quarter of a small window", () => {
  const client = new ResumeClient(new ManualClock(), 1000);
  const server = play(client);
  server.say(HELLO, new Uint8Array(249));
  assertEquals(server.said.slice(1), ["#0"]);
  server.say(new Uint8Array(1));
  assertEquals(server.said.slice(2), ["#2"]);
});

Deno.test("resumption: the client respects the server's window", () => {
  const client = new ResumeClient(new ManualClock());
  const server = play(client);
  server.say('!{"session":"a","received":0,"window":100}');
  for (let i = 0; i < 5; i++) client.line.add("x".repeat(60), undefined);
  // One message may exceed the window.
  assertEquals(server.said.length, 2 + 2);
  server.say("#1");
  assertEquals(server.said.length, 2 + 3);
  server.say("#3");
  assertEquals(server.said.length, 2 + 5);
});

Deno.test("resumption: a stopped reader withholds acknowledgements; a server that ignores that causes an error", () => {
  const clock = new ManualClock();
  const client = new ResumeClient(clock, 10_000);
  const server = play(client);
  server.say(HELLO);
  client.line.pause();
  for (let i = 0; i < 10; i++) server.say(`=${"x".repeat(1000)}`);
  clock.advance(5000);
  // The client answers a question with the count that the server knows.
  server.say("?");
  assertEquals(server.said.slice(1), ["#0", "#0"]);
  client.line.resume();
  assertEquals(server.said.slice(3), ["#10"]);
  client.line.pause();
  for (let i = 0; i < 20; i++) server.say(`=${"x".repeat(1000)}`);
  assertEquals([client.faults, client.received.length], [[], 30]);
  server.say("=x");
  assertEquals([client.faults.length, client.received.length], [1, 30]);
});

Deno.test("resumption: acknowledgements and questions still pass after one message that exceeds the window", () => {
  const client = new ResumeClient(new ManualClock(), 1000);
  const server = play(client);
  server.say(HELLO);
  client.line.add("mine", undefined);
  client.line.pause();
  server.say(`=${"x".repeat(5000)}`, "#1", "?");
  assertEquals([client.faults, client.received.length], [[], 1]);
  assertEquals([server.said.slice(1), client.line.bufferedAmount], [["#0", "=mine", "#0"], 0]);
  client.line.resume();
  assertEquals(server.said.at(-1), "#1");
  // A second message exceeds the window.
  client.line.pause();
  server.say(`=${"x".repeat(5000)}`, "=more");
  assertEquals([client.faults.length, client.received.length], [1, 2]);
});

Deno.test("resumption: a server that breaks the protocol causes an error and a new session", () => {
  for (
    const bad of [
      "hello",
      "#1",
      "=x",
      '!{"session":"a","received":1,"window":9}',
      '!{"received":0,"window":9}',
    ]
  ) {
    const client = new ResumeClient(new ManualClock());
    play(client).say(bad);
    const [fault] = client.faults;
    assert(fault instanceof ProtocolError, bad);
    if (bad[0] !== "!") assert(fault.message.endsWith("session: it sent no hello"));
    assertEquals(client.openings, [], bad);
  }
  const client = new ResumeClient(new ManualClock());
  const first = play(client);
  first.say(HELLO);
  client.line.add("one", undefined);
  client.line.add("two", undefined);
  first.say("#3");
  assertEquals(client.faults.length, 1);
  client.abandon();
  const second = play(client);
  assertEquals(second.said, ['!{"attempt":2,"received":0,"window":1048576}']);
  second.say('!{"session":"b","received":0,"window":1000}');
  assertEquals(client.openings[1]?.unacknowledged, ["one", "two"]);
});

Deno.test("resumption: the next connection has a new session after the server ended the previous one", async () => {
  const client = new ResumeClient(new ManualClock());
  const first = play(client);
  first.say(HELLO);
  client.line.add("one", undefined);
  first.say("#1", ".");
  assertEquals(first.said.at(-1), "#0");
  first.terminate();
  await microtasks();
  const second = play(client);
  assertEquals(second.said, ['!{"attempt":2,"received":0,"window":1048576}']);
  second.say('!{"session":"b","received":0,"window":1000}');
  assertEquals(client.openings[1]?.unacknowledged, []);
});

Deno.test("resumption: a server that no longer resumes causes a reset, and the channel works without resumption", async () => {
  const clock = new ManualClock();
  const client = new ResumeClient(clock);
  const first = play(client);
  first.say(HELLO);
  client.line.add("handed on", undefined);
  client.abandon();
  client.line.add("waits", undefined);
  const { client: plain, server } = webSocketChannelPair({ protocol: "v2", clock });
  client.onOpening = (opening: LineOpening) => {
    for (const message of opening.unacknowledged ?? []) client.line.add(message, undefined);
  };
  client.connect(plain);
  assertEquals(client.openings[1], {
    resumable: false,
    unacknowledged: ["handed on"],
    protocol: "v2",
  });
  client.line.beat("beat");
  server.sink.add("#0");
  await microtasks();
  const got = [];
  for (let i = 0; i < 3; i++) got.push((await server.stream.next()).value);
  assertEquals(got, ["handed on", "waits", "beat"]);
  assertEquals(client.received, ["#0"]);
  client.line.close(1000, "done");
  assertEquals((await server.closed).reason, "done");
});

Deno.test("resumption: the client resumes with a server that follows one without resumption", () => {
  const client = new ResumeClient(new ManualClock());
  const plain = play(client, { protocol: "v2" });
  client.line.add("plain", undefined);
  plain.say("answer");
  client.abandon();
  client.line.add("waits", undefined);
  const second = play(client);
  second.say(HELLO);
  assertEquals([plain.said, second.said.slice(1)], [["plain"], ["#0", "=waits"]]);
  assertEquals(client.openings.map((it) => [it.resumable, it.unacknowledged]), [
    [false, null],
    [true, null],
  ]);
  assertEquals([client.received, client.faults], [["answer"], []]);
});

Deno.test("resumption: the client keeps its messages after an impossible hello of a new session", () => {
  const client = new ResumeClient(new ManualClock());
  play(client).say(HELLO);
  client.line.add("handed on", undefined);
  client.abandon();
  play(client).say('!{"session":"b","received":7,"window":1000}');
  assertEquals(client.faults.length, 1);
  client.abandon();
  play(client).say('!{"session":"c","received":0,"window":1000}');
  assertEquals(client.openings[1]?.unacknowledged, ["handed on"]);
});

Deno.test("resumption: a channel that ends while it handles a reset keeps the pending messages", () => {
  const client = new ResumeClient(new ManualClock());
  play(client).say(HELLO);
  client.line.add("handed on", undefined);
  client.abandon();
  client.line.add("waits", undefined);
  let rest: LineRest | null = null;
  client.onOpening = () => rest = client.line.end();
  play(client).say('!{"session":"b","received":0,"window":1000}');
  assertEquals(rest, { unsent: ["waits"] });
});

Deno.test("resumption: a stopped reader stays stopped in a new session", () => {
  const clock = new ManualClock();
  const client = new ResumeClient(clock);
  play(client).say(HELLO);
  client.line.pause();
  client.abandon();
  const second = play(client);
  second.say('!{"session":"b","received":0,"window":1000}', "=one");
  clock.advance(5000);
  assertEquals(second.said.slice(1), ["#0"]);
  client.line.resume();
  clock.advance(1000);
  assertEquals(second.said.slice(2), ["#1"]);
});

Deno.test("resumption: close waits for the acknowledgement, within closeTimeout", async () => {
  const clock = new ManualClock();
  for (const isAcknowledged of [true, false]) {
    const client = new ResumeClient(clock);
    const server = play(client);
    server.say(HELLO);
    client.line.add("one", undefined);
    client.line.close(1000, undefined);
    assertEquals(server.said.slice(-2), ["#0", "."]);
    assertEquals(server.state, "open");
    // The client drops messages that arrive now, and doesn't acknowledge them.
    server.say("=late");
    assertEquals(client.received, []);
    if (isAcknowledged) server.say("#1");
    else for (let i = 0; i < 10; i++) clock.advance(600);
    await microtasks();
    assertEquals(server.state, "closed");
    const rest = client.line.end();
    assertEquals(rest.unacknowledged, isAcknowledged ? undefined : ["one"]);
    assertEquals(clock.pending, 0);
  }
});

Deno.test("resumption: heartbeats and probes ask for an acknowledgement", () => {
  const client = new ResumeClient(new ManualClock());
  const server = play(client);
  server.say(HELLO);
  client.line.beat("not this");
  client.line.probe();
  assertEquals(server.said.slice(2), ["?", "?"]);
});

Deno.test("resumption: add throws for an option that the transport doesn't support, and keeps nothing", () => {
  const client = new ResumeClient(new ManualClock());
  const server = play(client);
  Object.assign(server, {
    capabilities: { ...BARE, compressionOptions: false, allCloseCodes: false },
  });
  server.say(HELLO);
  assertThrows(() => client.line.add("secret", { compress: false }), UnsupportedError);
  assertThrows(() => client.line.close(1011, undefined), RangeError, "on this transport");
  assertEquals([client.line.bufferedAmount, server.state], [0, "open"]);
});

Deno.test("resumption: the client doesn't request a session again after its impossible hello", () => {
  const client = new ResumeClient(new ManualClock());
  play(client).say(HELLO);
  client.abandon();
  const second = play(client);
  assertEquals(second.said, ['!{"session":"a","attempt":2,"received":0,"window":1048576}']);
  second.say('!{"session":"a","received":3,"window":1000}');
  assertEquals(client.faults.length, 1);
  client.abandon();
  assertEquals(play(client).said, ['!{"attempt":3,"received":0,"window":1048576}']);
});

/** A connection whose sink throws like a closed sink or one with a running addStream. */
function occupy(connection: LightConnection, state = "open"): () => void {
  const { add } = connection.sink;
  connection.state = state;
  connection.sink.add = () => {
    throw new DOMException("not now", "InvalidStateError");
  };
  return () => connection.sink.add = add;
}

Deno.test("resumption: without it, messages wait without a busy loop while the user uses the connection's own sink", async () => {
  for (const state of ["open", "closing"]) {
    const client = new ResumeClient(new ManualClock());
    const first = play(client, { protocol: "v2" });
    occupy(first, state);
    client.line.add("one", undefined);
    client.line.beat("no beat");
    client.line.watch();
    await microtasks();
    assertEquals([client.drained, client.faults, first.said], [1, [], []]);
    client.abandon();
    client.line.add("two", undefined);
    const second = play(client, { protocol: "v2" });
    assertEquals([second.said, client.line.bufferedAmount], [["one", "two"], 0]);
    assertEquals(client.line.end(), { unsent: [] });
  }
});

Deno.test("resumption: without it, a pending message is sent when the connection's own sink is free again", () => {
  const client = new ResumeClient(new ManualClock());
  const connection = play(client, { protocol: "v2" });
  const free = occupy(connection);
  client.line.add("one", undefined);
  free();
  client.line.add("two", undefined);
  assertEquals(connection.said, ["one", "two"]);
});

Deno.test("resumption: without it, add refuses a message with unsupported options; a queued one ends the channel", () => {
  const bare = { protocol: "v2", capabilities: { ...BARE, compressionOptions: false } };
  const client = new ResumeClient(new ManualClock());
  play(client, bare);
  assertThrows(() => client.line.add("secret", { compress: false }), UnsupportedError);
  assertEquals(client.line.bufferedAmount, 0);
  client.abandon();
  client.line.add("secret", { compress: false });
  const connection = new LightConnection();
  connection.sink.add = () => {
    throw new UnsupportedError("compressionOptions", "here");
  };
  client.connect(Object.assign(connection, bare) as unknown as WebSocketChannel);
  assertEquals([client.faults.length, client.finalFaults], [1, 1]);
  assertEquals(client.line.end(), { unsent: [] });
});

Deno.test("resumption: a hello that the connection's own sink refuses causes an error, unless the connection ends", () => {
  for (const [state, faults] of [["open", 1], ["closing", 0]] as const) {
    const client = new ResumeClient(new ManualClock());
    const connection = new LightConnection();
    occupy(connection, state);
    client.connect(connection as unknown as WebSocketChannel);
    assertEquals([client.faults.length, client.finalFaults], [faults, 0]);
  }
});

Deno.test("resumption: a confirmation that the connection's own sink refuses causes an error, and doesn't throw", () => {
  const client = new ResumeClient(new ManualClock());
  const connection = play(client);
  occupy(connection);
  connection.say(HELLO);
  assertEquals(client.faults.length, 1);
});
