/** Clients to measure: ours in each of its forms, and those of peers. */

import { Buffer } from "node:buffer";
import { connect } from "node:net";
import type { WebSocketChannel } from "../mod.ts";
import { NativeWebSocketChannel } from "../src/native/native_web_socket_channel.ts";
import { NetWebSocketChannel } from "../src/net/net_web_socket_channel.ts";
import { subscribe } from "../src/diagnostics/subscribe.ts";
import * as peers from "./peers.ts";
import type { WsPackage } from "./peers.d.ts";

/** An open connection. It sends messages, and reports each received one. */
export interface Client {
  send(message: string | Uint8Array): void;
  onMessage: () => void;
  /** Called when the connection has ended. */
  onEnd: () => void;
  /** Fulfils when the connection has ended. */
  close(): Promise<void>;
}

/** The settings that both ends share. */
export interface ClientOptions {
  readonly compression?: boolean;
  /** The authority that issued the server's certificate. */
  readonly ca?: string;
}

type Connect = (url: string, options: ClientOptions) => Promise<Client>;

/** The maximum message size of every client, in bytes. */
const LARGEST = 2 ** 30;

function ownChannel(url: string, { compression = false, ca }: ClientOptions): WebSocketChannel {
  return NetWebSocketChannel.connect(url, {
    compression: compression && { threshold: 0 },
    maxMessageSize: LARGEST,
    ...(ca === undefined ? {} : { tls: { ca } }),
  });
}

function clientOf(channel: WebSocketChannel): Client {
  const { sink } = channel;
  const client: Client = {
    send: (message) => void sink.add(message),
    onMessage: () => {},
    onEnd: () => {},
    close: () => sink.close(),
  };
  channel.closed.then(() => client.onEnd());
  return client;
}

async function listening(channel: WebSocketChannel): Promise<Client> {
  await channel.ready;
  const client = clientOf(channel);
  channel.stream.listen(() => client.onMessage());
  return client;
}

let seen = 0;

/** With a subscriber of diagnostics, which observes connections that begin from now on. */
function observed(url: string, options: ClientOptions): Promise<Client> {
  const unsubscribe = subscribe({ message: ({ size }) => void (seen += size) });
  const channel = ownChannel(url, options);
  void channel.closed.then(unsubscribe);
  return listening(channel);
}

async function awaiting(url: string, options: ClientOptions): Promise<Client> {
  const channel = ownChannel(url, options);
  await channel.ready;
  const client = clientOf(channel);
  (async () => {
    for await (const _ of channel.stream) client.onMessage();
  })();
  return client;
}

async function throughViews(url: string, options: ClientOptions): Promise<Client> {
  const channel = ownChannel(url, options);
  await channel.ready;
  const writer = channel.sink.writable.getWriter();
  const reader = channel.stream.readable.getReader();
  const client: Client = {
    send: (message) => void writer.write(message),
    onMessage: () => {},
    onEnd: () => {},
    close: () => writer.close(),
  };
  (async () => {
    while (!(await reader.read()).done) client.onMessage();
  })();
  return client;
}

/** The platform's own, or one with its interface. */
async function plain(socket: WebSocket): Promise<Client> {
  socket.binaryType = "arraybuffer";
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error("It can't connect"));
  });
  const client: Client = {
    send: (message) => socket.send(message as Uint8Array<ArrayBuffer>),
    onMessage: () => {},
    onEnd: () => {},
    close: () =>
      new Promise((resolve) => {
        client.onEnd = resolve;
        socket.close();
      }),
  };
  socket.onclose = () => client.onEnd();
  socket.onmessage = () => client.onMessage();
  return client;
}

async function viaWs({ WebSocket }: WsPackage, url: string, options: ClientOptions) {
  const { compression = false, ca } = options;
  const socket = new WebSocket(url, [], {
    perMessageDeflate: compression && { threshold: 0 },
    maxPayload: 0,
    ...(ca === undefined ? {} : { ca }),
  });
  await new Promise<void>((resolve, reject) => {
    socket.on("open", () => resolve());
    socket.on("error", () => reject(new Error("It can't connect")));
  });
  const client: Client = {
    send: (message) => socket.send(message, { binary: typeof message !== "string" }),
    onMessage: () => {},
    onEnd: () => {},
    close: () =>
      new Promise((resolve) => {
        client.onEnd = resolve;
        socket.close();
      }),
  };
  socket.on("close", () => client.onEnd());
  socket.on("message", () => client.onMessage());
  return client;
}

async function viaDriver(url: string): Promise<Client> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  const driver = peers.drivers().client(url);
  driver.io.on("data", (chunk) => socket.write(chunk));
  socket.on("data", (chunk: Uint8Array) => driver.io.write(chunk));
  const open = new Promise<void>((resolve) => driver.on("open", () => resolve()));
  socket.once("connect", () => driver.start());
  await open;
  const client: Client = {
    // It masks the message in place, so it needs a copy of its own.
    send: (message) => void driver.binary(Buffer.from(message as Uint8Array)),
    onMessage: () => {},
    onEnd: () => {},
    close: () =>
      new Promise((resolve) => {
        client.onEnd = resolve;
        driver.close();
      }),
  };
  driver.on("close", () => {
    socket.end();
    client.onEnd();
  });
  driver.on("message", () => client.onMessage());
  return client;
}

/** The clients. */
export type ClientName =
  | "ours"
  | "ours, observed"
  | "ours, for await"
  | "ours, Web Streams"
  | "ours, native"
  | "global WebSocket"
  | "undici"
  | "ws"
  | "ws, no bufferutil"
  | "websocket-driver";

const clients: Readonly<Record<ClientName, Connect>> = {
  "ours": (url, options) => listening(ownChannel(url, options)),
  "ours, observed": observed,
  "ours, for await": awaiting,
  "ours, Web Streams": throughViews,
  "ours, native": (url) => listening(NativeWebSocketChannel.connect(url)),
  "global WebSocket": (url) => plain(new WebSocket(url)),
  "undici": (url) => plain(new (peers.undiciWebSocket())(url)),
  "ws": (url, options) => viaWs(peers.ws(), url, options),
  "ws, no bufferutil": (url, options) => viaWs(peers.plainWs(), url, options),
  "websocket-driver": (url) => viaDriver(url),
};

/** Connects. */
export function connectClient(
  name: ClientName,
  url: string,
  options: ClientOptions = {},
): Promise<Client> {
  return clients[name](url, options);
}
