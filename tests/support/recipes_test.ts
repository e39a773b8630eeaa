import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { LoggingClient, RawClient } from "./recipe_clients.ts";
import {
  type RecipeName,
  type RecipeOptions,
  type RecipeServer,
  startRecipe,
  withRecipe,
} from "./recipes.ts";

function recipeTest(
  title: string,
  recipe: RecipeName,
  options: RecipeOptions,
  body: (server: RecipeServer) => Promise<void>,
): void {
  Deno.test(`recipe ${recipe}: ${title}`, () => withRecipe(recipe, options, body));
}

recipeTest("reports the request, echoes each kind in order", "echo", {}, async (server) => {
  const client = new LoggingClient(`${server.url}/path?query=1`, { headers: { "X-Own": "yes" } });
  await client.seen("open");
  client.socket.send("Hello");
  client.socket.send(Uint8Array.of(1, 255));
  client.socket.send("");
  await client.seen("text:");
  await client.seen("binary:");
  client.socket.close(3000, "enough");
  const log = await client.closed();
  assertEquals(log, ["open", "text:Hello", "binary:01ff", "text:", "close:3000:enough"]);
  const request = await server.next("request");
  assertEquals([request.method, request.path], ["GET", "/path?query=1"]);
  assertEquals(request.headers["x-own"], "yes");
  assert(request.lines.some(([name, value]) => name === "X-Own" && value === "yes"));
  assertEquals(await server.next(), { kind: "message", text: "Hello" });
  assertEquals(await server.next(), { kind: "message", binary: "01ff" });
  assertEquals(await server.next(), { kind: "message", text: "" });
  assertEquals(await server.next("close"), { kind: "close", code: 3000, reason: "enough" });
  assertEquals(await server.next("disconnect"), { kind: "disconnect" });
});

recipeTest(
  "agrees to compression if the option says so",
  "echo",
  { compression: true },
  async (server) => {
    const client = new LoggingClient(server.url, { perMessageDeflate: { threshold: 0 } });
    await client.seen("open");
    assertStringIncludes(client.socket.extensions, "permessage-deflate");
    client.socket.send("Hello ".repeat(1000));
    await client.seen(`text:${"Hello ".repeat(1000)}`);
    client.socket.close();
    await client.closed();
    assertEquals(await server.next("close"), { kind: "close", code: 1005, reason: "" });
    assert((await server.stats()).bytesSent < 1000);
  },
);

const choosing: RecipeOptions = { protocol: "b", headers: { "X-Served-By": "test" }, quiet: true };
recipeTest("chooses a subprotocol, adds headers, keeps quiet", "echo", choosing, async (server) => {
  const client = new LoggingClient(server.url, { protocols: ["a", "b"] });
  await client.seen("open");
  assertEquals(client.socket.protocol, "b");
  client.socket.send("x");
  await client.seen("text:x");
  client.socket.close();
  await client.closed();
  await server.next("close");
  assertEquals((await server.queued()).filter((it) => it.kind === "message"), []);
  const raw = new RawClient(server.url);
  raw.request();
  assertStringIncludes(await raw.response(), "X-Served-By: test");
  await raw.destroy();
});

recipeTest("closes when asked, with the client's answer", "echo-close", {}, async (server) => {
  const client = new LoggingClient(server.url);
  await client.seen("open");
  client.socket.send("not yet");
  client.socket.send("close");
  const log = await client.closed();
  assertEquals(log, ["open", "text:not yet", "close:3001:you asked me to"]);
  const seen = await server.next("close");
  assertEquals(seen, { kind: "close", code: 3001, reason: "you asked me to" });
});

