/** Sessions of servers that aren't ours: any `node:http` server, `Deno.serve`, `Bun.serve`. */

import { assertEquals } from "@std/assert";
import { createServer } from "node:http";
import { ReconnectingChannel, resumption, Sessions } from "../../src/reconnecting/mod.ts";
import {
  acceptUpgrade,
  type ConnectionHandler,
  type ServerWebSocketChannel,
} from "../../src/server/mod.ts";
import type { Message } from "../../src/web_socket/web_socket_channel.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { closeServer, listen } from "../support/loopback.ts";
import { upgradeOnBun, upgradeOnDeno } from "../server/platform_servers.ts";
import { until } from "../support/turns.ts";

/** A session over three connections, and its end. */
async function tryOut(
  sessions: Sessions,
  start: (handler: ConnectionHandler) => Promise<{ url: string; close(): Promise<void> }>,
): Promise<void> {
  const channels: ServerWebSocketChannel[] = [];
  const server = await start(sessions.handler((channel) => {
    channels.push(channel);
    channel.stream.listen((message) => channel.sink.add(message));
  }));
  const channel = ReconnectingChannel.connect(
    { url: server.url, protocols: ["v2"], transport: "net" },
    { resume: resumption(), firstDelay: 1 },
  );
  const received: Message[] = [];
  channel.stream.listen((message) => received.push(message));
  for (let round = 0; round < 3; round++) {
    channel.sink.add(`text ${round}`);
    channel.sink.add(new Uint8Array([round]));
    await until(() => received.length > round * 2);
    channel.connection?.terminate();
  }
  await until(() => received.length === 6 && channel.connection !== null);
  assertEquals(received, [0, 1, 2].flatMap((it) => [`text ${it}`, new Uint8Array([it])]));
  assertEquals([channels.length, channels[0]?.protocol, sessions.size], [1, "v2", 1]);
  // From the server's side, with a code.
  void channels[0]?.sink.close(4000, "done");
  await until(() => sessions.size === 0);
  void channel.close();
  await server.close();
}

Deno.test("sessions: of any node:http server", async () => {
  await tryOut(new Sessions(), async (handler) => {
    const server = createServer();
    server.on("upgrade", (request, socket, head) => {
      acceptUpgrade(request, socket, head, { handler, protocols: ["v2"] }).ready.catch(() => {});
    });
    const port = await listen(server);
    return { url: `ws://127.0.0.1:${port}`, close: () => closeServer(server) };
  });
});

if (platform() === "deno" || platform() === "bun") {
  Deno.test("sessions: of Deno.serve and Bun.serve", async () => {
    await tryOut(new Sessions(), (handler) => {
      const upgradeAll = platform() === "deno" ? upgradeOnDeno : upgradeOnBun;
      const server = upgradeAll({ handler, protocols: ["v2"] }, () => {});
      const url = `ws://127.0.0.1:${server.port}`;
      return Promise.resolve({ url, close: () => server.stop(true) });
    });
  });
}
