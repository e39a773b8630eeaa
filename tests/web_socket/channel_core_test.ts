/** What all channels have in common, tested with a transport that the test controls. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { addHolder, sendIfRoom, sendPrepared } from "../../src/server/broadcast.ts";
import { onPeerClose } from "../../src/web_socket/peer_ending.ts";
import { PreparedMessage } from "../../src/protocol/prepared_message.ts";
import { sinkControl } from "../../src/stream_channel/channel_sink.ts";
import { streamFeed } from "../../src/stream_channel/channel_stream.ts";
import { type Capabilities, NO_CAPABILITIES } from "../../src/web_socket/capabilities.ts";
import { Channel } from "../../src/web_socket/channel.ts";
import { ChannelCore, type Opener, type Opening } from "../../src/web_socket/channel_core.ts";
import { closeContent, type Ending } from "../../src/web_socket/channel_state.ts";
import type { CloseFrameContent } from "../../src/web_socket/close_info.ts";
import { UnsupportedError } from "../../src/web_socket/errors.ts";
import type { ChannelOptions, ConnectDeadlineOptions } from "../../src/web_socket/options.ts";
import { platform } from "../../src/web_socket/platform.ts";
import type { Transport } from "../../src/web_socket/transport.ts";
import type { MessageInput, SendOptions } from "../../src/web_socket/web_socket_sink.ts";
import {
  assertInvalidState,
  countingSignal,
  microtasks,
  record,
  settled,
} from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { rejection } from "../support/promises.ts";

const OPENING: Opening = { protocol: null, extensions: "", response: null };
const NORMAL: CloseFrameContent = { code: 1000, reason: "" };

/** A transport that the test controls. */
class FakeTransport implements Transport {
  readonly errorCode = 1011;
  readonly latency = null;
  /** The events that the transport received, in order. */
  readonly told: unknown[] = [];
  amount = 0;
  refuses = false;
  drops = false;
  hasClose = true;
  onClose: () => void = () => {};

  get bufferedAmount(): number {
    return this.amount;
  }

  get load(): number {
    return this.amount;
  }

  send(message: MessageInput, options: SendOptions | undefined): boolean {
    this.told.push(options === undefined ? message : [message, options]);
    return !this.drops;
  }

  sendPrepared(message: PreparedMessage, options: SendOptions | undefined): boolean {
    this.told.push("prepared");
    return this.send(message.content, options);
  }

  ping(): Promise<number> {
    this.told.push("ping");
    return Promise.resolve(7);
  }

  pong(payload: Uint8Array): boolean {
    this.told.push(["pong", payload]);
    return !this.drops;
  }

  close(code: number | undefined, reason: string): CloseFrameContent {
    if (this.refuses) throw new RangeError("refused");
    this.told.push(["close", code, reason]);
    this.onClose();
    return closeContent(code, reason);
  }

  hasSentClose(): boolean {
    return this.hasClose;
  }

  destroy(): void {
    this.told.push("destroy");
  }

  pause(): void {
    this.told.push("pause");
  }

  resume(): void {
    this.told.push("resume");
  }

  watch(): void {
    this.told.push("watch");
  }

  ref(): void {
    this.told.push("ref");
  }

  unref(): void {
    this.told.push("unref");
  }
}

interface Made {
  readonly core: ChannelCore;
  /** The channel that the user holds. */
  readonly channel: Channel;
  readonly transport: FakeTransport;
  readonly clock: ManualClock;
}

/** Creates a channel that is still connecting; `attempt` limits the attempt. */
function make(
  options: ChannelOptions = {},
  attempt?: ConnectDeadlineOptions,
  capabilities: Capabilities = NO_CAPABILITIES,
  attached: "attached" | null = "attached",
): Made {
  const clock = new ManualClock();
  const core = new ChannelCore(options, clock, { transport: "bytes", capabilities, url: () => "" });
  const transport = new FakeTransport();
  if (attached !== null) core.attach(transport);
  if (attempt !== undefined) core.startConnectDeadline(attempt, () => "tls");
  return { core, channel: new Channel(core), transport, clock };
}

