import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import { MessagePortChannel, type MessagePortLike } from "../../src/stream_channel/mod.ts";
import { PortLink } from "../../src/stream_channel/message_port_channel.ts";
import { watchPort } from "../../src/stream_channel/ports.ts";
import { microtasks, record, settled } from "../support/events.ts";

/** A port whose other end is the test. */
class FakePort implements MessagePortLike {
  readonly posted: unknown[] = [];
  readonly listeners = new Map<string, (event: Event) => void>();

  postMessage(message: unknown): void {
    this.posted.push(message);
  }

  addEventListener(type: string, listener: (event: Event) => void): void {
    this.listeners.set(type, listener);
  }

  removeEventListener(type: string, listener: (event: Event) => void): void {
    if (this.listeners.get(type) === listener) this.listeners.delete(type);
  }

  start(): void {
    this.posted.push("start");
  }

  close(): void {
    this.posted.push("close");
  }

  receive(data: unknown): void {
    this.listeners.get("message")?.(new MessageEvent("message", { data }));
  }

  /** Returns the messages that were posted since the last call. */
  take(): unknown[] {
    return this.posted.splice(0);
  }
}

function open(highWaterMark?: number): { port: FakePort; link: PortLink<unknown, unknown> } {
  const port = new FakePort();
  const link = new PortLink<unknown, unknown>(port, { highWaterMark });
  return { port, link };
}

Deno.test("values are posted as [value], and the end as []; then the port is closed", async () => {
  const { port, link } = open();
  link.sink.add("a");
  link.sink.add(undefined);
  await link.sink.close();
  assertEquals(port.take(), ["start", ["a"], [undefined], [], "close"]);
  assertEquals(port.listeners.size, 0);
  port.receive(["late"]);
  await link.sink.close();
  assertEquals(port.take(), []);
});

Deno.test("a value whose clone may have another size is posted as [value, size], and the receiver uses that size", () => {
  const { port, link } = open();
  port.take();
  link.sink.add({ a: "x".repeat(1000) });
  link.sink.add(1n);
  link.sink.add(new Uint8Array(100));
  assertEquals(port.take().map((it) => (it as unknown[])[1]), [64 + 1 + 8 + 1000, 64, 100]);
  record(link.stream);
  port.receive([{}, 40_000]);
  assertEquals(port.take(), [40_000]);
});

Deno.test("add reports why a value was not posted", () => {
  const { port, link } = open();
  const other = new FakePort();
  const transfer = (): object[] => [{}];
  const withTransfer = new PortLink<unknown, unknown>(other, { transfer });
  const cases: [link: PortLink<unknown, unknown>, cause: unknown, why: string][] = [
    [link, new DOMException("x", "DataCloneError"), "the value can't be cloned"],
    [withTransfer, new DOMException("x", "DataCloneError"), "or what `transfer` returned can't be"],
    [link, new RangeError("x"), "posting the value threw RangeError"],
    [link, "text", "posting the value threw string"],
  ];
  for (const [of, cause, why] of cases) {
    port.postMessage = other.postMessage = () => {
      throw cause;
    };
    const error = assertThrows(() => of.sink.add(1), TypeError, why);
    assertEquals(error.cause, cause);
  }
});

Deno.test("the other end's [] is the end, and is not answered", async () => {
  const { port, link } = open();
  const { events } = record(link.stream);
  port.receive([1]);
  port.receive([]);
  port.receive([2]);
  await link.sink.done;
  assertEquals(events, [1, "done"]);
  assertEquals(port.take(), ["start", "close"]);
  assertFalse(link.sink.add(1));
});

Deno.test("attack 66: the platform's close event without [] fails the stream, except a raw one", async () => {
  for (const raw of [false, true]) {
    const port = new FakePort();
    const link = new PortLink<unknown, unknown>(port, { raw });
    const { events } = record(link.stream);
    port.listeners.get("close")?.(new Event("close"));
    await link.sink.done;
    assertEquals(events.at(-1), "done");
    const failure = (events[0] as [string, Error])[1];
    if (raw) assertEquals(events.length, 1);
    else {assertEquals(
        failure.message,
        "Cannot receive: the other end has left without closing the channel",
      );}
    assertEquals(port.take(), ["start", "close"]);
  }
});

Deno.test("attack 66: foreign messages are ignored", () => {
  const foreign = [{}, "text", null, [1, 2, 3], [1, -1], [1, NaN], [1, "2"], NaN, Infinity];
  const { port, link } = open();
  const { events } = record(link.stream);
  for (const message of foreign) port.receive(message);
  port.receive([1]);
  assertEquals(events, [1]);
  assertEquals([port.take(), link.sink.bufferedAmount], [["start"], 0]);
});

