/** A WebSocketStream, by its standard (whatwg/websockets, pull request 48). */

import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import {
  createWebSocketStream,
  WebSocket,
  WebSocketError,
  type WebSocketOpenInfo,
  WebSocketStream,
} from "../../src/faces/mod.ts";
import { closeFrame } from "../support/frames.ts";
import { turn } from "../support/turns.ts";
import { withMutePeer } from "./mute_peer.ts";
import { ending, type Subject, thrownBy, withSubject } from "./support.ts";

/** A case against a server, with an open stream. */
function streamCase(
  name: string,
  path: string,
  run: (
    it: { stream: WebSocketStream; info: WebSocketOpenInfo; subject: Subject },
  ) => Promise<void>,
): void {
  Deno.test(`WebSocketStream: ${name}`, () =>
    withSubject(WebSocket, async (subject) => {
      const stream = new WebSocketStream(subject.url + path);
      const info = await stream.opened;
      await run({ stream, info, subject });
    }));
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(() => null, (error) => error);
}

Deno.test("WebSocketStream: has the interface of the standard", () => {
  const { prototype, name, length } = WebSocketStream as unknown as {
    prototype: WebSocketStream;
    name: string;
    length: number;
  };
  assertEquals([name, length, prototype.close.length], ["WebSocketStream", 1, 0]);
  assertEquals(Object.prototype.toString.call(prototype), "[object WebSocketStream]");
  assertEquals(Object.keys(prototype).sort(), ["close", "closed", "opened", "url"]);
});

Deno.test("WebSocketStream: throws for malformed arguments", () => {
  const make = (...args: unknown[]): string | null =>
    thrownBy(() =>
      new (WebSocketStream as unknown as new (...args: unknown[]) => unknown)(...args)
    );
  assertEquals(make(), "plain TypeError");
  assertEquals(make("ws://"), "SyntaxError");
  assertEquals(make("ws://a.test/#"), "SyntaxError");
  assertEquals(make("ws://a.test/", true), "plain TypeError");
  assertEquals(make("ws://a.test/", { protocols: "text" }), "plain TypeError");
  assertEquals(make("ws://a.test/", { protocols: ["a", "a"] }), "SyntaxError");
  assertEquals(make("ws://a.test/", { protocols: ["a b"] }), "SyntaxError");
  assertEquals(make("ws://a.test/", { signal: 1 }), "plain TypeError");
});

Deno.test("WebSocketStream: opened fulfils with the streams and the subprotocol", () =>
  withSubject(WebSocket, async ({ url }) => {
    const stream = new WebSocketStream(`${url}/echo`, { protocols: ["one", "two"] });
    const { protocol, extensions, readable, writable } = await stream.opened;
    assertEquals([protocol, extensions, stream.url], ["one", "", `${url}/echo`]);
    assertInstanceOf(readable, ReadableStream);
    assertInstanceOf(writable, WritableStream);
    assertStrictEquals(stream.opened, stream.opened);
    stream.close();
    assertEquals(await stream.closed, { closeCode: 1005, reason: "" });
  }));

streamCase("an echo returns text and bytes", "/echo", async ({ stream, info, subject }) => {
  const writer = info.writable.getWriter();
  const reader = info.readable.getReader();
  const bytes = Uint8Array.of(1, 2, 3);
  await writer.write("text é");
  void writer.write(bytes);
  bytes.fill(9);
  void writer.write(new Uint16Array([513]).buffer);
  void writer.write({ toString: () => "own" });
  void writer.write(5);
  assertEquals((await reader.read()).value, "text é");
  const found: unknown[] = [];
  for (let i = 0; i < 4; i++) found.push((await reader.read()).value);
  const [first, second, ...rest] = found as [Uint8Array, Uint8Array, ...string[]];
  assertEquals([...first], [1, 2, 3]);
  assertEquals([first.byteOffset, first.buffer.byteLength], [0, 3]);
  assertEquals([[...second], ...rest], [[1, 2], "own", "5"]);
  stream.close({ closeCode: 3456, reason: "pizza" });
  assertEquals(await stream.closed, { closeCode: 3456, reason: "pizza" });
  assertEquals((await ending(subject)).received, { code: 3456, reason: "pizza" });
});

const bodies: [name: string, given: unknown, closeCode: number, reason: string][] = [
  ["nothing", undefined, 1005, ""],
  ["null", null, 1005, ""],
  ["an empty object", {}, 1005, ""],
  ["an empty reason", { reason: "" }, 1005, ""],
  ["a reason, which has 1000", { reason: "r" }, 1000, "r"],
  ["a code", { closeCode: 4000 }, 4000, ""],
  ["members of older drafts, which are ignored", { code: 4000 }, 1005, ""],
];
for (const [name, given, closeCode, reason] of bodies) {
  streamCase(`close with ${name}`, "/echo", async ({ stream }) => {
    stream.close(given as undefined);
    assertEquals(await stream.closed, { closeCode, reason });
  });
}

