// Not in browsers: starts a server

/** Sessions on other servers: any `node:http` server, `Deno.serve`, `Bun.serve`. */

import { assertEquals } from "@std/assert";
import { createServer } from "node:http";
import { ReconnectingChannel, resumption, Sessions } from "../../src/reconnecting/mod.ts";
import {
  acceptUpgrade,
  type ConnectionHandler,
  type ErrorHook,
  type ServerWebSocketChannel,
} from "../../src/server/mod.ts";
import { WebSocketChannel } from "../../src/web_socket_channel.ts";
import type { Message } from "../../src/web_socket/web_socket_channel.ts";
import { platform } from "../../src/web_socket/platform.ts";
import { closeServer, listen } from "../support/loopback.ts";
import { upgradeOnBun, upgradeOnDeno } from "../server/platform_servers.ts";
import { until } from "../support/turns.ts";

/** A listening server. */
interface Started {
  readonly url: string;
  close(): Promise<void>;
}

/** A session over three connections, and its end. */
async function tryOut(
  sessions: Sessions,
  start: (handler: ConnectionHandler) => Promise<Started>,
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
  // The server closes, with a code.
  void channels[0]?.sink.close(4000, "done");
  await until(() => sessions.size === 0);
  void channel.close();
  await server.close();
}

/** A handler that fails, and a client that sends an invalid hello. */
async function tryFaults(
  start: (handler: ConnectionHandler, onError: ErrorHook) => Promise<Started>,
): Promise<void> {
  const errors: unknown[] = [];
  const handler = new Sessions().handler(async (channel) => {
    await channel.stream.next();
    throw new Error("broken");
  });
  const server = await start(handler, (error) => void errors.push(`${error}`));
  const options = { protocols: ["resume.v1"], transport: "net" } as const;
  const one = await WebSocketChannel.open(server.url, options);
  one.sink.add('!{"attempt":1,"received":0,"window":1000}');
  one.sink.add("#0");
  one.sink.add("=text");
  assertEquals([(await one.closed).code, errors], [1011, ["Error: broken"]]);
  const other = await WebSocketChannel.open(server.url, options);
  other.sink.add("nonsense");
  assertEquals((await other.closed).code, 1002);
  await server.close();
}

async function startNodeHttp(handler: ConnectionHandler, onError?: ErrorHook): Promise<Started> {
  const server = createServer();
  server.on("upgrade", (request, socket, head) => {
    const options = { handler, onError, protocols: ["v2"] };
    acceptUpgrade(request, socket, head, options).ready.catch(() => {});
  });
  const port = await listen(server);
  return { url: `ws://127.0.0.1:${port}`, close: () => closeServer(server) };
}

function startPlatform(handler: ConnectionHandler, onError?: ErrorHook): Promise<Started> {
  const upgradeAll = platform() === "deno" ? upgradeOnDeno : upgradeOnBun;
  const server = upgradeAll({ handler, onError, protocols: ["v2"] }, () => {});
  const url = `ws://127.0.0.1:${server.port}`;
  return Promise.resolve({ url, close: () => server.stop(true) });
}

Deno.test("sessions: work on any node:http server", async () => {
  await tryOut(new Sessions(), startNodeHttp);
  await tryFaults(startNodeHttp);
});

if (platform() === "deno" || platform() === "bun") {
  Deno.test("sessions: work on Deno.serve and Bun.serve", async () => {
    await tryOut(new Sessions(), startPlatform);
    await tryFaults(startPlatform);
  });
}
