import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import process from "node:process";
import { ConnectError, NetWebSocketChannel } from "../../src/net/mod.ts";
import {
  type ServerRequest,
  type ServerWebSocketChannel,
  WebSocketServer,
} from "../../src/server/mod.ts";
import { bind } from "../../src/server/web_socket_server.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { createIdentity } from "../support/certificates.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { RawClient } from "../support/recipe_clients.ts";
import {
  assertKeepsRequest,
  nextChannel,
  refusalOf,
  requestText,
  upgraded,
  withServer,
} from "./support.ts";
import { turn, until } from "../support/turns.ts";
import { deferred } from "../support/promises.ts";

/** Echoes every message. */
async function echoAll(server: AsyncIterable<ServerWebSocketChannel>): Promise<number> {
  let count = 0;
  for await (const channel of server) {
    count++;
    channel.stream.listen((message) => channel.sink.add(message));
  }
  return count;
}

Deno.test("the iterator yields each channel once, open, with its request", async () => {
  await withServer({ protocols: ["chat"], headers: { "X-Served-By": "test" } }, async (server) => {
    assertEquals(server.address.hostname, "127.0.0.1");
    assertEquals(server.url, `ws://127.0.0.1:${server.address.port}`);
    const client = NetWebSocketChannel.connect(`${server.url}/room?name=a`, {
      protocols: ["chat", "other"],
      headers: { Cookie: "a=b" },
    });
    const channel = await nextChannel(server);
    assertEquals([channel.state, channel.protocol], ["open", "chat"]);
    assertEquals(channel.request.url.href, `${server.url}/room?name=a`);
    assertEquals(channel.request.headers.get("cookie"), "a=b");
    assertEquals(channel.request.protocols, ["chat", "other"]);
    assertEquals(channel.request.remoteAddress, "127.0.0.1");
    assertEquals([...server.channels], [channel]);
    await client.ready;
    assertEquals(client.response?.headers.get("x-served-by"), "test");
    client.sink.add("hello");
    assertEquals((await channel.stream.next()).value, "hello");
    await client.sink.close(1000);
    assertEquals((await channel.closed).code, 1000);
    assertEquals(server.channels.size, 0);
  });
});

Deno.test("a transformed channel keeps its request and its URL", async () => {
  await withServer({}, async (server) => {
    const client = NetWebSocketChannel.connect(`${server.url}/room?name=a`);
    assertKeepsRequest(await nextChannel(server), `${server.url}/room?name=…`);
    await client.sink.close();
  });
});

Deno.test("a loop over the server may end early and start again", async () => {
  await withServer({}, async (server) => {
    const clients = [await upgraded(server), await upgraded(server), await upgraded(server)];
    for await (const _ of server) break;
    let count = 1;
    for await (const _ of server) if (++count === 3) break;
    const pending = nextChannel(server);
    clients.push(await upgraded(server));
    assertEquals((await pending).state, "open");
    for (const client of clients) await client.destroy();
  });
});

Deno.test("messages sent before the server listens to the channel aren't lost", async () => {
  await withServer({}, async (server) => {
    const client = new RawClient(server.url);
    client.socket.cork();
    client.request();
    client.send(1, "early");
    client.socket.uncork();
    await client.response();
    client.send(1, "later");
    const channel = await nextChannel(server);
    assertEquals((await channel.stream.next()).value, "early");
    assertEquals((await channel.stream.next()).value, "later");
    await client.destroy();
  });
});

Deno.test("the server refuses another path with 404", async () => {
  await withServer({ path: "/chat" }, async (server) => {
    await (await upgraded(server, [], "/chat?x")).destroy();
    assertEquals((await refusalOf(server, requestText({}, "GET /other HTTP/1.1"))).status, 404);
    assertEquals((await refusalOf(server, requestText({}, "GET /chat/ HTTP/1.1"))).status, 404);
  });
});

Deno.test("the server answers 503 above maxConnections, until a connection has closed", async () => {
  await withServer({ maxConnections: 1 }, async (server) => {
    const first = await upgraded(server);
    const channel = await nextChannel(server);
    assertEquals((await refusalOf(server, requestText())).status, 503);
    await first.destroy();
    await channel.closed;
    await (await upgraded(server)).destroy();
  });
});

Deno.test("a refused client gets the reason, and the server gets no channel", async () => {
  const verify = () => ({ status: 401, headers: { "WWW-Authenticate": "Basic" }, body: "Who?" });
  await withServer({ verify }, async (server) => {
    const client = NetWebSocketChannel.connect(server.url);
    const error = await assertRejects(() => client.ready, ConnectError);
    assertEquals([error.status, error.response?.headers.get("www-authenticate")], [401, "Basic"]);
    assertEquals(new TextDecoder().decode(error.response?.body), "Who?");
    assertEquals(server.channels.size, 0);
  });
});

