import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Duplex } from "node:stream";
// @ts-types="../support/ws.d.ts"
import { WebSocketServer as WsServer } from "ws";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import {
  acceptUpgrade,
  type AttachedWebSocketServer,
  type AttachOptions,
  type ServerWebSocketChannel,
  WebSocketServer,
} from "../../src/server/mod.ts";
import { attach } from "../../src/server/web_socket_server.ts";
import { createIdentity } from "../support/certificates.ts";
import { assertInvalidState } from "../support/events.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";
import { closeServer, listen } from "../support/loopback.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { turn, until } from "../support/turns.ts";
import { refusalOf, requestText, upgraded } from "./support.ts";

const echo = (channel: ServerWebSocketChannel): void =>
  void channel.stream.listen((message) => channel.sink.add(message));

/** Runs a body with a server of node:http and its URL, then closes the server. */
async function withHttp(
  body: (http: Server, listening: () => Promise<string>) => Promise<void>,
  http: Server = createServer((_request, response) => void response.end("page")),
): Promise<void> {
  const listening = async (): Promise<string> => `ws://127.0.0.1:${await listen(http)}`;
  try {
    await body(http, listening);
  } finally {
    const closed = closeServer(http);
    http.closeAllConnections();
    await closed;
  }
}

/** A listener of another library that answers one path, and ignores the others. */
function other(http: Server, path: string): void {
  http.on("upgrade", (request: IncomingMessage, socket: Duplex) => {
    if (request.url !== path) return;
    socket.on("error", () => {});
    socket.on("data", () => {});
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\n",
    );
    socket.on("end", () => socket.end());
  });
}

async function echoes(url: string): Promise<void> {
  const client = NetWebSocketChannel.connect(url);
  client.sink.add("hello");
  assertEquals((await client.stream.next()).value, "hello");
  await client.sink.close(1000);
  assertEquals((await client.closed).wasClean, true);
}

async function statusOf(url: string): Promise<number | null> {
  const { error } = await NetWebSocketChannel.connect(url).closed;
  return (error as { status: number | null }).status;
}

Deno.test("attach: serves pages and WebSockets of several paths on one port; other paths get 404", async () => {
  await withHttp(async (http, listening) => {
    const refused: string[] = [];
    const onRefused: AttachOptions["onRefused"] = ({ reason }) => void refused.push(reason);
    const chat = WebSocketServer.attach(http, {
      path: ["/chat", "/talk"],
      handler: echo,
      onRefused,
    });
    const feed = WebSocketServer.attach(http, {
      path: "/feed",
      handler: (channel) => void channel.sink.add("news"),
    });
    const url = await listening();
    await echoes(`${url}/chat?room=1`);
    await echoes(`${url}/talk`);
    const client = NetWebSocketChannel.connect(`${url}/feed`);
    assertEquals((await client.stream.next()).value, "news");
    assertEquals([chat.channels.size, feed.channels.size], [0, 1]);
    const page = await fetch(url.replace("ws:", "http:"));
    assertEquals(await page.text(), "page");
    assertEquals(await statusOf(`${url}/other`), 404);
    assertEquals(refused, ["path"]);
    assertEquals(chat.stats().connections.accepted, 2);
    await Promise.all([chat.close(), feed.close()]);
    assertEquals((await client.closed).code, 1001);
    assertEquals(http.listenerCount("upgrade"), 0);
  });
});

Deno.test("attach: a listener that only handles errors of every socket, as Vite's does, takes no upgrade", async () => {
  await withHttp(async (http, listening) => {
    const guard = (_request: IncomingMessage, socket: Duplex): void =>
      void socket.on("error", () => {});
    http.on("upgrade", guard);
    const server = WebSocketServer.attach(http, { path: "/ours", handler: echo });
    await echoes(`${await listening()}/ours`);
    await server.close();
  });
});

