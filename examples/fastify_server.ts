// WebSockets beside the pages of a Fastify application: run it with a port.

import "./debug.ts";
import fastify from "fastify";
import { WebSocketServer } from "@web-socket/channel/server";

const port = Number(globalThis.process.argv[2] ?? 8080);

const app = fastify();
app.get("/", () => "A page, and at /echo a WebSocket that says everything back");

WebSocketServer.attach(app.server, {
  path: "/echo",
  async handler(channel) {
    for await (const message of channel.stream) channel.sink.add(message);
  },
});
console.log(`listening at ${await app.listen({ port, host: "127.0.0.1" })}`);
