import { assert, assertEquals, assertFalse, assertStringIncludes } from "@std/assert";
import { LoggingClient, RawClient } from "./recipe_clients.ts";
import {
  type RecipeName,
  type RecipeOptions,
  type RecipeServer,
  statsWhenIdle,
  withRecipe,
} from "./recipes.ts";

/** RFC 6455 §1.3: the accept value of the sample key. */
const SAMPLE_ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

function recipeTest(
  title: string,
  recipe: RecipeName,
  options: RecipeOptions,
  body: (server: RecipeServer) => Promise<void>,
): void {
  Deno.test(`recipe ${recipe}: ${title}`, () => withRecipe(recipe, options, body));
}

/** A bare client after its upgrade. */
async function upgraded(server: RecipeServer): Promise<RawClient> {
  const client = new RawClient(server.url);
  client.request();
  const head = await client.response();
  assertStringIncludes(head, "HTTP/1.1 101 Switching Protocols\r\n");
  assertStringIncludes(head, `Sec-WebSocket-Accept: ${SAMPLE_ACCEPT}`);
  return client;
}

/** Whether the server keeps TCP open although the client has ended it. */
async function keepsOpen(server: RecipeServer, client: RawClient): Promise<boolean> {
  client.socket.end();
  await server.next("end");
  const { open } = await statsWhenIdle(server);
  return open === 1 && !client.hasEnded;
}

recipeTest("sends the bad Close, then ends", "bad-utf8", {}, async (server) => {
  const client = await upgraded(server);
  await client.end();
  assertEquals(client.body.toString("hex"), "8803101bff");
  await client.destroy();
  const log = await new LoggingClient(server.url).closed();
  assertStringIncludes(log.join(), "invalid UTF-8");
});

recipeTest("destroys TCP behind the 101", "destroy", {}, async (server) => {
  const client = await upgraded(server);
  await client.end();
  assertEquals(client.body.length, 0);
  await client.destroy();
  assertEquals(await new LoggingClient(server.url).closed(), ["open", "close:1006:"]);
});

recipeTest("sends text that is no frame, leaves TCP open", "garbage", {}, async (server) => {
  const client = await upgraded(server);
  assertEquals((await client.hex(1)).slice(0, 2), "6d");
  assert(await keepsOpen(server, client));
  await client.destroy();
});

recipeTest("answers 200 and ends", "http", {}, async (server) => {
  const client = new RawClient(server.url);
  client.request("/some");
  await client.end();
  const expected = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  assertEquals(client.bytes.toString(), expected);
  assertEquals((await server.next("request")).path, "/some");
  await client.destroy();
});

const denied = { status: 401, headers: { "Retry-After": "3" }, body: "who?" };
recipeTest("answers with the status, headers and body given", "http", denied, async (server) => {
  const log = await new LoggingClient(server.url).closed();
  assertEquals(log, ["error:Unexpected server response: 401", "close:1006:"]);
  const client = new RawClient(server.url);
  client.request();
  await client.end();
  assertStringIncludes(client.head, "401 Unauthorized\r\nContent-Length: 4\r\n");
  assertStringIncludes(client.head, "Retry-After: 3");
  assertEquals(client.body.toString(), "who?");
  await client.destroy();
});

const verbatim: RecipeOptions = {
  response: "HTTP/1.1 101 \xfc\r\nsec-websocket-ACCEPT:{accept}\r\n\r\n",
  then: "open",
  pieces: 3,
  wait: "release",
};
recipeTest("sends a response as it is, in pieces, when released", "http", verbatim, async (it) => {
  const client = new RawClient(it.url);
  client.request();
  await it.next("request");
  assertEquals(client.bytes.length, 0);
  it.release();
  assertEquals(
    await client.response(),
    `HTTP/1.1 101 \xfc\r\nsec-websocket-ACCEPT:${SAMPLE_ACCEPT}`,
  );
  assertEquals((await it.stats()).open, 1);
  await client.destroy();
  await it.next("disconnect");
});

const endless = { response: "HTTP/1.1 101 x\r\n", repeat: "X-Filler: 1\r\n" };
recipeTest("sends forever, as fast as the client reads", "http", endless, async (server) => {
  const client = new RawClient(server.url);
  client.socket.pause();
  client.request();
  await server.next("request");
  const first = await statsWhenIdle(server);
  assert(first.bytesPending > 0 && first.open === 1, JSON.stringify(first));
  client.socket.resume();
  while ((await server.stats()).bytesSent <= first.bytesSent);
  await client.destroy();
  await server.next("disconnect");
});

recipeTest("chooses no subprotocol, echoes one, closes", "proto", {}, async (server) => {
  const client = new LoggingClient(server.url);
  await client.seen("open");
  client.socket.send(Uint8Array.of(7));
  assertEquals(await client.closed(), ["open", "binary:07", "close:1000:"]);
  assertEquals(client.socket.protocol, "");
  const { headers } = await server.next("request");
  assertEquals(headers["sec-websocket-protocol"], undefined);
  assertEquals(await server.next("close"), { kind: "close", code: 1000, reason: "" });
});

