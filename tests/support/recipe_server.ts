/** The TCP server that recipes run on. */

import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { LoopbackProbe } from "./loopback_probe.ts";
import { RecipeConnection, type RecipeHost } from "./recipe_connection.ts";
import { type RecipeEvent, type RecipeEventKind, RecipeEvents } from "./recipe_events.ts";
import type { RecipeOptions, RecipeServer, RecipeStats } from "./recipes.ts";
import { turn } from "./turns.ts";

/** Handles one connection of a server. It may fulfil at any time. */
export type Recipe = (connection: RecipeConnection) => Promise<void> | void;

/** Each `release()` resumes one caller, either a waiting or a later one. */
class Gate {
  #permits = 0;
  #waiting: (() => void)[] = [];

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#permits++;
    else next();
  }

  wait(): Promise<void> {
    if (this.#permits === 0) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#permits--;
    return Promise.resolve();
  }
}

class TcpRecipeServer implements RecipeServer, RecipeHost {
  readonly options: RecipeOptions;
  readonly #server: Server;
  readonly #recipe: Recipe;
  readonly #events = new RecipeEvents();
  readonly #gate = new Gate();
  readonly #probe = new LoopbackProbe();
  readonly #sockets: Set<Socket> = new Set();
  readonly #closed: RecipeStats = emptyStats();
  #connections = 0;

  constructor(recipe: Recipe, options: RecipeOptions) {
    this.#recipe = recipe;
    this.options = options;
    const socketOptions = { allowHalfOpen: true, noDelay: true };
    this.#server = createServer(socketOptions, (socket) => this.#accept(socket));
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", () => resolve());
    });
  }

  #accept(socket: Socket): void {
    this.#connections++;
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      count(socket, this.#closed);
    });
    this.#run(new RecipeConnection(socket, this)).catch((error: unknown) => {
      this.report({ kind: "fault", message: `The recipe itself failed: ${String(error)}` });
    });
  }

  async #run(connection: RecipeConnection): Promise<void> {
    await this.#recipe(connection);
  }

  report(event: RecipeEvent): void {
    if (event.kind !== "message" || this.options.quiet !== true) this.#events.push(event);
  }

  released(): Promise<void> {
    return this.#gate.wait();
  }

  // The overloads of the interface narrow what `kind` selects at run time.
  // deno-lint-ignore no-explicit-any
  next(kind?: RecipeEventKind): Promise<any> {
    return this.#events.next(kind);
  }

  queued(): Promise<RecipeEvent[]> {
    return Promise.resolve(this.#events.queued());
  }

  release(): void {
    this.#gate.release();
  }

  async stats(): Promise<RecipeStats> {
    await this.#probe.roundTrip();
    const stats = { ...this.#closed };
    for (const socket of this.#sockets) count(socket, stats);
    return { ...stats, connections: this.#connections, open: this.#sockets.size };
  }

  async close(): Promise<void> {
    this.#events.end();
    await this.#probe.close();
    const ends = [...this.#sockets].map((socket) => {
      const end = new Promise<void>((resolve) => socket.once("close", () => resolve()));
      socket.destroy();
      return end;
    });
    if (this.#server.listening) {
      ends.push(new Promise((resolve) => this.#server.close(() => resolve())));
    }
    await Promise.all(ends);
    // Pending operations of the sockets settle in the next turn.
    await turn();
  }
}

function emptyStats(): RecipeStats {
  return { connections: 0, open: 0, bytesSent: 0, bytesPending: 0, bytesReceived: 0 };
}

function count(socket: Socket, stats: RecipeStats): void {
  stats.bytesSent += socket.bytesWritten - socket.writableLength;
  if (!socket.destroyed) stats.bytesPending += socket.writableLength;
  stats.bytesReceived += socket.bytesRead;
}

/** Starts a server on loopback that handles every connection with the recipe. */
export async function listen(recipe: Recipe, options: RecipeOptions): Promise<RecipeServer> {
  const server = new TcpRecipeServer(recipe, options);
  await server.listen();
  return server;
}
