// WebSockets beside the pages of an Express application: run it with a port.

import "./debug.ts";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import express from "express";
import { WebSocketServer } from "@web-socket/channel/server";

const port = Number(globalThis.process.argv[2] ?? 8080);

const app = express();
app.get("/", (_request: IncomingMessage, response: ServerResponse) => {
  response.end("A page, and at /echo a WebSocket that says everything back");
});

const server = createServer(app);
WebSocketServer.attach(server, {
  path: "/echo",
  async handler(channel) {
    for await (const message of channel.stream) channel.sink.add(message);
  },
});
server.listen(port, "127.0.0.1", () => {
  console.log(`listening at http://127.0.0.1:${(server.address() as { port: number }).port}`);
});