streamCase("close throws for malformed arguments", "/echo", async ({ stream }) => {
  const close = (info: unknown): string | null => thrownBy(() => stream.close(info as undefined));
  assertEquals(close(true), "plain TypeError");
  assertEquals(close({ closeCode: 70_000 }), "plain TypeError");
  for (const closeCode of [999, 1001, 2999, 5000]) {
    assertEquals(close({ closeCode }), "InvalidAccessError");
  }
  assertEquals(close({ reason: "x".repeat(124) }), "SyntaxError");
  stream.close();
  await stream.closed;
});

Deno.test("WebSocketStream: close while connecting rejects opened and closed", () =>
  withSubject(WebSocket, async ({ url }) => {
    const stream = new WebSocketStream(`${url}/echo`);
    stream.close({ closeCode: 3000 });
    const [opened, closed] = await Promise.all([failure(stream.opened), failure(stream.closed)]);
    assertStrictEquals(opened, closed);
    assertInstanceOf(opened, WebSocketError);
    assertEquals([opened.closeCode, opened.reason], [1006, ""]);
  }));

Deno.test("WebSocketStream: a refusal rejects opened and closed, with its cause", () =>
  withSubject(WebSocket, async ({ url }) => {
    const stream = new WebSocketStream(`${url}/refused`);
    const error = await failure(stream.opened);
    assertInstanceOf(error, WebSocketError);
    assertStrictEquals(await failure(stream.closed), error);
    assertEquals((error.cause as { status?: number }).status, 403);
  }));

Deno.test("WebSocketStream: rejects if the signal has aborted, or aborts while connecting", () =>
  withSubject(WebSocket, async ({ url, channels }) => {
    const reason = new Error("enough");
    const aborted = new WebSocketStream(url, { signal: AbortSignal.abort(reason) });
    assertStrictEquals(await failure(aborted.opened), reason);
    assertStrictEquals(await failure(aborted.closed), reason);
    const controller = new AbortController();
    const stream = new WebSocketStream(`${url}/echo`, { signal: controller.signal });
    controller.abort(reason);
    assertStrictEquals(await failure(stream.opened), reason);
    assertStrictEquals(await failure(stream.closed), reason);
    assertEquals(channels.length, 0);
  }));

Deno.test("WebSocketStream: a signal that aborts after opening does nothing", () =>
  withSubject(WebSocket, async ({ url }) => {
    const controller = new AbortController();
    const stream = new WebSocketStream(`${url}/echo`, { signal: controller.signal });
    const { writable, readable } = await stream.opened;
    controller.abort();
    void writable.getWriter().write("still here");
    assertEquals((await readable.getReader().read()).value, "still here");
    stream.close();
    await stream.closed;
  }));

streamCase("closing the writable closes, and waits for the end", "/echo", async (it) => {
  const writer = it.info.writable.getWriter();
  void writer.write("last");
  await writer.close();
  assertEquals(await it.stream.closed, { closeCode: 1005, reason: "" });
});

for (const [how, stream] of [["abort", "writable"], ["cancel", "readable"]] as const) {
  const act = (info: WebSocketOpenInfo, reason?: unknown): void =>
    void (how === "abort" ? info.writable.abort(reason) : info.readable.cancel(reason));

  streamCase(`${how} of the ${stream} closes without a code`, "/echo", async (it) => {
    act(it.info, { closeCode: 3456 });
    assertEquals(await it.stream.closed, { closeCode: 1005, reason: "" });
  });

  streamCase(`${how} with a WebSocketError closes with its code`, "/echo", async (it) => {
    act(it.info, new WebSocketError("", { closeCode: 3333, reason: "done" }));
    assertEquals(await it.stream.closed, { closeCode: 3333, reason: "done" });
  });
}

streamCase("the peer's close ends both streams", "/burst?code=4000&reason=bye", async (it) => {
  const { readable, writable } = it.info;
  assertEquals(await it.stream.closed, { closeCode: 4000, reason: "bye" });
  const found: unknown[] = [];
  for await (const message of readable as unknown as AsyncIterable<unknown>) found.push(message);
  assertEquals(found, ["one", "two", "three"]);
  const error = await failure(writable.getWriter().write("late"));
  assertInstanceOf(error, DOMException);
  assertEquals(error.name, "InvalidStateError");
  assert(error.message.includes("the WebSocketStream is closed"));
});

