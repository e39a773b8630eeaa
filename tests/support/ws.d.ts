/** The part of npm `ws` that the tests use. */

import type { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";

/** A connection, of either side. */
export class WebSocket {
  constructor(url: string, protocols?: string[], options?: ClientOptions);
  readonly protocol: string;
  readonly extensions: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  binaryType: "nodebuffer" | "arraybuffer" | "fragments";
  on(event: "open", listener: () => void): this;
  on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): this;
  on(event: "ping" | "pong", listener: (data: Buffer) => void): this;
  on(event: "close", listener: (code: number, reason: Buffer) => void): this;
  on(event: "error", listener: (error: Error & { code?: string }) => void): this;
  once(event: "open" | "message" | "close", listener: (value: unknown) => void): this;
  addEventListener(type: string, listener: (event: object) => void): void;
  send(
    data: string | Uint8Array,
    options?: { binary?: boolean; fin?: boolean; compress?: boolean },
  ): void;
  ping(data?: string | Uint8Array): void;
  pong(data?: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
  pause(): void;
  resume(): void;
}

export interface ClientOptions {
  maxPayload?: number;
  perMessageDeflate?: boolean | object;
  headers?: Record<string, string>;
  autoPong?: boolean;
}

/** What `handleUpgrade` reads of a request. */
export interface UpgradeRequest {
  method: string;
  headers: Record<string, string>;
}

export interface ServerOptions {
  noServer?: boolean;
  host?: string;
  port?: number;
  clientTracking?: boolean;
  perMessageDeflate?: boolean | object;
  maxPayload?: number;
  handleProtocols?: (offered: Set<string>) => string | false;
}

export class WebSocketServer {
  constructor(options: ServerOptions);
  on(event: "headers", listener: (lines: string[]) => void): this;
  on(
    event: "connection",
    listener: (socket: WebSocket, request: { readonly url?: string }) => void,
  ): this;
  on(event: "listening", listener: () => void): this;
  address(): { readonly port: number };
  handleUpgrade(
    request: UpgradeRequest,
    socket: Duplex,
    head: Uint8Array,
    callback: (socket: WebSocket) => void,
  ): void;
  close(callback?: () => void): void;
}
