/** Servers to measure. All of them echo. */

import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createServer as createTlsServer } from "node:tls";
import process from "node:process";
import type { IncomingMessage, Message, MessageInput } from "../mod.ts";
import { signKey } from "../src/handshake/accept_key.ts";
import { upgradeWebSocket } from "../src/server/upgrade_web_socket.ts";
import { bind } from "../src/server/web_socket_server.ts";
import * as peers from "./peers.ts";
import type { WsOptions, WsPackage, WsSocket } from "./peers.d.ts";
import { bunServe, denoServe } from "./platforms.ts";
import { mask } from "./raw.ts";
import { MessageSocket } from "./raw_messages.ts";

/** A running server. */
export interface Running {
  readonly port: number;
  /** Sends a number of messages to all clients, some in each turn of the event loop. */
  broadcast(count: number, message: Uint8Array, perTurn: number): Promise<void>;
  /** How many clients are connected; 0 if the server does not count. */
  connections(): number;
  /** The number of buffered bytes for the slowest client. */
  waiting(): number;
}

const LARGEST = 2 ** 30;
/** A limit that keeps a client without a reader until the end of a measurement. */
const MINUTES = 10 * 60 * 1000;

/** The servers. */
export type ServerName =
  | "raw"
  | "raw, unmasked"
  | "raw, messages"
  | "raw, piped"
  | "raw, TLS"
  | "bare"
  | "floor"
  | "ours"
  | "ours, streamed"
  | "ours, pings"
  | "ours, compression"
  | "ours, TLS"
  | "ours, HTTP/2"
  | "ws"
  | "ws, no bufferutil"
  | "ws, compression"
  | "ws, TLS"
  | "Deno.serve"
  | "ours on Deno.serve"
  | "Bun.serve";

/** Starts each of them. */
export const servers: Readonly<Record<ServerName, () => Promise<Running>>> = {
  /** Echoes each received chunk. */
  "raw": () => startRaw((socket) => socket.on("data", (chunk) => socket.write(chunk))),
  /** The same, and it unmasks each chunk. */
  "raw, unmasked": () =>
    startRaw((socket) => socket.on("data", (chunk: Uint8Array) => socket.write(mask(chunk)))),
  /** Echoes each message. */
  "raw, messages": () => startRaw((socket) => void new MessageSocket(socket, true)),
  /** Echoes with backpressure. */
  "raw, piped": () => startRaw((socket) => socket.pipe(socket)),
  "raw, TLS": () => startRawTls(),
  /** An HTTP server that answers an upgrade without WebSocket code: the base cost of a connection. */
  "bare": startBare,
  /** The minimal server that answers a frame with a frame. */
  "floor": startFloor,
  "ours": () => startOwn({}),
  /** Echoes one message after the other, a large one while it arrives. */
  "ours, streamed": startStreamed,
  /** Our server without options: the other servers don't ping. */
  "ours, pings": () => startOwn({ pingInterval: 30_000 }),
  "ours, compression": () => startOwn({ compression: { threshold: 0 } }),
  "ours, TLS": () => startOwn({ tls: identity() }),
  "ours, HTTP/2": () => startOwn({ tls: identity(), http2: true }),
  "ws": () => startWs(peers.ws(), {}),
  "ws, no bufferutil": () => startWs(peers.plainWs(), {}),
  "ws, compression": () => startWs(peers.ws(), { perMessageDeflate: { threshold: 0 } }),
  "ws, TLS": () => startWs(peers.ws(), {}, createHttpsServer(identity())),
  "Deno.serve": () => denoServe(),
  "ours on Deno.serve": () => denoServe((request) => upgradeWebSocket(request, { origin: false })),
  "Bun.serve": () => bunServe(),
};

/** The certificate of TLS servers, from the parent process. */
function identity(): { cert: string; key: string } {
  return JSON.parse(process.env["BENCH_IDENTITY"] ?? "{}");
}

