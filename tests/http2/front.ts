/** A proxy from HTTP/1.1 to HTTP/2. Tests that write HTTP/1.1 themselves reach a server of HTTP/2 through it. */

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, STATUS_CODES } from "node:http";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import type { Duplex } from "node:stream";
import { destroyLater } from "../../src/net/http2.ts";
import { closeServer, listen } from "../support/loopback.ts";

/** RFC 6455 §4.2.2. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** RFC 9113 §7. */
const CANCEL = 8;

/** Header fields that HTTP/2 does not use. */
const LEFT_OUT = new Set(["connection", "upgrade", "host", "sec-websocket-key"]);

/** A running proxy. */
export interface Front {
  readonly port: number;
  close(): Promise<void>;
}

function fieldsOf(
  { url, rawHeaders, headers }: IncomingMessage,
): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = {
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": "http",
    ":path": url ?? "",
    ":authority": headers.host ?? "",
  };
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (LEFT_OUT.has(name)) continue;
    const before = fields[name] ?? [];
    fields[name] = [...(Array.isArray(before) ? before : [before]), rawHeaders[i + 1]!];
  }
  for (const [name, values] of Object.entries(fields)) {
    if (Array.isArray(values) && values.length === 1) fields[name] = values[0]!;
  }
  return fields;
}

/** Encodes the head of an HTTP/1.1 answer. */
function headText(status: number, key: string, fields: Record<string, unknown>): string {
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`];
  if (status === 101) {
    const accept = createHash("sha1").update(key + GUID).digest("base64");
    lines.push("Connection: Upgrade", "Upgrade: websocket", `Sec-WebSocket-Accept: ${accept}`);
  } else lines.push("Connection: close");
  for (const [name, value] of Object.entries(fields)) {
    if (name.startsWith(":")) continue;
    for (const it of Array.isArray(value) ? value : [value]) lines.push(`${name}: ${it}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function carry(request: IncomingMessage, socket: Duplex, stream: ClientHttp2Stream): void {
  let hasEnded = false;
  socket.on("error", () => stream.close(CANCEL));
  socket.on("close", () => stream.close(CANCEL));
  stream.on("error", () => {});
  stream.on("end", () => hasEnded = true);
  stream.on("close", () => {
    if (!hasEnded || stream.rstCode !== 0) socket.destroy();
    else socket.end();
  });
  stream.on("response", (fields) => {
    const status = Number(fields[":status"]);
    const isOpen = status === 200;
    const key = String(request.headers["sec-websocket-key"]);
    socket.write(headText(isOpen ? 101 : status, key, fields));
    stream.pipe(socket);
  });
  socket.pipe(stream);
}

/** Starts a proxy to a server at a port of a loopback address. */
export async function startFront(to: number): Promise<Front> {
  let session: ClientHttp2Session | null = null;
  const sockets = new Set<Duplex>();
  const server = createServer();
  server.on("upgrade", (request, socket, head) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    if (session === null || session.closed || session.destroyed) {
      session = connect(`http://127.0.0.1:${to}`, { settings: { enablePush: false } });
      session.on("error", () => {});
      destroyLater(session as unknown as Parameters<typeof destroyLater>[0]);
    }
    if (head.length > 0) socket.unshift(head);
    const current = session;
    const start = (): void =>
      carry(request, socket, current.request(fieldsOf(request), { endStream: false }));
    if (current.remoteSettings?.enableConnectProtocol) start();
    else current.once("remoteSettings", start);
  });
  const port = await listen(server);
  return {
    port,
    close() {
      for (const socket of sockets) socket.destroy();
      session?.destroy();
      return closeServer(server);
    },
  };
}