function opened(options: ChannelOptions = {}): Made {
  const made = make(options);
  made.core.open(OPENING);
  return made;
}

/** Reports the end of the transport. */
function end(core: ChannelCore, ending: Partial<Ending> = {}): void {
  core.end({ wasClean: true, initiator: "remote", ...ending });
}

function isNamed(error: unknown, name: string): void {
  assertInstanceOf(error, DOMException);
  assertEquals(error.name, name);
}

// Opening.

Deno.test("channel: it starts as connecting, without any result of the handshake", async () => {
  const { channel } = make();
  const { state, protocol, extensions, response, closeCode, closeReason } = channel;
  assertEquals([state, protocol, extensions, response], ["connecting", null, "", null]);
  assertEquals([closeCode, closeReason], [null, null]);
  assertEquals([await settled(channel.ready), await settled(channel.closed)], [false, false]);
});

Deno.test("channel S104 an open channel has the results of the handshake; it opens only once", async () => {
  const response = { status: 101, statusText: "", headers: new Headers(), body: new Uint8Array() };
  const { channel, core } = make();
  core.open({ protocol: "a", extensions: "x", response });
  core.open({ protocol: "b", extensions: "", response: null });
  await channel.ready;
  assertEquals([channel.state, channel.protocol, channel.extensions], ["open", "a", "x"]);
  assertStrictEquals(channel.response, response);
});

Deno.test("channel: messages added while connecting are sent in order after opening, as they were when added", () => {
  const { channel, core, transport } = make();
  const bytes = Uint8Array.of(1, 2);
  assertEquals(channel.sink.add("é"), true);
  channel.sink.add(bytes);
  channel.sink.add(new DataView(bytes.buffer, 1));
  assertEquals([channel.sink.bufferedAmount, transport.told], [5, []]);
  bytes.fill(0);
  core.open(OPENING);
  channel.sink.add("later");
  assertEquals(transport.told, ["é", Uint8Array.of(1, 2), Uint8Array.of(2), "later"]);
  assertEquals(channel.sink.bufferedAmount, 0);
});

Deno.test("channel: add copies messages while connecting, also where slice() does not copy, as in Node's Buffer", () => {
  const bytes = Uint8Array.of(1, 2);
  bytes.slice = () => bytes;
  const { channel, core, transport } = make();
  channel.sink.add(bytes);
  bytes.fill(0);
  core.open(OPENING);
  assertEquals(transport.told, [Uint8Array.of(1, 2)]);
});

Deno.test("channel: add returns false when the transport drops a message, and for every later message", () => {
  const { channel, transport } = opened();
  transport.drops = true;
  assertEquals(channel.sink.add("dropped"), false);
  transport.drops = false;
  assertEquals([channel.sink.add("too late"), transport.told], [false, ["dropped"]]);
});

Deno.test("channel: add checks the type first, in every state", () => {
  const { channel, core } = make();
  const bad = 42 as unknown as string;
  assertThrows(() => channel.sink.add(bad), TypeError);
  core.open(OPENING);
  assertThrows(() => channel.sink.add(bad), TypeError);
  channel.sink.close();
  assertThrows(() => channel.sink.add(bad), TypeError);
  end(core);
  assertThrows(() => channel.sink.add(bad), TypeError);
});

Deno.test("channel S107 after a failed attempt, ready and the stream report the same error, once", async () => {
  const { channel, core } = make();
  const { events } = record(channel.stream);
  const error = new Error("refused");
  channel.sink.add("never sent");
  core.failToOpen(error);
  core.failToOpen(new Error("another"));
  core.open(OPENING);
  assertStrictEquals(await rejection(channel.ready), error);
  await microtasks();
  assertEquals(events, [["error", error], "done"]);
  assertEquals(await channel.closed, {
    code: 1006,
    reason: "",
    wasClean: false,
    initiator: "transport",
    error,
    dropped: 10,
  });
  assertEquals([channel.state, channel.closeCode, channel.sink.add("x")], ["closed", 1006, false]);
  await channel.sink.done;
});

