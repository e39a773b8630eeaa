/** reconnecting-websocket: what is added while there is no connection goes out on the next one. */

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { createWebSocket } from "web-socket-channel/faces";
import { echoServer, next, run } from "./support.mjs";

const ReconnectingWebSocket = createRequire(import.meta.url)("reconnecting-websocket");

await run(async () => {
  const { server, channels, url } = await echoServer();

  const socket = new ReconnectingWebSocket(url, ["chat"], {
    WebSocket: createWebSocket({ pingInterval: 30_000, maxMessageSize: 1_000_000 }),
    minReconnectionDelay: 1,
    maxReconnectionDelay: 10,
  });
  socket.send("early");
  assert.equal((await next(socket, "message")).data, "early");
  channels[0].terminate();
  await next(socket, "close");
  socket.send("meanwhile");
  assert.equal((await next(socket, "message")).data, "meanwhile");
  assert.equal(channels.length, 2);
  socket.close();
  await channels[1].closed;
  await server.close();
});
