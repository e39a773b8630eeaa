/**
 * Each server runs in a process of its own, on the same runtime. Commands are lines of JSON,
 * and so are answers.
 */

import { delay } from "@std/async";
import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import type { LargeClient, Sample } from "./large_client.ts";
import { runtime } from "./runtime.ts";
import { type Running, type ServerName, servers } from "./servers.ts";

/** The commands of a server's process. */
export type Command =
  /** The used memory after a garbage collection. */
  | { readonly ask: "memory" }
  /** Sends a number of messages of a size to all clients, some per turn. Answers when all are sent. */
  | {
    readonly ask: "broadcast";
    readonly count: number;
    readonly size: number;
    readonly perTurn: number;
  }
  /** The current resident memory of the process. */
  | { readonly ask: "resident" }
  /** The used processor time, in microseconds. */
  | { readonly ask: "processor time" }
  /** How many clients are connected. */
  | { readonly ask: "connections" }
  /** The number of buffered bytes for the slowest client. */
  | { readonly ask: "waiting" };

/** The memory of a process, in bytes. */
export interface Memory {
  /** The memory of its objects and buffers. */
  readonly used: number;
  /** Its resident memory. */
  readonly resident: number;
}

/** A server in a process of its own. */
export interface ServerProcess {
  readonly pid: number;
  readonly port: number;
  readonly url: string;
  memory(): Promise<Memory>;
  resident(): Promise<number>;
  broadcast(count: number, size: number, perTurn?: number): Promise<void>;
  waiting(): Promise<number>;
  processorTime(): Promise<number>;
  connections(): Promise<number>;
  stop(): void;
}

const children = new Set<{ kill(): unknown }>();
process.on("exit", () => children.forEach((child) => child.kill()));

/** Starts this program again, as a server. */
export async function startServer(
  name: ServerName,
  identity?: { readonly cert: string; readonly key: string },
): Promise<ServerProcess> {
  const child = spawn(process.execPath, [...flags(), process.argv[1] ?? "", "serve", name], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, BENCH_IDENTITY: JSON.stringify(identity ?? {}) },
  });
  children.add(child);
  const waiting: { resolve(line: string): void; reject(error: Error): void }[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => waiting.shift()?.resolve(line));
  child.once("exit", () => {
    for (const { reject } of waiting) reject(new Error(`The server "${name}" ended`));
  });
  const next = (): Promise<string> =>
    new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  const ask = async (command: Command) => {
    const line = next();
    child.stdin.write(JSON.stringify(command) + "\n");
    return JSON.parse(await line);
  };
  const { port } = JSON.parse(await next());
  return {
    pid: child.pid ?? 0,
    port,
    url: `${/TLS$|HTTP\/2$/.test(name) ? "wss" : "ws"}://127.0.0.1:${port}`,
    memory: () => ask({ ask: "memory" }),
    resident: async () => (await ask({ ask: "resident" })).resident,
    broadcast: (count, size, perTurn = 16) => ask({ ask: "broadcast", count, size, perTurn }),
    waiting: async () => (await ask({ ask: "waiting" })).waiting,
    processorTime: async () => (await ask({ ask: "processor time" })).time,
    connections: async () => (await ask({ ask: "connections" })).connections,
    stop() {
      children.delete(child);
      child.kill("SIGKILL");
    },
  };
}

/**
 * Starts this program again, as the client of one large message. Yields its reports.
 *
 * @throws {Error} When it fails.
 */
export async function* startClient(
  name: LargeClient,
  port: number,
  size: number,
): AsyncGenerator<Sample> {
  const args = [process.argv[1] ?? "", "copy", name, String(port), String(size)];
  const child = spawn(process.execPath, [...flags(), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.add(child);
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line);
  children.delete(child);
  const code = await ended;
  if (code !== 0) throw new Error(`The client "${name}" ended with ${code}`);
}

function flags(): string[] {
  if (runtime === "Deno") return ["run", "--allow-all", "--v8-flags=--expose-gc"];
  return runtime === "Bun" ? [] : ["--expose-gc"];
}

/** Serves until its parent process has ended. */
export async function serve(name: string): Promise<void> {
  const start = servers[name as ServerName];
  const running = await start();
  console.log(JSON.stringify({ port: running.port }));
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => void answer(running, JSON.parse(line)));
  lines.on("close", () => process.exit(0));
}

async function answer(running: Running, command: Command): Promise<void> {
  if (command.ask === "memory") return console.log(JSON.stringify(await memory()));
  if (command.ask === "resident") {
    return console.log(JSON.stringify({ resident: process.memoryUsage().rss }));
  }
  if (command.ask === "waiting") {
    return console.log(JSON.stringify({ waiting: running.waiting() }));
  }
  if (command.ask === "processor time") {
    const { user, system } = process.cpuUsage();
    return console.log(JSON.stringify({ time: user + system }));
  }
  if (command.ask === "connections") {
    return console.log(JSON.stringify({ connections: running.connections() }));
  }
  const { count, size, perTurn } = command;
  await running.broadcast(count, new Uint8Array(size).fill(97), perTurn);
  console.log("{}");
}

/** The memory of this process after a garbage collection. */
export async function memory(): Promise<Memory> {
  const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(sync: boolean): void } };
  for (let i = 0; i < 4; i++) {
    gc?.();
    Bun?.gc(true);
    await delay(20);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { used: heapUsed + external, resident: rss };
}
