import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { createServer, type Server } from "node:http";
import { Duplex } from "node:stream";
import { ConnectError, NetWebSocketChannel } from "../../src/net/mod.ts";
import {
  acceptUpgrade,
  type AcceptUpgradeOptions,
  type ServerWebSocketChannel,
} from "../../src/server/mod.ts";
import { RawClient, SAMPLE_KEY } from "../support/recipe_clients.ts";
import { assertKeepsRequest, refusalOf, requestText } from "./support.ts";
import { deferred } from "../support/promises.ts";
import { listen } from "../support/loopback.ts";

/** A server of `node:http` with our upgrades. */
async function withHttp(
  options: AcceptUpgradeOptions,
  body: (url: string, next: () => Promise<ServerWebSocketChannel>) => Promise<void>,
): Promise<void> {
  const server: Server = createServer((_request, response) => void response.end("page"));
  const channels: ServerWebSocketChannel[] = [];
  const waiting: ((channel: ServerWebSocketChannel) => void)[] = [];
  const all: ServerWebSocketChannel[] = [];
  server.on("upgrade", (request, socket, head) => {
    const channel = acceptUpgrade(request, socket, head, options);
    all.push(channel);
    const waiter = waiting.shift();
    if (waiter === undefined) channels.push(channel);
    else waiter(channel);
  });
  const port = await listen(server);
  const next = (): Promise<ServerWebSocketChannel> => {
    const channel = channels.shift();
    if (channel !== undefined) return Promise.resolve(channel);
    return new Promise((resolve) => waiting.push(resolve));
  };
  try {
    await body(`ws://127.0.0.1:${port}`, next);
  } finally {
    for (const channel of all) channel.terminate();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }
}

Deno.test("acceptUpgrade: returns a connecting channel at once, beside the server's own pages", async () => {
  const { promise: opened, resolve: open } = deferred();
  await withHttp({ verify: () => opened.then(() => true) }, async (url, next) => {
    const client = NetWebSocketChannel.connect(`${url}/chat`);
    const channel = await next();
    assertEquals(channel.state, "connecting");
    // The channel queues this message until it has answered the upgrade.
    channel.sink.add("welcome");
    const page = await fetch(url.replace("ws:", "http:"));
    assertEquals(await page.text(), "page");
    open();
    await Promise.all([channel.ready, client.ready]);
    assertEquals((await client.stream.next()).value, "welcome");
    assertEquals(channel.request.url.pathname, "/chat");
    await client.sink.close();
  });
});

Deno.test("acceptUpgrade: ready rejects with the response that a refused client got", async () => {
  await withHttp({}, async (url, next) => {
    const answer = refusalOf({ url }, requestText({ "Sec-WebSocket-Key": "x" }));
    const channel = await next();
    const error = await assertRejects(() => channel.ready, ConnectError);
    assertEquals([error.status, error.phase], [400, "handshake"]);
    assertEquals(
      error.message,
      "Refused the upgrade with 400 Bad Request: Missing, malformed or unexpected header: Sec-WebSocket-Key",
    );
    assertEquals((await channel.closed).error, error);
    assertEquals((await answer).status, 400);
  });
});

Deno.test("acceptUpgrade: a refused channel that the user ignores causes no unhandled rejection", async () => {
  const verify = () => Promise.reject(new Error("broken"));
  await withHttp({ verify, onError: () => {} }, async (url, next) => {
    assertEquals((await refusalOf({ url }, requestText())).status, 500);
    const { error } = await (await next()).closed;
    assertEquals(((error as ConnectError).cause as Error).message, "broken");
  });
});

Deno.test("acceptUpgrade: answers 503 on close, abort or timeout while connecting", async () => {
  const never = (): Promise<boolean> => new Promise(() => {});
  const abort = new AbortController();
  const refused = async (url: string, end: () => void, next: () => Promise<unknown>) => {
    const answer = refusalOf({ url }, requestText());
    await next();
    end();
    assertEquals((await answer).status, 503);
  };
  await withHttp({ verify: never, signal: abort.signal }, async (url, next) => {
    let channel: ServerWebSocketChannel | undefined;
    await refused(url, () => void channel?.sink.close(), async () => channel = await next());
    assertEquals((await assertRejects(() => channel!.ready, DOMException)).name, "AbortError");
    assert(channel?.request.signal.aborted);
    const reason = new Error("enough");
    await refused(url, () => abort.abort(reason), async () => channel = await next());
    assertEquals((await channel?.closed)?.error, reason);
  });
  await withHttp({ verify: never, handshakeTimeout: 20 }, async (url, next) => {
    assertEquals((await refusalOf({ url }, requestText())).status, 503);
    const error = await assertRejects(async () => await (await next()).ready, DOMException);
    assertEquals(error.name, "TimeoutError");
  });
});

