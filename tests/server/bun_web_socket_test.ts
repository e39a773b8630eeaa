import { assertEquals, assertThrows } from "@std/assert";
import { ConnectError, NetWebSocketChannel } from "../../src/net/mod.ts";
import {
  bunWebSocket,
  type PlatformUpgradeOptions,
  type ServerWebSocketChannel,
  UnsupportedError,
} from "../../src/server/mod.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { assertNoSecond, refusalOf, requestText } from "./support.ts";
import { upgradeOnBun } from "./platform_servers.ts";

async function withBun(
  options: PlatformUpgradeOptions,
  body: (url: string, channels: (ServerWebSocketChannel | null)[]) => Promise<void>,
): Promise<void> {
  const channels: (ServerWebSocketChannel | null)[] = [];
  const server = upgradeOnBun(options, (channel) => {
    channels.push(channel);
    channel?.stream.listen((message) => channel.sink.add(message));
  });
  try {
    await body(`ws://127.0.0.1:${server.port}`, channels);
  } finally {
    for (const channel of channels) channel?.terminate();
    await server.stop(true);
  }
}

const onBun = platform() === "bun";

Deno.test({
  name: "bunWebSocket: negotiates, adds header fields, echoes, and limits messages",
  ignore: !onBun,
  async fn() {
    const options = {
      protocols: ["chat"],
      headers: { "Set-Cookie": "a=b" },
      compression: true,
      maxMessageSize: 1000,
    };
    await withBun(options, async (url, channels) => {
      const client = NetWebSocketChannel.connect(`${url}/x?y`, {
        protocols: ["other", "chat"],
        compression: { threshold: 0 },
      });
      await client.ready;
      assertEquals([client.protocol, client.response?.headers.get("set-cookie")], ["chat", "a=b"]);
      assertEquals(client.extensions.startsWith("permessage-deflate"), true);
      for (const message of ["hello", Uint8Array.of(1, 2)]) {
        client.sink.add(message);
        assertEquals((await client.stream.next()).value, message);
      }
      const [channel] = channels;
      assertEquals(channel?.request.url.href, `${url}/x?y`);
      assertEquals([channel?.protocol, channel?.capabilities.terminate], ["chat", true]);
      client.sink.add(new Uint8Array(1001));
      assertEquals((await client.closed).code, 1009);
      await channel?.closed;
    });
  },
});

Deno.test({
  name: "bunWebSocket: a refusal has a status and creates no channel",
  ignore: !onBun,
  async fn() {
    await withBun({ verify: ({ url }) => url.pathname === "/" }, async (url, channels) => {
      const client = NetWebSocketChannel.connect(`${url}/other`);
      const error = (await client.closed).error as ConnectError;
      assertEquals([error instanceof ConnectError, error.status], [true, 403]);
      const text = requestText({ Origin: "https://evil.example" });
      assertEquals((await refusalOf({ url }, text)).status, 403);
      assertEquals(channels, [null, null]);
    });
  },
});

Deno.test({
  name: "attack 35: bunWebSocket: the server never reads a second request behind a refused upgrade",
  ignore: !onBun,
  async fn() {
    await withBun({ verify: () => false }, async (url, channels) => {
      const sent = await assertNoSecond({ url });
      assertEquals(channels.length, sent);
    });
  },
});

Deno.test("bunWebSocket: passes settings to Bun, and throws for unsupported options", () => {
  const { websocket } = bunWebSocket();
  assertEquals(
    [websocket.idleTimeout, websocket.sendPings, websocket.perMessageDeflate],
    [30, true, false],
  );
  assertEquals(websocket.maxPayloadLength, 100 * 1024 * 1024);
  const never = bunWebSocket({ pingInterval: 0 }).websocket;
  assertEquals([never.idleTimeout, never.sendPings], [0, false]);
  for (const [pingInterval, idleTimeout] of [[7001, 8], [8000, 8], [960_000, 960]]) {
    assertEquals(bunWebSocket({ pingInterval }).websocket.idleTimeout, idleTimeout);
  }
  for (const pingInterval of [1, 7000, 960_001, 10_000_000]) {
    const error = assertThrows(() => bunWebSocket({ pingInterval }), UnsupportedError);
    assertEquals([error.capability, error.message], [
      "pingInterval",
      `Unsupported on ${platform()}: pingInterval. Bun supports 0, or 8000 to 960000 ` +
      `milliseconds, got ${pingInterval}; WebSocketServer and acceptUpgrade support any interval`,
    ]);
  }
  assertThrows(() => bunWebSocket({ pingTimeout: 1 }), UnsupportedError);
  assertThrows(() => bunWebSocket({ compression: { level: 1 } }), UnsupportedError);
  assertThrows(() => bunWebSocket({ compression: () => true }), UnsupportedError);
  assertThrows(() => bunWebSocket({ maxMessageSize: -1 }), RangeError);
});
