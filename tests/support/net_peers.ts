/** Servers that stand between a client and a recipe: TLS, a Unix socket, an HTTP proxy. */

import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions, type TLSSocket } from "node:tls";

/** A running server of this file. */
export interface Peer {
  readonly port: number;
  /** The number of TCP connections accepted so far. */
  readonly connections: number;
  /** Ends everything. Fulfils when every connection is closed. */
  close(): Promise<void>;
}

/** A TLS server that forwards everything. */
export interface TlsPeer extends Peer {
  /** Each finished handshake's server name and agreed protocol. */
  readonly seen: { servername: string | null; alpn: string | null; client: string | null }[];
}

/** A proxy. */
export interface ProxyPeer extends Peer {
  /** The heads of the requests, in order of arrival. */
  readonly requests: string[];
}

/** How a proxy behaves. */
export interface ProxyManners {
  /** Answers with this instead of opening a tunnel, then ends, unless `keep` is set. */
  answer?: string;
  keep?: boolean;
  /** Data directly after the answer that opens the tunnel. */
  extra?: string;
  /** Ends the connection instead of answering. */
  end?: boolean;
  /** Never answers. */
  silent?: boolean;
  /** The required value of `Proxy-Authorization`. */
  authorization?: string;
  /** Connects all tunnels to this port. */
  port?: number;
  /** Speaks TLS itself. */
  tls?: TlsOptions;
}

/** Starts a TLS server in front of a port, or of a URL's port. */
export async function startTls(
  behind: number | string,
  options: TlsOptions,
  host?: string,
  at = 0,
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
  // The client reports the error.
  server.on("tlsClientError", () => {});
  return Object.assign(await listen(server, at, host), { seen });
}

/** Serves connections at an address and a port. */
export function listenAt(
  host: string,
  port: number,
  serve: (socket: Socket) => void,
): Promise<Peer> {
  return listen(createServer(serve), port, host);
}

/** Forwards everything from a Unix socket to a port. */
export async function startUnixSocket(path: string, behind: string): Promise<Peer> {
  const port = Number(new URL(behind).port);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    join(socket, connect({ port, host: "127.0.0.1", allowHalfOpen: true }));
  });
  return await listen(server, path);
}

/** Forwards everything from the IPv6 loopback to a port; `null` on a machine without IPv6. */
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

/** How a SOCKS5 proxy behaves. */
export interface SocksManners {
  /** The required user name and password, with a colon between. Default: none. */
  login?: string;
  /** Its answer to an offer of methods, in hexadecimal, instead of the correct one. */
  method?: string;
  /** Its answer to a request, in hexadecimal, instead of connecting. */
  reply?: (host: string) => string | undefined;
  /** Data directly after the reply that opens the tunnel. */
  extra?: string;
  /** Sends each byte in a chunk of its own. */
  bytewise?: boolean;
  /** Ends the connection after this many received messages. */
  endsAfter?: number;
}

/** A SOCKS5 proxy. */
export interface SocksPeer extends Peer {
  /** The requested hosts, as the client wrote them. */
  readonly asked: string[];
  /** The received logins. */
  readonly logins: string[];
  /** All the bytes of the clients' messages, in hexadecimal. */
  readonly messages: string[];
}

/** Starts a SOCKS5 proxy. It assumes that each message of a client arrives as one chunk. */
export async function startSocks(manners: SocksManners = {}): Promise<SocksPeer> {
  const asked: string[] = [];
  const logins: string[] = [];
  const messages: string[] = [];
  const serve = (socket: Socket): void => {
    let step = 0;
    const write = (hex: string): void => {
      const bytes = (hex.match(/../g) ?? []).map((it) => parseInt(it, 16));
      if (!manners.bytewise) return void socket.write(Uint8Array.from(bytes));
      for (const byte of bytes) socket.write(Uint8Array.of(byte));
    };
    const onData = (chunk: Uint8Array): void => {
      messages.push([...chunk].map((it) => it.toString(16).padStart(2, "0")).join(""));
      if (++step === manners.endsAfter) return void socket.end();
      const { login } = manners;
      if (step === 1) return write(manners.method ?? (login === undefined ? "0500" : "0502"));
      if (step === 2 && login !== undefined) {
        const user = String(chunk.subarray(2, 2 + (chunk[1] ?? 0)));
        logins.push(`${user}:${String(chunk.subarray(3 + (chunk[1] ?? 0)))}`);
        return write(logins.at(-1) === login ? "0100" : "0101");
      }
      socket.removeListener("data", onData);
      const { host, port } = socksTarget(chunk);
      asked.push(host);
      const reply = manners.reply?.(host);
      if (reply !== undefined) {
        write(reply);
        return void socket.end();
      }
      const target = connect({ port, host: host.endsWith(".test") ? "127.0.0.1" : host });
      target.once("error", () => socket.end());
      target.once("connect", () => {
        write(`0500000304${"61626364"}0001${manners.extra ?? ""}`);
        join(socket, target);
      });
    };
    socket.on("error", () => {});
    socket.on("data", onData);
  };
  return Object.assign(await listen(createServer(serve), 0), { asked, logins, messages });
}

/** RFC 1928 §4. */
function socksTarget(request: Uint8Array): { host: string; port: number } {
  const port = (request.at(-2) ?? 0) * 256 + (request.at(-1) ?? 0);
  const address = [...request.subarray(4, -2)];
  if (request[3] === 1) return { host: address.join("."), port };
  if (request[3] === 3) return { host: String.fromCharCode(...address.slice(1)), port };
  const groups = address.map((it) => it.toString(16).padStart(2, "0")).join("").match(/.{4}/g);
  return { host: groups?.join(":") ?? "", port };
}

/** Forwards everything in both directions, including ends and losses. */
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