async function startOwn(
  options: {
    compression?: { threshold: number };
    tls?: { cert: string; key: string };
    pingInterval?: number;
    http2?: boolean;
  },
): Promise<Running> {
  const server = await bind({
    pingInterval: 0,
    ...options,
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
    broadcast: (count, message, perTurn) =>
      inTurns(
        count,
        perTurn,
        () => server.broadcast(message, { slow: "drop-oldest", stallTimeout: MINUTES }),
      ),
    connections: () => server.channels.size,
    waiting: () => Math.max(0, ...[...server.channels].map(({ sink }) => sink.bufferedAmount)),
  };
}

async function startStreamed(): Promise<Running> {
  const server = await bind({
    origin: false,
    streamLargerThan: 65_536,
    maxMessageSize: Infinity,
    handler: async (channel) => {
      for await (const it of channel.cast<Message | IncomingMessage, MessageInput>().stream) {
        if (typeof it === "string" || it instanceof Uint8Array) channel.sink.add(it);
        else await channel.sink.addMessage(it.readable, { kind: it.kind });
      }
    },
  });
  const { port } = server.address;
  const broadcast = (): Promise<never> => Promise.reject(new Error("It only sends back"));
  return { port, broadcast, waiting: () => 0, connections: () => server.channels.size };
}

/** Sends some messages per turn of the event loop: in between the runtime reads and writes sockets. */
export async function inTurns(count: number, perTurn: number, send: () => void): Promise<void> {
  for (let i = 1; i <= count; i++) {
    send();
    if (i % perTurn === 0) await new Promise((resolve) => setImmediate(resolve));
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
    broadcast: (count, message, perTurn) =>
      inTurns(count, perTurn, () => sockets.forEach((it) => it.send(message, { binary: true }))),
    connections: () => sockets.size,
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
  const server = upgradingServer((socket) => socket.on("data", (chunk) => socket.write(chunk)));
  return nothingElse(await listen(server));
}

async function startFloor(): Promise<Running> {
  const sockets = new Set<Duplex>();
  const server = upgradingServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", frameEcho(socket));
  });
  return {
    port: await listen(server),
    broadcast(count, message, perTurn) {
      // RFC 6455 §5.2: up to 125 bytes the length is the second byte.
      const frame = new Uint8Array([0x82, message.length, ...message]);
      return inTurns(count, perTurn, () => sockets.forEach((it) => it.write(frame)));
    },
    waiting: () => 0,
    connections: () => sockets.size,
  };
}

/** Unmasks the frames of a chunk in place, and writes all of them back at once without their keys. */
function frameEcho(socket: Duplex): (chunk: Uint8Array) => void {
  let rest = new Uint8Array(0);
  return (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    let to = 0;
    while (from + 8 <= bytes.length) {
      const short = (bytes[from + 1] as number) & 0x7f;
      const header = short < 126 ? 2 : 4;
      const size = short < 126
        ? short
        : (bytes[from + 2] as number) << 8 | (bytes[from + 3] as number);
      const payload = from + header + 4;
      if (payload + size > bytes.length) break;
      for (let i = 0; i < size; i++) {
        bytes[to + header + i] = (bytes[payload + i] as number) ^
          (bytes[payload - 4 + (i & 3)] as number);
      }
      bytes[to] = bytes[from] as number;
      bytes[to + 1] = short;
      if (header === 4) bytes.copyWithin(to + 2, from + 2, from + 4);
      from = payload + size;
      to += header + size;
    }
    rest = from === bytes.length ? EMPTY : new Uint8Array(bytes.subarray(from));
    if (to > 0) socket.write(bytes.subarray(0, to));
  };
}

const EMPTY = new Uint8Array(0);

/** An HTTP server that answers each upgrade, and passes on the connection. */
function upgradingServer(onSocket: (socket: Duplex) => void): HttpServer {
  const server = createHttpServer();
  server.on("upgrade", (request, socket) => {
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    onSocket(socket);
    const accept = signKey(request.headers["sec-websocket-key"] ?? "");
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
  });
  return server;
}

function nothingElse(port: number): Running {
  return { port, broadcast: () => Promise.resolve(), waiting: () => 0, connections: () => 0 };
}

async function listen(server: Server | HttpServer | HttpsServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return (server.address() as AddressInfo).port;
}