for (const order of ["before", "behind"]) {
  Deno.test(`attach: ${order} another listener of another path, each gets its own upgrades`, async () => {
    await withHttp(async (http, listening) => {
      if (order === "behind") other(http, "/other");
      const server = WebSocketServer.attach(http, { path: "/ours", handler: echo });
      if (order === "before") other(http, "/other");
      const url = await listening();
      await echoes(`${url}/ours`);
      const client = new RawClient(url);
      client.request("/other");
      assertEquals((await client.response()).split("\r\n")[1], "Upgrade: other");
      await client.destroy();
      await server.close();
    });
  });

  Deno.test(`attach: ${order} another listener that takes its path, it leaves the upgrade alone and reports that`, async () => {
    await withHttp(async (http, listening) => {
      const errors: unknown[] = [];
      if (order === "behind") other(http, "/ours");
      const server = WebSocketServer.attach(http, {
        path: "/ours",
        handler: echo,
        onError: (error, { where, request }) =>
          errors.push([(error as Error).name, where, request?.url.pathname]),
      });
      if (order === "before") other(http, "/ours");
      const client = new RawClient(await listening());
      client.request("/ours");
      assertEquals((await client.response()).split("\r\n")[1], "Upgrade: other");
      assertEquals(client.body.length, 0);
      assertEquals(errors, [["InvalidStateError", "attach", "/ours"]]);
      await client.destroy();
      await server.close();
    });
  });
}

Deno.test("attach: works beside npm ws with noServer; ws with a path refuses all other paths", async () => {
  await withHttp(async (http, listening) => {
    const ws = new WsServer({ noServer: true });
    // deno-lint-ignore no-explicit-any -- the tests' types of ws have another socket
    const upgrader = ws as any;
    ws.on(
      "connection",
      (socket) => void socket.on("message", (data) => socket.send(`ws: ${data}`)),
    );
    const onWs = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      if (request.url !== "/ws") return;
      upgrader.handleUpgrade(
        request,
        socket,
        head,
        (it: unknown) => upgrader.emit("connection", it),
      );
    };
    http.on("upgrade", onWs);
    const errors: unknown[] = [];
    const onError = (error: unknown): void => void errors.push((error as Error).message);
    const server = WebSocketServer.attach(http, { path: "/ours", handler: echo, onError });
    const url = await listening();
    await echoes(`${url}/ours`);
    const client = NetWebSocketChannel.connect(`${url}/ws`);
    client.sink.add("hello");
    assertEquals((await client.stream.next()).value, "ws: hello");
    await client.sink.close();
    assertEquals(errors, []);
    http.removeListener("upgrade", onWs);
    // deno-lint-ignore no-explicit-any -- as above
    const rude = new WsServer({ server: http, path: "/ws" } as any);
    assertEquals(await statusOf(`${url}/ours`), 400);
    assertEquals(errors, [
      "Cannot upgrade: another listener of the server's upgrade event has taken the connection",
    ]);
    rude.close();
    await server.close();
  });
});

Deno.test("attach: refuses an upgrade that no listener takes", async () => {
  const clock = new ManualClock();
  await withHttp(async (http, listening) => {
    let seen = 0;
    http.on("upgrade", () => seen++);
    const server = attach(http, { path: "/ours", handshakeTimeout: 1000 }, clock);
    const url = await listening();
    const answer = refusalOf({ url }, requestText({}, "GET /other HTTP/1.1"));
    // Without a listener for errors, a reset would end the process.
    const left = new RawClient(url);
    left.request("/other");
    await until(() => seen === 2);
    left.socket.resetAndDestroy();
    await turn();
    clock.advance(999);
    assertEquals(server.stats().refused.path, 0);
    clock.advance(1);
    assertEquals((await answer).status, 404);
    await server.close();
    await until(() => clock.pending === 0, () => clock.advance(1000));
  });
});

Deno.test("attach: leaves an upgrade to another listener that takes it later", async () => {
  const clock = new ManualClock();
  await withHttp(async (http, listening) => {
    const sockets: Duplex[] = [];
    http.on("upgrade", (_request: IncomingMessage, socket: Duplex) => void sockets.push(socket));
    const server = attach(http, { path: "/ours", handshakeTimeout: 1000 }, clock);
    const client = new RawClient(await listening());
    client.request("/later");
    await until(() => sockets.length === 1);
    clock.advance(500);
    sockets[0]?.on("data", () => {});
    clock.advance(1000);
    assertEquals([server.stats().refused.path, clock.pending], [0, 0]);
    sockets[0]?.write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    assertEquals(await client.response(), "HTTP/1.1 101 Switching Protocols");
    await client.destroy();
    sockets[0]?.destroy();
    await server.close();
  });
});

