// Deno only: it is about Deno.serve

import { assertEquals } from "@std/assert";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { upgradeWebSocket } from "../../src/server/mod.ts";
import { until } from "../support/turns.ts";
import { linesOf, recorded } from "./support.ts";

Deno.test("W19 a server on Deno.serve publishes the same events, and counts a message once for the rate limit", async () => {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { response } = await upgradeWebSocket(request, {
      verify: ({ url }) => url.pathname !== "/no",
      rateLimit: { messages: 2, per: 60_000, action: "close" },
      async handler(channel) {
        for await (const message of channel.stream) channel.sink.add(message);
      },
    });
    return response;
  });
  const url = `ws://127.0.0.1:${server.addr.port}`;
  const events = await recorded(async (events) => {
    const client = NetWebSocketChannel.connect(url);
    for (const text of ["one", "two"]) {
      client.sink.add(text);
      assertEquals((await client.stream.next()).value, text);
    }
    await client.sink.close(1000);
    await until(() => linesOf(events, "server").length === 7);
    await NetWebSocketChannel.connect(`${url}/no`).closed;
    await until(() => linesOf(events, "server").length === 9);
  });
  await server.shutdown();
  assertEquals(linesOf(events, "server"), [
    "connect",
    "open",
    "received text 3",
    "sent text 3",
    "received text 3",
    "sent text 3",
    "close 1000 true remote",
    "connect",
    "refused 403 verify",
  ]);
  assertEquals(
    events.filter(({ on, event }) => on === "open" && event.connection.side === "server").map((
      { event },
    ) => event.connection.transport),
    ["native"],
  );
});
