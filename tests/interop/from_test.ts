/** `WebSocketChannel.from` over real sockets other than those of the global `WebSocket`. */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { createServer, type Server } from "node:http";
// @ts-types="../support/ws.d.ts"
import { type UpgradeRequest, WebSocket as WsSocket, WebSocketServer } from "ws";
import { ConnectError, type Message, WebSocketChannel } from "../../mod.ts";
import { seededRandom } from "../support/random.ts";
import { withRecipe } from "../support/recipes.ts";
import { deferred } from "../support/promises.ts";
import { closeServer, listen } from "../support/loopback.ts";

/** A client of npm `ws`. */
function wsClient(url: string, protocols: string[] = []): WsSocket {
  return new WsSocket(url, protocols, { perMessageDeflate: false });
}

/** The next messages of a channel. */
async function take(channel: WebSocketChannel, count: number): Promise<Message[]> {
  const messages: Message[] = [];
  while (messages.length < count) {
    const { value, done } = await channel.stream.next();
    if (done) throw new Error(`The stream ended after ${messages.length} of ${count} messages`);
    messages.push(value);
  }
  return messages;
}

// npm ws, on the client's side.

Deno.test("from over npm ws: text, binary and a large message, a subprotocol, a close with a reason", async () => {
  await withRecipe("echo", { protocol: "b" }, async (server) => {
    const channel = WebSocketChannel.from(wsClient(server.url, ["a", "b"]), {
      protocols: ["a", "b"],
    });
    channel.sink.add("early");
    await channel.ready;
    assertEquals([channel.protocol, channel.state], ["b", "open"]);
    const random = seededRandom();
    const large = random.bytes(1_000_000);
    channel.sink.add(Uint8Array.of(0, 1, 255));
    channel.sink.add(large);
    const [first, second, third] = await take(channel, 3);
    assertEquals([first, second], ["early", Uint8Array.of(0, 1, 255)]);
    assertInstanceOf(third, Uint8Array);
    assertEquals(third.length, large.length);
    assert(large.every((byte, i) => third[i] === byte), `seed ${random.seed}`);
    await channel.sink.close(3005, "please close");
    assertEquals(await channel.closed, {
      code: 3005,
      reason: "please close",
      wasClean: true,
      initiator: "local",
      sent: { code: 3005, reason: "please close" },
      received: { code: 3005, reason: "please close" },
    });
    assertEquals(await server.next("close"), {
      kind: "close",
      code: 3005,
      reason: "please close",
    });
  });
});

Deno.test("from over npm ws: the channel sends goingAway, which a browser's socket can't", async () => {
  await withRecipe("echo", {}, async (server) => {
    const channel = WebSocketChannel.from(wsClient(server.url));
    await channel.ready;
    await channel.sink.close(1001, "bye");
    assertEquals((await channel.closed).sent, { code: 1001, reason: "bye" });
    assertEquals((await server.next("close")).code, 1001);
  });
});

Deno.test("from over npm ws: a refusal is a ConnectError with its status", async () => {
  await withRecipe("http", { status: 404 }, async ({ url }) => {
    const channel = WebSocketChannel.from(wsClient(url));
    const error = await channel.ready.catch((it: unknown) => it);
    assertInstanceOf(error, ConnectError);
    assertEquals([error.status, error.retryable], [404, false]);
    assertEquals((await channel.closed).error, error);
  });
});

Deno.test("from over npm ws: closing while connecting ends the attempt", async () => {
  await withRecipe("slow-upgrade", {}, async (server) => {
    const channel = WebSocketChannel.from(wsClient(server.url));
    await server.next("request");
    await channel.sink.close();
    assertEquals((await channel.closed).initiator, "local");
    await server.next("disconnect");
  });
});

Deno.test("from over npm ws: the channel reports a lost connection as 1006", async () => {
  await withRecipe("destroy", { wait: "data" }, async ({ url }) => {
    const channel = WebSocketChannel.from(wsClient(url));
    channel.sink.add("now");
    const { code, initiator, wasClean } = await channel.closed;
    assertEquals({ code, initiator, wasClean }, {
      code: 1006,
      initiator: "transport",
      wasClean: false,
    });
  });
});

Deno.test("from over npm ws: terminate ends the connection to a peer that never answers", async () => {
  await withRecipe("never-close", {}, async (server) => {
    const channel = WebSocketChannel.from(wsClient(server.url), { closeTimeout: 20 });
    await channel.ready;
    await channel.sink.close(1000);
    assertEquals((await channel.closed).initiator, "timeout");
    // This server never ends TCP first, so the client has ended it.
    await server.next("end");
  });
});

