/** Servers of engines, on every runtime: each has a free port and a folder of its own for its data. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** A server that tests can kill and start again with its data. */
export interface EngineServer {
  readonly port: number;
  /** Kills it. */
  stop(): Promise<void>;
  /** Starts it again. */
  start(): Promise<void>;
  /** Kills it, and removes its data. */
  end(): Promise<void>;
}

/** A port that was free a moment ago: these servers don't choose one, or don't report it. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Returns this many different free ports. */
export function freePorts(count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, freePort));
}

/** Ends, with the process, the servers of tests that failed before they ended them. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a program, and waits until it reports that it is ready. */
function run(
  command: string,
  args: readonly string[],
  ready: RegExp,
): Promise<() => Promise<void>> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  void ended.then(() => running.delete(child));
  return new Promise((resolve, reject) => {
    let text = "";
    const stop = async (): Promise<void> => {
      child.kill("SIGKILL");
      await ended;
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const onData = (chunk: Uint8Array): void => {
      text += new TextDecoder().decode(chunk);
      if (ready.test(text)) resolve(stop);
      if (text.length > 100_000) text = text.slice(-1000);
    };
    child.stdout.on("data", onData);
    child.stderr.on("data", onData);
    child.once("error", reject);
    void ended.then(() => reject(new Error(`${command} ended: ${text}`)));
  });
}

async function serve(
  command: string,
  ready: RegExp,
  argsFor: (port: number, folder: string) => Promise<string[]>,
): Promise<EngineServer> {
  const folder = await mkdtemp(join(tmpdir(), "topics-"));
  const port = await freePort();
  const args = await argsFor(port, folder);
  const start = async (): Promise<void> => void (kill = await run(command, args, ready));
  let kill = async (): Promise<void> => {};
  await start();
  return {
    port,
    start,
    stop: () => kill(),
    async end() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Debian's redis-server. Confirmed writes outlive it, unless `args` disable that. */
export function startRedis(...args: string[]): Promise<EngineServer> {
  return serve("redis-server", /ready to accept/i, (port, folder) =>
    Promise.resolve([
      ...["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
      ...["--appendonly", "yes", "--appendfsync", "always", ...args],
    ]));
}

/** Debian's nats-server with JetStream and additional lines of configuration. */
export function startNats(config = ""): Promise<EngineServer> {
  return serve("nats-server", /Server is ready/, async (port, folder) => {
    const path = join(folder, "nats.conf");
    const lines = [
      `listen: "127.0.0.1:${port}"`,
      `jetstream: { store_dir: ${JSON.stringify(folder)} }`,
      config,
    ];
    await writeFile(path, lines.join("\n"));
    return ["-c", path];
  });
}

/** The number of tests of an engine that run at the same time: they mostly wait for their servers. */
const TOGETHER = 6;

/** Runs tests at the same time, each with a server of its own. The first one starts those behind it as well. */
export function together(): (run: () => Promise<void>) => () => Promise<void> {
  const runs: (() => Promise<void>)[] = [];
  const started: (Promise<void> | undefined)[] = [];
  return (run) => {
    const index = runs.push(run) - 1;
    return async () => {
      for (let i = index; i < Math.min(index + TOGETHER, runs.length); i++) {
        started[i] ??= runs[i]?.();
        // Each test reports its own failure.
        started[i]?.catch(() => {});
      }
      await started[index];
    };
  };
}
