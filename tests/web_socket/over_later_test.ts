import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { channelPair } from "../../src/stream_channel/channel_pair.ts";
import type { StreamChannel } from "../../src/stream_channel/stream_channel.ts";
import { systemClock } from "../../src/web_socket/clock.ts";
import {
  ConnectError,
  UnsupportedError,
  WebSocketChannelError,
} from "../../src/web_socket/errors.ts";
import * as loadedOver from "../../src/web_socket/loaded_over.ts";
import type { OverOptions } from "../../src/web_socket/options.ts";
import { connectOver, over } from "../../src/web_socket/over.ts";
import { connectOverLater, type LoadedOver, overLater } from "../../src/web_socket/over_later.ts";
import type { WebSocketChannel } from "../../src/web_socket/web_socket_channel.ts";
import { utf8 } from "../support/bytes.ts";
import { signKey } from "../../src/handshake/accept_key.ts";
import { assertInvalidState, microtasks } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

type Bytes = StreamChannel<Uint8Array>;

/** The real module. */
const REAL = { load: (): Promise<LoadedOver> => import("../../src/web_socket/loaded_over.ts") };

/** A load that the test completes. */
class Loading {
  readonly load: () => Promise<LoadedOver>;
  finish: () => Promise<void> = () => Promise.resolve();
  fail: (error: unknown) => Promise<void> = () => Promise.resolve();

  constructor() {
    const promise = new Promise<LoadedOver>((resolve, reject) => {
      this.finish = () => {
        resolve(loadedOver);
        return microtasks();
      };
      this.fail = (error) => {
        reject(error);
        return microtasks();
      };
    });
    this.load = () => promise;
  }
}

const pairs: [name: string, make: () => { local: Bytes; foreign: Bytes }][] = [
  ["a pair", () => channelPair<Uint8Array>()],
  ["a synchronous pair", () => channelPair<Uint8Array>({ sync: true })],
];

for (const [name, make] of pairs) {
  for (const side of ["client", "server"] as const) {
    Deno.test(`over later, ${name}: the ${side} is open at once, and nothing is lost`, async () => {
      const { local, foreign } = make();
      const loading = new Loading();
      const channel = overLater(local, { side, protocol: "p" }, loading);
      const peer = over(foreign, { side: side === "client" ? "server" : "client" });
      assertEquals([channel.state, channel.protocol], ["open", "p"]);
      await channel.ready;
      const bytes = Uint8Array.of(1, 2, 3);
      assert(channel.sink.add("text"));
      assert(channel.sink.add(bytes));
      // The caller may change its bytes afterwards.
      bytes.fill(9);
      assertEquals(channel.sink.bufferedAmount, 7);
      const ping = channel.ping();
      assert(channel.pong());
      peer.sink.add("early");
      await microtasks();
      await loading.finish();
      assertEquals((await peer.stream.next()).value, "text");
      assertEquals((await peer.stream.next()).value, Uint8Array.of(1, 2, 3));
      assertEquals((await channel.stream.next()).value, "early");
      assert(await ping >= 0);
      channel.sink.add("later");
      assertEquals((await peer.stream.next()).value, "later");
      await peer.sink.close(3001, "bye");
      const { code, reason, wasClean, initiator } = await channel.closed;
      assertEquals([code, reason, wasClean, initiator], [3001, "bye", true, "remote"]);
    });
  }
}

Deno.test("over later: messages and a close from before loading arrive, followed by the Close", async () => {
  const { local, foreign } = channelPair<Uint8Array>();
  const loading = new Loading();
  const channel = overLater(local, { side: "client" }, loading);
  const peer = over(foreign, { side: "server" });
  channel.sink.add("all");
  const closing = channel.sink.close(3000, "done");
  assertEquals(channel.state, "closing");
  assert((await channel.stream.next()).done);
  await loading.finish();
  assertEquals((await peer.stream.next()).value, "all");
  await closing;
  const sent = { code: 3000, reason: "done" };
  assertEquals(await channel.closed, {
    ...sent,
    wasClean: true,
    initiator: "local",
    sent,
    received: sent,
  });
});

Deno.test("over later: a full sink waits for room, and drains after loading", async () => {
  const { local, foreign } = channelPair<Uint8Array>();
  const loading = new Loading();
  const channel = overLater(local, { side: "client", highWaterMark: 4 }, loading);
  const peer = over(foreign, { side: "server" });
  channel.sink.add("12345");
  assertEquals(channel.sink.hasRoom, false);
  const room = channel.sink.ready;
  peer.stream.listen(() => {});
  await loading.finish();
  await room;
  await channel.sink.flush();
  assertEquals(channel.sink.bufferedAmount, 0);
  await channel.sink.close();
});

