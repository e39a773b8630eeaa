/** Programs that tests start, on any runtime. */

import { Buffer } from "node:buffer";
import { spawn, spawnSync } from "node:child_process";
import process from "node:process";

/** Finds the first of several commands that can run. */
export function findCommand(
  ways: readonly (readonly string[])[],
  check: readonly string[] = ["--version"],
): readonly string[] | null {
  for (const way of ways) {
    const [program = "", ...args] = way;
    const { status } = spawnSync(program, [...args, ...check], { stdio: "ignore" });
    if (status === 0) return way;
  }
  return null;
}

/** The ways to run a program of npm: installed, or downloaded when CI needs it. */
export function fromNpm(name: string): (readonly string[])[] {
  return process.env["CI"] ? [[name], ...fetched(name)] : [[name]];
}

/** The program itself: killing the `npx` around it would leave it running with open pipes. */
function fetched(name: string): string[][] {
  const found = spawnSync("npx", ["-y", "-p", name, "-c", `command -v ${name}`], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const path = String(found.stdout ?? "").trim().split("\n").at(-1) ?? "";
  return path === "" ? [] : [[path]];
}

/** A running program. */
export interface Running {
  /** The next line of JSON that it prints. */
  next(): Promise<Record<string, unknown>>;
  /** Ends it; fulfils when it has ended. */
  close(): Promise<void>;
}

/**
 * Starts a program.
 *
 * @param signal The signal that ends it: after `SIGTERM` it can end the processes that it has started.
 */
export function start(
  command: readonly string[],
  signal: "SIGKILL" | "SIGTERM" = "SIGKILL",
): Running {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  const waiting: ((line: string) => void)[] = [];
  let text = "";
  let errors = "";
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_resolve, reject) => fail = reject);
  failed.catch(() => {});
  child.stdout.on("data", (chunk: Uint8Array) => {
    text += Buffer.from(chunk).toString();
    const parts = text.split("\n");
    text = parts.pop() ?? "";
    for (const line of parts) {
      if (!line.startsWith("{")) continue;
      const next = waiting.shift();
      if (next === undefined) lines.push(line);
      else next(line);
    }
  });
  child.stderr.on("data", (chunk: Uint8Array) => errors += Buffer.from(chunk).toString());
  const ended = new Promise<void>((resolve) => {
    child.once("error", (error) => (fail(error), resolve()));
    // Not the event `close`, which also waits for the program's own child processes.
    child.once("exit", (code) => {
      fail(new Error(`${command.join(" ")} ended with ${code}: ${errors}`));
      resolve();
    });
  });
  return {
    async next() {
      const line = lines.shift() ??
        await Promise.race([failed, new Promise<string>((resolve) => waiting.push(resolve))]);
      return JSON.parse(line);
    },
    async close() {
      child.kill(signal);
      await ended;
      child.stdout.destroy();
      child.stderr.destroy();
    },
  };
}

/** Starts `echo_process.mjs` on the runtime that the tests run on. It prints its port. */
export function startEcho(): Running {
  const isDeno = (process.versions as Record<string, string | undefined>)["deno"] !== undefined;
  const file = `${process.cwd()}/tests/support/echo_process.mjs`;
  return start([
    process.execPath,
    ...(isDeno ? ["run", "--quiet", "--no-config", "--allow-net"] : []),
    file,
  ]);
}
