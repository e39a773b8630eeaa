/** socket.io-client, with a server of socket.io: text, bytes and acknowledgements. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Server } from "socket.io";
import { io, WebSocket as WebSocketTransport } from "socket.io-client";
import { createWebSocket } from "web-socket-channel/faces";
import { run } from "./support.mjs";

await run(async () => {
  const http = createServer();
  const server = new Server(http);
  server.on("connection", (socket) => {
    socket.on("echo", (value, answer) => answer(value, socket.handshake.headers["x-from"]));
  });
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${http.address().port}`;

  const WebSocket = createWebSocket({ headers: { "X-From": "a custom class" } });
  class Transport extends WebSocketTransport {
    createSocket(url, protocols) {
      const socket = protocols ? new WebSocket(url, protocols) : new WebSocket(url);
      // On Node, socket.io asks for "nodebuffer", which only npm's ws has.
      socket.binaryType = "arraybuffer";
      return socket;
    }
  }
  const socket = io(url, { transports: [Transport] });
  await new Promise((resolve, reject) => {
    socket.on("connect", resolve);
    socket.on("connect_error", reject);
  });
  const echo = (value) =>
    new Promise((resolve) => socket.emit("echo", value, (...it) => resolve(it)));
  assert.deepEqual(await echo({ a: [1, "two"] }), [{ a: [1, "two"] }, "a custom class"]);
  const [bytes] = await echo(new Uint8Array(100_000).fill(7));
  assert.equal(bytes.byteLength, 100_000);
  socket.disconnect();
  await server.close();
});
