/** What every channel does alike, with a transport that does only what a test makes it do. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { type Capabilities, NO_CAPABILITIES } from "../../src/web_socket/capabilities.ts";
import type {
  ChannelOptions,
  ConnectDeadlineOptions,
} from "../../src/web_socket/connect_options.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { UnsupportedError } from "../../src/web_socket/errors.ts";
import type { CloseFrameContent } from "../../src/web_socket/close_info.ts";
import { closeContent, type Ending } from "../../src/web_socket/closing.ts";
import {
  type Opening,
  WebSocketChannelBase,
} from "../../src/web_socket/web_socket_channel_base.ts";
import type { MessageInput } from "../../src/web_socket/web_socket_sink.ts";
import { assertInvalidState, microtasks, record, settled } from "../support/events.ts";
import { FakeClock } from "../support/fake_clock.ts";

const OPENING: Opening = { protocol: null, extensions: "", response: null };
const NORMAL: CloseFrameContent = { code: 1000, reason: "" };

/** A channel whose transport is the test itself. */
class TestChannel extends WebSocketChannelBase {
  readonly url = "";
  protected readonly transport = "test";
  readonly capabilities: Capabilities = NO_CAPABILITIES;
  protected readonly errorCode = 1011;
  /** What the transport was told, in order. */
  readonly told: unknown[] = [];
  amount = 0;
  refuses = false;
  drops = false;
  onStartClosing: () => void = () => {};
  declare readonly clock: FakeClock;

  constructor(options: ChannelOptions = {}, attempt?: ConnectDeadlineOptions) {
    super(options, new FakeClock());
    if (attempt !== undefined) this.watchAttempt(attempt, () => "tls");
  }

  sendMessage(message: MessageInput): boolean {
    this.told.push(message);
    return !this.drops;
  }

  transportAmount(): number {
    return this.amount;
  }

  protected startClosing(code: number | undefined, reason: string): CloseFrameContent {
    if (this.refuses) throw new RangeError("refused");
    this.told.push(["close", code, reason]);
    this.onStartClosing();
    return closeContent(code, reason);
  }

  protected hasSentClose(): boolean {
    return true;
  }

  protected destroyTransport(): void {
    this.told.push("destroy");
  }

  override pauseTransport(): void {
    this.told.push("pause");
  }

  override resumeTransport(): void {
    this.told.push("resume");
  }

  override watchTransport(): void {
    this.told.push("watch");
  }

  doOpen(opening: Opening = OPENING): this {
    this.open(opening);
    return this;
  }

  doFailToOpen(error: unknown): void {
    this.failToOpen(error);
  }

  doPeerClosed(received: CloseFrameContent): void {
    this.peerClosed(received);
  }

  doCloseBecauseOf(error: unknown): void {
    this.closeBecauseOf(error);
  }

  doEnd(ending: Partial<Ending> = {}): void {
    this.end({ wasClean: true, initiator: "remote", ...ending });
  }

  receive(message: string): void {
    this.incoming.add(message);
  }

  drained(): void {
    this.outgoing.drained();
  }
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  const result = await promise.then(() => "fulfilled", (error: unknown) => ({ error }));
  if (typeof result === "string") throw new Error("Expected a rejection");
  return result.error;
}

function isNamed(error: unknown, name: string): void {
  assertInstanceOf(error, DOMException);
  assertEquals(error.name, name);
}

// Opening.

Deno.test("channel: a channel is connecting at first, and knows nothing yet", async () => {
  const channel = new TestChannel();
  const { state, protocol, extensions, response, closeCode, closeReason } = channel;
  assertEquals([state, protocol, extensions, response], ["connecting", null, "", null]);
  assertEquals([closeCode, closeReason], [null, null]);
  assertEquals([await settled(channel.ready), await settled(channel.closed)], [false, false]);
});

Deno.test("channel: once it is open it knows what the handshake settled; opening is once", async () => {
  const response = { status: 101, statusText: "", headers: new Headers(), body: new Uint8Array() };
  const channel = new TestChannel();
  channel.doOpen({ protocol: "a", extensions: "x", response });
  channel.doOpen({ protocol: "b", extensions: "", response: null });
  await channel.ready;
  assertEquals([channel.state, channel.protocol, channel.extensions], ["open", "a", "x"]);
  assertStrictEquals(channel.response, response);
});