Deno.test("channel: connectTimeout ends the attempt with a TimeoutError that names the phase", async () => {
  const { channel, transport, clock } = make({}, { connectTimeout: 500 });
  clock.advance(499);
  assertEquals(channel.state, "connecting");
  clock.advance(1);
  const error = await rejection(channel.ready);
  isNamed(error, "TimeoutError");
  assertEquals(
    (error as Error).message,
    "Cannot connect: it took longer than 500 ms, in phase tls",
  );
  assertEquals([(await channel.closed).initiator, transport.told], ["timeout", ["destroy"]]);
});

Deno.test("channel: connectTimeout is 30 s by default, 0 disables it, and its timer ends with the attempt", () => {
  const usual = make({}, {});
  usual.clock.advance(29_999);
  assertEquals(usual.channel.state, "connecting");
  usual.core.open(OPENING);
  assertEquals(usual.clock.pending, 0);
  const failed = make({}, {});
  failed.core.failToOpen(new Error("refused"));
  assertEquals(failed.clock.pending, 0);
  assertEquals(make({}, { connectTimeout: 0 }).clock.pending, 0);
});

Deno.test("channel: a signal aborts the attempt with its reason; afterwards it has no effect", async () => {
  const aborter = new AbortController();
  const { signal } = aborter;
  const { channel, transport, clock } = make({}, { signal });
  const open = make({}, { signal });
  open.core.open(OPENING);
  const { events } = record(channel.stream);
  const reason = new Error("changed my mind");
  aborter.abort(reason);
  assertStrictEquals(await rejection(channel.ready), reason);
  await microtasks();
  assertEquals(events, [["error", reason], "done"]);
  assertEquals((await channel.closed).initiator, "local");
  assertEquals([clock.pending, transport.told, open.channel.state], [0, ["destroy"], "open"]);
  const late = make({}, { signal });
  assertStrictEquals(await rejection(late.channel.ready), reason);
  assertEquals(late.clock.pending, 0);
});

Deno.test("channel: the channel removes its listener from the signal, however the attempt ended", () => {
  const endings: ((made: Made) => void)[] = [
    ({ core }) => core.open(OPENING),
    ({ core }) => core.failToOpen(new Error("refused")),
    ({ channel }) => void channel.sink.close(),
    ({ clock }) => clock.advance(30_000),
  ];
  for (const end of endings) {
    const { signal, count } = countingSignal();
    const made = make({}, { signal });
    assertEquals(count(), 1);
    end(made);
    assertEquals(count(), 0);
  }
});

/** A connection that can become a transport. */
class FakeOpener implements Opener {
  readonly told: string[] = [];

  destroy(): void {
    this.told.push("destroy");
  }

  ref(): void {
    this.told.push("ref");
  }

  unref(): void {
    this.told.push("unref");
  }
}

/** Creates a channel that is connecting and has no transport yet. */
function connecting(): Made & { opener: FakeOpener } {
  const made = make({}, {}, NO_CAPABILITIES, null);
  const opener = new FakeOpener();
  made.core.opener = opener;
  return { ...made, opener };
}

Deno.test("channel: the channel destroys a transport that is still connecting once when the attempt ends", () => {
  const givenUp: ((made: Made) => void)[] = [
    ({ channel }) => void channel.sink.close(),
    ({ channel }) => channel.terminate(),
    ({ channel }) => channel.sink.addError(new Error("my own")),
    ({ clock }) => clock.advance(30_000),
  ];
  for (const giveUp of givenUp) {
    const made = connecting();
    giveUp(made);
    made.channel.terminate();
    made.channel.ref();
    assertEquals([made.opener.told, made.channel.state], [["destroy"], "closed"]);
  }
});

Deno.test("channel: the channel does not destroy a connection that failed or became the transport", () => {
  const failed = connecting();
  failed.core.failToOpen(new Error("refused"));
  failed.channel.terminate();
  failed.channel.unref();
  assertEquals(failed.opener.told, []);
  const { core, channel, transport, opener } = connecting();
  core.attach(transport);
  core.open(OPENING);
  channel.unref();
  channel.terminate();
  assertEquals([opener.told, transport.told], [[], ["unref", "destroy"]]);
});