recipeTest("chooses the query's subprotocol, offered or not", "proto", {}, async (server) => {
  const protocols = ["chat.example.com", "text.example.com"];
  const client = new LoggingClient(`${server.url}/?protocol=text.example.com`, { protocols });
  await client.seen("open");
  client.socket.send("x");
  await client.closed();
  assertEquals(client.socket.protocol, "text.example.com");
  const { lines } = await server.next("request");
  const offered = lines.filter(([name]) => name.toLowerCase() === "sec-websocket-protocol");
  assertEquals(offered.length, 1);
  const refused = new LoggingClient(`${server.url}/?protocol=other`, { protocols });
  assertStringIncludes((await refused.closed()).join(), "invalid subprotocol");
});

recipeTest("reads and never answers", "silent", {}, async (server) => {
  const client = new RawClient(server.url);
  client.request();
  assertEquals((await server.next("request")).method, "GET");
  assert(await keepsOpen(server, client));
  assertEquals(client.bytes.length, 0);
  await client.destroy();
});

recipeTest("ends TCP at once", "accept-then-end", {}, async (server) => {
  const client = new RawClient(server.url);
  await client.end();
  assertEquals(client.bytes.length, 0);
  client.socket.end();
  await server.next("disconnect");
  await client.destroy();
});

recipeTest("resets TCP at once", "accept-then-end", { then: "reset" }, async (server) => {
  const client = new RawClient(server.url);
  await client.closed();
  assertFalse(client.hasEnded);
});

recipeTest("echoes; answers neither Ping, Close nor FIN", "never-close", {}, async (server) => {
  const client = await upgraded(server);
  client.send(9, "p");
  client.send(1, "x");
  assertEquals(await client.hex(3), "810178");
  client.send(8, Uint8Array.of(3, 232));
  assertEquals(await server.next("close"), { kind: "close", code: 1000, reason: "" });
  assert(await keepsOpen(server, client));
  assertEquals(client.body.length, 3);
  await client.destroy();
});

recipeTest("echoes, answers Close, keeps TCP", "close-keeps-tcp", {}, async (server) => {
  const client = await upgraded(server);
  client.send(9, "p");
  client.send(1, "x");
  client.send(8, Uint8Array.of(3, 232, 0x6f));
  assertEquals(await client.hex(11), "8a0170" + "810178" + "880303e86f");
  assertEquals(await server.next("close"), { kind: "close", code: 1000, reason: "o" });
  assert(await keepsOpen(server, client));
  await client.destroy();
});

const ownCode = { code: 4001, reason: "mine" };
recipeTest("answers with a code of its own", "close-keeps-tcp", ownCode, async (server) => {
  const client = await upgraded(server);
  client.send(8);
  assertEquals(await client.hex(8), "88060fa16d696e65");
  assertEquals(await server.next("close"), { kind: "close", code: 1005, reason: "" });
  await client.destroy();
});

const short = { reason: "" };
recipeTest("closes first, keeps TCP", "server-close-keeps-tcp", short, async (server) => {
  const client = await upgraded(server);
  assertEquals(await client.hex(4), "8802101b");
  client.send(8, Uint8Array.of(0x10, 0x1b));
  assertEquals((await server.next("close")).code, 4123);
  assert(await keepsOpen(server, client));
  await client.destroy();
});

recipeTest("names an unoffered subprotocol", "unoffered-protocol", {}, async (server) => {
  const log = await new LoggingClient(server.url, { protocols: ["a"] }).closed();
  assertStringIncludes(log.join(), "invalid subprotocol");
  const client = await upgraded(server);
  assertStringIncludes(client.head, "Sec-WebSocket-Protocol: unoffered.example");
  await client.destroy();
});

recipeTest("names no subprotocol", "no-protocol", {}, async (server) => {
  const log = await new LoggingClient(server.url, { protocols: ["a"] }).closed();
  assertStringIncludes(log.join(), "sent no subprotocol");
});

for (const recipe of ["bad-accept", "no-accept"] as const) {
  recipeTest("is refused, leaves TCP open", recipe, {}, async (server) => {
    const log = await new LoggingClient(server.url).closed();
    assertStringIncludes(log.join(), "Invalid Sec-WebSocket-Accept");
    await server.next("disconnect");
    const client = new RawClient(server.url);
    client.request();
    await client.response();
    const { open, bytesPending } = await statsWhenIdle(server);
    assertEquals([open, bytesPending, client.hasEnded], [1, 0, false]);
    await client.destroy();
  });
}

const late: RecipeOptions = { messages: ["late", { hex: "01" }] };
recipeTest("sends more before it answers", "messages-after-close", late, async (server) => {
  const client = await upgraded(server);
  client.send(8, Uint8Array.of(3, 232));
  await client.end();
  assertEquals(client.body.toString("hex"), "81046c617465" + "820101" + "880203e8");
  await client.destroy();
});

recipeTest("pings between two fragments", "ping-between-fragments", {}, async (server) => {
  const client = new LoggingClient(server.url);
  await client.seen("text:");
  assertEquals(client.log, ["open", "ping:between", "text:first second"]);
  const payload = "6265747765656e";
  assertEquals(await server.next("pong"), { kind: "pong", payload });
  client.socket.close(1000);
  await client.closed();
  assertEquals((await server.next("close")).code, 1000);
});