Deno.test("acceptUpgrade: throws for malformed options, and leaves the socket untouched", () => {
  const request = { method: "GET", url: "/", httpVersion: "1.1", rawHeaders: [] };
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const empty = new Uint8Array(0);
  assertThrows(() => acceptUpgrade(request, socket, empty, { pingInterval: -1 }), RangeError);
  assertEquals([socket.destroyed, socket.listenerCount("error")], [false, 0]);
  socket.destroy();
});

/** A correct request. */
const UPGRADE = {
  method: "GET",
  url: "/",
  httpVersion: "1.1",
  rawHeaders: [
    ...["Host", "a.example", "Upgrade", "websocket", "Connection", "Upgrade"],
    ...["Sec-WebSocket-Key", SAMPLE_KEY, "Sec-WebSocket-Version", "13"],
  ],
};

/** Accepts a request on an in-memory stream, with the frames received behind it. */
function acceptDuplex(early: Uint8Array) {
  const written: Uint8Array[] = [];
  const socket = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      written.push(chunk);
      done();
    },
  });
  const channel = acceptUpgrade(UPGRADE, socket, early, { pingInterval: 0 });
  return { channel, socket, written };
}

Deno.test("acceptUpgrade: accepts any duplex stream", async () => {
  const early = Uint8Array.of(0x81, 0x82, 0, 0, 0, 0, 104);
  const { channel, socket, written } = acceptDuplex(early);
  assertEquals([channel.state, channel.request.remoteAddress], ["open", null]);
  socket.push(Uint8Array.of(105));
  assertEquals((await channel.stream.next()).value, "hi");
  channel.ref();
  channel.unref();
  channel.sink.add("ok");
  await channel.sink.flush();
  const text = written.map((it) => new TextDecoder("latin1").decode(it)).join("");
  assert(text.startsWith("HTTP/1.1 101 Switching Protocols\r\n"), text);
  assert(text.endsWith("\r\n\r\n\x81\x02ok"), text);
  // acceptUpgrade never modifies the caller's bytes.
  assertEquals(early[6], 104);
  channel.terminate();
  assertEquals(socket.destroyed, true);
});

// For example, a stream that pushes its chunks to another stream.
Deno.test("acceptUpgrade: a duplex stream may keep the chunks that it receives and emits", async () => {
  const { channel, socket, written } = acceptDuplex(new Uint8Array(0));
  for (const text of ["one", "two", "three", "four"]) {
    channel.sink.add(text);
    await channel.sink.flush();
  }
  const texts = written.slice(1).map((it) => new TextDecoder("latin1").decode(it));
  assertEquals(texts, ["\x81\x03one", "\x81\x03two", "\x81\x05three", "\x81\x04four"]);
  const given = Uint8Array.of(0x82, 0x83, 1, 2, 3, 4, 1, 2, 3);
  const before = given.slice();
  socket.push(given);
  const { value } = await channel.stream.next();
  assertEquals(value, new Uint8Array(3));
  assertEquals(given, before);
  given.fill(0xff);
  assertEquals(value, new Uint8Array(3));
  channel.terminate();
});

Deno.test("acceptUpgrade: a socket that has already ended fails the channel", async () => {
  for (
    const verify of [() => true, () => Promise.resolve(true), () => new Promise<boolean>(() => {})]
  ) {
    const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    // The socket has already reported its end, and does so only once.
    await new Promise<void>((resolve) => socket.on("close", () => resolve()).destroy());
    const channel = acceptUpgrade(UPGRADE, socket, new Uint8Array(0), {
      verify,
      handler: () => assert(false, "there is no connection to handle"),
    });
    const error = await assertRejects(() => channel.ready, ConnectError);
    assertEquals(error.message, "Cannot accept the upgrade: the client has left");
    assertEquals((await channel.closed).code, 1006);
  }
});

Deno.test("acceptUpgrade: compresses as negotiated", async () => {
  await withHttp({ compression: { threshold: 0 } }, async (url, next) => {
    const client = NetWebSocketChannel.connect(url, { compression: { threshold: 0 } });
    const channel = await next();
    await client.ready;
    assert(channel.extensions.startsWith("permessage-deflate"), channel.extensions);
    channel.stream.listen((message) => channel.sink.add(message));
    const text = "again and again ".repeat(100);
    for (let i = 0; i < 3; i++) {
      client.sink.add(text);
      assertEquals((await client.stream.next()).value, text);
    }
    await client.sink.close();
  });
  await withHttp({ compression: true }, async (url, next) => {
    const client = new RawClient(url);
    client.request();
    await client.response();
    assertEquals((await next()).extensions, "");
    await client.destroy();
  });
});

Deno.test("acceptUpgrade: a transformed channel keeps its request and its URL", async () => {
  await withHttp({}, async (url, next) => {
    const client = NetWebSocketChannel.connect(`${url}/chat?room=1`);
    const channel = await next();
    await channel.ready;
    assertKeepsRequest(channel, `${url}/chat?room=…`);
    client.terminate();
  });
});
