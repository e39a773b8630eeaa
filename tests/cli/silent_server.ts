/** A server that does not answer. */

import { createServer, type Socket } from "node:net";
import { acceptOf } from "../../src/check/client_subject.ts";
import { closeServer, listen } from "../support/loopback.ts";

/**
 * Runs a server that answers no request, or only the opening handshake.
 *
 * @param opens Whether it answers the opening handshake.
 * @param body Gets its URL, and a promise that fulfils when the server has received a request.
 */
export async function withSilence(
  opens: boolean,
  body: (url: string, heard: Promise<void>) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>();
  let onHeard = (): void => {};
  const heard = new Promise<void>((resolve) => onHeard = resolve);
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    let head = "";
    socket.on("data", (chunk) => {
      head += chunk.toString("latin1");
      const [, key] = /sec-websocket-key: (\S+)\r\n[^]*\r\n\r\n/i.exec(head) ?? [];
      if (key === undefined) return;
      head = "";
      const answer =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade";
      if (opens) socket.write(`${answer}\r\nSec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`);
      onHeard();
    });
  });
  try {
    await body(`ws://127.0.0.1:${await listen(server)}`, heard);
  } finally {
    for (const socket of sockets) socket.destroy();
    await closeServer(server);
  }
}
