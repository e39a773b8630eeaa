/** A network that a test can cut. */

import { connect, createServer, type Server, type Socket } from "node:net";
import { type ServerWebSocketChannel, WebSocketServer } from "../../src/server/mod.ts";
import { closeServer, listen } from "../support/loopback.ts";

/** A server behind a relay that can drop all bytes, like a network that has forgotten a connection. */
export class Network {
  /** The server's connections, in order. */
  readonly guests: ServerWebSocketChannel[] = [];
  /** Called with each connection. */
  onGuest: (guest: ServerWebSocketChannel) => void = () => {};
  readonly #server: WebSocketServer;
  readonly #sockets: Set<Socket> = new Set();
  readonly #relay: Server = createServer((socket) => this.#carry(socket));
  #dead: Set<Socket> = new Set();

  private constructor(server: WebSocketServer) {
    this.#server = server;
    void (async () => {
      for await (const guest of server) {
        this.guests.push(guest);
        this.onGuest(guest);
      }
    })();
  }

  /** Starts the server, which admits pages of these origins. */
  static async start(origin: readonly string[] = []): Promise<{ network: Network; url: string }> {
    const server = await WebSocketServer.bind({ port: 0, hostname: "127.0.0.1", origin });
    const network = new Network(server);
    return { network, url: `ws://127.0.0.1:${await listen(network.#relay)}/` };
  }

  #carry(client: Socket): void {
    const server = connect(Number(new URL(this.#server.url).port), "127.0.0.1");
    for (const [from, to] of [[client, server], [server, client]] as const) {
      this.#sockets.add(from);
      from.on("data", (chunk: Uint8Array) => {
        if (!this.#dead.has(client)) to.write(chunk);
      });
      from.on("error", () => {});
      from.on("close", () => {
        this.#sockets.delete(from);
        if (!this.#dead.has(client)) to.destroy();
      });
    }
  }

  /** Drops all bytes of the current connections, without notifying either end. */
  swallow(): void {
    this.#dead = new Set(this.#sockets);
  }

  /** Ends the server and all connections. */
  async close(): Promise<void> {
    await this.#server.close({ drainTimeout: 0 });
    for (const socket of this.#sockets) socket.destroy();
    await closeServer(this.#relay);
  }
}
