/** What the tasks share: paths, and child processes whose output is the caller's. */

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