// npm ws, on the server's side.

interface Acceptor {
  readonly url: string;
  /** The next connection's channel, created in the turn in which the connection arrived. */
  readonly accepted: Promise<WebSocketChannel>;
  close(): Promise<void>;
}

/** A server that wraps its first connection. */
async function acceptor(): Promise<Acceptor> {
  const http: Server = createServer();
  const sockets = new WebSocketServer({ noServer: true, clientTracking: false });
  const accepted = new Promise<WebSocketChannel>((resolve) => {
    http.on("upgrade", (request, socket, head) => {
      const plain = request as unknown as UpgradeRequest;
      sockets.handleUpgrade(plain, socket, head, (it) => resolve(WebSocketChannel.from(it)));
    });
  });
  const port = await listen(http);
  return {
    url: `ws://127.0.0.1:${port}`,
    accepted,
    close: () => closeServer(http),
  };
}

Deno.test("from C63 over npm ws's server-side socket: it exchanges messages with a client's channel, both ways", async () => {
  const server = await acceptor();
  const client = WebSocketChannel.from(wsClient(server.url));
  const theirs = await server.accepted;
  theirs.sink.add("hello!");
  assertEquals(await take(client, 1), ["hello!"]);
  client.sink.add("ping");
  client.sink.add(Uint8Array.of(1, 2, 3));
  assertEquals(await take(theirs, 2), ["ping", Uint8Array.of(1, 2, 3)]);
  theirs.sink.add("pong");
  const done = theirs.sink.close(3678, "raisin");
  assertEquals(await take(client, 1), ["pong"]);
  assertEquals((await client.stream.next()).done, true);
  assertEquals([client.closeCode, client.closeReason], [3678, "raisin"]);
  await done;
  assertEquals((await client.closed).initiator, "remote");
  assertEquals((await theirs.closed).initiator, "local");
  await server.close();
});

// Deno's own socket, on the server's side.

const hasUpgrade = typeof globalThis.Deno?.upgradeWebSocket === "function";

Deno.test("from over Deno.upgradeWebSocket's socket: a real exchange, closed by either side", {
  ignore: !hasUpgrade,
}, async () => {
  for (const closer of ["client", "server"] as const) {
    const { promise, resolve: accepted } = deferred<WebSocketChannel>();
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "chat" });
      accepted(WebSocketChannel.from(socket));
      return response;
    });
    const url = `ws://127.0.0.1:${server.addr.port}`;
    const client = WebSocketChannel.connect(url, { protocols: ["chat"] });
    const theirs = await promise;
    theirs.sink.add("early");
    client.sink.add("hello");
    client.sink.add(Uint8Array.of(7));
    await Promise.all([client.ready, theirs.ready]);
    // Deno's server-side socket does not report the agreed extensions.
    assertEquals([client.protocol, theirs.protocol], ["chat", null]);
    assertEquals(await take(theirs, 2), ["hello", Uint8Array.of(7)]);
    assertEquals(await take(client, 1), ["early"]);
    const [one, other] = closer === "client" ? [client, theirs] : [theirs, client];
    await one.sink.close(3001, `by the ${closer}`);
    const told = { code: 3001, reason: `by the ${closer}` };
    const { initiator, wasClean, received } = await other.closed;
    assertEquals({ initiator, wasClean, received }, {
      initiator: "remote",
      wasClean: true,
      received: told,
    });
    const { initiator: mine, sent } = await one.closed;
    assertEquals({ mine, sent }, { mine: "local", sent: told });
    await server.shutdown();
  }
});

Deno.test("from over Deno.upgradeWebSocket's socket: the channel reports a lost client as 1006", {
  ignore: !hasUpgrade,
}, async () => {
  const { promise, resolve: accepted } = deferred<WebSocketChannel>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    accepted(WebSocketChannel.from(socket));
    return response;
  });
  const client = wsClient(`ws://127.0.0.1:${server.addr.port}`);
  const opened = new Promise<void>((resolve) => client.once("open", () => resolve()));
  const channel = await promise;
  await Promise.all([channel.ready, opened]);
  client.terminate();
  const { code, initiator, wasClean } = await channel.closed;
  assertEquals({ code, initiator, wasClean }, {
    code: 1006,
    initiator: "transport",
    wasClean: false,
  });
  await server.shutdown();
});
