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
export interface ReadStream {
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
  exit(code: number): never;
  on(event: "SIGINT" | "SIGTERM", listener: () => void): unknown;
}

/** This process. */
export function thisProcess(): Process {
  return (globalThis as unknown as { process: Process }).process;
}

/** Kills a process (SIGKILL). */
export function killProcess(id: number): void {
  const { process } = globalThis as unknown as {
    process: { kill(id: number, signal: string): void };
  };
  process.kill(id, "SIGKILL");
}

/** The builtin modules, by name. */
export interface Modules {
  "fs": {
    readFileSync(path: string, encoding: "utf8"): string;
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
  "child_process": { spawn(command: string, options: object): Child };
}

/** An option as `node:util`'s `parseArgs` takes it. */
export interface ParseOption {
  readonly type: "string" | "boolean";
  readonly short?: string;
  readonly multiple?: boolean;
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
  readonly pid?: number;
  readonly stdin: WriteStream & { end(): unknown };
  readonly stdout: ReadStream & { destroy(): unknown };
  on(event: "exit" | "close", listener: (code: number | null, signal: string) => void): unknown;
  on(event: "error", listener: (error: unknown) => void): unknown;
  kill(signal: string): boolean;
}

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