Deno.test("channel: unref also applies to every later part of the connection", () => {
  const { core, channel, transport, opener } = connecting();
  channel.unref();
  const next = new FakeOpener();
  core.opener = next;
  core.attach(transport);
  assertEquals([opener.told, next.told, transport.told], [["unref"], ["unref"], ["unref"]]);
  channel.ref();
  core.attach(transport);
  assertEquals(transport.told, ["unref", "ref"]);
});

// Closing.

Deno.test("channel S17 close ends the stream at once and drops unread messages", async () => {
  const { channel, core } = opened();
  streamFeed.add(core.incoming, "unread");
  channel.sink.close();
  streamFeed.add(core.incoming, "late");
  const { events } = record(channel.stream);
  await microtasks();
  assertEquals([events, channel.state], [["done"], "closing"]);
});

Deno.test("channel: an ending sets closeCode, then calls onDone, then settles done and closed", async () => {
  const { channel, core } = opened();
  const order: unknown[] = [];
  channel.stream.listen(() => {}, {
    onDone: () => order.push("onDone", channel.closeCode, channel.closeReason, channel.state),
  });
  channel.sink.done.then(() => order.push("done"));
  channel.closed.then(() => order.push("closed"));
  end(core, { received: { code: 4000, reason: "bye" } });
  await microtasks();
  assertEquals(order, ["onDone", 4000, "bye", "closed", "done", "closed"]);
});

Deno.test("channel: the first of two calls of close wins, and both return done", () => {
  const { channel, transport } = opened();
  const first = channel.sink.close(3000, "first");
  assertStrictEquals(channel.sink.close(3001, "second"), first);
  assertStrictEquals(first, channel.sink.done);
  assertEquals(transport.told, [["close", 3000, "first"]]);
  // The second call does not check its arguments.
  assertStrictEquals(channel.sink.close(1), first);
});

Deno.test("channel: close with a code that the transport rejects changes nothing", async () => {
  const { channel, core, transport, clock } = opened();
  streamFeed.add(core.incoming, "unread");
  transport.refuses = true;
  assertThrows(() => channel.sink.close(1011), RangeError, "refused");
  assertEquals([channel.state, clock.pending, channel.sink.add("on")], ["open", 0, true]);
  assertEquals((await channel.stream.next()).value, "unread");
  end(core, { received: NORMAL });
  const info = await channel.closed;
  assertEquals([info.initiator, "sent" in info], ["remote", false]);
});

Deno.test("channel G3 close while connecting: ready rejects with an AbortError, and the stream ends without an error", async () => {
  const { channel, transport, clock } = make({}, {});
  const { events } = record(channel.stream);
  channel.sink.add("never sent");
  await channel.sink.close(1000, "never sent either");
  isNamed(await rejection(channel.ready), "AbortError");
  await microtasks();
  assertEquals([events, transport.told, clock.pending], [["done"], ["destroy"], 0]);
  const { code, initiator, wasClean } = await channel.closed;
  assertEquals({ code, initiator, wasClean }, { code: 1006, initiator: "local", wasClean: false });
});

Deno.test("channel: closeTimeout ends the channel: unclean without the peer's Close, clean with both", async () => {
  const deaf = opened({ closeTimeout: 200 });
  deaf.channel.sink.close(1000);
  deaf.clock.advance(200);
  const { error, ...rest } = await deaf.channel.closed;
  assertEquals(rest, {
    code: 1006,
    reason: "",
    wasClean: false,
    initiator: "timeout",
    sent: NORMAL,
  });
  assertEquals(
    (error as Error).message,
    "Cannot close within 200 ms: the peer did not answer the Close, and may have stopped reading",
  );
  // The transport has sent everything.
  await deaf.channel.sink.flush();
  const slow = opened({ closeTimeout: 200 });
  slow.channel.sink.close(1000);
  onPeerClose(slow.core, NORMAL);
  slow.clock.advance(200);
  const { code, wasClean } = await slow.channel.closed;
  assertEquals({ code, wasClean }, { code: 1000, wasClean: true });
  for (const { transport, clock } of [deaf, slow]) {
    assertEquals([transport.told.at(-1), clock.pending], ["destroy", 0]);
  }
});