Deno.test("over later: the user terminates it, or closeTimeout ends it, before loading is done", async () => {
  for (const end of ["terminate", "close"] as const) {
    const { local, foreign } = channelPair<Uint8Array>();
    const clock = new ManualClock();
    const loading = new Loading();
    const options: OverOptions = { side: "client", closeTimeout: 100 };
    const channel = overLater(local, options, { load: loading.load, clock });
    channel.sink.add("lost");
    const ping = channel.ping();
    if (end === "terminate") channel.terminate();
    else {
      void channel.sink.close();
      clock.advance(100);
    }
    const { wasClean, dropped, initiator } = await channel.closed;
    const by = end === "terminate" ? "local" : "timeout";
    assertEquals([wasClean, dropped, initiator], [false, 4, by]);
    await assertRejects(() => ping, WebSocketChannelError);
    // The bytes are released, and the loaded module does nothing afterwards.
    assert((await foreign.stream.next()).done);
    await loading.finish();
    assertEquals(clock.pending, 0);
  }
});

Deno.test("over later: a load that fails is an error of the channel, and ends the bytes", async () => {
  const { local, foreign } = channelPair<Uint8Array>();
  const loading = new Loading();
  const channel = overLater(local, { side: "client" }, loading);
  channel.sink.add("lost");
  const flushed = channel.sink.flush();
  const ping = channel.ping();
  const cause = new TypeError("Failed to fetch dynamically imported module");
  await loading.fail(cause);
  const { code, initiator, error, dropped } = await channel.closed;
  assertEquals([code, initiator, dropped], [1006, "transport", 4]);
  assertInstanceOf(error, WebSocketChannelError);
  assertStrictEquals(error.cause, cause);
  await assertRejects(() => flushed);
  await assertRejects(() => ping, WebSocketChannelError);
  assert((await foreign.stream.next()).done);
});

Deno.test("over later: arguments are checked at once, as by over", () => {
  const { local } = channelPair<Uint8Array>();
  const wrong: unknown[] = [{ side: "both" }, { side: "client", nonsense: 1 }, {
    side: "client",
    closeTimeout: -1,
  }];
  for (const options of wrong) {
    const called = (f: typeof over | typeof overLater): string => {
      try {
        if (f === over) over(local, options as OverOptions);
        else overLater(local, options as OverOptions, REAL);
        return "";
      } catch (error) {
        return String(error);
      }
    };
    assertEquals(called(overLater), called(over));
    assert(called(over) !== "");
  }
  assertThrows(() => overLater({} as Bytes, { side: "client" }, REAL), TypeError);
  const error = assertThrows(
    () => overLater(local, { side: "client", extensions: "permessage-deflate" }, REAL),
    UnsupportedError,
  );
  assertEquals(error.capability, "permessage-deflate");
  // The bytes have no reader yet.
  local.stream.listen(() => {});
  assertInvalidState(() => overLater(local, { side: "client" }, REAL));
});

Deno.test("over later: Web Streams are locked at once", async () => {
  const there = new TransformStream<Uint8Array, Uint8Array>();
  const back = new TransformStream<Uint8Array, Uint8Array>();
  const loading = new Loading();
  const near = { readable: back.readable, writable: there.writable };
  const channel = overLater(near, { side: "client" }, loading);
  assert(near.readable.locked && near.writable.locked);
  const peer = over({ readable: there.readable, writable: back.writable }, { side: "server" });
  channel.sink.add("hello");
  peer.sink.add("early");
  await loading.finish();
  assertEquals((await peer.stream.next()).value, "hello");
  assertEquals((await channel.stream.next()).value, "early");
  await channel.sink.close();
});

/** A server's end that responds to one opening handshake. */
async function answer({ stream, sink }: Bytes): Promise<WebSocketChannel> {
  const head = new TextDecoder().decode((await stream.next()).value);
  const key = /^sec-websocket-key: (.*)$/im.exec(head)?.[1] ?? "";
  const status =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  sink.add(utf8(`${status}Sec-WebSocket-Accept: ${signKey(key)}\r\n\r\n`));
  const rest = {
    stream: {
      ...stream,
      listen: (onData: (chunk: Uint8Array) => void, options?: { onDone?: () => void }) => {
        void (async () => {
          for await (
            const chunk of { [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator]() }
          ) {
            onData(chunk);
          }
          options?.onDone?.();
        })();
        return { isPaused: false, pause() {}, resume() {}, cancel() {} };
      },
    },
    sink,
  };
  return over(rest as Bytes, { side: "server" });
}