Deno.test("attach: close refuses the upgrades that no listener took, and closes channels; then the HTTP server can close", async () => {
  await withHttp(async (http, listening) => {
    let seen = 0;
    http.on("upgrade", () => seen++);
    const server = WebSocketServer.attach(http, { path: "/ours", handler: echo });
    const url = await listening();
    const polite = NetWebSocketChannel.connect(`${url}/ours`);
    await polite.ready;
    const mute = await upgraded({ url }, [], "/ours");
    const nobody = refusalOf({ url }, requestText({}, "GET /other HTTP/1.1"));
    await until(() => seen === 3);
    const httpClosed = closeServer(http);
    await server.close({ code: 1012, reason: "restarting", drainTimeout: 50 });
    assertEquals((await nobody).status, 404);
    const { code, reason, wasClean } = await polite.closed;
    assertEquals([code, reason, wasClean], [1012, "restarting", true]);
    assertEquals(server.channels.size, 0);
    await mute.end();
    await mute.destroy();
    await httpClosed;
  });
});

Deno.test("attach: its path gets 503 while it closes; afterwards another server may use the path", async () => {
  await withHttp(async (http, listening) => {
    const server = WebSocketServer.attach(http, { path: "/ours", handler: echo });
    assertInvalidState(() => WebSocketServer.attach(http, { path: ["/a", "/ours"] }));
    const every = WebSocketServer.attach(http, { handler: echo });
    assertInvalidState(() => WebSocketServer.attach(http));
    const url = await listening();
    const mute = await upgraded({ url }, [], "/ours");
    const closed = server.close();
    assertEquals(await statusOf(`${url}/ours`), 503);
    await echoes(`${url}/any`);
    await mute.destroy();
    await closed;
    await echoes(`${url}/ours`);
    const next = WebSocketServer.attach(http, {
      path: "/ours",
      handler: (channel) => void channel.sink.add("next"),
    });
    const client = NetWebSocketChannel.connect(`${url}/ours`);
    assertEquals((await client.stream.next()).value, "next");
    await Promise.all([next.close(), every.close()]);
  });
});

Deno.test("attach: works with a TLS server, and its iterator yields channels", async () => {
  const identity = createIdentity({ names: ["127.0.0.1"] });
  await withHttp(async (http, listening) => {
    const server: AttachedWebSocketServer = WebSocketServer.attach(http, { path: "/ours" });
    const url = (await listening()).replace("ws:", "wss:");
    const client = NetWebSocketChannel.connect(`${url}/ours`, { tls: { ca: identity.cert } });
    const { value } = await server[Symbol.asyncIterator]().next();
    assertEquals(value?.url, `${url}/ours`);
    await client.sink.close();
    await server.close();
  }, createTlsServer(identity) as unknown as Server);
});

Deno.test("attach: throws for malformed arguments", async () => {
  await withHttp((http) => {
    assertThrows(() => WebSocketServer.attach({} as Server), TypeError, "Cannot attach");
    // Like an Express application: a function with the methods of an emitter.
    const application = Object.assign(() => {}, { on() {}, prependListener() {} });
    assertThrows(
      () => WebSocketServer.attach(application as unknown as Server),
      TypeError,
      "the server must be one of node:http, got a function. Pass what createServer(app) returns",
    );
    assertThrows(() => WebSocketServer.attach(http, { path: "chat" }), TypeError, "path");
    assertThrows(() => WebSocketServer.attach(http, { path: ["/a", "b"] }), TypeError, "path");
    assertThrows(
      () => WebSocketServer.attach(http, { port: 1 } as AttachOptions),
      TypeError,
      "port",
    );
    assertEquals(http.listenerCount("upgrade"), 0);
    return Promise.resolve();
  });
  await assertRejects(() => WebSocketServer.bind({ path: ["/a", "b"] }), TypeError, "path");
});

Deno.test("bind: serves several paths", async () => {
  const server = await WebSocketServer.bind({ path: ["/a", "/b"], handler: echo });
  await echoes(`${server.url}/a`);
  await echoes(`${server.url}/b`);
  assertEquals(await statusOf(`${server.url}/c`), 404);
  await server.close();
});

Deno.test("acceptUpgrade: throws an InvalidStateError for a connection that another listener has taken", async () => {
  await withHttp(async (http, listening) => {
    other(http, "/");
    let thrown: unknown;
    http.on("upgrade", (request, socket, head) => {
      try {
        acceptUpgrade(request, socket, head);
      } catch (error) {
        thrown = error;
      }
    });
    const client = new RawClient(await listening());
    client.request();
    assertEquals((await client.response()).split("\r\n")[1], "Upgrade: other");
    assertEquals((thrown as Error).name, "InvalidStateError");
    assert((thrown as Error).message.includes("another listener"));
    await client.destroy();
  });
});
