/** A gateway from HTTP/2 to HTTP/1.1, as proxies have. Tests reach every recipe over HTTP/2 through it. */

import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { connect, type Socket } from "node:net";
import { HeaderMap } from "../../src/handshake/header_map.ts";
import { type ResponseHead, ResponseParser } from "../../src/handshake/http_head.ts";
import { ResponseBody } from "../../src/handshake/response_body.ts";
import { listen } from "../support/loopback.ts";
import {
  type RecipeName,
  type RecipeOptions,
  type RecipeServer,
  startRecipe,
} from "../support/recipes.ts";

/** RFC 9113 §7. */
const CANCEL = 8;
const CONNECT_ERROR = 10;

/** The fields of RFC 9113 §8.2.2, and others that HTTP/2 does not use. */
const HOP_BY_HOP = new Set([
  "connection",
  "upgrade",
  "transfer-encoding",
  "keep-alive",
  "sec-websocket-accept",
]);

/** A running gateway. */
export interface Gateway {
  readonly port: number;
  /** Sessions accepted so far. */
  readonly sessions: number;
  close(): Promise<void>;
}

/** Starts a gateway without TLS to a port. */
export async function startGateway(to: number): Promise<Gateway> {
  const server = createServer({ settings: { enableConnectProtocol: true } });
  const sessions = new Set<ServerHttp2Session>();
  let count = 0;
  server.on("session", (session) => {
    count++;
    sessions.add(session);
    session.on("error", () => {});
    session.on("close", () => sessions.delete(session));
  });
  server.on("stream", (stream, headers) => carry(stream, headers as Record<string, string>, to));
  const port = await listen(server as unknown as Parameters<typeof listen>[0]);
  return {
    port,
    get sessions() {
      return count;
    },
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.destroy();
      return closed;
    },
  };
}

function requestText(headers: Record<string, string>): string {
  const lines = [`GET ${headers[":path"]} HTTP/1.1`, `Host: ${headers[":authority"]}`];
  lines.push("Connection: Upgrade", "Upgrade: websocket");
  lines.push("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith(":")) lines.push(`${name}: ${value}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function carry(stream: ServerHttp2Stream, headers: Record<string, string>, port: number): void {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const parser = new ResponseParser();
  let hasEnded = false;
  stream.on("error", () => {});
  stream.on("aborted", () => socket.destroy());
  stream.on("close", () => socket.destroy());
  socket.on("error", () => {});
  socket.on("end", () => hasEnded = true);
  socket.on("close", () => {
    if (!hasEnded && !stream.destroyed) stream.close(CANCEL);
  });
  socket.write(requestText(headers));
  const onData = (chunk: Uint8Array): void => {
    let parsed;
    try {
      parsed = parser.push(new Uint8Array(chunk));
    } catch {
      stream.close(CONNECT_ERROR);
      return void socket.destroy();
    }
    if (parsed === null) return;
    socket.removeListener("data", onData);
    socket.removeListener("end", noAnswer);
    const { head, rest } = parsed;
    if (stream.destroyed) return void socket.destroy();
    if (head.status === 101) tunnel(stream, socket, head, rest);
    else refuse(stream, socket, head, rest);
  };
  const noAnswer = (): void => void stream.close(CONNECT_ERROR);
  socket.on("data", onData);
  socket.on("end", noAnswer);
}

function fieldsOf(status: number, headers: HeaderMap): Record<string, string | number | string[]> {
  const fields: Record<string, string | number | string[]> = { ":status": status };
  for (const [name] of headers) {
    if (HOP_BY_HOP.has(name)) continue;
    const values = [...headers.all(name)];
    fields[name] = values.length === 1 ? values[0] as string : values;
  }
  return fields;
}

function tunnel(
  stream: ServerHttp2Stream,
  socket: Socket,
  head: ResponseHead,
  rest: Uint8Array,
): void {
  stream.respond(fieldsOf(200, head.headers));
  if (rest.length > 0) stream.write(rest);
  stream.pipe(socket);
  socket.pipe(stream);
}

function refuse(
  stream: ServerHttp2Stream,
  socket: Socket,
  head: ResponseHead,
  rest: Uint8Array,
): void {
  const headers = new HeaderMap([...head.headers].filter(([name]) => name !== "content-length"));
  stream.respond(fieldsOf(head.status, headers));
  const body = new ResponseBody(head);
  body.onBytes = (bytes) => {
    if (!stream.write(bytes)) {
      socket.pause();
      stream.once("drain", () => socket.resume());
    }
  };
  const onData = (chunk: Uint8Array): void => {
    body.push(new Uint8Array(chunk));
    if (body.isComplete) stream.end();
  };
  if (body.isComplete) stream.end();
  else if (rest.length > 0) onData(rest);
  socket.on("data", onData);
  socket.on("end", () => {
    if (body.isUnfinished) stream.close(CANCEL);
    else stream.end();
  });
}

/** Starts a recipe behind a gateway: its URL is that of the gateway. */
export async function startBehindGateway(
  name: RecipeName,
  options?: RecipeOptions,
): Promise<RecipeServer> {
  const server = await startRecipe(name, options);
  const gateway = await startGateway(Number(new URL(server.url).port));
  return at(server, `ws://127.0.0.1:${gateway.port}`, () => gateway.close());
}

/** A recipe's server at another URL. */
export function at(
  server: RecipeServer,
  url: string,
  close: () => Promise<void> = () => Promise.resolve(),
): RecipeServer {
  return {
    url,
    // deno-lint-ignore no-explicit-any -- the overloads of the interface narrow it
    next: (kind?: any): Promise<any> => server.next(kind),
    queued: () => server.queued(),
    release: () => server.release(),
    stats: () => server.stats(),
    close: async () => {
      await close();
      await server.close();
    },
  };
}