Deno.test("channel: what is added early goes out in order once it is open, as it was then", () => {
  const channel = new TestChannel();
  const bytes = Uint8Array.of(1, 2);
  assertEquals(channel.sink.add("é"), true);
  channel.sink.add(bytes);
  channel.sink.add(new DataView(bytes.buffer, 1));
  assertEquals([channel.sink.bufferedAmount, channel.told], [5, []]);
  bytes.fill(0);
  channel.doOpen();
  channel.sink.add("later");
  assertEquals(channel.told, ["é", Uint8Array.of(1, 2), Uint8Array.of(2), "later"]);
  assertEquals(channel.sink.bufferedAmount, 0);
});

Deno.test("channel: what is added early is copied, also where slice() copies nothing, as of Node's Buffer", () => {
  const bytes = Uint8Array.of(1, 2);
  bytes.slice = () => bytes;
  const channel = new TestChannel();
  channel.sink.add(bytes);
  bytes.fill(0);
  channel.doOpen();
  assertEquals(channel.told, [Uint8Array.of(1, 2)]);
});

Deno.test("channel: a transport that drops a message: add gives false, and so does every later one", () => {
  const channel = new TestChannel().doOpen();
  channel.drops = true;
  assertEquals(channel.sink.add("dropped"), false);
  channel.drops = false;
  assertEquals([channel.sink.add("too late"), channel.told], [false, ["dropped"]]);
});

Deno.test("channel: add checks the kind first, in every state", () => {
  const channel = new TestChannel();
  const bad = 42 as unknown as string;
  assertThrows(() => channel.sink.add(bad), TypeError);
  channel.doOpen();
  assertThrows(() => channel.sink.add(bad), TypeError);
  channel.sink.close();
  assertThrows(() => channel.sink.add(bad), TypeError);
  channel.doEnd();
  assertThrows(() => channel.sink.add(bad), TypeError);
});

