/** tRPC: its wsLink with a class of this package, its WebSocket adapter with a server's channels. */

import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";
import { initTRPC } from "@trpc/server";
import { getWSConnectionHandler } from "@trpc/server/adapters/ws";
import { createWebSocket, toWebSocket } from "web-socket-channel/faces";
import { WebSocketServer } from "web-socket-channel/server";
import { run } from "./support.mjs";

const t = initTRPC.create();
const router = t.router({
  greet: t.procedure.input((value) => String(value)).query(({ input }) => `Hello, ${input}`),
  count: t.procedure.subscription(async function* () {
    for (const n of [1, 2, 3]) yield n;
  }),
});

await run(async () => {
  // The adapter listens as it does to a socket of npm's ws.
  class Emitting extends EventEmitter {
    constructor(channel) {
      super();
      const socket = this.socket = toWebSocket(channel);
      this.terminate = () => channel.terminate();
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) => {
        const isBinary = typeof data !== "string";
        this.emit("message", isBinary ? data : Buffer.from(data), isBinary);
      };
      socket.onerror = ({ error }) => this.emit("error", error);
      socket.onclose = ({ code, reason }) => this.emit("close", code, reason);
    }
    get readyState() {
      return this.socket.readyState;
    }
    send(data) {
      this.socket.send(data);
    }
    close(code, reason) {
      this.socket.close(code, reason);
    }
  }

  const connect = getWSConnectionHandler({ router, createContext: () => ({}) });
  const server = await WebSocketServer.bind({
    port: 0,
    handler: async (channel) => {
      const { url, headers } = channel.request;
      connect(new Emitting(channel), {
        url: url.pathname + url.search,
        headers: Object.fromEntries(headers),
      });
      await channel.closed;
    },
  });
  const { url } = server;

  const client = createWSClient({ url, WebSocket: createWebSocket({ compression: true }) });
  const trpc = createTRPCClient({ links: [wsLink({ client })] });
  assert.equal(await trpc.greet.query("you"), "Hello, you");
  const numbers = [];
  await new Promise((onComplete, onError) =>
    trpc.count.subscribe(undefined, { onData: (n) => numbers.push(n), onComplete, onError })
  );
  assert.deepEqual(numbers, [1, 2, 3]);
  await client.close();
  await server.close();
});
