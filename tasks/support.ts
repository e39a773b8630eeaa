/** Shared code of the tasks: paths, and child processes that use the caller's output. */

import { fileURLToPath } from "node:url";

export const fromFileUrl: (url: URL) => string = fileURLToPath;

/** Runs a command with this process's own input and output; resolves to its exit code. */
export async function run(
  command: string,
  args: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<number> {
  const child = new Deno.Command(command, {
    args,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
    ...options,
  }).spawn();
  return (await child.status).code;
}

/** Parts text into lines, without their ends. */
export class TextLineStream extends TransformStream<string, string> {
  constructor() {
    let rest = "";
    super({
      transform(text, controller) {
        const lines = (rest + text).split(/\r?\n/);
        rest = lines.pop() ?? "";
        for (const line of lines) controller.enqueue(line);
      },
      flush(controller) {
        if (rest !== "") controller.enqueue(rest);
      },
    });
  }
}
