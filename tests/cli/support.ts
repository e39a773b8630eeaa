/** Runs the command line as a process, on any runtime. For tests that Deno runs. */

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { findCommand } from "../support/processes.ts";
import { bundled, newestNode, RUNTIMES } from "../server/programs.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** How to start the command line on a runtime; `command` is `null` if the runtime isn't installed. */
export interface CommandLine {
  readonly runtime: string;
  readonly command: readonly string[] | null;
}

/** The runtimes. */
export const COMMAND_LINES: readonly CommandLine[] = [
  ...RUNTIMES.map(([runtime, command]) => ({ runtime, command })),
  { runtime: "newest Node", command: await newestNode() },
];

/** Python, whose library has pseudo-terminals; `null` if it isn't installed. */
export const python: readonly string[] | null = findCommand([["python3"]], ["-c", "import pty"]);

let bundle: Promise<string> | null = null;

/** The whole command, with its arguments. */
export async function commandOf(
  { runtime, command }: CommandLine,
  args: readonly string[],
): Promise<string[]> {
  const script = runtime === "Deno"
    ? "src/cli/mod.ts"
    : await (bundle ??= bundled("tests/cli/programs/command.ts"));
  return [...command ?? [], script, ...args];
}

/** How a command ended, and everything that it printed. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A running command. */
export interface Running {
  readonly pid: number;
  /** Writes to its input. */
  type(text: string | Uint8Array): void;
  /** Ends its input. */
  end(): void;
  /** Fulfils when the command has printed a text to either output. */
  until(text: string | RegExp): Promise<string>;
  /** Sends a signal. */
  signal(signal: "SIGINT" | "SIGTERM"): void;
  readonly ended: Promise<Ended>;
}

/** How to run a command. */
export interface RunOptions {
  /** Whether to run it in a pseudo-terminal. */
  readonly inTerminal?: boolean;
  /** The text of its input, which ends behind it. Without it the input stays open. */
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

/** The maximum duration of a command, in milliseconds. */
const PATIENCE = 60_000;

/** Starts the command line. */
export async function start(
  line: CommandLine,
  args: readonly string[],
  { inTerminal = false, input, env = {} }: RunOptions = {},
): Promise<Running> {
  const command = await commandOf(line, args);
  return startCommand(
    inTerminal ? [...python ?? [], "tests/cli/terminal.py", ...command] : command,
    {
      env: { NO_COLOR: "1", ...env },
      ...(input === undefined ? {} : { input }),
    },
  );
}

/** Starts a command. */
export function startCommand(
  [program = "", ...args]: readonly string[],
  { input, env = {} }: RunOptions = {},
): Running {
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...Deno.env.toObject(), TERM: "xterm", ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  let code: number | null | undefined;
  let onText = (): void => {};
  child.stdin.on("error", () => {});
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text, onText()));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text, onText()));
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  const ended = new Promise<Ended>((resolve) => {
    child.on("close", (it: number | null) => {
      clearTimeout(timer);
      code = it;
      onText();
      resolve({ code: it, out, err });
    });
  });
  if (input !== undefined) child.stdin.end(input);
  return {
    pid: child.pid ?? 0,
    type: (text) => void child.stdin.write(text),
    end: () => void child.stdin.end(),
    async until(text) {
      for (;;) {
        const all = `${out}\n${err}`;
        const found = typeof text === "string"
          ? all.includes(text) ? text : null
          : text.exec(all)?.at(-1) ?? null;
        if (found !== null) return found;
        if (code !== undefined) throw new Error(`It ended with ${code} without ${text}:\n${all}`);
        await new Promise<void>((resolve) => onText = resolve);
      }
    },
    // The child's own `kill` would make Deno report the signal instead of the exit code.
    signal: (signal) => Deno.kill(child.pid ?? 0, signal),
    ended,
  };
}

/** Runs the command line to its end. */
export async function run(
  line: CommandLine,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ended> {
  return await (await start(line, args, { input: "", ...options })).ended;
}