Deno.test("wss: has the same behaviour", async () => {
  const identity = createIdentity({ names: ["localhost", "127.0.0.1"] });
  await withServer({ tls: identity }, async (server) => {
    assertStringIncludes(server.url, "wss://127.0.0.1:");
    const serving = echoAll(server);
    const client = NetWebSocketChannel.connect(server.url, { tls: { ca: identity.cert } });
    await client.ready;
    client.sink.add("hello");
    assertEquals((await client.stream.next()).value, "hello");
    const [channel] = server.channels;
    assertEquals(channel?.request.url.protocol, "wss:");
    await server.close();
    assertEquals(await serving, 1);
    assertEquals((await client.closed).code, 1001);
  });
});

Deno.test({
  name: "attack 39: the server also closes TLS connections that send no request",
  // Bun reports a connection after its TLS handshake: until then, Bun's own timeout applies.
  ignore: platform() === "bun",
  fn: silentTls,
});

async function silentTls(): Promise<void> {
  const clock = new ManualClock();
  const tls = createIdentity({ names: ["127.0.0.1"] });
  await withServer({ tls, clock, handshakeTimeout: 5000, pingInterval: 0 }, async (server) => {
    const silent = new RawClient(server.url.replace("wss:", "ws:"));
    await until(() => clock.pending >= 1);
    clock.advance(5000);
    await silent.end();
    await silent.destroy();
  });
}

Deno.test("close: sends 1001 to all channels, ends loops, and settles when every connection has ended", async () => {
  const server = await WebSocketServer.bind();
  const serving = echoAll(server);
  const clients = [0, 1, 2].map(() => NetWebSocketChannel.connect(server.url));
  for (const client of clients) await client.ready;
  const closed = server.close();
  assertStrictEquals(server.close({ code: 1000 }), server.closed);
  await closed;
  for (const client of clients) {
    const { code, wasClean } = await client.closed;
    assertEquals([code, wasClean], [1001, true]);
  }
  assertEquals(await serving, 3);
  assertEquals(server.channels.size, 0);
  await assertRejects(() => NetWebSocketChannel.connect(server.url).ready, ConnectError);
});

Deno.test("close: checks and sends the user's code and reason", async () => {
  await withServer({}, async (server) => {
    assertThrows(() => server.close({ code: 1005 }), RangeError);
    assertThrows(() => server.close({ code: 1000, reason: "x".repeat(124) }), SyntaxError);
    assertThrows(() => server.close({ drainTimeout: -1 }), RangeError);
    const client = NetWebSocketChannel.connect(server.url);
    await client.ready;
    await server.close({ code: 1012, reason: "back soon" });
    const { code, reason } = await client.closed;
    assertEquals([code, reason], [1012, "back soon"]);
  });
});

Deno.test("close: clients still get messages that were added before", async () => {
  await withServer({}, async (server) => {
    const client = NetWebSocketChannel.connect(server.url);
    const channel = await nextChannel(server);
    for (let i = 0; i < 100; i++) channel.sink.add(new Uint8Array(10_000));
    const closed = server.close();
    let count = 0;
    for await (const _ of client.stream) count++;
    assertEquals(count, 100);
    await closed;
  });
});

for (const closeTimeout of [1, 60_000]) {
  Deno.test(`close: terminates a client that never answers at the deadline, not after a closeTimeout of ${closeTimeout}`, async () => {
    const clock = new ManualClock();
    await withServer({ clock, pingInterval: 0, closeTimeout }, async (server) => {
      const client = await upgraded(server);
      const channel = await nextChannel(server);
      const closed = server.close({ drainTimeout: 3000 });
      assertEquals(await client.hex(4), "880203e9");
      clock.advance(2999);
      assertEquals(channel.state, "closing");
      clock.advance(1);
      const { code, initiator } = await channel.closed;
      assertEquals([code, initiator], [1006, "timeout"]);
      await client.end();
      await client.destroy();
      await closed;
      assertEquals(clock.pending, 0);
    });
  });
}