Deno.test("connectOver later: it connects after loading, and sends the messages that were added before", async () => {
  const { local, foreign } = channelPair<Uint8Array>();
  const loading = new Loading();
  const channel = connectOverLater(local, "ws://host/path", {}, loading);
  assertEquals([channel.state, channel.url], ["connecting", "ws://host/path"]);
  channel.sink.add("hello");
  const [peer] = await Promise.all([answer(foreign), loading.finish()]);
  await channel.ready;
  assertEquals(channel.response?.status, 101);
  assertEquals((await peer.stream.next()).value, "hello");
  await channel.sink.close();
  assertEquals((await channel.closed).wasClean, true);
});

Deno.test("connectOver later: a load that fails is a ConnectError, and ends the bytes", async () => {
  const { local, foreign } = channelPair<Uint8Array>();
  const loading = new Loading();
  const channel = connectOverLater(local, "ws://host/?token=secret", {}, loading);
  const cause = new TypeError("Failed to fetch dynamically imported module");
  await loading.fail(cause);
  const error = await channel.ready.catch((it: unknown) => it);
  assertInstanceOf(error, ConnectError);
  assertStrictEquals(error.cause, cause);
  assert(!error.message.includes("secret"));
  assertStrictEquals((await channel.closed).error, error);
  assert((await foreign.stream.next()).done);
});

Deno.test("connectOver later: a close, a timeout or an abort ends it before loading is done", async () => {
  for (const how of ["close", "terminate", "timeout", "signal", "aborted"] as const) {
    const { local, foreign } = channelPair<Uint8Array>();
    const clock = new ManualClock();
    const loading = new Loading();
    const aborter = new AbortController();
    if (how === "aborted") aborter.abort();
    const options = { connectTimeout: 100, signal: aborter.signal };
    const channel = connectOverLater(local, "ws://host/", options, { load: loading.load, clock });
    if (how === "close") void channel.sink.close();
    if (how === "terminate") channel.terminate();
    if (how === "timeout") clock.advance(100);
    if (how === "signal") aborter.abort();
    const error = await channel.ready.catch((it: unknown) => it);
    const name = how === "timeout" ? "TimeoutError" : "AbortError";
    assertEquals((error as Error).name, name, how);
    assert((await foreign.stream.next()).done);
    await loading.finish();
    assertEquals(clock.pending, 0, how);
  }
});

Deno.test("connectOver later: arguments are checked at once, as by connectOver", () => {
  const { local } = channelPair<Uint8Array>();
  const later = (...[bytes, url, options]: Parameters<typeof connectOver>): WebSocketChannel =>
    connectOverLater(bytes, url, options, REAL);
  for (const make of [connectOver, later]) {
    assertThrows(() => make(local, "ftp://host"), SyntaxError);
    assertThrows(() => make(local, "ws://host", { connectTimeout: -1 }), RangeError);
    assertThrows(() => make(local, "ws://host", { protocols: ["a b"] }), SyntaxError);
  }
  local.stream.listen(() => {});
  assertInvalidState(() => connectOverLater(local, "ws://host", {}, REAL));
});

Deno.test("over later: it loads the real module", async () => {
  const { local, foreign } = channelPair<Uint8Array>();
  const client = overLater(local, { side: "client" }, REAL);
  const server = overLater(foreign, { side: "server" }, { ...REAL, clock: systemClock });
  client.sink.add("hello");
  assertEquals((await server.stream.next()).value, "hello");
  await client.sink.close();
});

Deno.test("connectOver later: malformed header fields and compression options reject ready", async () => {
  const wrong = [{ headers: { "a b": "c" } }, { compression: { level: 99 } }, { origin: "\n" }];
  for (const options of wrong) {
    const { local, foreign } = channelPair<Uint8Array>();
    const channel = connectOverLater(local, "ws://host", options, REAL);
    assertEquals(channel.state, "connecting");
    const error = await channel.ready.catch((it: unknown) => it);
    const thrown = assertThrows(() =>
      connectOver(channelPair<Uint8Array>().local, "ws://host", options)
    );
    assertEquals(String(error), String(thrown));
    assert((await foreign.stream.next()).done);
  }
});
