/** Waits for real input and output without a timer. */

import { connect, createServer, type Server, type Socket } from "node:net";
import { listen } from "./loopback.ts";

/**
 * A TCP connection of the process with itself. A byte's round trip takes the event loop
 * through reading and writing sockets. A single turn may not do that: Deno's loop may poll sockets
 * only every few dozen turns while other work is due.
 */
export class LoopbackProbe {
  #client: Promise<Socket> | undefined;
  #server: Server | undefined;
  #answered: (() => void)[] = [];

  /** Fulfils when a byte has made a round trip. */
  async roundTrip(): Promise<void> {
    const client = await (this.#client ??= this.#open());
    await new Promise<void>((resolve) => {
      this.#answered.push(resolve);
      client.write(Uint8Array.of(0));
    });
  }

  async #open(): Promise<Socket> {
    const server = createServer({ noDelay: true }, (socket) => socket.pipe(socket));
    this.#server = server;
    const port = await listen(server);
    const client = connect({ port, host: "127.0.0.1", noDelay: true });
    client.on("data", (bytes: Uint8Array) => {
      for (let i = 0; i < bytes.length; i++) this.#answered.shift()?.();
    });
    await new Promise<void>((resolve) => client.once("connect", () => resolve()));
    return client;
  }

  /** Ends the connection. Fulfils when both sides are closed. No round trip may be in flight. */
  async close(): Promise<void> {
    const client = await this.#client;
    if (client === undefined) return;
    this.#client = undefined;
    // The server closes after its side has received the end.
    const closed = new Promise<void>((resolve) => this.#server?.close(() => resolve()));
    const ended = new Promise<void>((resolve) => client.once("close", () => resolve()));
    client.end();
    await Promise.all([closed, ended]);
  }
}
