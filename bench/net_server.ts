/**
 * The servers that clients are measured against, in a process of their own: raw TCP, a server that is
 * nothing but our protocol over a socket, and npm `ws`. All of them echo.
 */

import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import process from "node:process";
// @ts-types="../tests/support/ws.d.ts"
import { WebSocketServer } from "ws";
import { RequestParser } from "../src/handshake/http_head.ts";
import { signKey } from "../src/handshake/accept_key.ts";
import { SocketTransport } from "../src/net/socket_transport.ts";
import { over } from "../src/web_socket/over.ts";

/** Where the servers listen. */
export interface Ports {
  readonly raw: number;
  readonly own: number;
  readonly ws: number;
}

/** Serves until the process ends; prints the ports as JSON. */
export async function serve(): Promise<void> {
  const raw = await listen((socket) => void socket.on("data", (chunk) => socket.write(chunk)));
  const own = await listen(upgrade);
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 0 });
  const ws = await listen((socket) => {
    head(socket, (headers, rest) => {
      const request = { method: "GET", headers };
      server.handleUpgrade(request, socket, rest, (it) => {
        it.on("error", () => {});
        it.on("message", (data, binary) => it.send(data, { binary }));
      });
    });
  });
  console.log(JSON.stringify({ raw, own, ws }));
  // The process that started it has gone when its end of the pipe is closed.
  process.stdin.on("end", () => process.exit(0));
  process.stdin.resume();
}

async function listen(accept: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on("error", () => {});
    accept(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return (server.address() as AddressInfo).port;
}

function head(
  socket: Socket,
  then: (headers: Record<string, string>, rest: Uint8Array) => void,
): void {
  const parser = new RequestParser();
  const onData = (chunk: Uint8Array): void => {
    const parsed = parser.push(chunk);
    if (parsed === null) return;
    socket.removeListener("data", onData);
    then(Object.fromEntries(parsed.head.headers), parsed.rest);
  };
  socket.on("data", onData);
}

function upgrade(socket: Socket): void {
  head(socket, (headers) => {
    const accept = signKey(headers["sec-websocket-key"] ?? "");
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    const channel = over(new SocketTransport(socket), { side: "server" });
    channel.stream.listen((message) => channel.sink.add(message));
  });
}