Deno.test("channel: the close timer starts with the first close, and stops when the transport ends", () => {
  const { channel, core, transport, clock } = opened();
  channel.sink.close();
  clock.advance(4000);
  onPeerClose(core, NORMAL);
  clock.advance(999);
  assertEquals([clock.pending, channel.state], [1, "closing"]);
  end(core);
  assertEquals([clock.pending, transport.told.includes("destroy")], [0, false]);
});

Deno.test("channel: this side is the initiator if the transport ends inside startClosing", async () => {
  const { channel, core, transport, clock } = opened();
  transport.onClose = () => end(core, { received: NORMAL });
  channel.sink.close(1000);
  assertEquals([channel.state, clock.pending], ["closed", 0]);
  assertEquals((await channel.closed).initiator, "local");
});

Deno.test("channel: after the peer's Close, the stream delivers earlier messages, add returns false, and closed has the peer's code", async () => {
  const { channel, core } = opened();
  streamFeed.add(core.incoming, "before");
  onPeerClose(core, { code: 4123, reason: "bye" });
  assertEquals([channel.state, channel.sink.add("x")], ["closing", false]);
  assertEquals([channel.closeCode, channel.closeReason], [4123, "bye"]);
  const { events } = record(channel.stream);
  await microtasks();
  assertEquals([events, await settled(channel.closed)], [["before", "done"], false]);
  end(core);
  assertEquals(await channel.closed, {
    code: 4123,
    reason: "bye",
    wasClean: true,
    initiator: "remote",
    received: { code: 4123, reason: "bye" },
  });
});

Deno.test("channel: close after the peer's Close changes nothing, and its promise settles", async () => {
  const { channel, core } = opened();
  onPeerClose(core, { code: 4123, reason: "bye" });
  const done = channel.sink.close(3000);
  assertInvalidState(() => channel.sink.add("x"));
  end(core);
  await done;
  const info = await channel.closed;
  assertEquals([info.initiator, info.code, "sent" in info], ["remote", 4123, false]);
});

Deno.test("channel: if both sides close at the same time, this side is the initiator", async () => {
  const { channel, core } = opened();
  channel.sink.close(3000);
  onPeerClose(core, { code: 3001, reason: "" });
  end(core);
  const { initiator, code, sent } = await channel.closed;
  assertEquals([initiator, code, sent?.code], ["local", 3001, 3000]);
});

Deno.test("channel S108 after a lost connection, the stream ends normally and closed has the details", async () => {
  const { channel, core } = opened();
  const { events } = record(channel.stream);
  const error = new Error("reset");
  end(core, { wasClean: false, initiator: "transport", error });
  end(core, { wasClean: true, initiator: "local" });
  await microtasks();
  assertEquals(events, ["done"]);
  await channel.sink.done;
  assertEquals(await channel.closed, {
    code: 1006,
    reason: "",
    wasClean: false,
    initiator: "transport",
    error,
  });
});

Deno.test("channel: with closeOnError, the stream delivers earlier messages and then reports the error", async () => {
  const { channel, core, transport } = opened();
  const error = new Error("too much");
  streamFeed.add(core.incoming, "before");
  core.closeOnError(error);
  core.closeOnError(new Error("again"));
  assertEquals([transport.told, channel.sink.add("x")], [[["close", undefined, ""]], false]);
  const { events } = record(channel.stream);
  end(core);
  await microtasks();
  assertEquals(events, ["before", "done"]);
  const info = await channel.closed;
  assertStrictEquals(info.error, error);
  assertEquals(info.initiator, "local");
});

