/** Shared code of the tests of HTTP/2. */

import { createSecureServer, createServer, type Http2Server, type Http2Session } from "node:http2";
import type { Socket } from "node:net";
import { Http2, type Http2ConnectOptions, Http2Pool } from "../../src/http2/mod.ts";
import { acceptStreams } from "../../src/http2/mod.ts";
import type { ServerOptions } from "../../src/server/mod.ts";
import type { WebSocketChannel } from "../../mod.ts";
import { destroyLater } from "../../src/net/http2.ts";
import { certificates } from "../net/support.ts";
import { listen } from "../support/loopback.ts";

/** A listening server of `node:http2`. */
export interface RunningServer {
  readonly url: string;
  readonly server: Http2Server;
  readonly sessions: ReadonlySet<Http2Session>;
  /** Destroys all connections without GOAWAY. */
  cut(): void;
}

/** The options of a server of `node:http2`. */
export interface ServerChoice {
  readonly isSecure?: boolean;
  readonly settings?: Record<string, unknown>;
}

/** Runs a body against a server of `node:http2`, then ends everything that is left. */
export async function withServer(
  prepare: (server: Http2Server) => void,
  body: (running: RunningServer) => Promise<void>,
  { isSecure = false, settings = { enableConnectProtocol: true } }: ServerChoice = {},
): Promise<void> {
  const { cert, key } = certificates().local;
  const server = isSecure
    ? createSecureServer({ settings, cert, key, allowHTTP1: true }) as unknown as Http2Server
    : createServer({ settings });
  const sessions = new Set<Http2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    destroyLater(session as unknown as Parameters<typeof destroyLater>[0]);
    session.on("error", () => {});
    session.on("close", () => sessions.delete(session));
  });
  const sockets = new Set<Socket>();
  server.on(isSecure ? "secureConnection" : "connection", (socket: Socket) => sockets.add(socket));
  prepare(server);
  const port = await listen(server as unknown as Parameters<typeof listen>[0]);
  try {
    await body({
      url: `${isSecure ? "wss" : "ws"}://127.0.0.1:${port}`,
      server,
      sessions,
      cut: () => {
        for (const socket of sockets) socket.destroy();
      },
    });
  } finally {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const session of sessions) session.destroy();
    await closed;
  }
}

/** Runs a body against a server of `node:http2` whose streams become channels. They echo if there is no handler. */
export async function withEcho(
  options: ServerOptions,
  body: (running: RunningServer) => Promise<void>,
  choice?: ServerChoice,
): Promise<void> {
  const handler: ServerOptions["handler"] = (channel) => {
    channel.stream.listen((message) => channel.sink.add(message));
  };
  await withServer(
    (server) => void acceptStreams(server, { handler, ...options } as ServerOptions<undefined>),
    body,
    choice,
  );
}

const opened = new Set<WebSocketChannel>();

/** Connects with the certificate authority of the tests. The channel ends with its pool. */
export async function open(
  url: string,
  options: Http2ConnectOptions = {},
): Promise<WebSocketChannel> {
  const tls = url.startsWith("wss:") ? { tls: { ca: certificates().authority.cert } } : {};
  const channel = await Http2.open(url, { ...tls, ...options });
  opened.add(channel);
  return channel;
}

/** Runs a body with a pool of its own. */
export async function withPool(
  body: (pool: Http2Pool) => Promise<void>,
  pool: Http2Pool = new Http2Pool(),
): Promise<void> {
  try {
    await body(pool);
  } finally {
    for (const channel of opened) channel.terminate();
    opened.clear();
    await pool.close();
  }
}
