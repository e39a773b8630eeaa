/** Pings and Pongs that the user receives and sends, with npm `ws` as the peer, on either side. */

import { assert, assertEquals, assertThrows } from "@std/assert";
// @ts-types="../support/ws.d.ts"
import { WebSocket, WebSocketServer as WsServer } from "ws";
import type { AddressInfo } from "node:net";
import { UnsupportedError, WebSocketChannel } from "../../mod.ts";
import { hasNativeWebSocket } from "../../src/native/native_capabilities.ts";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import type { BindOptions } from "../../src/server/mod.ts";
import type { ConnectOptions } from "../../src/web_socket/options.ts";
import { settled } from "../support/events.ts";
import { FakeWebSocket } from "../support/fake_web_socket.ts";
import { deferred } from "../support/promises.ts";
import { closeServer } from "../support/loopback.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (content: string): Uint8Array => new TextEncoder().encode(content);

/** Options of a `ws` server that doesn't answer Pings automatically. */
const SILENT: { port: number; host: string } = Object.assign({ port: 0, host: "127.0.0.1" }, {
  autoPong: false,
});

/** Our client, and the `ws` socket that serves it. */
async function withWsServer(
  options: ConnectOptions,
  body: (channel: WebSocketChannel, socket: WebSocket) => Promise<void>,
): Promise<void> {
  const server = new WsServer(SILENT);
  await new Promise<void>((resolve) => server.on("listening", resolve));
  try {
    const accepted = new Promise<WebSocket>((resolve) => server.on("connection", resolve));
    const { port } = server.address() as AddressInfo;
    const channel = NetWebSocketChannel.connect(`ws://127.0.0.1:${port}`, options);
    const socket = await accepted;
    await channel.ready;
    await body(channel, socket);
    channel.terminate();
    await channel.closed;
  } finally {
    await closeServer(server);
  }
}

/** The next Ping, or Pong. */
function next(socket: WebSocket, event: "ping" | "pong"): Promise<string> {
  return new Promise((resolve) => {
    const listener = (data: Uint8Array): void => resolve(text(data));
    if (event === "ping") socket.on("ping", listener);
    else socket.on("pong", listener);
  });
}

Deno.test("ping with a payload: ws receives it, and its Pong answers it and all earlier Pings", async () => {
  await withWsServer({}, async (channel, socket) => {
    const got: string[] = [];
    socket.on("ping", (data: Uint8Array) => got.push(text(data)));
    const last = new Promise<void>((resolve) =>
      socket.on("ping", (data: Uint8Array) => text(data) === "two" && resolve())
    );
    const own = channel.ping();
    const one = channel.ping({ payload: bytes("one") });
    const two = channel.ping({ payload: bytes("two").buffer as ArrayBuffer });
    await last;
    assertEquals(got.slice(1), ["one", "two"]);
    assertEquals(got[0]?.length, 4);
    socket.pong("not asked");
    socket.pong("one");
    assert(await own >= 0);
    assert(await one >= 0);
    assert(!await settled(two));
    socket.pong("two");
    assert(await two >= 0);
  });
});

Deno.test("ping with a signal: it rejects with the signal's reason, and the channel stays open", async () => {
  await withWsServer({}, async (channel, socket) => {
    const controller = new AbortController();
    const pinged = next(socket, "ping");
    const ping = channel.ping({ payload: bytes("slow"), signal: controller.signal });
    await pinged;
    controller.abort(new Error("enough"));
    assertEquals((await ping.catch((error) => error)).message, "enough");
    const aborted = channel.ping({ signal: AbortSignal.abort("before") });
    assertEquals(await aborted.catch((error) => error), "before");
    socket.pong("slow");
    const again = channel.ping({ payload: bytes("again") });
    socket.on("ping", (data: Uint8Array) => text(data) === "again" && socket.pong(data));
    assert(await again >= 0);
  });
});

Deno.test("onPing, onPong and pong: each callback gets its channel, and an unsolicited Pong is sent", async () => {
  const seen: string[] = [];
  const { promise: all, resolve: done } = deferred();
  const options: ConnectOptions = {
    onPing: (payload, it) => seen.push(`ping ${text(payload)} ${it === channel}`),
    onPong(payload) {
      seen.push(`pong ${text(payload)}`);
      done();
    },
  };
  let channel: WebSocketChannel | undefined;
  await withWsServer(options, async (it, socket) => {
    channel = it;
    const answer = next(socket, "pong");
    socket.ping("hello");
    assertEquals(await answer, "hello");
    socket.pong("by itself");
    await all;
    assertEquals(seen, ["ping hello true", "pong by itself"]);
    const unsolicited = next(socket, "pong");
    assert(it.pong(bytes("here I am")));
    assertEquals(await unsolicited, "here I am");
    const empty = next(socket, "pong");
    assert(it.pong());
    assertEquals(await empty, "");
  });
});

