import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import {
  type ServerWebSocketChannel,
  UnsupportedError,
  upgradeWebSocket,
  type UpgradeWebSocketOptions,
} from "../../src/server/mod.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { RawClient } from "../support/recipe_clients.ts";
import { assertKeepsRequest, assertNoSecond, requestText, upgraded } from "./support.ts";
import { deferred } from "../support/promises.ts";
import { serveDeno, upgradeOnDeno } from "./platform_servers.ts";

async function withDeno(
  options: UpgradeWebSocketOptions,
  body: (url: string, channels: (ServerWebSocketChannel | null)[]) => Promise<void>,
  use = (channel: ServerWebSocketChannel): void =>
    void channel.stream.listen((message) => channel.sink.add(message)),
): Promise<void> {
  const channels: (ServerWebSocketChannel | null)[] = [];
  const server = upgradeOnDeno(options, (channel) => {
    channels.push(channel);
    if (channel !== null) use(channel);
  });
  try {
    await body(`ws://127.0.0.1:${server.port}`, channels);
  } finally {
    for (const channel of channels) channel?.terminate();
    await server.stop();
  }
}

const onDeno = platform() === "deno";

Deno.test({
  name: "upgradeWebSocket: negotiates, adds header fields, and echoes",
  ignore: !onDeno,
  fn: () =>
    withDeno({ protocols: ["chat"], headers: { "Set-Cookie": "a=b" } }, async (url, channels) => {
      const client = NetWebSocketChannel.connect(`${url}/x?y`, { protocols: ["other", "chat"] });
      await client.ready;
      assertEquals([client.protocol, client.response?.headers.get("set-cookie")], ["chat", "a=b"]);
      client.sink.add("hello");
      assertEquals((await client.stream.next()).value, "hello");
      const [channel] = channels;
      assertEquals(channel?.request.url.href, `${url}/x?y`);
      assertEquals(channel?.request.remoteAddress, "127.0.0.1");
      assertEquals(channel?.protocol, "chat");
      assertEquals(channel?.capabilities.ping, false);
      await client.sink.close(1000);
      assertEquals((await channel?.closed)?.code, 1000);
    }),
});

Deno.test({
  name: "upgradeWebSocket: a transformed channel keeps its request and its URL",
  ignore: !onDeno,
  fn: () =>
    withDeno({}, async (url, channels) => {
      const client = NetWebSocketChannel.connect(`${url}/x?y=1`);
      await client.ready;
      for (const channel of channels) if (channel) assertKeepsRequest(channel, `${url}/x?y=…`);
      assertEquals(channels.length, 1);
      await client.sink.close();
    }, () => {}),
});

Deno.test({
  name: "upgradeWebSocket: a refusal has a status and creates no channel",
  ignore: !onDeno,
  fn: () =>
    withDeno({ verify: ({ url }) => url.pathname === "/" }, async (url, channels) => {
      const refused: [changes: Record<string, string>, line: string, status: number][] = [
        [{ Origin: "https://evil.example" }, "GET / HTTP/1.1", 403],
        [{ "Sec-WebSocket-Version": "8" }, "GET / HTTP/1.1", 426],
        [{ "Sec-WebSocket-Key": "x" }, "GET / HTTP/1.1", 400],
        [{ Upgrade: "h2c" }, "GET / HTTP/1.1", 426],
        [{}, "POST / HTTP/1.1", 405],
        [{}, "GET /other HTTP/1.1", 403],
      ];
      for (const [changes, line, status] of refused) {
        const client = new RawClient(url);
        client.socket.write(requestText(changes, line));
        const head = await client.response();
        assertStringIncludes(head, `HTTP/1.1 ${status} `, JSON.stringify(changes));
        assertStringIncludes(head.toLowerCase(), "connection: close");
        await client.destroy();
      }
      assertEquals(channels, refused.map(() => null));
      const error = await NetWebSocketChannel.connect(`${url}/other`).ready.catch((it) => it);
      const text = new TextDecoder().decode(error.response.body);
      assertEquals([error.status, text], [403, "Forbidden\n"]);
    }),
});

Deno.test({
  name:
    "attack 35: upgradeWebSocket: the server never reads a second request behind a refused upgrade",
  ignore: !onDeno,
  fn: () =>
    withDeno({ verify: () => false }, async (url, channels) => {
      const sent = await assertNoSecond({ url });
      assertEquals(channels.length, sent);
      // A plain request gets a complete response.
      const page = await fetch(url.replace("ws:", "http:"), { headers: { Connection: "close" } });
      assertEquals([page.status, await page.text()], [426, "This address speaks WebSocket only"]);
    }),
});

Deno.test({
  name: "upgradeWebSocket: pings, and ends the connection of a client that doesn't answer",
  ignore: !onDeno,
  fn: () =>
    withDeno({ pingInterval: 1, closeTimeout: 20 }, async (url, channels) => {
      const client = await upgraded({ url });
      // Deno counts whole seconds.
      assertEquals(await client.hex(2), "8900");
      const { error, ...info } = await channels[0]?.closed ?? {};
      assertEquals(info, { code: 1006, reason: "", wasClean: false, initiator: "transport" });
      assertStringIncludes((error as Error).message, "was lost");
      await client.destroy();
    }),
});

Deno.test({
  name: "upgradeWebSocket: a second call for the same request throws an InvalidStateError",
  ignore: !onDeno,
  async fn() {
    let second: unknown;
    const server = serveDeno(async (request, info) => {
      const { response, channel } = await upgradeWebSocket(request, { info });
      second = await upgradeWebSocket(request, { info }).catch((error) => error);
      channel?.stream.listen((message) => channel.sink.add(message));
      return response;
    });
    try {
      const client = await upgraded({ url: `ws://127.0.0.1:${server.port}` });
      await client.destroy();
    } finally {
      await server.stop();
    }
    assertEquals((second as DOMException).name, "InvalidStateError");
  },
});

Deno.test("upgradeWebSocket: throws an UnsupportedError for unsupported options and on other platforms", async () => {
  const request = new Request("http://a.example");
  const wishes: UpgradeWebSocketOptions[] = onDeno
    ? [{ compression: true }, { compression: () => true }, { maxMessageSize: 1 }, {
      pingTimeout: 1,
    }]
    : [{}];
  for (const options of wishes) {
    await assertRejects(() => upgradeWebSocket(request, options), UnsupportedError);
  }
});

for (
  const [what, answer] of [
    ["throws", () => Promise.reject(new Error("a fault of the handler's"))],
    ["answers otherwise", () => new Response("something else")],
  ] as const
) {
  Deno.test({
    name: `upgradeWebSocket: a handler that ${what}: ready rejects at handshakeTimeout`,
    ignore: !onDeno,
    // Deno keeps the upgrade that it never completes.
    sanitizeOps: false,
    async fn() {
      const { promise: given, resolve: give } = deferred<ServerWebSocketChannel>();
      const server = Deno.serve(
        { port: 0, hostname: "127.0.0.1", onListen() {}, onError: () => new Response("fault") },
        async (request) => {
          const { channel } = await upgradeWebSocket(request, { handshakeTimeout: 20 });
          if (channel !== null) give(channel);
          return await answer();
        },
      );
      const client = new RawClient(`ws://127.0.0.1:${server.addr.port}`);
      client.request();
      const channel = await given;
      const error = await assertRejects(() => channel.ready, DOMException);
      assertEquals(error.name, "TimeoutError");
      assertStringIncludes(error.message, "20 ms");
      assertEquals((await channel.closed).initiator, "timeout");
      await client.destroy();
      // Deno reports this when the server has ended.
      await server.finished;
    },
  });
}
