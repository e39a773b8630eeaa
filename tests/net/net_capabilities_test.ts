/** Tests each claimed capability of the net transport on each runtime. */

import { assert, assertEquals } from "@std/assert";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { NET_CAPABILITIES } from "../../src/net/net_capabilities.ts";
import { NO_CAPABILITIES } from "../../src/web_socket/capabilities.ts";
import type { IncomingMessage } from "../../src/web_socket/incoming_message.ts";
import type { Capability } from "../../src/web_socket/capabilities.ts";
import { startProxy, startTls } from "../support/net_peers.ts";
import { startRecipe, withRecipe } from "../support/recipes.ts";
import { assertReaches, certificates, connectFailure, withAll } from "./support.ts";

/** A test of each capability. */
const shown: Record<Capability, () => Promise<void>> = {
  headers: () =>
    withRecipe("echo", {}, async (echo) => {
      await assertReaches(echo.url, { headers: { "X-A": "b" } });
      assertEquals((await echo.next("request")).headers["x-a"], "b");
    }),
  ping: () =>
    withRecipe("watch", {}, async ({ url }) => {
      const channel = NetWebSocketChannel.connect(url);
      assert(await channel.ping() >= 0);
      await channel.sink.close();
    }),
  terminate: () =>
    withRecipe("watch", {}, async (server) => {
      const channel = NetWebSocketChannel.connect(server.url);
      await channel.ready;
      channel.terminate();
      assertEquals((await server.next("close")).code, 1006);
    }),
  inboundBackpressure: () =>
    withRecipe("flood-until-blocked", { count: 2000 }, async (server) => {
      const channel = NetWebSocketChannel.connect(server.url);
      await channel.ready;
      let before = -1;
      for (let now = 0; now !== before;) {
        before = now;
        now = (await server.stats()).bytesSent;
      }
      assert(before < 16 * 1024 * 1024, `${before} bytes were sent`);
      channel.terminate();
    }),
  messageLimit: () =>
    withRecipe("echo", {}, async ({ url }) => {
      const channel = NetWebSocketChannel.connect(url, { maxMessageSize: 10 });
      channel.sink.add("x".repeat(11));
      assertEquals((await channel.closed).sent?.code, 1009);
    }),
  compressionOptions: () =>
    withRecipe("echo", { compression: true }, async (echo) => {
      for (const [compression, offers] of [[false, false], [true, true], [{}, true]] as const) {
        const channel = await assertReaches(echo.url, { compression });
        const { headers } = await echo.next("request");
        assertEquals(headers["sec-websocket-extensions"] !== undefined, offers);
        assertEquals(channel.extensions.startsWith("permessage-deflate"), offers);
      }
    }),
  tls: async () => {
    const { authority, local } = certificates();
    const echo = await startRecipe("echo");
    await withAll([echo, await startTls(echo.url, local)], async (_, { port }) => {
      await assertReaches(`wss://localhost:${port}`, { tls: { ca: authority.cert } });
    });
  },
  proxy: async () => {
    await withAll([await startRecipe("echo"), await startProxy()], async ({ url }, proxy) => {
      await assertReaches(url, { proxy: `http://127.0.0.1:${proxy.port}` });
      assertEquals(proxy.connections, 1);
    });
  },
  handshakeResponse: async () => {
    await withRecipe("echo", { headers: { "X-A": "b" } }, async ({ url }) => {
      const { response } = await assertReaches(url);
      assertEquals([response?.status, response?.headers.get("x-a")], [101, "b"]);
    });
    await withRecipe("http", { status: 503, body: "later" }, async ({ url }) => {
      const { response } = await connectFailure(url);
      assertEquals([response?.status, new TextDecoder().decode(response?.body)], [503, "later"]);
    });
  },
  allCloseCodes: () =>
    withRecipe("watch", {}, async (server) => {
      const channel = NetWebSocketChannel.connect(server.url);
      await channel.ready;
      await channel.sink.close(1011, "broken");
      assertEquals((await server.next("close")).code, 1011);
    }),
  messageStreams: () =>
    withRecipe("echo", {}, async ({ url }) => {
      const channel = NetWebSocketChannel.connect(url, { streamLargerThan: 3 });
      await channel.sink.addMessage(["str", "eam"], { kind: "text" });
      const { value } = await channel.stream.next();
      const { readable } = value as unknown as IncomingMessage;
      let text = "";
      for await (const part of readable) text += part;
      assertEquals(text, "stream");
      await channel.sink.close();
    }),
  failureCause: () =>
    withRecipe("http", { status: 503, headers: { "Retry-After": "7" } }, async ({ url }) => {
      const { phase, status, retryable, retryAfter } = await connectFailure(url);
      assertEquals([phase, status, retryable, retryAfter], ["handshake", 503, true, 7000]);
    }),
};

Deno.test("net capabilities: a test covers every capability", () => {
  assertEquals(Object.keys(NET_CAPABILITIES), Object.keys(NO_CAPABILITIES));
  assertEquals(Object.keys(shown).sort(), Object.keys(NO_CAPABILITIES).sort());
});

for (const [name, show] of Object.entries(shown)) {
  Deno.test(`net capabilities: ${name}`, async () => {
    assertEquals(NET_CAPABILITIES[name as Capability], true);
    await show();
  });
}