Deno.test("autoPong: false leaves Pings to onPing, on either side", async () => {
  const late: string[] = [];
  await withWsServer({
    autoPong: false,
    onPing: (payload, channel) => {
      late.push(text(payload));
      if (late.length === 2) channel.pong(bytes("both"));
    },
  }, async (_channel, socket) => {
    const answer = next(socket, "pong");
    socket.ping("a");
    socket.ping("b");
    assertEquals(await answer, "both");
    assertEquals(late, ["a", "b"]);
  });
  const options: BindOptions = {
    autoPong: false,
    onPing: (payload, channel) => void channel.pong(payload.toReversed()),
  };
  const server = await WebSocketServer.bind(options);
  try {
    const socket = new WebSocket(server.url);
    await new Promise<void>((resolve) => socket.on("open", () => resolve()));
    const answer = next(socket, "pong");
    socket.ping("abc");
    assertEquals(await answer, "cba");
    socket.terminate();
  } finally {
    await server.close({ drainTimeout: 0 });
  }
});

Deno.test("ping and pong throw for wrong arguments, and on transports without control frames", async () => {
  await withWsServer({}, async (channel) => {
    const long = new Uint8Array(126);
    assertThrows(() => channel.pong(long), RangeError, "125");
    assertThrows(() => void channel.ping({ payload: long }), RangeError, "126");
    assertThrows(() => channel.pong("text" as never), TypeError, "bytes");
    assertThrows(() => void channel.ping({ payload: "text" as never }), TypeError, "payload");
    assertThrows(() => void channel.ping({ timeout: 5 } as never), TypeError, "timeout");
    assertThrows(() => void channel.whenReady({ timeout: 5 } as never), TypeError, "timeout");
    const closed = channel.sink.close();
    assertEquals(channel.pong(), false);
    channel.terminate();
    await closed;
  });
  const native = WebSocketChannel.from(new FakeWebSocket());
  assertThrows(() => native.pong(), UnsupportedError, "ping");
  assert(await native.ping().catch((error) => error) instanceof UnsupportedError);
  native.terminate();
  await native.closed;
  for (const options of [{ onPing: () => {} }, { onPong: () => {} }, { autoPong: false }]) {
    const [name = ""] = Object.keys(options);
    const channel = WebSocketChannel.connect("ws://127.0.0.1:1", {
      ...options,
      transport: "native",
    });
    const error = await channel.ready.catch((error) => error);
    assert(error instanceof UnsupportedError, `${error}`);
    // Node 20 has no WebSocket of its own.
    assertEquals(error.capability, hasNativeWebSocket() ? name : "WebSocket");
  }
});

Deno.test("whenReady rejects with the reason of its signal; the attempt continues", async () => {
  const controller = new AbortController();
  const socket = new FakeWebSocket(0);
  const channel = WebSocketChannel.from(socket);
  const waiting = channel.whenReady({ signal: controller.signal });
  controller.abort("no more");
  assertEquals(await waiting.catch((error) => error), "no more");
  assertEquals(channel.state, "connecting");
  const again = channel.whenReady();
  socket.open();
  await again;
  assertEquals(channel.state, "open");
  channel.terminate();
  await channel.closed;
});

Deno.test("closing fulfils when either side begins to close, or when the connection is lost", async () => {
  await withWsServer({}, async (channel, socket) => {
    assert(!await settled(channel.closing));
    // `ws` answers automatically; its earlier frames have not arrived yet.
    void channel.sink.close(1000);
    await channel.closing;
    assertEquals(channel.state, "closing");
    socket.terminate();
    await channel.closed;
  });
  await withWsServer({}, async (channel, socket) => {
    const { closing } = channel;
    socket.close(4000);
    await closing;
    assert(channel.state !== "open");
  });
  await withWsServer({}, async (channel, socket) => {
    socket.terminate();
    await channel.closing;
    assertEquals((await channel.closed).code, 1006);
    await channel.closing;
  });
});