Deno.test("channel: terminate ends the channel at once, in every state, and only once", async () => {
  const connecting = make({}, {});
  connecting.channel.terminate();
  isNamed(await rejection(connecting.channel.ready), "AbortError");
  const open = opened();
  streamFeed.add(open.core.incoming, "unread");
  open.channel.terminate();
  open.channel.terminate();
  const closing = opened();
  closing.channel.sink.close(3000);
  closing.channel.terminate();
  for (const { channel, transport, clock } of [connecting, open, closing]) {
    assertEquals([channel.state, clock.pending], ["closed", 0]);
    assertEquals(transport.told.filter((it) => it === "destroy").length, 1);
    const { code, initiator, wasClean } = await channel.closed;
    assertEquals({ code, initiator, wasClean }, {
      code: 1006,
      initiator: "local",
      wasClean: false,
    });
  }
  const { events } = record(open.channel.stream);
  await microtasks();
  assertEquals(events, ["done"]);
});

Deno.test("channel S119 addError closes with the transport's code, and done rejects with the error", async () => {
  const { channel, core, transport } = opened();
  const error = new Error("my own");
  channel.sink.addError(error);
  assertEquals(transport.told, [["close", 1011, ""]]);
  assertEquals([channel.sink.add("x"), channel.state], [false, "closing"]);
  end(core, { received: NORMAL });
  assertStrictEquals(await rejection(channel.sink.done), error);
  const { initiator, error: told, sent } = await channel.closed;
  assertStrictEquals(told, error);
  assertEquals([initiator, sent?.code], ["local", 1011]);
});

Deno.test("channel: addError while connecting fails the attempt with that error", async () => {
  const { channel, clock } = make({}, {});
  const { events } = record(channel.stream);
  const error = new Error("my own");
  channel.sink.addError(error);
  assertStrictEquals(await rejection(channel.ready), error);
  assertStrictEquals(await rejection(channel.sink.done), error);
  await microtasks();
  assertEquals([events, clock.pending], [["done"], 0]);
});

Deno.test("channel: close during addStream cancels the source and takes effect", async () => {
  const { channel, transport } = opened();
  let cancelled = false;
  const source = new ReadableStream<string>({
    start: (controller) => controller.enqueue("first"),
    cancel: () => void (cancelled = true),
  });
  const adding = channel.sink.addStream(source);
  await microtasks();
  assertInvalidState(() => channel.sink.add("mine"));
  channel.sink.close(3000);
  await adding;
  assertEquals([cancelled, transport.told], [true, ["first", ["close", 3000, ""]]]);
});

// Backpressure.

Deno.test("channel: ready and flush use the transport only after opening, and follow its buffered amount", async () => {
  const { channel, core, transport } = make({ highWaterMark: 4 });
  channel.sink.add("12345");
  const ready = channel.sink.ready;
  const flushed = channel.sink.flush();
  assertEquals(transport.told, []);
  transport.amount = 5;
  core.open(OPENING);
  assertEquals(transport.told, ["12345", "watch"]);
  transport.amount = 3;
  sinkControl.drained(core.sink);
  assertEquals([await settled(ready), await settled(flushed)], [true, false]);
  transport.amount = 0;
  sinkControl.drained(core.sink);
  await flushed;
});

Deno.test("channel: with highWaterMark 0, the sink is ready while nothing is buffered, and messages still arrive", async () => {
  const { channel, core, transport } = opened({ highWaterMark: 0 });
  await channel.sink.ready;
  await channel.sink.addStream(["a", "b"]);
  streamFeed.add(core.incoming, "one");
  streamFeed.add(core.incoming, "two");
  assertEquals((await channel.stream.next()).value, "one");
  assertEquals((await channel.stream.next()).value, "two");
  transport.amount = 1;
  assertEquals(await settled(channel.sink.ready), false);
  assertEquals(transport.told.filter((it) => typeof it === "string" && it.length === 1), [
    "a",
    "b",
  ]);
});