streamCase("a lost connection errors both streams", "/lose", async ({ stream, info }) => {
  const reader = info.readable.getReader();
  const writer = info.writable.getWriter();
  await writer.write("now");
  const error = await failure(stream.closed);
  assertInstanceOf(error, WebSocketError);
  assertEquals([error.closeCode, error.reason], [1006, ""]);
  assertStrictEquals(await failure(reader.read()), error);
  assertStrictEquals(await failure(writer.closed), error);
});

/** Writes until a write waits for room. */
async function fill(writer: WritableStreamDefaultWriter<unknown>): Promise<() => Promise<unknown>> {
  const chunk = new Uint8Array(1_000_000);
  for (;;) {
    let isDone = false;
    const write = failure(writer.write(chunk)).then((error) => {
      isDone = true;
      return error;
    });
    for (let i = 0; i < 50 && !isDone; i++) await turn();
    if (!isDone) return () => write;
  }
}

streamCase(
  "a write waits for a peer that doesn't read",
  "/deaf",
  async ({ stream, info, subject }) => {
    const writer = info.writable.getWriter();
    const waiting = await fill(writer);
    const [peer] = subject.channels;
    peer?.stream.listen(() => {});
    assertEquals(await waiting(), null);
    stream.close();
    await stream.closed;
  },
);

Deno.test("WebSocketStream: unsent data at the peer's Close is an error", () =>
  withMutePeer(async (url, say) => {
    const Stream = createWebSocketStream({ closeTimeout: 100 });
    const stream = new Stream(url);
    const { writable } = await stream.opened;
    const writer = writable.getWriter();
    const waiting = await fill(writer);
    say(closeFrame(4000, "too slow"));
    const error = await waiting();
    assertInstanceOf(error, WebSocketError);
    assertEquals([error.closeCode, error.reason], [4000, "too slow"]);
    assertStrictEquals(await failure(stream.closed), error);
    assertStrictEquals(await failure(writer.closed), error);
    assertEquals(error.message, "The peer closed with 4000 before everything was sent");
  }));

streamCase("the peer pauses if nothing reads", "/deaf", async ({ stream, info, subject }) => {
  const [peer] = subject.channels;
  assert(peer !== undefined);
  let sent = 0;
  const large = new Uint8Array(1_000_000);
  for (let idle = 0; idle < 50; idle++) {
    if (peer.sink.hasRoom) {
      peer.sink.add(large);
      sent++;
      idle = 0;
    }
    await turn();
  }
  const reader = info.readable.getReader();
  for (let i = 0; i < sent; i++) {
    assertEquals(((await reader.read()).value as Uint8Array).length, large.length);
  }
  stream.close();
  await stream.closed;
});

streamCase("a symbol can't be written", "/echo", async ({ stream, info }) => {
  const writer = info.writable.getWriter();
  assertInstanceOf(await failure(writer.write(Symbol())), TypeError);
  const reader = info.readable.getReader();
  stream.close();
  assert((await reader.read()).done);
});

Deno.test("createWebSocketStream: creates a class with its own options", () =>
  withSubject(WebSocket, async ({ url, channels }) => {
    const Stream = createWebSocketStream(() => ({ headers: { "X-A": "b" }, compression: true }));
    const stream = new Stream(`${url}/echo`);
    const { extensions } = await stream.opened;
    assert(extensions.startsWith("permessage-deflate"), extensions);
    assertEquals(channels[0]?.request.headers.get("x-a"), "b");
    stream.close();
    await stream.closed;
    assertEquals(
      thrownBy(() => createWebSocketStream({ protocols: ["a"] } as never)),
      "plain TypeError",
    );
  }));

streamCase(
  "the readable delivers messages that the peer sends after this side's Close",
  "/echo",
  async (it) => {
    const { readable, writable } = it.info;
    const writer = writable.getWriter();
    for (const question of ["one", "two", "three"]) void writer.write(question);
    void writer.close();
    const found: unknown[] = [];
    for await (const answer of readable as unknown as AsyncIterable<unknown>) found.push(answer);
    assertEquals(found, ["one", "two", "three"]);
    assertEquals(await it.stream.closed, { closeCode: 1005, reason: "" });
  },
);

streamCase("a cancelled readable doesn't delay the Close", "/deaf", async (it) => {
  const [peer] = it.subject.channels;
  while (peer?.sink.hasRoom) peer.sink.add(new Uint8Array(1_000_000));
  await it.info.readable.getReader().cancel();
  void peer?.sink.close();
  peer?.stream.listen(() => {});
  assertEquals(await it.stream.closed, { closeCode: 1005, reason: "" });
});
