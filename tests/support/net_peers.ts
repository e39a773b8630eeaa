/** What stands between a client and a recipe: TLS in front of it, a Unix socket, an HTTP proxy. */

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions, type TLSSocket } from "node:tls";

/** A running server of this file. */
export interface Peer {
  readonly port: number;
  /** Bare connections accepted so far. */
  readonly connections: number;
  /** Ends everything; fulfils when nothing is left. */
  close(): Promise<void>;
}

/** A TLS server that hands everything on. */
export interface TlsPeer extends Peer {
  /** What each finished handshake asked for: the server's name, and the protocol agreed on. */
  readonly seen: { servername: string | null; alpn: string | null; client: string | null }[];
}

/** A proxy. */
export interface ProxyPeer extends Peer {
  /** The heads of the requests, as they came. */
  readonly requests: string[];
}

/** How a proxy behaves. */
export interface ProxyManners {
  /** Answers with this instead of opening a tunnel, then ends (or, with `keep`, doesn't). */
  answer?: string;
  keep?: boolean;
  /** Put right behind the answer that opens the tunnel. */
  extra?: string;
  /** Ends the connection instead of answering. */
  end?: boolean;
  /** Never answers. */
  silent?: boolean;
  /** What `Proxy-Authorization` must be. */
  authorization?: string;
  /** Leads all tunnels there. */
  port?: number;
  /** Speaks TLS itself. */
  tls?: TlsOptions;
}

/** Starts TLS in front of a port, or of a URL's. */
export async function startTls(
  behind: number | string,
  options: TlsOptions,
): Promise<TlsPeer> {
  const seen: TlsPeer["seen"] = [];
  const port = typeof behind === "number" ? behind : Number(new URL(behind).port);
  const server = createTlsServer({ allowHalfOpen: true, ...options }, (socket: TLSSocket) => {
    const { servername } = socket as TLSSocket & { servername?: string | false };
    seen.push({
      servername: servername || null,
      alpn: socket.alpnProtocol || null,
      client: String(socket.getPeerCertificate()?.subject?.CN ?? "") || null,
    });
    join(socket, connect({ port, host: "127.0.0.1", allowHalfOpen: true }));
  });
  // The client tells what went wrong.
  server.on("tlsClientError", () => {});
  return Object.assign(await listen(server, 0), { seen });
}

/** Hands everything on from a Unix socket to a port. */
export async function startUnixSocket(path: string, behind: string): Promise<Peer> {
  const port = Number(new URL(behind).port);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    join(socket, connect({ port, host: "127.0.0.1", allowHalfOpen: true }));
  });
  return await listen(server, path);
}

/** Hands everything on from the IPv6 loopback to a port; `null` on a machine without IPv6. */
export async function startLoopback6(behind: string): Promise<Peer | null> {
  const port = Number(new URL(behind).port);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    join(socket, connect({ port, host: "127.0.0.1", allowHalfOpen: true }));
  });
  return await listen(server, 0, "::1").catch(() => null);
}

/** Starts an HTTP proxy. */
export async function startProxy(manners: ProxyManners = {}): Promise<ProxyPeer> {
  const requests: string[] = [];
  const serve = (socket: Socket): void => {
    let head = "";
    const onData = (chunk: Uint8Array): void => {
      head += String(chunk);
      if (!head.includes("\r\n\r\n")) return;
      socket.removeListener("data", onData);
      requests.push(head);
      answer(socket, head, manners);
    };
    socket.on("error", () => {});
    socket.on("data", onData);
  };
  const server = manners.tls === undefined
    ? createServer(serve)
    : createTlsServer(manners.tls, serve);
  server.on("tlsClientError", () => {});
  return Object.assign(await listen(server, 0), { requests });
}

function answer(socket: Socket, head: string, manners: ProxyManners): void {
  const { answer, authorization, end, extra = "", keep, port, silent } = manners;
  if (silent) return void socket.resume();
  if (end) return void socket.end();
  const given = /^proxy-authorization: (.*)$/im.exec(head)?.[1];
  if (authorization !== undefined && given !== authorization) {
    socket.end(
      "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n" +
        "Content-Length: 2\r\n\r\nno",
    );
    return;
  }
  if (answer !== undefined) {
    socket.write(answer);
    if (!keep) socket.end();
    return;
  }
  const match = /^CONNECT (\S+):(\d+) HTTP\/1\.1\r\n/.exec(head);
  if (match === null) return void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
  const host = match[1]?.replace(/^\[|\]$/g, "") ?? "";
  const target = port === undefined
    ? connect({ port: Number(match[2]), host })
    : connect({ port, host: "127.0.0.1" });
  target.once("connect", () => {
    socket.write(`HTTP/1.1 200 Connection established\r\n\r\n${extra}`);
    join(socket, target);
  });
  target.once("error", () => socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n"));
}

/** Hands everything on, both ways, the ends and losses included. */
function join(one: Socket, other: Socket): void {
  for (const [from, to] of [[one, other], [other, one]] as const) {
    from.on("data", (chunk: Uint8Array) => {
      if (!to.write(chunk)) from.pause();
    });
    to.on("drain", () => from.resume());
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
    from.resume();
  }
}

async function listen(
  server: Server,
  where: number | string,
  host = "127.0.0.1",
): Promise<Peer> {
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on("connection", (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    if (typeof where === "string") server.listen(where, () => resolve());
    else server.listen(where, host, () => resolve());
  });
  return {
    port: typeof where === "string" ? 0 : (server.address() as AddressInfo).port,
    get connections(): number {
      return connections;
    },
    async close(): Promise<void> {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const gone = [...sockets].map((socket) =>
        new Promise<void>((resolve) => {
          socket.once("close", () => resolve());
          socket.destroy();
        })
      );
      await Promise.all([closed, ...gone]);
    },
  };
}
