/** What is used of the peers' inner parts. */

import type { Buffer } from "node:buffer";

export class Receiver {
  constructor(options: { isServer: boolean; maxPayload?: number; extensions?: object });
  on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): this;
  write(chunk: Uint8Array): boolean;
}

/** What a Sender writes to. */
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

export interface Driver {
  readonly io: {
    write(chunk: Uint8Array): boolean;
    on(event: "data", listener: (chunk: Uint8Array) => void): void;
  };
  on(event: "message", listener: (event: { data: unknown }) => void): void;
  on(event: "open" | "connect", listener: () => void): void;
  start(): boolean;
  binary(message: Uint8Array): boolean;
}

declare const drivers: {
  client(url: string): Driver;
  server(): Driver;
};
export default drivers;