Deno.test("channel S107 a failed attempt: ready and the stream give the same error, once", async () => {
  const channel = new TestChannel();
  const { events } = record(channel.stream);
  const error = new Error("refused");
  channel.sink.add("never sent");
  channel.doFailToOpen(error);
  channel.doFailToOpen(new Error("another"));
  channel.doOpen();
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

Deno.test("channel: connectTimeout gives up with a TimeoutError that names the phase", async () => {
  const channel = new TestChannel({}, { connectTimeout: 500 });
  channel.clock.advance(499);
  assertEquals(channel.state, "connecting");
  channel.clock.advance(1);
  const error = await rejection(channel.ready);
  isNamed(error, "TimeoutError");
  assertEquals((error as Error).message, "Connecting took longer than 500 ms, in phase tls");
  assertEquals([(await channel.closed).initiator, channel.told], ["timeout", ["destroy"]]);
});

Deno.test("channel: connectTimeout is 30 s by itself, 0 is none, and it ends with the attempt", () => {
  const usual = new TestChannel({}, {});
  usual.clock.advance(29_999);
  assertEquals(usual.state, "connecting");
  usual.doOpen();
  assertEquals(usual.clock.pending, 0);
  const failed = new TestChannel({}, {});
  failed.doFailToOpen(new Error("refused"));
  assertEquals(failed.clock.pending, 0);
  assertEquals(new TestChannel({}, { connectTimeout: 0 }).clock.pending, 0);
});

Deno.test("channel: a signal gives up the attempt with its reason; afterwards it does nothing", async () => {
  const aborter = new AbortController();
  const { signal } = aborter;
  const channel = new TestChannel({}, { signal });
  const open = new TestChannel({}, { signal }).doOpen();
  const { events } = record(channel.stream);
  const reason = new Error("changed my mind");
  aborter.abort(reason);
  assertStrictEquals(await rejection(channel.ready), reason);
  await microtasks();
  assertEquals(events, [["error", reason], "done"]);
  assertEquals((await channel.closed).initiator, "local");
  assertEquals([channel.clock.pending, channel.told, open.state], [0, ["destroy"], "open"]);
  const late = new TestChannel({}, { signal });
  assertStrictEquals(await rejection(late.ready), reason);
  assertEquals(late.clock.pending, 0);
});

Deno.test("channel: a signal that lives on is left alone when the attempt is over, however it ended", () => {
  const endings: ((channel: TestChannel) => void)[] = [
    (channel) => channel.doOpen(),
    (channel) => channel.doFailToOpen(new Error("refused")),
    (channel) => void channel.sink.close(),
    (channel) => channel.clock.advance(30_000),
  ];
  for (const end of endings) {
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    };
    const channel = new TestChannel({}, { signal });
    assertEquals(listeners, 1);
    end(channel);
    assertEquals(listeners, 0);
  }
});

// Closing.

Deno.test("channel S17 close ends the stream at once: what waits is dropped", async () => {
  const channel = new TestChannel().doOpen();
  channel.receive("unread");
  channel.sink.close();
  channel.receive("late");
  const { events } = record(channel.stream);
  await microtasks();
  assertEquals([events, channel.state], [["done"], "closing"]);
});

Deno.test("channel: the order of an ending: closeCode, onDone, done, closed", async () => {
  const channel = new TestChannel().doOpen();
  const order: unknown[] = [];
  channel.stream.listen(() => {}, {
    onDone: () => order.push("onDone", channel.closeCode, channel.closeReason, channel.state),
  });
  channel.sink.done.then(() => order.push("done"));
  channel.closed.then(() => order.push("closed"));
  channel.doEnd({ received: { code: 4000, reason: "bye" } });
  await microtasks();
  assertEquals(order, ["onDone", 4000, "bye", "closed", "done", "closed"]);
});

Deno.test("channel: of two calls of close the first wins, and both give done", () => {
  const channel = new TestChannel().doOpen();
  const first = channel.sink.close(3000, "first");
  assertStrictEquals(channel.sink.close(3001, "second"), first);
  assertStrictEquals(first, channel.sink.done);
  assertEquals(channel.told, [["close", 3000, "first"]]);
  // Not even its arguments are looked at any more.
  assertStrictEquals(channel.sink.close(1), first);
});

Deno.test("channel: a code that the transport refuses leaves the channel as it was", async () => {
  const channel = new TestChannel().doOpen();
  channel.receive("unread");
  channel.refuses = true;
  assertThrows(() => channel.sink.close(1011), RangeError, "refused");
  assertEquals([channel.state, channel.clock.pending, channel.sink.add("on")], ["open", 0, true]);
  assertEquals((await channel.stream.next()).value, "unread");
  channel.doEnd({ received: NORMAL });
  const info = await channel.closed;
  assertEquals([info.initiator, "sent" in info], ["remote", false]);
});

Deno.test("channel G3 close while connecting: ready rejects with an AbortError, the stream just ends", async () => {
  const channel = new TestChannel({}, {});
  const { events } = record(channel.stream);
  channel.sink.add("never sent");
  await channel.sink.close(1000, "never sent either");
  isNamed(await rejection(channel.ready), "AbortError");
  await microtasks();
  assertEquals([events, channel.told, channel.clock.pending], [["done"], ["destroy"], 0]);
  const { code, initiator, wasClean } = await channel.closed;
  assertEquals({ code, initiator, wasClean }, { code: 1006, initiator: "local", wasClean: false });
});

Deno.test("channel: closeTimeout ends it: unclean without the peer's Close, clean with both", async () => {
  const deaf = new TestChannel({ closeTimeout: 200 }).doOpen();
  deaf.sink.close(1000);
  deaf.clock.advance(200);
  assertEquals(await deaf.closed, {
    code: 1006,
    reason: "",
    wasClean: false,
    initiator: "timeout",
    sent: NORMAL,
  });
  const slow = new TestChannel({ closeTimeout: 200 }).doOpen();
  slow.sink.close(1000);
  slow.doPeerClosed(NORMAL);
  slow.clock.advance(200);
  const { code, wasClean } = await slow.closed;
  assertEquals({ code, wasClean }, { code: 1000, wasClean: true });
  for (const channel of [deaf, slow]) {
    assertEquals([channel.told.at(-1), channel.clock.pending], ["destroy", 0]);
  }
});

Deno.test("channel: the close timer runs from the first close on, and ends with the transport", () => {
  const channel = new TestChannel().doOpen();
  channel.sink.close();
  channel.clock.advance(4000);
  channel.doPeerClosed(NORMAL);
  channel.clock.advance(999);
  assertEquals([channel.clock.pending, channel.state], [1, "closing"]);
  channel.doEnd();
  assertEquals([channel.clock.pending, channel.told.includes("destroy")], [0, false]);
});

Deno.test("channel: a transport that ends from inside startClosing: it was this side that closed", async () => {
  const channel = new TestChannel().doOpen();
  channel.onStartClosing = () => channel.doEnd({ received: NORMAL });
  channel.sink.close(1000);
  assertEquals([channel.state, channel.clock.pending], ["closed", 0]);
  assertEquals((await channel.closed).initiator, "local");
});

Deno.test("channel: the peer's Close: what came before can be read, add is false, closed is the peer's", async () => {
  const channel = new TestChannel().doOpen();
  channel.receive("before");
  channel.doPeerClosed({ code: 4123, reason: "bye" });
  assertEquals([channel.state, channel.sink.add("x")], ["closing", false]);
  assertEquals([channel.closeCode, channel.closeReason], [4123, "bye"]);
  const { events } = record(channel.stream);
  await microtasks();
  assertEquals([events, await settled(channel.closed)], [["before", "done"], false]);
  channel.doEnd();
  assertEquals(await channel.closed, {
    code: 4123,
    reason: "bye",
    wasClean: true,
    initiator: "remote",
    received: { code: 4123, reason: "bye" },
  });
});

Deno.test("channel: close after the peer's Close changes nothing, and settles", async () => {
  const channel = new TestChannel().doOpen();
  channel.doPeerClosed({ code: 4123, reason: "bye" });
  const done = channel.sink.close(3000);
  assertInvalidState(() => channel.sink.add("x"));
  channel.doEnd();
  await done;
  const info = await channel.closed;
  assertEquals([info.initiator, info.code, "sent" in info], ["remote", 4123, false]);
});

Deno.test("channel: both close at the same time: it counts as this side's", async () => {
  const channel = new TestChannel().doOpen();
  channel.sink.close(3000);
  channel.doPeerClosed({ code: 3001, reason: "" });
  channel.doEnd();
  const { initiator, code, sent } = await channel.closed;
  assertEquals([initiator, code, sent?.code], ["local", 3001, 3000]);
});

Deno.test("channel S108 a lost connection: the stream ends normally, closed has the story", async () => {
  const channel = new TestChannel().doOpen();
  const { events } = record(channel.stream);
  const error = new Error("reset");
  channel.doEnd({ wasClean: false, initiator: "transport", error });
  channel.doEnd({ wasClean: true, initiator: "local" });
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

Deno.test("channel: closeBecauseOf lets what came before be read, and tells why", async () => {
  const channel = new TestChannel().doOpen();
  const error = new Error("too much");
  channel.receive("before");
  channel.doCloseBecauseOf(error);
  channel.doCloseBecauseOf(new Error("again"));
  assertEquals([channel.told, channel.sink.add("x")], [[["close", undefined, ""]], false]);
  const { events } = record(channel.stream);
  channel.doEnd();
  await microtasks();
  assertEquals(events, ["before", "done"]);
  const info = await channel.closed;
  assertStrictEquals(info.error, error);
  assertEquals(info.initiator, "local");
});

Deno.test("channel: terminate ends it at once, in every state, and only once", async () => {
  const connecting = new TestChannel({}, {});
  connecting.terminate();
  isNamed(await rejection(connecting.ready), "AbortError");
  const open = new TestChannel().doOpen();
  open.receive("unread");
  open.terminate();
  open.terminate();
  const closing = new TestChannel().doOpen();
  closing.sink.close(3000);
  closing.terminate();
  for (const channel of [connecting, open, closing]) {
    assertEquals([channel.state, channel.clock.pending], ["closed", 0]);
    assertEquals(channel.told.filter((it) => it === "destroy").length, 1);
    const { code, initiator, wasClean } = await channel.closed;
    assertEquals({ code, initiator, wasClean }, {
      code: 1006,
      initiator: "local",
      wasClean: false,
    });
  }
  const { events } = record(open.stream);
  await microtasks();
  assertEquals(events, ["done"]);
});

Deno.test("channel S119 addError closes with the transport's code; done rejects with it", async () => {
  const channel = new TestChannel().doOpen();
  const error = new Error("my own");
  channel.sink.addError(error);
  assertEquals(channel.told, [["close", 1011, ""]]);
  assertEquals([channel.sink.add("x"), channel.state], [false, "closing"]);
  channel.doEnd({ received: NORMAL });
  assertStrictEquals(await rejection(channel.sink.done), error);
  const { initiator, error: told, sent } = await channel.closed;
  assertStrictEquals(told, error);
  assertEquals([initiator, sent?.code], ["local", 1011]);
});

Deno.test("channel: addError while connecting gives up with that error", async () => {
  const channel = new TestChannel({}, {});
  const { events } = record(channel.stream);
  const error = new Error("my own");
  channel.sink.addError(error);
  assertStrictEquals(await rejection(channel.ready), error);
  assertStrictEquals(await rejection(channel.sink.done), error);
  await microtasks();
  assertEquals([events, channel.clock.pending], [["done"], 0]);
});

Deno.test("channel: close during addStream cancels the source, and wins", async () => {
  const channel = new TestChannel().doOpen();
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
  assertEquals([cancelled, channel.told], [true, ["first", ["close", 3000, ""]]]);
});

// Backpressure.

Deno.test("channel: ready and flush ask the transport only once it is open, and follow its amount", async () => {
  const channel = new TestChannel({ highWaterMark: 4 });
  channel.sink.add("12345");
  const ready = channel.sink.ready;
  const flushed = channel.sink.flush();
  assertEquals(channel.told, []);
  channel.amount = 5;
  channel.doOpen();
  assertEquals(channel.told, ["12345", "watch"]);
  channel.amount = 3;
  channel.drained();
  assertEquals([await settled(ready), await settled(flushed)], [true, false]);
  channel.amount = 0;
  channel.drained();
  await flushed;
});

Deno.test("channel: with highWaterMark 0 there is room when nothing waits, and messages come", async () => {
  const channel = new TestChannel({ highWaterMark: 0 }).doOpen();
  await channel.sink.ready;
  await channel.sink.addStream(["a", "b"]);
  channel.receive("one");
  channel.receive("two");
  assertEquals((await channel.stream.next()).value, "one");
  assertEquals((await channel.stream.next()).value, "two");
  channel.amount = 1;
  assertEquals(await settled(channel.sink.ready), false);
  assertEquals(channel.told.filter((it) => typeof it === "string" && it.length === 1), ["a", "b"]);
});

Deno.test("channel: a reader that is slow stops the transport, and starts it again", async () => {
  const channel = new TestChannel({ highWaterMark: 100 }).doOpen();
  const iterator = channel.stream[Symbol.asyncIterator]();
  channel.receive("x".repeat(100));
  channel.receive("y");
  assert(channel.told.includes("pause"));
  await iterator.next();
  await iterator.next();
  await microtasks();
  assertEquals(channel.told.at(-1), "resume");
});

Deno.test("channel: cancelling the readable closes without a code", async () => {
  const channel = new TestChannel().doOpen();
  const cancelled = channel.readable.cancel();
  assertEquals(channel.told.at(-1), ["close", undefined, ""]);
  channel.doEnd();
  await cancelled;
});

// What is the same everywhere.

Deno.test("channel: ping is an UnsupportedError where the transport can't; ref and unref do nothing", async () => {
  const channel = new TestChannel().doOpen();
  const error = await rejection(channel.ping());
  assertInstanceOf(error, UnsupportedError);
  assertEquals(error.capability, "ping");
  const hint = '. Connect with require: ["ping"], or serve with WebSocketServer or acceptUpgrade';
  const where = platform();
  assertEquals(
    error.message,
    `Unsupported on ${where}: ping${where === "browser" ? "" : hint}`,
  );
  channel.ref();
  channel.unref();
  assertEquals(channel.told, []);
});

Deno.test("channel: dispose closes, and never rejects", async () => {
  const channel = new TestChannel().doOpen();
  channel.sink.addError(new Error("my own"));
  channel.doEnd();
  await channel[Symbol.asyncDispose]();
  const open = new TestChannel().doOpen();
  const disposed = open[Symbol.asyncDispose]();
  assertEquals(open.told, [["close", undefined, ""]]);
  open.doEnd();
  await disposed;
  const connecting = new TestChannel({}, {});
  await connecting[Symbol.asyncDispose]();
  assertEquals(connecting.state, "closed");
});
