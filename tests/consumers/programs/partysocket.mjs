/** partysocket: it connects again when the connection is lost, with a fresh token each time. */

import assert from "node:assert/strict";
import { WebSocket as PartySocket } from "partysocket";
import { createWebSocket } from "web-socket-channel/faces";
import { echoServer, next, run } from "./support.mjs";

await run(async () => {
  const { server, channels, url } = await echoServer();
  let count = 0;
  const freshToken = () => `token ${++count}`;

  const socket = new PartySocket(url, "chat", {
    WebSocket: createWebSocket(() => ({ headers: { Authorization: `Bearer ${freshToken()}` } })),
    minReconnectionDelay: 1,
    maxReconnectionDelay: 10,
  });
  await next(socket, "open");
  assert.equal(socket.protocol, "chat");
  socket.send("one");
  assert.equal((await next(socket, "message")).data, "one");
  channels[0].terminate();
  await next(socket, "close");
  await next(socket, "open");
  socket.send("two");
  assert.equal((await next(socket, "message")).data, "two");
  const tokens = channels.map(({ request }) => request.headers.get("authorization"));
  assert.deepEqual(tokens, ["Bearer token 1", "Bearer token 2"]);
  socket.close(1000, "done");
  assert.equal((await channels[1].closed).received.reason, "done");
  await server.close();
});
