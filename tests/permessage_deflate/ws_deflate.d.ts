/** The part of npm `ws` that compresses, without its sockets. */

import type { Buffer } from "node:buffer";

export class PerMessageDeflate {
  constructor(options?: {
    isServer?: boolean;
    maxPayload?: number;
    threshold?: number;
    clientMaxWindowBits?: number | boolean;
    serverMaxWindowBits?: number;
    clientNoContextTakeover?: boolean;
    serverNoContextTakeover?: boolean;
  });
  offer(): Record<string, string | number | true>;
  accept(configurations: Record<string, (string | true)[]>[]): Record<string, unknown>;
  compress(
    data: Uint8Array,
    fin: boolean,
    callback: (error: Error | null, data: Buffer) => void,
  ): void;
  decompress(
    data: Uint8Array,
    fin: boolean,
    callback: (error: Error | null, data: Buffer) => void,
  ): void;
  cleanup(): void;
}

export const extension: {
  parse(header: string): Record<string, Record<string, (string | true)[]>[]>;
  format(extensions: Record<string, object>): string;
};