recipeTest("reports messages, control frames and the Close", "watch", {}, async (server) => {
  const client = new LoggingClient(server.url);
  await client.seen("open");
  client.socket.send("one");
  client.socket.ping("p");
  client.socket.pong("q");
  client.socket.close(4999);
  assertEquals(await client.closed(), ["open", "pong:p", "close:4999:"]);
  assertEquals((await server.next()).kind, "request");
  assertEquals(await server.next(), { kind: "message", text: "one" });
  assertEquals(await server.next(), { kind: "ping", payload: "70" });
  assertEquals(await server.next(), { kind: "pong", payload: "71" });
  assertEquals(await server.next("close"), { kind: "close", code: 4999, reason: "" });
});

recipeTest("reports 1006 when TCP ends without a Close", "watch", {}, async (server) => {
  const client = new RawClient(server.url);
  client.request();
  await client.response();
  client.socket.end();
  await client.end();
  assertEquals(await server.next("close"), { kind: "close", code: 1006, reason: "" });
  assertEquals(await server.next("end"), { kind: "end" });
  assertEquals((await server.stats()).open, 0);
});

recipeTest("reports what breaks RFC 6455", "watch", {}, async (server) => {
  const client = new RawClient(server.url);
  client.request();
  await client.response();
  client.socket.write(Uint8Array.of(0x81, 0));
  assertStringIncludes((await server.next("fault")).message, "MASK");
  await client.destroy();
});

recipeTest("reports a reset", "watch", {}, async (server) => {
  const client = new RawClient(server.url);
  client.request();
  await client.response();
  client.socket.resetAndDestroy();
  assertEquals(await server.next("reset"), { kind: "reset" });
  assertEquals(await server.next("close"), { kind: "close", code: 1006, reason: "" });
  await client.closed();
});

recipeTest("reads the bytes that arrived with the request", "echo", {}, async (server) => {
  const client = new RawClient(server.url);
  client.socket.cork();
  client.request();
  client.send(1, "early");
  client.socket.uncork();
  assertEquals(await client.hex(7), "81056561726c79");
  await client.destroy();
});

recipeTest("closes on any message", "close", {}, async (server) => {
  const client = new LoggingClient(server.url);
  await client.seen("open");
  client.socket.send(Uint8Array.of(1));
  assertEquals(await client.closed(), ["open", "close:4123:server closed the connection"]);
  assertEquals((await server.next("close")).code, 4123);
});

recipeTest("sends 10,000 texts at once", "flood", {}, async (server) => {
  const client = new LoggingClient(server.url);
  let count = 0;
  await new Promise<void>((resolve) => {
    client.socket.on("message", (data) => {
      assertEquals(data.toString(), "Hello World!");
      if (++count === 10_000) resolve();
    });
  });
  client.socket.close(1000);
  assertEquals((await client.closed()).length, 10_002);
  assertEquals((await server.next("close")).code, 1000);
});

recipeTest("greets, and closes on ping", "greeting", {}, async (server) => {
  const client = new LoggingClient(server.url);
  await client.seen("text:hello!");
  client.socket.send("ping");
  assertEquals(await client.closed(), ["open", "text:hello!", "text:pong", "close:3678:raisin"]);
  assertEquals(await server.next("close"), { kind: "close", code: 3678, reason: "raisin" });
});

recipeTest("answers ping, and reports the close", "pong-close-watch", {}, async (server) => {
  const client = new LoggingClient(server.url);
  await client.seen("open");
  client.socket.send("ping");
  await client.seen("text:pong");
  client.socket.close(3678, "raisin");
  assertEquals(await client.closed(), ["open", "text:pong", "close:3678:raisin"]);
  assertEquals(await server.next("message"), { kind: "message", text: "ping" });
  assertEquals(await server.next("close"), { kind: "close", code: 3678, reason: "raisin" });
});

recipeTest("answers only when released", "slow-upgrade", {}, async (server) => {
  const client = new LoggingClient(server.url);
  await server.next("request");
  assertEquals([(await server.stats()).bytesSent, client.log], [0, []]);
  server.release();
  await client.seen("open");
  client.socket.send("go");
  await client.seen("text:go");
  client.socket.close();
  await client.closed();
  // One release resumes one connection.
  const second = new RawClient(server.url);
  second.request();
  await server.next("request");
  second.send(1, "early");
  assertEquals(second.head, "");
  server.release();
  assertEquals(await second.hex(7), "81056561726c79");
  await second.destroy();
});

