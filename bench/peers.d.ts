/** The parts of the peers that the benchmarks use. */

import type { Buffer } from "node:buffer";
import type { Server as HttpServer } from "node:http";
import type { Server as HttpsServer } from "node:https";

export interface WsOptions {
  perMessageDeflate?: boolean | { threshold: number };
  maxPayload?: number;
  ca?: string;
  servername?: string;
}

export interface WsSocket {
  readonly bufferedAmount: number;
  readonly extensions: string;
  on(event: "open" | "error", listener: () => void): this;
  on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): this;
  on(event: "close", listener: () => void): this;
  send(data: string | Uint8Array, options?: { binary?: boolean }): void;
  close(): void;
  terminate(): void;
}

export interface WsServer {
  on(event: "connection", listener: (socket: WsSocket) => void): this;
}

export class Receiver {
  constructor(options: { isServer: boolean; maxPayload?: number; extensions?: object });
  on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): this;
  write(chunk: Uint8Array): boolean;
}

/** The socket that a Sender writes to. */
export interface SenderSocket {
  cork(): void;
  uncork(): void;
  write(chunk: Uint8Array, callback?: () => void): boolean;
}

export class Sender {
  constructor(socket: SenderSocket, extensions: object);
  send(
    data: Uint8Array,
    options: { binary: boolean; fin: boolean; mask: boolean; compress: boolean },
    callback?: () => void,
  ): void;
}

export interface WsPackage {
  readonly WebSocket: new (url: string, protocols: string[], options: WsOptions) => WsSocket;
  readonly WebSocketServer: new (
    options: WsOptions & { server: HttpServer | HttpsServer },
  ) => WsServer;
  readonly Receiver: typeof Receiver;
  readonly Sender: typeof Sender;
}

export interface Driver {
  readonly io: {
    write(chunk: Uint8Array): boolean;
    end(): void;
    on(event: "data", listener: (chunk: Uint8Array) => void): void;
  };
  on(event: "message", listener: (event: { data: unknown }) => void): void;
  on(event: "open" | "connect" | "close", listener: () => void): void;
  start(): boolean;
  binary(message: Uint8Array): boolean;
  close(): boolean;
}

export interface Drivers {
  client(url: string): Driver;
  server(): Driver;
}
