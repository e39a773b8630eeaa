// WebSockets beside the pages of a Fastify application: run it with a port.

import fastify from "fastify";
import { acceptUpgrade } from "@web-socket/channel/server";

const port = Number(globalThis.process.argv[2] ?? 8080);

const app = fastify();
app.get("/", () => "A page, and at /echo a WebSocket that says everything back");

app.server.on("upgrade", (request, socket, head) => {
  const channel = acceptUpgrade(request, socket, head, {
    verify: ({ url }) => url.pathname === "/echo" || { status: 404 },
  });
  channel.stream.listen((message) => channel.sink.add(message));
});
console.log(`listening at ${await app.listen({ port, host: "127.0.0.1" })}`);
