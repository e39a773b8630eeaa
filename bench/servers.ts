/** Servers to measure. All of them echo. */

import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import process from "node:process";
import { signKey } from "../src/handshake/accept_key.ts";
import { upgradeWebSocket } from "../src/server/upgrade_web_socket.ts";
import { bind } from "../src/server/web_socket_server.ts";
import * as peers from "./peers.ts";
import type { WsOptions, WsPackage, WsSocket } from "./peers.d.ts";
import { bunServe, denoServe } from "./platforms.ts";
import { mask } from "./raw.ts";
import { MessageSocket } from "./raw_messages.ts";

/** A server that runs. */
export interface Running {
  readonly port: number;
  /** Sends so many messages to all, some at a time. */
  broadcast(count: number, message: Uint8Array): Promise<void>;
  /** How many bytes wait for the slowest client. */
  waiting(): number;
}

const LARGEST = 2 ** 30;
/** So that who reads nothing stays to the end of a measurement. */
const MINUTES = 10 * 60 * 1000;

/** The servers. */
export type ServerName =
  | "raw"
  | "raw, unmasked"
  | "raw, messages"
  | "raw, TLS"
  | "bare"
  | "ours"
  | "ours, compression"
  | "ours, TLS"
  | "ws"
  | "ws, no bufferutil"
  | "ws, compression"
  | "ws, TLS"
  | "Deno.serve"
  | "ours on Deno.serve"
  | "Bun.serve";

/** Starts each of them. */
export const servers: Readonly<Record<ServerName, () => Promise<Running>>> = {
  /** What comes goes out again, chunk by chunk. */
  "raw": () => startRaw((socket) => socket.on("data", (chunk) => socket.write(chunk))),
  /** The same, and each chunk is unmasked. */
  "raw, unmasked": () =>
    startRaw((socket) => socket.on("data", (chunk: Uint8Array) => socket.write(mask(chunk)))),
  /** Messages, each of which goes out again. */
  "raw, messages": () => startRaw((socket) => void new MessageSocket(socket, true)),
  "raw, TLS": () => startRawTls(),
  /** An HTTP server that answers an upgrade and then knows no WebSocket: what a connection costs anyway. */
  "bare": startBare,
  "ours": () => startOwn({}),
  "ours, compression": () => startOwn({ compression: { threshold: 0 } }),
  "ours, TLS": () => startOwn({ tls: identity() }),
  "ws": () => startWs(peers.ws(), {}),
  "ws, no bufferutil": () => startWs(peers.plainWs(), {}),
  "ws, compression": () => startWs(peers.ws(), { perMessageDeflate: { threshold: 0 } }),
  "ws, TLS": () => startWs(peers.ws(), {}, createHttpsServer(identity())),
  "Deno.serve": () => denoServe(),
  "ours on Deno.serve": () => denoServe((request) => upgradeWebSocket(request, { origin: false })),
  "Bun.serve": () => bunServe(),
};

/** The certificate that TLS servers show, as the process that started this one says. */
function identity(): { cert: string; key: string } {
  return JSON.parse(process.env["BENCH_IDENTITY"] ?? "{}");
}

async function startOwn(
  options: { compression?: { threshold: number }; tls?: { cert: string; key: string } },
): Promise<Running> {
  const server = await bind({
    ...options,
    pingInterval: 0,
    origin: false,
    maxMessageSize: LARGEST,
  });
  (async () => {
    for await (const channel of server) {
      channel.stream.listen((message) => channel.sink.add(message));
    }
  })();
  return {
    port: server.address.port,
    broadcast: (count, message) =>
      inTurns(
        count,
        () => server.broadcast(message, { slow: "drop-oldest", stallTimeout: MINUTES }),
      ),
    waiting: () => Math.max(0, ...[...server.channels].map(({ sink }) => sink.bufferedAmount)),
  };
}

/** Sixteen a turn of the event loop: sockets are read and written in between. */
export async function inTurns(count: number, send: () => void): Promise<void> {
  for (let i = 0; i < count; i++) {
    send();
    if (i % 16 === 15) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function startWs(
  { WebSocketServer }: WsPackage,
  options: WsOptions,
  http: HttpServer | HttpsServer = createHttpServer(),
): Promise<Running> {
  const sockets = new Set<WsSocket>();
  const server = new WebSocketServer({
    server: http,
    perMessageDeflate: false,
    maxPayload: 0,
    ...options,
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  });
  return {
    port: await listen(http),
    broadcast: (count, message) =>
      inTurns(count, () => sockets.forEach((it) => it.send(message, { binary: true }))),
    waiting: () => Math.max(0, ...[...sockets].map(({ bufferedAmount }) => bufferedAmount)),
  };
}

async function startRaw(onSocket: (socket: Socket) => void): Promise<Running> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    onSocket(socket);
  });
  return nothingElse(await listen(server));
}

async function startRawTls(): Promise<Running> {
  const server = createTlsServer(identity(), (socket) => {
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("data", (chunk) => socket.write(chunk));
  });
  return nothingElse(await listen(server));
}

async function startBare(): Promise<Running> {
  const server = createHttpServer();
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
  return nothingElse(await listen(server));
}

function nothingElse(port: number): Running {
  return { port, broadcast: () => Promise.resolve(), waiting: () => 0 };
}

async function listen(server: Server | HttpServer | HttpsServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return (server.address() as AddressInfo).port;
}