Deno.test("close: waits only for connections that need time", async () => {
  // The clock stands still, so a wait for the end of the drain would never end.
  const clock = new ManualClock();
  const asked = deferred();
  let signal: AbortSignal | undefined;
  const verify = (request: ServerRequest): Promise<boolean> => {
    signal = request.signal;
    asked.resolve();
    return new Promise(() => {});
  };
  await withServer({ clock, verify, onRequest: () => new Response("page") }, async (server) => {
    const silent = new RawClient(server.url);
    const kept = new RawClient(server.url);
    kept.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await kept.response();
    const waiting = new RawClient(server.url);
    waiting.request();
    await asked.promise;
    // Bun accepts a silent connection only after a delay.
    await until(() => server.stats().connections.silent === 1);
    // The request is no longer in flight.
    clock.advance(1000);
    const closed = server.close({ drainTimeout: 1000 });
    assertStringIncludes(await waiting.response(), " 503 ");
    assert(signal?.aborted);
    await Promise.all([silent.end(), kept.end(), waiting.end()]);
    await Promise.all([silent.destroy(), kept.destroy(), waiting.destroy()]);
    await closed;
    // Node reports the server's end a turn before it reports its sockets'.
    for (let i = 0; i < 3; i++) await turn();
    assertEquals(clock.pending, 0);
  });
});

Deno.test("close: serves and then closes a client whose connection was accepted before, and doesn't refuse it", async () => {
  const clock = new ManualClock();
  const seen: ServerWebSocketChannel[] = [];
  const handler = (channel: ServerWebSocketChannel): void => {
    seen.push(channel);
    channel.sink.add("welcome");
  };
  // Bun's node:http destroys such connections on close; with this option, another server listens.
  const reusePort = platform() === "bun";
  await withServer({ clock, handler, reusePort }, async (server) => {
    const late = new RawClient(server.url);
    const silent = new RawClient(server.url);
    // Bun accepts a silent connection only after a delay.
    await until(() => server.stats().connections.silent === 2);
    const closed = server.close({ code: 1012, drainTimeout: 5000 });
    late.request();
    assertStringIncludes(await late.response(), " 101 ");
    // The text, followed by the Close.
    assertEquals(await late.hex(13), "810777656c636f6d65" + "880203f4");
    late.send(8, Uint8Array.of(3, 0xf4));
    await late.end();
    clock.advance(1000);
    await silent.end();
    await Promise.all([late.destroy(), silent.destroy()]);
    await closed;
    assertEquals((await seen[0]?.closed)?.wasClean, true);
    assertEquals([server.channels.size, server.stats().refused.closing], [0, 0]);
  });
});

Deno.test("close: ends slowly closing connections and unanswered requests at the deadline", async () => {
  const clock = new ManualClock();
  const asked = deferred();
  const onRequest = (): Promise<Response> => {
    asked.resolve();
    return new Promise(() => {});
  };
  await withServer({ clock, onRequest, closeTimeout: 60_000, pingInterval: 0 }, async (server) => {
    const client = await upgraded(server);
    const channel = await nextChannel(server);
    void channel.sink.close(4000);
    const page = new RawClient(server.url);
    page.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await asked.promise;
    const closed = server.close({ drainTimeout: 1000 });
    clock.advance(999);
    assertEquals([channel.state, page.hasEnded], ["closing", false]);
    clock.advance(1);
    await closed;
    assertEquals([channel.state, clock.pending], ["closed", 0]);
    await Promise.all([client.destroy(), page.destroy()]);
  });
});

/** A page whose response waits for `open`, and a promise that fulfils when a client requests it. */
function latePage() {
  const { promise: opened, resolve: open } = deferred();
  const asked = deferred();
  const onRequest = async (): Promise<Response> => {
    asked.resolve();
    await opened;
    return new Response("page");
  };
  return { onRequest, asked: asked.promise, open };
}

Deno.test("close: completes a pending request, and doesn't upgrade the request behind it", async () => {
  const { onRequest, asked, open } = latePage();
  await withServer({ onRequest }, async (server) => {
    const client = new RawClient(server.url);
    client.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await asked;
    const closed = server.close({ drainTimeout: 30_000 });
    open();
    await client.response();
    client.socket.write(requestText());
    await client.end();
    assertStringIncludes(client.bytes.toString(), "page");
    assert(!client.bytes.includes(" 101 "));
    await client.destroy();
    await closed;
  });
});

Deno.test("a request for a page may take longer than handshakeTimeout", async () => {
  const clock = new ManualClock();
  const { onRequest, asked, open } = latePage();
  await withServer({ clock, onRequest, handshakeTimeout: 100 }, async (server) => {
    const client = new RawClient(server.url);
    client.socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    await asked;
    clock.advance(200);
    open();
    await client.end();
    assertStringIncludes(client.bytes.toString(), "page");
    await client.destroy();
  });
});

