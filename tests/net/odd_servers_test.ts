/** Odd but frequent servers. */

import { assertEquals, assertMatch } from "@std/assert";
import { USER_AGENT } from "../../src/handshake/client_handshake.ts";
import { connect } from "../../src/connect.ts";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { hex } from "../support/bytes.ts";
import { closeFrame, frame } from "../support/frames.ts";
import { type RecipeOptions, withRecipe } from "../support/recipes.ts";
import { nextChannel, upgraded, withServer } from "../server/support.ts";
import { assertReaches, connectFailure } from "./support.ts";

const UPGRADED = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" +
  "Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n";

const answers: [name: string, answer: RecipeOptions, text: string, status: number | null][] = [
  [
    "an SSH server",
    { response: "SSH-2.0-OpenSSH_9.6\r\n", then: "open" },
    'the answer is not HTTP/1.1: it begins with "SSH-2.0-OpenSSH_9.6"',
    null,
  ],
  [
    "a status that is not a number",
    { response: "HTTP/1.1 abc", then: "open" },
    'the answer is not HTTP/1.1: it begins with "HTTP/1.1 abc"',
    null,
  ],
  [
    "a TLS server",
    { response: "\x15\x03\x01\x00\x02\x02\x46", then: "open" },
    "the answer is TLS, not HTTP: is the scheme right?",
    null,
  ],
  [
    "a page",
    { status: 200, headers: { "Content-Type": "text/html" }, body: "<!doctype html>" },
    "the server answered 200 OK, text/html: is the path proxied to a WebSocket server?",
    200,
  ],
  [
    "a proxy whose server has ended",
    { response: "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", then: "open" },
    "the server answered 502 Bad Gateway: a proxy got no valid answer from the server behind it",
    502,
  ],
  [
    "a proxy whose server is slow",
    { response: "HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n", then: "open" },
    "the server answered 504 Gateway Timeout: " +
    "a proxy got no answer in time from the server behind it",
    504,
  ],
];
for (const [name, answer, text, status] of answers) {
  Deno.test(`odd servers attack 62: ${name} fails the attempt as soon as the bytes are conclusive`, async () => {
    await withRecipe("http", answer, async ({ url }) => {
      // There is no timeout: only the answer can end the attempt.
      const error = await connectFailure(url, { connectTimeout: 0 });
      assertEquals(error.message, `Cannot connect to ${url}/: ${text}`);
      const isProxy = status === 502 || status === 504;
      assertEquals([error.phase, error.status, error.retryable], ["handshake", status, isProxy]);
    });
  });
}

Deno.test("odd servers: an empty subprotocol and empty extensions count as none", async () => {
  const response = `${UPGRADED}Sec-WebSocket-Protocol:\r\nSec-WebSocket-Extensions: \r\n\r\n`;
  await withRecipe("http", { response, then: "open" }, async ({ url }) => {
    const channel = NetWebSocketChannel.connect(url, { compression: true });
    await channel.ready;
    assertEquals([channel.protocol, channel.extensions], [null, ""]);
    channel.terminate();
    await channel.closed;
  });
});

Deno.test("odd servers: a bare offer of compression works", async () => {
  await withServer({ compression: true }, async (server) => {
    const compression = { offer: "bare", threshold: 0 } as const;
    const channel = NetWebSocketChannel.connect(server.url, { compression });
    const peer = await nextChannel(server);
    await channel.ready;
    const offered = peer.request.headers.get("sec-websocket-extensions");
    assertEquals(offered, "permessage-deflate");
    assertMatch(channel.extensions, /^permessage-deflate\b/);
    const text = "abc".repeat(1000);
    channel.sink.add(text);
    assertEquals((await peer.stream.next()).value, text);
    peer.sink.add(text);
    assertEquals((await channel.stream.next()).value, text);
    await channel.sink.close();
  });
});

Deno.test("odd servers: a peer that answers our Close with 1005 ends as a local close", async () => {
  for (const code of [1000, undefined]) {
    await withRecipe("raw", { answers: true, code: 1005 }, async ({ url }) => {
      const channel = NetWebSocketChannel.connect(url);
      await channel.ready;
      await channel.sink.close(code);
      assertEquals(await channel.closed, {
        code: 1005,
        reason: "",
        wasClean: true,
        initiator: "local",
        sent: { code: code ?? 1005, reason: "" },
        received: { code: 1005, reason: "" },
      });
    });
  }
  // A peer may not send 1005 in a Close.
  const frames = hex(closeFrame(1005));
  await withRecipe("raw", { frames }, async ({ url }) => {
    const channel = NetWebSocketChannel.connect(url);
    await channel.ready;
    assertEquals((await channel.closed).initiator, "protocol-error");
  });
});

Deno.test("odd servers: a client sends a User-Agent, unless the user replaces or removes it", async () => {
  await withRecipe("echo", {}, async (server) => {
    assertMatch(USER_AGENT, /^web-socket-channel\/\d+\.\d+\.\d+$/);
    const cases = [
      [{}, USER_AGENT],
      [{ userAgent: "mine/1" }, "mine/1"],
      [{ headers: { "USER-AGENT": "mine/2" } }, "mine/2"],
      [{ userAgent: null }, undefined],
      [{ userAgent: "" }, undefined],
    ] as const;
    for (const [options, expected] of cases) {
      await assertReaches(server.url, options);
      assertEquals((await server.next("request")).headers["user-agent"], expected);
    }
  });
});

Deno.test("odd servers: the channel delivers text that isn't UTF-8, if an option allows it", async () => {
  const frames = hex(frame({ opcode: 1, payload: Uint8Array.of(0x61, 0xff) }));
  const cases = [
    [{ invalidText: "replace" }, "a\ufffd"],
    [{ invalidText: "bytes" }, Uint8Array.of(0x61, 0xff)],
  ] as const;
  for (const [options, expected] of cases) {
    await withRecipe("raw", { frames, answers: true }, async ({ url }) => {
      // The option selects a transport that supports it.
      const channel = connect(url, options);
      assertEquals((await channel.stream.next()).value, expected);
      await channel.sink.close();
    });
  }
  await withRecipe("raw", { frames }, async ({ url }) => {
    const channel = connect(url, { invalidText: "fail", transport: "net" });
    await channel.ready;
    assertEquals((await channel.closed).sent?.code, 1007);
  });
  await withServer({ invalidText: "replace" }, async (server) => {
    const client = await upgraded(server);
    const channel = await nextChannel(server);
    client.send(1, Uint8Array.of(0x61, 0xff));
    assertEquals((await channel.stream.next()).value, "a\ufffd");
    await client.destroy();
  });
});
