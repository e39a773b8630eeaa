/**
 * Attacks on a client through a server, a proxy or an argument, on whole channels: bounded
 * memory, a typed error, and a process that keeps running. Each single layer has tests of its own.
 */

import { assert, assertEquals, assertInstanceOf, assertMatch, assertThrows } from "@std/assert";
import { ConnectError, type ConnectOptions, WebSocketChannel } from "../../mod.ts";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { createIdentity } from "../support/certificates.ts";
import { startProxy, startTls } from "../support/net_peers.ts";
import {
  type RecipeOptions,
  type RecipeServer,
  startRecipe,
  withRecipe,
} from "../support/recipes.ts";
import { assertNoUncaught } from "../support/unhandled.ts";

const GOOD = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Accept: {accept}\r\n";

/** Connects to a server that sends the given answer; returns the error. */
async function refused(
  recipe: RecipeOptions,
  options: ConnectOptions = {},
): Promise<
  { error: unknown; received: number; stats: Awaited<ReturnType<RecipeServer["stats"]>> }
> {
  let result: Awaited<ReturnType<typeof refused>> | undefined;
  await assertNoUncaught(() =>
    withRecipe("http", recipe, async (server) => {
      const channel = NetWebSocketChannel.connect(server.url, { closeTimeout: 200, ...options });
      let received = 0;
      channel.stream.listen(() => received++);
      const error = await channel.ready.then(() => null, (it: unknown) => it);
      channel.terminate();
      await channel.closed;
      // The client has ended the connection: nothing of the attempt continues.
      await server.next("disconnect");
      result = { error, received, stats: await server.stats() };
    })
  );
  if (result === undefined) throw new Error("no result");
  return result;
}

async function assertRefused(
  name: string,
  recipe: RecipeOptions,
  part: string,
): Promise<ConnectError> {
  const { error, received, stats } = await refused(recipe);
  assertInstanceOf(error, ConnectError, name);
  assert(error.message.includes(part), `${name}: ${error.message}`);
  assertEquals([error.phase, received], ["handshake", 0], name);
  // Loopback's buffers hold a few MB; the client reads no more than its limit.
  assert(stats.bytesSent < 16 * 1024 * 1024, `${name}: ${stats.bytesSent} bytes were taken`);
  return error;
}

// Answers of a server.