Deno.test("url is usable by a client, also if the server listens on all addresses", async () => {
  await withServer({ hostname: "0.0.0.0" }, async (server) => {
    assertEquals(server.url, `ws://127.0.0.1:${server.address.port}`);
    await (await upgraded(server)).destroy();
  });
  const all = await WebSocketServer.bind({ hostname: "::" }).catch(() => null);
  // A machine without IPv6 can't run this part.
  if (all === null) return;
  assertEquals(all.url, `ws://[::1]:${all.address.port}`);
  await all.close();
});

Deno.test("the server pings by default, and reports the latency", async () => {
  const clock = new ManualClock();
  await withServer({ clock }, async (server) => {
    const client = await upgraded(server);
    const channel = await nextChannel(server);
    assertEquals([channel.latency, channel.capabilities.ping], [null, true]);
    clock.advance(30_000);
    const ping = await client.hex(6);
    assertStringIncludes(ping, "8904");
    clock.advance(7);
    client.send(10, client.body.subarray(2, 6));
    client.send(1, "behind the pong");
    await channel.stream.next();
    assertEquals(channel.latency, 7);
    // The client doesn't answer: the server sends one ping, then ends the connection.
    clock.advance(60_000);
    clock.advance(1_000);
    assertEquals((await channel.closed).initiator, "timeout");
    await client.destroy();
  });
});

Deno.test("bind rejects when it can't listen, or an option is malformed", async () => {
  await withServer({}, async (server) => {
    const { port } = server.address;
    const error = await assertRejects(() => WebSocketServer.bind({ port }), Error);
    assertEquals((error as Error & { code?: string }).code, "EADDRINUSE");
  });
  await assertRejects(() => WebSocketServer.bind({ port: 70_000 }), RangeError);
  await assertRejects(() => WebSocketServer.bind({ path: "chat" }), TypeError);
  await assertRejects(() => WebSocketServer.bind({ maxConnections: -1 }), RangeError);
  // Other packages use this name; `hosts` is a different option.
  const host = { host: "127.0.0.1" } as object;
  const error = await assertRejects(() => WebSocketServer.bind(host), TypeError);
  assertEquals(
    error.message,
    "Cannot use the option host: there is no such option, got a string. Did you mean hostname?",
  );
});

Deno.test("disposing a server closes it; ref and unref are callable", async () => {
  const server = await WebSocketServer.bind();
  server.unref();
  server.ref();
  await server[Symbol.asyncDispose]();
  await server.closed;
  assertInstanceOf(server.channels, Set);
  assert(server.address.port > 0);
});

Deno.test("onError gets an error of the listening socket, and the server continues", async () => {
  const http = process.getBuiltinModule("http");
  const { createServer } = http;
  const servers: ReturnType<typeof createServer>[] = [];
  const create = (...args: Parameters<typeof createServer>) => {
    const server = createServer(...args);
    servers.push(server);
    return server;
  };
  const cause = new Error("accept EMFILE");
  const reports: unknown[] = [];
  try {
    http.createServer = create as typeof createServer;
    await withServer({
      onError: (error, { where, request }) => reports.push([error, where, request]),
    }, async (server) => {
      servers[0]?.emit("error", cause);
      await (await upgraded(server)).destroy();
    });
  } finally {
    http.createServer = createServer;
  }
  assertEquals(reports, [[cause, "listen", null]]);
});

Deno.test("the error for invalid options suggests the right option", async () => {
  const error = await assertRejects(() => bind(8080 as never), TypeError);
  assertStringIncludes(error.message, "they must be an object, got 8080. Give { port }");
  await withServer({}, (server) => {
    const { message } = assertThrows(() => void server.close(1001 as never), TypeError);
    assertStringIncludes(message, "they must be an object, got 1001. Give { code }");
    return Promise.resolve();
  });
});

Deno.test("pingTimeout needs pingInterval, which has a default", async () => {
  await withServer({ pingTimeout: 1000 }, () => Promise.resolve());
  const options = { pingInterval: 0, pingTimeout: 1000 };
  await assertRejects(() => bind(options), TypeError, "pingTimeout needs pingInterval");
});

Deno.test("onPing gets the server's channel with its request", async () => {
  const channels: ServerWebSocketChannel[] = [];
  const onPing = (_payload: Uint8Array, channel: ServerWebSocketChannel): void => {
    channels.push(channel);
  };
  await withServer({ onPing }, async (server) => {
    const client = NetWebSocketChannel.connect(`${server.url}/room`);
    const channel = await nextChannel(server);
    await client.ping();
    assertStrictEquals(channels[0], channel);
    assertEquals(channels[0]?.request.url.pathname, "/room");
    await client.sink.close();
  });
});
