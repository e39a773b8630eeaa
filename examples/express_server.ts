// WebSockets beside the pages of an Express application: run it with a port.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import express from "express";
import { acceptUpgrade } from "@web-socket/channel/server";

const port = Number(globalThis.process.argv[2] ?? 8080);

const app = express();
app.get("/", (_request: IncomingMessage, response: ServerResponse) => {
  response.end("A page, and at /echo a WebSocket that says everything back");
});

const server = createServer(app);
server.on("upgrade", (request, socket, head) => {
  const channel = acceptUpgrade(request, socket, head, {
    verify: ({ url }) => url.pathname === "/echo" || { status: 404 },
  });
  channel.stream.listen((message) => channel.sink.add(message));
});
server.listen(port, "127.0.0.1", () => {
  console.log(`listening at http://127.0.0.1:${(server.address() as { port: number }).port}`);
});