const floods: [name: string, recipe: RecipeOptions, part: string][] = [
  ["more header lines than 128", {
    response: `HTTP/1.1 101 X\r\n${"a: b\r\n".repeat(129)}\r\n`,
  }, "more than 128 lines"],
  [
    "header lines without an end",
    { response: "HTTP/1.1 101 X\r\n", repeat: "a: b\r\n" },
    "more than",
  ],
  [
    "one header line without an end",
    { response: "HTTP/1.1 101 X\r\na: ", repeat: "x" },
    "larger than",
  ],
  ["a status line without an end", { response: "HTTP/1.1 101 ", repeat: "x" }, "longer than 8192"],
  ["interim answers without an end", {
    response: "",
    repeat: "HTTP/1.1 100 Continue\r\n\r\n",
  }, "interim"],
  ["bytes that aren't HTTP", { response: "\0\0\0\0" }, 'it begins with "\\x00\\x00\\x00\\x00"'],
  ["an answer in HTTP/2's way", { response: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" }, "not HTTP/1.1"],
  ["a banner without the end of a line", { response: "SSH-2.0-x" }, 'it begins with "SSH-2.0-x"'],
  ["a status that is no number", { response: "HTTP/1.1 abc" }, 'it begins with "HTTP/1.1 abc"'],
  [
    "a line that isn't a header line",
    { response: "HTTP/1.1 200 OK\r\nDate\r\n" },
    'the head has a malformed line: "Date"',
  ],
];
for (const [name, recipe, part] of floods) {
  Deno.test(`attack 26: ${name}`, async () => {
    await assertRefused(name, { then: "open", ...recipe }, part);
  });
}

Deno.test("attack 26: a refusal's body without a length and without an end: the client reads 64 KiB", async () => {
  const error = await assertRefused("body", {
    response: "HTTP/1.1 403 No\r\n\r\n",
    repeat: "x",
  }, "the server answered 403 No");
  assertEquals([error.status, error.response?.body.length], [403, 64 * 1024]);
});

Deno.test("attack 26: a refusal's body shorter than its Content-Length", async () => {
  const error = await assertRefused("body", {
    response: "HTTP/1.1 403 No\r\nContent-Length: 99999999999\r\n\r\nshort",
    then: "open",
  }, "the server answered 403 No");
  assertEquals(new TextDecoder().decode(error.response?.body), "short");
});

Deno.test("attack 26: an answer in single bytes, forever: one deadline covers the whole attempt", async () => {
  const { error } = await refused({
    response: "HTTP/1.1 101 X\r\n" + "a: b\r\n".repeat(100),
    pieces: 1,
    then: "open",
  }, { connectTimeout: 150 });
  assertEquals((error as Error).name, "TimeoutError");
  assertMatch(
    (error as Error).message,
    /^Cannot connect to ws:\/\/.*: it took longer than 150 ms, in phase handshake$/,
  );
});

const wrong: [name: string, response: string, part: string][] = [
  ["no Upgrade", GOOD.replace("Upgrade: websocket\r\n", "") + "\r\n", "Upgrade is missing"],
  ["another Upgrade", GOOD.replace("websocket", "h2c") + "\r\n", "Upgrade is invalid"],
  ["no Connection", GOOD.replace("Connection: Upgrade\r\n", "") + "\r\n", "Connection is missing"],
  [
    "a Connection without upgrade",
    GOOD.replace("n: Upgrade", "n: close") + "\r\n",
    "Connection is invalid",
  ],
  ["no Accept", GOOD.replace(/Sec.*\r\n/, "") + "\r\n", "Accept is missing"],
  [
    "a wrong Accept",
    GOOD.replace("{accept}", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") + "\r\n",
    "Accept is invalid",
  ],
  ["two Accepts", `${GOOD}Sec-WebSocket-Accept: {accept}\r\n\r\n`, "Accept is invalid"],
  [
    "a subprotocol not offered",
    `${GOOD}Sec-WebSocket-Protocol: x\r\n\r\n`,
    "chose a subprotocol",
  ],
  [
    "two subprotocols",
    `${GOOD}Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n\r\n`,
    "Protocol is invalid",
  ],
  [
    "an extension not offered",
    `${GOOD}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n`,
    "xtension",
  ],
  ["HTTP/1.0", GOOD.replace("1.1", "1.0") + "\r\n", "HTTP/1.0"],
  ["a folded header line", `${GOOD}a: b\r\n c\r\n\r\n`, "the head has a malformed line"],
  ["a space before the colon", `${GOOD}a : b\r\n\r\n`, "the head has a malformed line"],
  ["an LF alone", GOOD.replaceAll("\r\n", "\n") + "\n", "LF without CR"],
];
for (const [name, response, part] of wrong) {
  Deno.test(`attack 27: ${name}`, async () => {
    const error = await assertRefused(name, { response, then: "open" }, part);
    assertEquals(error.retryable, false);
  });
}

Deno.test("attack 28: frames in the same packet as the answer are not lost", async () => {
  await withRecipe("http", {
    response: `${GOOD}\r\n\x81\x02hi\x82\x01\x07\x88\x02\x03\xe8`,
    then: "end",
  }, async ({ url }) => {
    const channel = NetWebSocketChannel.connect(url);
    const messages: unknown[] = [];
    for await (const message of channel.stream) messages.push(message);
    assertEquals(messages, ["hi", Uint8Array.of(7)]);
    assertEquals((await channel.closed).received, { code: 1000, reason: "" });
  });
});

Deno.test("attack 28: frames behind a wrong answer are never read as frames", async () => {
  const response = GOOD.replace("{accept}", "wrong") + "\r\n\x81\x02hi";
  await assertRefused("frames", { response, then: "open" }, "Accept is invalid");
});

// Arguments.

Deno.test("attack 29: connect refuses line ends and values that aren't tokens at once, and sends nothing", () => {
  const bad: [url: string, options: ConnectOptions][] = [
    ["ws://a.test", { headers: { "X-A": "b\r\nX-Evil: c" } }],
    ["ws://a.test", { headers: { "X-A": "b\nX-Evil: c" } }],
    ["ws://a.test", { headers: { "X-A": "b\0" } }],
    ["ws://a.test", { headers: { "X A": "b" } }],
    ["ws://a.test", { headers: { "X-A:": "b" } }],
    ["ws://a.test", { headers: [["X-A\r\nX-Evil", "b"]] }],
    ["ws://a.test", { headers: { Host: "b.test\r\nX-Evil: c" } }],
    ["ws://a.test", { headers: { Upgrade: "h2c" } }],
    ["ws://a.test", { headers: { connection: "close" } }],
    ["ws://a.test", { headers: { "sec-websocket-key": "x" } }],
    ["ws://a.test", { headers: { "Content-Length": "5" } }],
    ["ws://a.test", { headers: { "Transfer-Encoding": "chunked" } }],
    ["ws://a.test", { origin: "http://b.test\r\nX-Evil: c" }],
    ["ws://a.test", { protocols: ["a\r\nX-Evil: c"] }],
    ["ws://a.test", { protocols: "a, b" }],
    ["ws://a.test", { proxy: "http://a b.test" }],
    ["ws://a b.test", {}],
  ];
  for (const [url, options] of bad) {
    for (const connect of [WebSocketChannel.connect, NetWebSocketChannel.connect]) {
      assertThrows(() => connect(url, options), Error, undefined, JSON.stringify([url, options]));
    }
  }
});

Deno.test("attack 29: a URL's path and user info are escaped", async () => {
  await withRecipe("echo", {}, async (echo) => {
    const { host } = new URL(echo.url);
    const url = `ws://a%0d%0aX-Evil:b%0d%0a@${host}/p\r\nath%0d%0aX-Evil: c?q=\r\n"<> é`;
    const channel = NetWebSocketChannel.connect(url);
    await channel.ready;
    const { path, lines } = await echo.next("request");
    assertEquals(path, "/path%0d%0aX-Evil:%20c?q=%22%3C%3E%20%C3%A9");
    assertEquals(lines.some(([name]) => name === "X-Evil"), false);
    assertEquals(
      lines.find(([name]) => name === "Authorization")?.[1],
      `Basic ${btoa("a\r\nX-Evil:b\r\n")}`,
    );
    await channel.sink.close();
  });
});

Deno.test("attack 29: the proxy's host and credentials can't add lines to a request", async () => {
  const proxy = await startProxy({ answer: "HTTP/1.1 403 No\r\n\r\n" });
  try {
    const channel = NetWebSocketChannel.connect("ws://a.test", {
      proxy: `http://u%0d%0aX-Evil:b@127.0.0.1:${proxy.port}`,
    });
    assertInstanceOf(await channel.ready.catch((it: unknown) => it), ConnectError);
    assertEquals(proxy.requests[0]?.split("\r\n"), [
      "CONNECT a.test:80 HTTP/1.1",
      "Host: a.test:80",
      `Proxy-Authorization: Basic ${btoa("u\r\nX-Evil:b")}`,
      "",
      "",
    ]);
  } finally {
    await proxy.close();
  }
});

// Redirects, proxies, TLS and names; tests/net has more tests of each.

Deno.test("attack 30: a client on wss: follows no redirect to ws:", async () => {
  const issuer = createIdentity({ commonName: "authority" });
  const identity = createIdentity({ names: ["localhost"], issuer });
  const echo = await startRecipe("echo");
  const http = await startRecipe("http", { status: 302, headers: { Location: echo.url } });
  const tls = await startTls(http.url, identity);
  try {
    const channel = NetWebSocketChannel.connect(`wss://localhost:${tls.port}`, {
      followRedirects: true,
      tls: { ca: issuer.cert },
    });
    const error = await channel.ready.catch((it: unknown) => it);
    assertInstanceOf(error, ConnectError);
    assert(error.message.endsWith("the redirect leads from wss: to ws:"), error.message);
    assertEquals([error.status, error.retryable], [302, false]);
    assertEquals((await echo.stats()).connections, 0);
  } finally {
    for (const it of [tls, http, echo]) await it.close();
  }
});

Deno.test("attack 30: a client that connects over a Unix socket follows no redirect away from it", async () => {
  const echo = await startRecipe("echo");
  const http = await startRecipe("http", { status: 302, headers: { Location: echo.url } });
  const { startUnixSocket } = await import("../support/net_peers.ts");
  const { tmpdir } = await import("node:os");
  const path = `${tmpdir()}/client-test-${crypto.randomUUID()}.sock`;
  const unix = await startUnixSocket(path, http.url);
  try {
    const channel = NetWebSocketChannel.connect("ws://service.test", {
      socketPath: path,
      followRedirects: true,
    });
    const error = await channel.ready.catch((it: unknown) => it);
    assertInstanceOf(error, ConnectError);
    assert(error.message.endsWith("the redirect leads away from the Unix socket"), error.message);
    assertEquals((await echo.stats()).connections, 0);
  } finally {
    for (const it of [unix, http, echo]) await it.close();
  }
});

Deno.test("attack 31: a proxy can't insert its own answer before the server's", async () => {
  const echo = await startRecipe("echo");
  const proxy = await startProxy({ extra: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" });
  try {
    const channel = NetWebSocketChannel.connect(echo.url, {
      proxy: `http://127.0.0.1:${proxy.port}`,
    });
    const error = await channel.ready.catch((it: unknown) => it);
    assertInstanceOf(error, ConnectError);
    assertEquals(error.phase, "proxy");
    assertEquals((await echo.queued()).filter(({ kind }) => kind === "request"), []);
  } finally {
    await proxy.close();
    await echo.close();
  }
});

Deno.test("attack 32: no environment variable turns off the check of certificates", async () => {
  const { process } = globalThis as unknown as { process: { env: Record<string, string> } };
  const identity = createIdentity({ names: ["localhost"] });
  const echo = await startRecipe("echo");
  const tls = await startTls(echo.url, identity);
  try {
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    const channel = NetWebSocketChannel.connect(`wss://localhost:${tls.port}`);
    const error = await channel.ready.catch((it: unknown) => it);
    assertInstanceOf(error, ConnectError);
    assertEquals([error.phase, error.retryable], ["tls", false]);
  } finally {
    delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    await tls.close();
    await echo.close();
  }
});

Deno.test("attack 33: the client connects to the address that it checked, though the name's address changes", async () => {
  await withRecipe("echo", {}, async (echo) => {
    // The second answer has a private address; the client never asks for it.
    const answers = ["127.0.0.1", "127.0.0.66"];
    const channel = NetWebSocketChannel.connect(`ws://rebind.test:${new URL(echo.url).port}`, {
      lookup: (_name, _options, callback) => callback(null, answers.shift() ?? "", 4),
    });
    await channel.ready;
    assertEquals(answers, ["127.0.0.66"]);
    await channel.sink.close();
  });
});