recipeTest("sees a client that gives up", "slow-upgrade", {}, async (server) => {
  const client = new RawClient(server.url);
  client.request();
  await server.next("request");
  await client.destroy();
  assertEquals(await server.next("end"), { kind: "end" });
  assertEquals(await server.next("disconnect"), { kind: "disconnect" });
  server.release();
  assertEquals(await server.queued(), []);
});

const pushing: RecipeOptions = { messages: ["a", { hex: "00ff" }], code: 4000, reason: "over" };
recipeTest("sends what it receives, then closes", "push", pushing, async (server) => {
  const client = new LoggingClient(server.url);
  assertEquals(await client.closed(), ["open", "text:a", "binary:00ff", "close:4000:over"]);
  await server.next("close");
});

const waiting: RecipeOptions = { messages: ["a"], wait: "release" };
recipeTest("waits when told so", "push", waiting, async (server) => {
  const client = new LoggingClient(server.url);
  await client.seen("open");
  client.socket.ping();
  await client.seen("pong:");
  assertEquals(client.log, ["open", "pong:"]);
  server.release();
  await client.seen("text:a");
  client.socket.close();
  await client.closed();
});

recipeTest("pings, and reports pongs", "ping", { count: 2, wait: "data" }, async (server) => {
  const client = new LoggingClient(server.url);
  await client.seen("open");
  client.socket.send("now");
  assertEquals(await server.next("pong"), { kind: "pong", payload: "70696e67" });
  assertEquals(await server.next("pong"), { kind: "pong", payload: "70696e67" });
  client.socket.close();
  const log = await client.closed();
  assertEquals(log, ["open", "text:now", "ping:ping", "ping:ping", "close:1005:"]);
});

Deno.test("recipes: next returns each event once, in order, also by kind", async () => {
  const server = await startRecipe("watch");
  const close = server.next("close");
  const client = new LoggingClient(server.url);
  await client.seen("open");
  client.socket.send("one");
  client.socket.send("two");
  client.socket.close(1000);
  await client.closed();
  assertEquals(await close, { kind: "close", code: 1000, reason: "" });
  await server.next("disconnect");
  assertEquals(await server.next("message"), { kind: "message", text: "one" });
  assertEquals((await server.next()).kind, "request");
  assertEquals(await server.next(), { kind: "message", text: "two" });
  await server.close();
  assertEquals(await server.next(), { kind: "end" });
  await assertRejects(() => server.next("close"), Error, "closed, waiting for: close");
});

Deno.test("recipes: close rejects the pending calls and ends every connection", async () => {
  const server = await startRecipe("silent");
  const client = new RawClient(server.url);
  client.request();
  await server.next("request");
  const waiting = server.next("message");
  server.next();
  assertEquals((await server.stats()).open, 1);
  await server.close();
  await assertRejects(() => waiting, Error, "closed, waiting for: message");
  assertEquals((await server.stats()).open, 0);
  await client.end();
  await client.destroy();
  await server.close();
});

Deno.test("recipes: all values of the interface are JSON", async () => {
  await withRecipe("echo", {}, async (server) => {
    const client = new LoggingClient(server.url);
    await client.seen("open");
    client.socket.send(Uint8Array.of(1));
    client.socket.close();
    await client.closed();
    await server.next("disconnect");
    const events = await server.queued();
    assertEquals(JSON.parse(JSON.stringify(events)), events);
    const stats = await server.stats();
    assertEquals(JSON.parse(JSON.stringify(stats)), stats);
    assertEquals([stats.connections, stats.open, stats.bytesPending], [1, 0, 0]);
    assert(stats.bytesSent > 100 && stats.bytesReceived > 100, JSON.stringify(stats));
  });
});