Deno.test("channel: a slow reader pauses the transport, and resumes it later", async () => {
  const { channel, core, transport } = opened({ highWaterMark: 100 });
  const iterator = channel.stream[Symbol.asyncIterator]();
  streamFeed.add(core.incoming, "x".repeat(100));
  streamFeed.add(core.incoming, "y");
  assert(transport.told.includes("pause"));
  await iterator.next();
  await iterator.next();
  await microtasks();
  assertEquals(transport.told.at(-1), "resume");
});

Deno.test("channel: cancelling the readable closes the channel without a code", async () => {
  const { channel, core, transport } = opened();
  const cancelled = channel.readable.cancel();
  assertEquals(transport.told.at(-1), ["close", undefined, ""]);
  end(core);
  await cancelled;
});

// Members that every transport shares.

Deno.test("channel: ping and pong throw an UnsupportedError if the transport does not support them", async () => {
  const { channel, transport } = opened();
  const error = await rejection(channel.ping());
  assertInstanceOf(error, UnsupportedError);
  assertEquals(error.capability, "ping");
  const hint = '. Connect with require: ["ping"], or serve with WebSocketServer or acceptUpgrade';
  const where = platform();
  assertEquals(
    error.message,
    `Unsupported on ${where}: ping${where === "browser" ? "" : hint}`,
  );
  assertThrows(() => channel.pong(), UnsupportedError);
  assertEquals(transport.told, []);
});

Deno.test("channel: ping waits for opening, and requires an open connection", async () => {
  const { core, channel, transport } = make({}, undefined, { ...NO_CAPABILITIES, ping: true });
  const early = channel.ping();
  assertEquals([await settled(early), transport.told], [false, []]);
  core.open(OPENING);
  assertEquals([await early, await channel.ping(), transport.told], [7, 7, ["ping", "ping"]]);
  void channel.sink.close();
  const closing = await rejection(channel.ping());
  assertEquals((closing as Error).message, "Cannot ping: the channel is closing");
  end(core);
  const closed = await rejection(channel.ping());
  assertEquals((closed as Error).message, "Cannot ping: the channel is closed");
});

Deno.test("channel: ref and unref call the transport's", () => {
  const { channel, transport } = opened();
  channel.unref();
  channel.ref();
  assertEquals(transport.told, ["unref", "ref"]);
});

Deno.test("channel: dispose closes the channel and never rejects", async () => {
  const failed = opened();
  failed.channel.sink.addError(new Error("my own"));
  end(failed.core);
  await failed.channel[Symbol.asyncDispose]();
  const open = opened();
  const disposed = open.channel[Symbol.asyncDispose]();
  assertEquals(open.transport.told, [["close", undefined, ""]]);
  end(open.core);
  await disposed;
  const connecting = make({}, {});
  await connecting.channel[Symbol.asyncDispose]();
  assertEquals(connecting.channel.state, "closed");
});

// Requests of the sink and the stream.

Deno.test("channel: messages are queued until it opens, and count as buffered", () => {
  const { core, channel, transport } = make();
  transport.amount = 10;
  channel.sink.add("abc");
  assertEquals([transport.told, channel.sink.bufferedAmount, core.load], [[], 13, 14]);
  core.open(OPENING);
  channel.sink.add("d");
  assertEquals([transport.told, channel.sink.bufferedAmount, core.load], [["abc", "d"], 10, 10]);
});

Deno.test("channel: a failed attempt drops the queued messages, which still count as buffered", async () => {
  const { core, channel, transport } = make();
  channel.sink.add("abc");
  core.failToOpen(new Error("refused"));
  assertEquals([channel.sink.bufferedAmount, transport.told], [3, []]);
  assertEquals((await channel.closed).dropped, 3);
});

Deno.test("channel: each message keeps its own options, also when queued", () => {
  const { channel } = opened();
  const error = assertThrows(() => channel.sink.add("x", { compress: false }), UnsupportedError);
  assertEquals(error.capability, "compressionOptions");
  const able = make({}, undefined, { ...NO_CAPABILITIES, compressionOptions: true });
  able.channel.sink.add("early", { compress: false });
  able.core.open(OPENING);
  able.channel.sink.add("secret", { compress: false });
  able.channel.sink.add("public");
  const none = { compress: false };
  assertEquals(able.transport.told, [["early", none], ["secret", none], "public"]);
});

