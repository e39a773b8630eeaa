/** Runs the command line in this process, with streams of its own, which saves the start of a runtime. */

import { PassThrough } from "node:stream";
import { run } from "../../src/cli/main.ts";
import type { Process, ReadStream } from "../../src/cli/process.ts";

/** How a command ended, and everything that it printed. */
export interface Ended {
  /** Its exit code, even if it ended the process at once. */
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A command that runs in this process. */
export interface Command {
  /** Writes to its input. */
  type(text: string): void;
  /** Ends its input. */
  end(): void;
  /** Sends it a signal. */
  interrupt(): void;
  /** Fulfils when the command has printed a text to either output. */
  until(text: string | RegExp): Promise<string>;
  /** Fulfils when it has ended; {@linkcode Ended.code} is 130 when it ended the process at once. */
  readonly ended: Promise<Ended>;
  /** Fulfils when no part of it runs any more, even after it has ended the process at once. */
  readonly settled: Promise<unknown>;
}

/** Starts a command. */
export function begin(args: readonly string[], env: Record<string, string> = {}): Command {
  const input = new PassThrough();
  const printed = { out: "", err: "" };
  const interrupts: (() => void)[] = [];
  const waiting = new Set<() => void>();
  let code: number | undefined;
  let onExit = (_code: number): void => {};
  const exited = new Promise<number>((resolve) => onExit = resolve);
  const output = (to: "out" | "err") => ({
    write(content: string | Uint8Array, callback?: () => void): boolean {
      printed[to] += typeof content === "string" ? content : new TextDecoder().decode(content);
      for (const wake of waiting) wake();
      if (callback !== undefined) queueMicrotask(callback);
      return true;
    },
    on: () => {},
    once: () => {},
  });
  const process: Process = {
    argv: [],
    env,
    stdin: input as unknown as ReadStream,
    stdout: output("out"),
    stderr: output("err"),
    exit: ((it: number) => onExit(it)) as (code: number) => never,
    on: (event, listener) => void (event === "SIGINT" && interrupts.push(listener)),
  };
  const settled = run(args, process);
  const ended = Promise.race([settled, exited]).then((it) => {
    code = it;
    for (const wake of waiting) wake();
    return { code: it, ...printed };
  });
  return {
    type: (text) => void input.write(text),
    end: () => void input.end(),
    interrupt: () => interrupts.forEach((it) => it()),
    async until(text) {
      for (;;) {
        const all = `${printed.out}\n${printed.err}`;
        const found = typeof text === "string" ? all.includes(text) ? text : null : text.exec(all);
        if (found !== null) return found.at(-1) ?? "";
        if (code !== undefined) throw new Error(`It ended with ${code} without ${text}:\n${all}`);
        await new Promise<void>((resolve) => waiting.add(resolve));
      }
    },
    ended,
    settled,
  };
}

/** Runs a command to its end. Its input ends behind the text. */
export async function complete(
  args: readonly string[],
  input = "",
  env: Record<string, string> = {},
): Promise<Ended> {
  const command = begin(args, env);
  command.type(input);
  command.end();
  return await command.ended;
}
