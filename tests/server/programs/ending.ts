/**
 * A server that ends when a client sends "end", in the way that the argument says. Afterwards only a leak of
 * that ending can keep the process alive. All its timeouts are longer than any test.
 */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import {
  acceptUpgrade,
  type ServerWebSocketChannel,
  WebSocketServer,
} from "../../../src/server/mod.ts";

const LONG = 10 * 60_000;

const options = {
  pingInterval: LONG,
  pingTimeout: LONG,
  closeTimeout: LONG,
  handshakeTimeout: LONG,
  verify: ({ url }: { url: URL }) =>
    url.pathname === "/wait" ? new Promise<boolean>(() => {}) : true,
};

/** Echoes. Messages for a client that doesn't read stay queued. */
function serve(channel: ServerWebSocketChannel, end: () => void): void {
  channel.stream.listen((message) => {
    if (message === "end") end();
    else if (message === "fill") channel.sink.add(new Uint8Array(32 * 1024 * 1024));
    else channel.sink.add(message);
  });
}

async function bound(end: (server: WebSocketServer) => void): Promise<void> {
  const server = await WebSocketServer.bind({
    ...options,
    onRequest: () => new Response("a page"),
  });
  console.log(`listening at ${server.url}`);
  for await (const channel of server) serve(channel, () => end(server));
}

/** Uses the server of `node:http`, and closes the channels one by one. */
function accepted(): void {
  const server = createServer((_request, response) => void response.end("a page"));
  const channels: ServerWebSocketChannel[] = [];
  server.on("upgrade", (request, socket, head) => {
    const channel = acceptUpgrade(request, socket, head, { ...options, closeTimeout: 200 });
    channels.push(channel);
    serve(channel, () => {
      server.close();
      server.closeAllConnections();
      for (const channel of channels) void channel.sink.close(1012, "restarting");
    });
  });
  server.listen(0, "127.0.0.1", () => {
    console.log(`listening at ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
}

const ways: Record<string, () => void> = {
  drain: () =>
    void bound((server) => {
      server.close({ code: 1012, reason: "restarting", drainTimeout: 200 }).then(() =>
        console.log("closed")
      );
    }),
  unref: () =>
    void bound((server) => {
      server.unref();
      for (const channel of server.channels) channel.unref();
    }),
  acceptUpgrade: accepted,
};

ways[process.argv[2] ?? ""]?.();