Deno.test("channel: a queued message that cannot be sent after opening closes the channel with the error", async () => {
  const { core, channel, transport } = make();
  channel.sink.add("first");
  channel.sink.add("second");
  const error = new TypeError("no");
  transport.send = () => {
    throw error;
  };
  core.open(OPENING);
  assertEquals([channel.state, transport.told], ["closing", [["close", undefined, ""]]]);
  end(core);
  assertStrictEquals((await channel.closed).error, error);
});

Deno.test("channel: the reader pauses only an open transport, and resumes it in every state", () => {
  const { core, transport } = opened();
  core.pause();
  core.resume();
  core.closeOnError(new Error("too much"));
  core.pause();
  core.resume();
  assertEquals(transport.told, ["pause", "resume", ["close", undefined, ""], "resume"]);
});

Deno.test("channel: an open or closing transport notifies those who wait for room", () => {
  const { core, transport } = make();
  core.watch();
  assertEquals(transport.told, []);
  core.open(OPENING);
  core.watch();
  core.closeOnError(new Error("too much"));
  core.watch();
  end(core);
  core.watch();
  assertEquals(transport.told, ["watch", ["close", undefined, ""], "watch"]);
});

// Messages that other owners hold back.

Deno.test("channel: held-back messages count as buffered, and are sent before the Close; otherwise they count as dropped", async () => {
  const { core, channel, transport } = opened();
  const message = new PreparedMessage("held");
  const holder = {
    size: 4,
    handOver(): void {
      this.size = 0;
      sendPrepared(core, message);
    },
  };
  const release = addHolder(core, holder);
  assertEquals([sendIfRoom(core, message, undefined, false), channel.sink.bufferedAmount], [
    false,
    4,
  ]);
  void channel.sink.close();
  assertEquals(transport.told, ["prepared", "held", ["close", undefined, ""]]);
  release();
  assertEquals(channel.sink.bufferedAmount, 0);
  const lost = opened();
  const releaseLost = addHolder(lost.core, { size: 5, handOver: () => {} });
  releaseLost();
  releaseLost();
  end(lost.core, { wasClean: false, initiator: "transport" });
  assertEquals((await lost.channel.closed).dropped, 5);
});

Deno.test("channel: a prepared message is sent only on an open connection, also while addStream runs", () => {
  const { core, channel, transport } = make();
  const message = new PreparedMessage("x");
  assertFalse(sendPrepared(core, message));
  core.open(OPENING);
  void channel.sink.addStream(new ReadableStream<string>());
  assert(sendPrepared(core, message));
  transport.drops = true;
  assertFalse(sendPrepared(core, message));
  end(core);
  assertFalse(sendPrepared(core, message));
  assertEquals(transport.told, ["prepared", "x", "prepared", "x"]);
});

// The end.

Deno.test("channel: a Close that was never sent does not count, and the end is unclean. RFC 6455 §7.1.4", async () => {
  const { core, channel, transport } = opened();
  transport.hasClose = false;
  void channel.sink.close(1000);
  end(core, { received: NORMAL });
  const info = await channel.closed;
  assertEquals([info.wasClean, "sent" in info, info.code], [false, false, 1000]);
});

Deno.test("channel: it reports what the transport did not send", async () => {
  const { core, channel, transport } = opened();
  transport.amount = 7;
  end(core, { received: { code: 1001, reason: "" } });
  const { dropped, error } = await channel.closed;
  assertEquals(dropped, 7);
  assertEquals(
    (error as Error).message,
    "Cannot send everything: the peer closed with 1001 before the transport took 7 bytes",
  );
});

Deno.test("channel: it notifies its owner of its end once, after its reader", () => {
  const { core, channel } = opened();
  const order: string[] = [];
  channel.stream.listen(() => {}, { onDone: () => order.push("reader") });
  core.onClosed = () => order.push("owner");
  end(core);
  channel.terminate();
  assertEquals(order, ["reader", "owner"]);
});
