/** A server whose own code fails while it serves a client, as the argument says. */

import process from "node:process";
import { type BunServer, bunWebSocket, WebSocketServer } from "../../../src/server/mod.ts";

interface Serving {
  serve(options: {
    port: number;
    hostname: string;
    fetch(request: Request, server: BunServer): Promise<Response | undefined>;
    websocket: object;
  }): { port: number };
}

async function listener(): Promise<void> {
  const server = await WebSocketServer.bind({
    handler: ({ stream }) => void stream.listen((message) => void JSON.parse(String(message))),
  });
  console.log(`listening at ${server.url}`);
}

/** `Bun.serve`, whose handler throws once the connection is upgraded. */
function upgraded(): void {
  const { upgrade, websocket } = bunWebSocket();
  const { port } = (globalThis as unknown as { Bun: Serving }).Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    websocket,
    async fetch(request, server) {
      await upgrade(request, server);
      throw new Error("a fault behind the upgrade");
    },
  });
  console.log(`listening at ws://127.0.0.1:${port}`);
}

if (process.argv[2] === "listener") await listener();
else upgraded();
