/**
 * What is used of the process: typed by its shape, as no builtin is imported.
 *
 * @module
 */

import { builtinModule } from "../realm/builtin_module.ts";

/** A stream that can be written to. */
export interface WriteStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string | Uint8Array, callback?: (error?: unknown) => void): boolean;
  on(event: "error", listener: (error: { readonly code?: string }) => void): unknown;
  once(event: "drain", listener: () => void): unknown;
}

/** A stream that can be read. */
export interface ReadStream extends AsyncIterable<Uint8Array> {
  readonly isTTY?: boolean;
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
  on(event: "end" | "close", listener: () => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
  pause(): unknown;
  resume(): unknown;
  unref?(): unknown;
}

/** The process. */
export interface Process {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: ReadStream;
  readonly stdout: WriteStream;
  readonly stderr: WriteStream;
  exitCode?: number | string | null | undefined;
  exit(code: number): never;
  on(event: "SIGINT" | "SIGTERM", listener: () => void): unknown;
}

/** This process. */
export function thisProcess(): Process {
  return (globalThis as unknown as { process: Process }).process;
}

/** The builtin modules, by name. */
export interface Modules {
  "fs": {
    readFileSync(path: string): Uint8Array;
    readFileSync(path: string, encoding: "utf8"): string;
    createWriteStream(path: string, options: { flags: string; mode: number }): FileStream;
    createReadStream(path: string): ReadStream;
    openSync(path: string, flags: string, mode: number): number;
    writeFileSync(path: string, text: string): void;
    writeSync(file: number, text: string): number;
    closeSync(file: number): void;
  };
  "util": {
    parseArgs(config: {
      args: readonly string[];
      options: Readonly<Record<string, ParseOption>>;
      allowPositionals: boolean;
      strict: boolean;
    }): { values: Record<string, unknown>; positionals: string[] };
  };
  "readline": {
    createInterface(options: {
      input: ReadStream;
      output: WriteStream;
      terminal: boolean;
      prompt: string;
      historySize: number;
    }): LineEditor;
  };
  "http": { createServer(options: object, listener: HttpListener): HttpTapServer };
  "child_process": { spawn(command: string, options: object): Child };
}

/** An option as `node:util`'s `parseArgs` takes it. */
export interface ParseOption {
  readonly type: "string" | "boolean";
  readonly short?: string;
  readonly multiple?: boolean;
}

/** A file that is written. */
export interface FileStream extends WriteStream {
  end(callback: () => void): unknown;
}

/** What `node:readline` gives. */
export interface LineEditor {
  on(event: "line", listener: (line: string) => void): unknown;
  on(event: "close" | "SIGINT", listener: () => void): unknown;
  prompt(keepsCursor?: boolean): void;
  close(): void;
}

/** A process that was started. */
export interface Child {
  readonly stdin: WriteStream & { end(): unknown };
  readonly stdout: ReadStream & { destroy(): unknown };
  on(event: "exit" | "close", listener: (code: number | null, signal: string) => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
  kill(signal: string): boolean;
}

/** What answers plain requests. */
export type HttpListener = (
  request: unknown,
  response: { writeHead(status: number, headers: object): unknown; end(body: string): unknown },
) => void;

/** A socket, of either end. */
export interface TapSocket {
  readonly destroyed: boolean;
  write(bytes: Uint8Array): boolean;
  end(): unknown;
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
  on(event: "end" | "close" | "drain", listener: () => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
}

/** A server of `node:http`. */
export interface HttpTapServer {
  on(
    event: "upgrade",
    listener: (
      request: { readonly url?: string; readonly rawHeaders: readonly string[] },
      socket: TapSocket,
      head: Uint8Array,
    ) => void,
  ): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
  listen(port: number, hostname: string, callback: () => void): unknown;
  address(): { readonly port: number; readonly address: string };
  close(callback?: () => void): unknown;
  closeAllConnections?(): void;
}

/**
 * A builtin module of the runtime.
 *
 * @param name Its name, without `node:`.
 */
export function module<Name extends keyof Modules>(name: Name): Modules[Name] {
  const found = builtinModule<Modules[Name]>(name) ?? builtinModule<Modules[Name]>(`node:${name}`);
  if (found !== null) return found;
  throw new Unusable(`The command line needs node:${name}: run it with Deno, Node 20.16 or Bun`);
}

/** The runtime lacks what the command line needs. */
export class Unusable extends Error {}
