/** The contenders: this package, with resumption and without it, and other packages. */

import { createServer } from "node:http";
import { createRequire } from "node:module";
import { ReconnectingChannel, resumption, Sessions } from "../../src/reconnecting/mod.ts";
import { WebSocketServer } from "../../src/server/mod.ts";
import type { Contender } from "./jitter.ts";

const require = createRequire(import.meta.url);

/** This package's server and client. */
async function ours(resumes: boolean): Promise<Contender> {
  const sessions = new Sessions();
  const handler = (channel: { stream: { listen(onData: () => void): void } }): void => {
    channel.stream.listen(() => {});
  };
  const server = await WebSocketServer.bind({
    handler: resumes ? sessions.handler(handler) : handler,
  });
  return {
    port: server.address.port,
    connected: () => resumes ? server.channels.size : server.stats().connections.open,
    publish: (text) => server.broadcast(text),
    connect: (url, onMessage) => {
      const options = resumes ? { resume: resumption() } : {};
      const channel = ReconnectingChannel.connect(url, options);
      channel.stream.listen((message) => onMessage(String(message)));
      return () => void channel.close();
    },
    close: () => server.close({ drainTimeout: 1000 }),
  };
}

/** The part of partysocket that the benchmark uses. */
interface PartySocket {
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  close(): void;
}

/** partysocket with `ws`, and this package's server. */
async function partysocket(): Promise<Contender> {
  const { default: PartySocketClass } = require("partysocket/ws") as {
    default: new (url: string, protocols: string[], options: object) => PartySocket;
  };
  const WebSocket = require("ws");
  const base = await ours(false);
  return {
    ...base,
    connect: (url, onMessage) => {
      const socket = new PartySocketClass(url, [], { WebSocket });
      socket.addEventListener("message", ({ data }) => onMessage(String(data)));
      return () => socket.close();
    },
  };
}

/** The part of socket.io's server that the benchmark uses. */
interface SocketIoServer {
  readonly engine: { readonly clientsCount: number };
  emit(event: string, text: string): void;
  close(): Promise<void>;
}

/** The part of its client that the benchmark uses. */
interface SocketIoClient {
  on(event: string, listener: (text: string) => void): void;
  disconnect(): void;
}

/** socket.io's server and client. */
async function socketIo(recovers: boolean): Promise<Contender> {
  const { Server } = require("socket.io") as {
    Server: new (server: object, options: object) => SocketIoServer;
  };
  const { io } = require("socket.io-client") as {
    io: (url: string, options: object) => SocketIoClient;
  };
  const http = createServer();
  const recovery = { maxDisconnectionDuration: 120_000, skipMiddlewares: true };
  const server = new Server(http, {
    transports: ["websocket"],
    ...recovers ? { connectionStateRecovery: recovery } : {},
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", 4096, () => resolve()));
  return {
    port: (http.address() as { port: number }).port,
    connected: () => server.engine.clientsCount,
    publish: (text) => server.emit("message", text),
    connect: (url, onMessage) => {
      const { origin, searchParams } = new URL(url);
      const client = io(origin.replace("ws:", "http:"), {
        transports: ["websocket"],
        forceNew: true,
        query: { client: searchParams.get("client") },
      });
      client.on("message", onMessage);
      return () => void client.disconnect();
    },
    close: () => server.close(),
  };
}

/** The contenders by their names in the table. */
export const CONTENDERS: Readonly<Record<string, () => Promise<Contender>>> = {
  "this package, with resumption": () => ours(true),
  "this package, without it": () => ours(false),
  "partysocket": () => partysocket(),
  "socket.io": () => socketIo(false),
  "socket.io, connection state recovery": () => socketIo(true),
};
