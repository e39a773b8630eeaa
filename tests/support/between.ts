/** Programs that stand between a client and a server. Each listens on its own port. */

import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { retry } from "@std/async";
import { NetWebSocketChannel } from "../../src/net/mod.ts";
import { findCommand, type Running, start } from "./processes.ts";
import { closeServer, listen } from "./loopback.ts";

/** How to run nginx; `null` if it isn't installed. */
export const nginx: readonly string[] | null = findCommand([["nginx"], ["/usr/sbin/nginx"]], [
  "-v",
]);

/** The settings that keep nginx in its folder and in the foreground. */
export function nginxFolders(folder: string): { readonly main: string; readonly http: string } {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((it) => `${it}_temp_path ${folder}/${it};`).join(" ");
  return {
    main: `daemon off; master_process off; pid ${folder}/pid; error_log stderr;
      events { worker_connections 64; }`,
    http: `access_log off; ${temporary}`,
  };
}

/** A port that was free a moment ago: these programs don't choose one themselves. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await closeServer(server);
  return port;
}

/** Runs a program with a folder of its own, and waits until it listens. Fails if the program ends before the body. */
export async function withProgram(
  prepare: (folder: string, port: number) => readonly string[],
  body: (port: number) => Promise<void>,
  signal?: "SIGTERM",
): Promise<void> {
  const folder = mkdtempSync(`${tmpdir()}/interop-`);
  const port = await freePort();
  const program: Running = start(prepare(folder, port), signal);
  try {
    await Promise.race([listening(port).then(() => body(port)), program.next()]);
  } finally {
    await program.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function listening(port: number): Promise<void> {
  const url = `ws://127.0.0.1:${port}`;
  const attempt = async (): Promise<void> => {
    const { ready } = NetWebSocketChannel.connect(url, { connectTimeout: 5000 });
    const error: unknown = await ready.then(() => null, (it) => it);
    if ((error as { phase?: string } | null)?.phase === "tcp") throw error;
  };
  await retry(attempt, { maxAttempts: 500, minTimeout: 10, multiplier: 1, jitter: 0 });
}
