/** Runs programs with a server, each in its own process, on any runtime. For tests that Deno runs. */

import { fileURLToPath } from "node:url";
import { standInArgs } from "../../tasks/std.ts";
import { NEWEST_NODE, OUT, runtime } from "../../tasks/tools.ts";
import { findCommand, fromNpm } from "../support/processes.ts";

const ROOT = new URL("../../", import.meta.url);

/** The arguments that give a program the same `@std` as the tests. */
const STAND_INS = await standInArgs();

/** How a program ended. */
export interface Ended {
  readonly code: number;
  /** The program's complete output. */
  readonly text: string;
}

/** A running program. */
export interface Program {
  /** The address that the program prints. */
  readonly url: string;
  /** Fulfils with the printed line that starts with a text; later calls fulfil with the second, the third… */
  printed(start: string, count?: number): Promise<string>;
  /** Sends a line, if the program was started with an input. */
  say(line: string): Promise<void>;
  /** Sends a signal that doesn't end the program. */
  signal(signal: Deno.Signal): void;
  /** Fulfils when the program has ended. */
  readonly ended: Promise<Ended>;
  /** Sends a signal. */
  stop(signal?: Deno.Signal): Promise<Ended>;
}

/** The commands that run a program; `null` if the runtime isn't installed. */
export const RUNTIMES: readonly [name: string, command: readonly string[] | null][] = [
  ["Deno", [Deno.execPath(), "run", ...STAND_INS, "--quiet", "--allow-all"]],
  ["Node", findCommand([["node"]])],
  ["Bun", findCommand(fromNpm("bun"))],
];

/** The newest Node, if another one is installed; `null` if it isn't available. */
export async function newestNode(): Promise<readonly string[] | null> {
  return await runtime(`Node ${NEWEST_NODE}`).then(({ command }) => command, () => null);
}

/**
 * Starts a program, and waits until it prints its address.
 *
 * @param hasInput Whether the program reads lines.
 * @param cwd The working directory; by default the project's folder.
 */
export async function startProgram(
  [program = "", ...args]: readonly string[],
  hasInput = false,
  cwd: string = fileURLToPath(ROOT),
): Promise<Program> {
  const child = new Deno.Command(program, {
    args,
    cwd,
    env: { NO_COLOR: "1" },
    stdin: hasInput ? "piped" : "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const input = hasInput ? child.stdin.getWriter() : null;
  let text = "";
  let onText = (): void => {};
  const more = (): Promise<void> => new Promise((resolve) => onText = resolve);
  const printed = async (start: string, count = 1): Promise<string> => {
    for (;;) {
      const lines = text.split("\n").slice(0, -1).filter((it) => it.startsWith(start));
      const line = lines[count - 1];
      if (line !== undefined) return line;
      await Promise.race([more(), early]);
    }
  };
  const reading = (async () => {
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += part;
      onText();
    }
  })();
  const ended = child.status.then(async ({ code }) => {
    await reading;
    await input?.close().catch(() => {});
    return { code, text };
  });
  const early = ended.then(({ code }) => {
    throw new Error(`It ended with ${code}: ${[program, ...args].join(" ")}\n${text}`);
  });
  early.catch(() => {});
  return {
    url: (await printed("listening at ")).slice("listening at ".length),
    printed,
    say: async (line) => await input?.write(new TextEncoder().encode(`${line}\n`)),
    signal: (signal) => child.kill(signal),
    ended,
    async stop(signal = "SIGTERM") {
      try {
        child.kill(signal);
      } catch {
        // The program has already ended.
      }
      return await ended;
    },
  };
}

/** Limits the wait: a faulty program would otherwise block the tests forever. */
export const PATIENCE = 60_000;

/** Bundles a program and its imports into one JavaScript file, for runtimes that need one. */
export async function bundled(source: string): Promise<string> {
  const output = fileURLToPath(new URL(source.replace(/\.ts$/, ".mjs"), OUT));
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["bundle", "--quiet", ...STAND_INS],
      ...["--platform=deno", `--output=${output}`, source],
    ],
    cwd: fileURLToPath(ROOT),
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return output;
}
