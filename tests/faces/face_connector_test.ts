/** The transport and options of each class, and a channel's behaviour as a WebSocket. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  ConnectError,
  createWebSocket,
  createWebSocketStream,
  toWebSocket,
  UnsupportedError,
  WebSocket,
  type WebSocketFace,
  WebSocketStream,
} from "../../src/faces/mod.ts";
import { hasNativeWebSocket } from "../../src/native/native_capabilities.ts";
import type { Message, MessageInput } from "../../mod.ts";
import { webSocketChannelPair } from "../../src/testing/mod.ts";
import { createIdentity } from "../support/certificates.ts";
import { closeFrame } from "../support/frames.ts";
import { withMutePeer } from "./mute_peer.ts";
import { hasBadPort } from "../../src/faces/bad_ports.ts";
import { withServer } from "../server/support.ts";
import { closed, journal, next, opened, received, task, thrownBy, withSubject } from "./support.ts";

Deno.test("createWebSocket: applies its options, which may be a function of the URL", () =>
  withSubject(WebSocket, async ({ url, channels }) => {
    const seen: string[] = [];
    const Socket = createWebSocket((url) => {
      seen.push(url);
      return { headers: { "X-Count": `${seen.length}` }, compression: true };
    });
    for (const count of [1, 2]) {
      const socket = await opened(new Socket(`${url}/echo`));
      assert(socket.extensions.startsWith("permessage-deflate"));
      assertEquals(channels.at(-1)?.request.headers.get("x-count"), `${count}`);
      socket.close();
      await next(socket, "close");
    }
    assertEquals(seen, [`${url}/echo`, `${url}/echo`]);
  }));

Deno.test("createWebSocket: malformed options throw at once", () => {
  const create = (options: unknown): string | null =>
    thrownBy(() => createWebSocket(options as undefined));
  assertEquals(create({ timeout: 1 }), "plain TypeError");
  assertEquals(create({ protocols: ["a"] }), "plain TypeError");
  assertEquals(create({ connectTimeout: -1 }), "plain RangeError");
  // The class delivers whole messages.
  assertEquals(create({ streamLargerThan: 1000 }), "plain TypeError");
  assertEquals(create({ streamLargerThan: Infinity }), null);
  const Streaming = createWebSocket(() => ({ streamLargerThan: 0 }) as never);
  assertEquals(thrownBy(() => new Streaming("ws://127.0.0.1:1")), "plain TypeError");
  const Socket = createWebSocket(() => ({ protocols: ["a"] }) as never);
  assertEquals(thrownBy(() => new Socket("ws://127.0.0.1:1")), "plain TypeError");
});

Deno.test("createWebSocket: uses TLS options and the URL's user info, and keeps the URL unchanged", async () => {
  const { key, cert } = createIdentity({ names: ["localhost"] });
  const tls = { key, cert };
  await withServer({ tls, handler: (channel) => void channel.sink.add("in") }, async (server) => {
    const Socket = createWebSocket({ tls: { ca: cert } });
    const url = server.url.replace("://", "://user:pass@").replace("127.0.0.1", "localhost");
    const socket = new Socket(`${url}?token=secret`);
    assertEquals(await received(socket), "in");
    assert(socket.url.includes("user:pass@") && socket.url.endsWith("?token=secret"));
    socket.close();
    await next(socket, "close");
    // Without the authority the connection fails, and the event has the reason.
    const other = new WebSocket(url.replace("user:pass@", ""));
    const event = await next(other, "error") as Event & { error: unknown; message: string };
    assertInstanceOf(event.error, ConnectError);
    assertEquals([event.error.phase, event.message], ["tls", event.error.message]);
  });
});

Deno.test("WebSocket: connects when it replaces the global one, also for a native channel", () =>
  withSubject(WebSocket, async ({ url }) => {
    const before = Object.getOwnPropertyDescriptor(globalThis, "WebSocket");
    const value = createWebSocket({});
    Object.defineProperty(globalThis, "WebSocket", { value, configurable: true, writable: true });
    try {
      const socket = await opened(new globalThis.WebSocket(`${url}/echo`) as WebSocketFace);
      socket.send("hello");
      assertEquals(await received(socket), "hello");
      socket.close();
      await next(socket, "close");
      const circle = new (createWebSocket({ transport: "native" }))(`${url}/echo`);
      const event = await next(circle, "error") as Event & { error: unknown };
      assertInstanceOf(event.error, UnsupportedError);
    } finally {
      if (before === undefined) Reflect.deleteProperty(globalThis, "WebSocket");
      else Object.defineProperty(globalThis, "WebSocket", before);
    }
  }));

Deno.test({
  name: "WebSocket: uses the platform's own if an option says so",
  ignore: !hasNativeWebSocket(),
  fn: () =>
    withSubject(WebSocket, async ({ url }) => {
      const Socket = createWebSocket({ transport: "native" });
      const socket = new Socket(`${url}/burst?code=3000&reason=bye`);
      const log = journal(socket);
      assertEquals(await closed(socket), { code: 3000, reason: "bye", wasClean: true });
      const messages = ["one", "two", "three"].map((it) => `message ${it} in 1`);
      assertEquals(log, ["open in 1", ...messages, "close in 3"]);
    }),
});

Deno.test("WebSocket: an option that pages don't support fails with an error that names it", async () => {
  const Socket = createWebSocket({ transport: "native", localAddress: "127.0.0.1" });
  const socket = new Socket("ws://127.0.0.1:65500");
  const { error } = await next(socket, "error") as Event & { error?: unknown };
  assertInstanceOf(error, UnsupportedError);
});

Deno.test("toWebSocket: refuses a channel whose large messages are streams, unless they are joined", () => {
  const { client, server } = webSocketChannelPair({ streamLargerThan: 1000 });
  for (const channel of [client, server.cast<Message, MessageInput>()]) {
    assertThrows(() => toWebSocket(channel), TypeError, "created without streamLargerThan");
  }
  const socket = toWebSocket(client.changeStream((stream) => stream));
  assertEquals(socket.readyState, socket.OPEN);
  socket.close();
});

Deno.test("toWebSocket: an open channel is OPEN at once, without an event", async () => {
  const { client, server } = webSocketChannelPair({ protocol: "p" });
  client.sink.add("early");
  await client.ping();
  const socket = toWebSocket(server);
  assertInstanceOf(socket, WebSocket);
  assertEquals([socket.readyState, socket.protocol, socket.url], [1, "p", ""]);
  const log = journal(socket);
  await next(socket, "message");
  socket.send("answer");
  assertEquals((await client.stream.next()).value, "answer");
  void client.sink.close(4000, "bye");
  assertEquals(await closed(socket), { code: 4000, reason: "bye", wasClean: true });
  assertEquals(log, ["message early in 1", "close in 3"]);
});

Deno.test("toWebSocket: accepts a channel that is connecting, has failed, or is closed", () =>
  withSubject(WebSocket, async ({ url }) => {
    const { WebSocketChannel } = await import("../../mod.ts");
    const socket = toWebSocket(WebSocketChannel.connect(`${url}/echo?token=secret`));
    assertEquals(socket.readyState, 0);
    assert(socket.url.endsWith("/echo?token=%E2%80%A6") || socket.url.endsWith("/echo?token=…"));
    const log = journal(socket);
    await next(socket, "open");
    socket.close(3000);
    await next(socket, "close");
    assertEquals(log, ["open in 1", "close in 3"]);
    const { client } = webSocketChannelPair();
    client.terminate();
    await client.closed;
    const over = toWebSocket(client);
    assertEquals(over.readyState, 3);
    assertEquals((await closed(over)).code, 1006);
  }));

Deno.test("toWebSocket: refuses a channel whose stream has a reader", async () => {
  const { client, server } = webSocketChannelPair();
  server.stream.listen(() => {});
  assertEquals(thrownBy(() => toWebSocket(server)), "InvalidStateError");
  client.terminate();
  await server.closed;
});

Deno.test("toWebSocket: drops messages sent after the channel's owner has closed it", async () => {
  const { client, server } = webSocketChannelPair();
  const socket = toWebSocket(server);
  void server.sink.close(3000);
  socket.send("dropped");
  assertEquals(socket.bufferedAmount, 7);
  await next(socket, "close");
  await task();
  assertEquals(socket.bufferedAmount, 7);
  assertEquals((await client.closed).code, 3000);
});

Deno.test("WebSocket: a Blob that can't be read fails the connection", async () => {
  const { client, server } = webSocketChannelPair();
  const socket = toWebSocket(server);
  const reason = new Error("the file is gone");
  const blob = Object.assign(new Blob(["abc"]), { arrayBuffer: () => Promise.reject(reason) });
  socket.send(blob);
  socket.send("behind");
  assertEquals(socket.bufferedAmount, 9);
  const event = await next(socket, "error") as Event & { error: unknown };
  assertStrictEquals(event.error, reason);
  assertEquals((await client.closed).wasClean, false);
  assertEquals(socket.bufferedAmount, 9);
});

Deno.test("WebSocket: a slow listener pauses the peer", async () => {
  const { client, server } = webSocketChannelPair();
  const socket = toWebSocket(server);
  const sizes: number[] = [];
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => void sizes.push((data as ArrayBuffer).byteLength);
  for (let i = 0; i < 20; i++) client.sink.add(new Uint8Array(50_000));
  while (sizes.length < 20) await task();
  assertEquals(sizes, Array(20).fill(50_000));
  socket.close();
  await next(socket, "close");
});

Deno.test("WebSocket: doesn't connect to a blocked port, and omits a scheme's default port", async () => {
  for (const port of [1, 22, 6000, 10080]) {
    const { error } = await next(new WebSocket(`ws://127.0.0.1:${port}/`), "error") as Event & {
      error: unknown;
    };
    assertInstanceOf(error, ConnectError);
    assert(error.message.includes(`port ${port} is not allowed`), error.message);
    assertEquals(error.retryable, false);
  }
  for (const url of ["ws://a.test", "ws://a.test:80", "wss://a.test:443", "ws://a.test:8080"]) {
    assertEquals(hasBadPort(new URL(url)), false);
  }
});

Deno.test("createWebSocket: a function that returns no options is a TypeError", () => {
  const sources = [() => null, () => 1, () => "text", () => Promise.resolve({}), () => ({ no: 1 })];
  for (const source of sources) {
    const give = source as unknown as () => Record<string, never>;
    const [Socket, Stream] = [createWebSocket(give), createWebSocketStream(give)];
    assertEquals(thrownBy(() => new Socket("ws://127.0.0.1:65500")), "plain TypeError");
    assertEquals(thrownBy(() => new Stream("ws://127.0.0.1:65500")), "plain TypeError");
  }
});

Deno.test("toWebSocket: throws a TypeError for a value that isn't a WebSocketChannel", () => {
  const parts = { stream: { listen() {} }, sink: { add() {} } };
  const streams = { readable: new ReadableStream(), writable: new WritableStream() };
  for (const value of [undefined, null, 1, {}, parts, streams, "text"]) {
    const error = assertThrows(() => toWebSocket(value as never), TypeError);
    assert(error.message.startsWith("Cannot use the channel: it must "), error.message);
  }
});

Deno.test("WebSocket: fires open before a Close that arrives with the handshake's response", () =>
  withMutePeer(async (url) => {
    const socket = new (createWebSocket({ closeTimeout: 100 }))(url);
    const states: number[] = [];
    socket.onopen = () => states.push(socket.readyState);
    const log = journal(socket);
    await next(socket, "open");
    for (let i = 0; i < 3; i++) {
      await task();
      states.push(socket.readyState);
    }
    assertEquals(states, [1, 2, 2, 2]);
    await next(socket, "close");
    assertEquals(log, ["open in 1", "close in 3"]);
  }, closeFrame(4000, "bye")));

Deno.test("WebSocket: closes with 1006 and no error event if the peer doesn't answer a Close", () =>
  withMutePeer(async (url) => {
    const socket = await opened(new (createWebSocket({ closeTimeout: 50 }))(url));
    const log = journal(socket);
    socket.close(3000);
    assertEquals(await closed(socket), { code: 1006, reason: "", wasClean: false });
    assertEquals(log, ["close in 3"]);
  }));

Deno.test("WebSocket and WebSocketStream: their prototypes can be printed", () => {
  for (const { prototype } of [WebSocket, WebSocketStream]) {
    const inspect = (prototype as unknown as Record<symbol, () => string>)[
      Symbol.for("nodejs.util.inspect.custom")
    ];
    assert(/^WebSocket(Stream)? \{\}$/.test(inspect?.call(prototype) ?? ""));
  }
});
