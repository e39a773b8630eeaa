/**
 * A server to measure, in a process of its own, and what it tells of itself. Commands come as lines of
 * JSON, answers go out as such.
 */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
// @ts-types="../tests/support/ws.d.ts"
import { type WebSocket, WebSocketServer as WsServer } from "ws";
import { signKey } from "../src/handshake/accept_key.ts";
import { bind } from "../src/server/web_socket_server.ts";

/** What serves: nothing but the 101, ours, ours with compression agreed, npm `ws`. */
export type ServerKind =
  | "bare"
  | "own"
  | "own, compression agreed"
  | "ws"
  | "ws, compression agreed";

/** What can be asked of a server's process. */
export type Command =
  /** How much memory is in use, behind a garbage collection. */
  | { readonly ask: "memory" }
  /** Sends so many messages of so many bytes to all, some at a time; answers when all are sent. */
  | { readonly ask: "broadcast"; readonly count: number; readonly size: number }
  /** How many bytes wait for the slowest client. */
  | { readonly ask: "waiting" };

interface Running {
  readonly port: number;
  broadcast(count: number, size: number): Promise<void>;
  waiting(): number;
}

/** Serves until the process that started it has gone. */
export async function serve(kind: ServerKind): Promise<void> {
  const running = await start(kind);
  console.log(JSON.stringify({ port: running.port }));
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => void answer(running, JSON.parse(line)));
  lines.on("close", () => process.exit(0));
}

async function answer(running: Running, command: Command): Promise<void> {
  if (command.ask === "memory") return console.log(JSON.stringify(await memory()));
  if (command.ask === "waiting") {
    return console.log(JSON.stringify({ waiting: running.waiting() }));
  }
  await running.broadcast(command.count, command.size);
  console.log("{}");
}

async function memory(): Promise<{ used: number; rss: number }> {
  const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(sync: boolean): void } };
  for (let i = 0; i < 4; i++) {
    gc?.();
    Bun?.gc(true);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { used: heapUsed + external, rss };
}

function start(kind: ServerKind): Promise<Running> {
  if (kind === "bare") return startBare();
  return kind.startsWith("ws") ? startWs(kind !== "ws") : startOwn(kind !== "own");
}

async function startOwn(compression: boolean): Promise<Running> {
  const server = await bind({ compression, pingInterval: 0, origin: false });
  (async () => {
    for await (const channel of server) {
      channel.stream.listen((message) => channel.sink.add(message));
    }
  })();
  return {
    port: server.address.port,
    broadcast: (count, size) =>
      inTurns(count, (message) => server.broadcast(message, { slow: "drop-oldest" }), size),
    waiting: () => Math.max(0, ...[...server.channels].map(({ sink }) => sink.bufferedAmount)),
  };
}

/** Sixteen a turn of the event loop: sockets are read and written in between. */
async function inTurns(
  count: number,
  send: (message: Uint8Array) => void,
  size: number,
): Promise<void> {
  const message = new Uint8Array(size).fill(97);
  for (let i = 0; i < count; i++) {
    send(message);
    if (i % 16 === 15) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function startWs(compression: boolean): Promise<Running> {
  const server = new WsServer({ host: "127.0.0.1", port: 0, perMessageDeflate: compression });
  const sockets = new Set<WebSocket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  });
  await new Promise<void>((resolve) => server.on("listening", () => resolve()));
  return {
    port: (server.address() as AddressInfo).port,
    broadcast: (count, size) =>
      inTurns(count, (message) => sockets.forEach((it) => it.send(message)), size),
    waiting: () => Math.max(0, ...[...sockets].map(({ bufferedAmount }) => bufferedAmount)),
  };
}

/** The same server without a WebSocket on it: what each connection costs anyway. */
async function startBare(): Promise<Running> {
  const server = createServer();
  server.on("upgrade", (request, socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => socket.write(chunk));
    socket.on("end", () => socket.end());
    const accept = signKey(request.headers["sec-websocket-key"] ?? "");
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return {
    port: (server.address() as AddressInfo).port,
    broadcast: () => Promise.resolve(),
    waiting: () => 0,
  };
}
