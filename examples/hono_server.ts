// WebSockets beside the pages of a Hono application on node:http: run it with a port.

import "./debug.ts";
import type { Server } from "node:http";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { WebSocketServer } from "@web-socket/channel/server";

const port = Number(globalThis.process.argv[2] ?? 8080);

const app = new Hono();
app.get("/", (context) => context.text("A page, and at /time a WebSocket that tells the time"));

const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port }, (address) => {
  console.log(`listening at http://127.0.0.1:${address.port}`);
});

// This works with any framework on node:http, because its server emits the upgrades.
WebSocketServer.attach(server as Server, {
  path: "/time",
  handler: (channel) => void channel.sink.add(new Date().toISOString()),
});