Deno.test("an unreadable message fails the stream, and notifies the other end of the end", async () => {
  const { port, link } = open();
  port.listeners.get("messageerror")?.(new Event("messageerror"));
  await assertRejects(() => link.stream.next(), TypeError, "deserialized");
  await link.sink.done;
  assertEquals(port.take(), ["start", [], "close"]);
});

Deno.test("the sink has room for 64 KiB at first; beyond that, it waits for a number from the other end", async () => {
  const { port, link } = open();
  link.sink.add(new Uint8Array(65_536));
  assertEquals(link.sink.bufferedAmount, 0);
  await link.sink.ready;
  link.sink.add(new Uint8Array(100));
  assertEquals(link.sink.bufferedAmount, 100);
  const [ready, flushed] = [link.sink.ready, link.sink.flush()];
  port.receive(99);
  assertFalse(await settled(Promise.race([ready, flushed])));
  port.receive(1);
  await ready;
  await flushed;
});

Deno.test("the receiver grants credit when half the window is free again, and not while the reader pauses", async () => {
  const { port, link } = open();
  const { events, subscription } = record(link.stream);
  assertEquals(port.take(), ["start"]);
  port.receive([new Uint8Array(32_767)]);
  assertEquals(port.take(), []);
  port.receive([new Uint8Array(32)]);
  assertEquals(port.take(), [32_799]);
  subscription.pause();
  for (let i = 0; i < 16; i++) port.receive([new Uint8Array(4096)]);
  assertEquals(port.take(), []);
  subscription.resume();
  await microtasks();
  assertEquals(events.length, 18);
  assertEquals(port.take(), [65_536]);
});

Deno.test("after its reader has left, the receiver grants credit for unread messages", () => {
  const { port, link } = open();
  const { subscription } = record(link.stream);
  subscription.pause();
  port.receive([new Uint8Array(60_000)]);
  assertEquals(port.take(), ["start"]);
  subscription.cancel();
  assertEquals(port.take(), [60_000]);
  port.receive([new Uint8Array(60_000)]);
  assertEquals(port.take(), [60_000]);
});

Deno.test("another window is sent to the other end at once", () => {
  assertEquals(open(100_000).port.take(), ["start", 34_464]);
  assertEquals(open(1000).port.take(), ["start", -64_536]);
});

Deno.test("a port of Node's kind, and a value that is not a port", () => {
  const listeners = new Map<string, (value: unknown) => void>();
  const port: MessagePortLike = {
    postMessage: () => {},
    on: (type, listener) => listeners.set(type, listener),
    off: (type) => listeners.delete(type),
  };
  const messages: unknown[] = [];
  let ends = 0;
  const stop = watchPort(port, {
    onMessage: (message) => messages.push(message),
    onEnd: () => ends++,
    onFailure: () => {},
    onError: () => {},
  });
  listeners.get("message")?.([1]);
  listeners.get("exit")?.(0);
  assertEquals([messages, ends], [[[1]], 1]);
  stop();
  assertEquals(listeners.size, 0);
  assertThrows(() => new MessagePortChannel({ postMessage: () => {} }), TypeError, "not a port");
});

// A page's global scope is rejected.
Deno.test(
  "a worker's own scope is never closed",
  { ignore: "document" in globalThis },
  async () => {
    const scope = globalThis as unknown as MessagePortLike & { postMessage?: unknown };
    const before = Object.getOwnPropertyDescriptor(globalThis, "postMessage");
    const closeBefore = Object.getOwnPropertyDescriptor(globalThis, "close");
    const posted: unknown[] = [];
    let closed = false;
    const define = (name: string, value: unknown): void => {
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    };
    define("postMessage", (message: unknown) => posted.push(message));
    define("close", () => closed = true);
    try {
      const channel = new MessagePortChannel<number>(
        scope.addEventListener === undefined ? Object.assign(scope, emitter) : scope,
      );
      channel.sink.add(1);
      await channel.sink.close();
      assertEquals(posted, [[1], []]);
      assert(!closed);
    } finally {
      restore("postMessage", before);
      restore("close", closeBefore);
    }
  },
);

const emitter = { on: (): void => {}, off: (): void => {} };

function restore(name: string, descriptor: PropertyDescriptor | undefined): void {
  if (descriptor === undefined) Reflect.deleteProperty(globalThis, name);
  else Object.defineProperty(globalThis, name, descriptor);
}
