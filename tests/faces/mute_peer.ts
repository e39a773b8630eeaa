/** A connected, passive peer. */

import { createServer, type Socket } from "node:net";
import { signKey } from "../../src/handshake/accept_key.ts";
import { joined } from "../support/bytes.ts";
import { closeServer, listen } from "../support/loopback.ts";

/**
 * A server that reads only the request, and writes the bytes that a test passes to it.
 *
 * @param first The bytes to send together with the answer to the request.
 */
export async function withMutePeer(
  run: (url: string, say: (bytes: Uint8Array) => void) => Promise<void>,
  first: Uint8Array = new Uint8Array(0),
): Promise<void> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.once("data", (chunk: Uint8Array) => {
      const key = /sec-websocket-key: (\S+)/i.exec(new TextDecoder().decode(chunk))?.[1] ?? "";
      socket.pause();
      const head = new TextEncoder().encode(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
          `Sec-WebSocket-Accept: ${signKey(key)}\r\n\r\n`,
      );
      socket.write(joined([head, first]));
    });
  });
  const port = await listen(server);
  try {
    await run(`ws://127.0.0.1:${port}/`, (bytes) => void sockets[0]?.write(bytes));
  } finally {
    for (const socket of sockets) socket.destroy();
    await closeServer(server);
  }
}