recipeTest("sends the frames with its 101", "raw", { frames: "8101 78" }, async (server) => {
  const client = await upgraded(server);
  assertEquals(await client.hex(3), "810178");
  client.send(9);
  client.send(8);
  assertEquals((await server.next("ping")).payload, "");
  assertEquals((await server.next("close")).code, 1005);
  client.socket.end();
  await client.end();
  assertEquals(client.body.length, 3);
  await client.destroy();
});

const rawEnd: RecipeOptions = { frames: "810178", wait: "data", then: "end", pieces: 1 };
recipeTest("waits for data, sends in pieces, then ends", "raw", rawEnd, async (server) => {
  const client = await upgraded(server);
  assertEquals(client.body.length, 0);
  client.send(1, "go");
  await client.end();
  assertEquals(client.body.toString("hex"), "810178");
  assertEquals(await server.next("message"), { kind: "message", text: "go" });
  await client.destroy();
});

const rawReset: RecipeOptions = { wait: "release", then: "reset" };
recipeTest("waits for release, then resets", "raw", rawReset, async (server) => {
  const client = await upgraded(server);
  server.release();
  await client.closed();
  assertFalse(client.hasEnded);
});

recipeTest("answers when it is released, with more header fields", "raw", {
  answers: true,
  headers: { "Sec-WebSocket-Extensions": "x" },
}, async (server) => {
  const client = await upgraded(server);
  assertStringIncludes(client.head, "Sec-WebSocket-Extensions: x");
  client.send(9, "p");
  client.send(8);
  await client.end();
  assertEquals(client.body.toString("hex"), "8a0170" + "8800");
  await client.destroy();
});

recipeTest("repeats forever", "raw", { repeat: "0000" }, async (server) => {
  const client = new RawClient(server.url);
  client.request();
  assertEquals(await client.hex(100_000), "0000".repeat(50_000));
  await client.destroy();
});

recipeTest("reports what breaks RFC 6455", "raw", {}, async (server) => {
  const client = await upgraded(server);
  const faultOf = async (send: () => void): Promise<string> => {
    send();
    return (await server.next("fault")).message.slice("RFC 6455 ".length);
  };
  assertEquals(await faultOf(() => client.send(0)), "§5.4: opcode 0 outside a message");
  assertEquals(await faultOf(() => client.send(3)), "§5.2: a reserved opcode: 3");
  assertEquals(
    await faultOf(() => client.socket.write(Uint8Array.of(0x82, 0))),
    "§5.3: a frame without a mask",
  );
  assertEquals(
    await faultOf(() => client.send(1, Uint8Array.of(0xff))),
    "§8.1: text that is no UTF-8",
  );
  assertEquals(await faultOf(() => client.send(9, "", false)), "§5.5: a fragmented control frame");
  client.send(1, "a", false);
  assertEquals(await faultOf(() => client.send(1, "b")), "§5.4: opcode 1 inside a message");
  client.send(8);
  assertEquals(
    await faultOf(() => client.send(1)),
    "§5.5.1: a frame after the Close frame, opcode 1",
  );
  await client.destroy();
});

const flood: RecipeOptions = { size: 1000, count: 20_000 };
recipeTest("stops without a reader, loses nothing", "flood-until-blocked", flood, async (it) => {
  const client = new LoggingClient(it.url);
  await client.seen("open");
  client.socket.pause();
  const stopped = await statsWhenIdle(it);
  assert(stopped.bytesPending > 0, JSON.stringify(stopped));
  client.socket.resume();
  const log = await client.closed();
  assertEquals(log.length, 20_002);
  const faulty = log.slice(1, -1).findIndex((entry, i) =>
    entry !== `text:${String(i).padStart(1000, "0")}`
  );
  assertEquals([faulty, log.at(-1)], [-1, "close:1000:"]);
  assert((await it.stats()).bytesSent > stopped.bytesSent);
});

recipeTest("floods without end until closed", "flood-until-blocked", {}, async (server) => {
  const client = new LoggingClient(server.url);
  await client.seen("text:");
  client.socket.terminate();
  await client.closed();
  assertEquals(await server.next("close"), { kind: "close", code: 1006, reason: "" });
  await server.next("disconnect");
});

recipeTest("reads nothing until released", "sink", {}, async (server) => {
  const client = new LoggingClient(server.url);
  await client.seen("open");
  const before = await server.stats();
  const message = new Uint8Array(65536);
  const count = 300;
  for (let i = 0; i < count; i++) client.socket.send(message);
  const stopped = await statsWhenIdle(server);
  assert(client.socket.bufferedAmount > 0, JSON.stringify(stopped));
  assert(stopped.bytesReceived - before.bytesReceived <= 131_072, JSON.stringify(stopped));
  server.release();
  client.socket.close(1000);
  assertEquals(await client.closed(), ["open", "close:1000:"]);
  assertEquals((await server.next("close")).code, 1000);
  const messages = (await server.queued()).filter((it) => it.kind === "message");
  assertEquals(messages.length, count);
});
