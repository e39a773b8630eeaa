/** The blocks of code in the README and the docs, run on Node or Bun against the npm package. */

import { NPM_NAME, readConfig } from "./build_npm.ts";
import { limited } from "./process_tree.ts";
import { esbuild, type Runtime, succeed } from "./tools.ts";
import { fromFileUrl } from "./support.ts";

const ROOT = new URL("../", import.meta.url);
/** The maximum duration of a block, in milliseconds. */
const LIMIT = 60_000;

async function pages(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    if (isDirectory) found.push(...await pages(`${folder}${name}/`));
    else if (name.endsWith(".md")) found.push(`${folder}${name}`);
  }
  return found.sort();
}

/** A block that can run by itself. */
interface Block {
  /** Its page, and which of the page's blocks it is. */
  readonly name: string;
  readonly code: string;
}

/** The blocks that Deno runs as well, without those for Deno only. */
async function blocks(): Promise<Block[]> {
  const { name } = await readConfig();
  const found: Block[] = [];
  for (const page of ["README.md", "npm/README.md", ...await pages("docs/")]) {
    const text = await Deno.readTextFile(new URL(page, ROOT));
    const all = [...text.matchAll(/^( *)```(?:ts|js)\n([^]*?)^\1```$/gm)];
    for (const [i, [, , code = ""]] of all.entries()) {
      if (/\bDeno\./.test(code)) continue;
      found.push({ name: `${page}, block ${i + 1}`, code: code.replaceAll(name, NPM_NAME) });
    }
  }
  return found;
}

/** The output in the comments behind a block's calls of `console.log`, in order. */
function outputsOf(code: string): string[] {
  // An indented call is in a function, which may print it or not.
  const calls = code.matchAll(/^(?:\S.*)?\bconsole\.log\(.*\);? \/\/ (.+)$/gm);
  return [...calls].map(([, output = ""]) => output);
}

/**
 * The first expected output that isn't printed, or `null`. `…` stands for any text, and an explanation may follow
 * a colon.
 */
export function missingOutput(code: string, printed: string): string | null {
  // Runtimes differ in quotes, and in where they break an object into lines.
  const text = printed.replaceAll("'", '"').replace(/([{[,])\n\s*/g, "$1 ");
  const lines = text.replace(/,?\s*\n?( ?)\s*([}\]])$/gm, " $2").split("\n");
  for (const output of outputsOf(code)) {
    const shown = output.replace(/ ?([}\]])$/, " $1");
    const pattern = shown.split("…").map((it) => RegExp.escape(it)).join(".*");
    const found = lines.findIndex((line) =>
      line !== "" && (new RegExp(`^${pattern}$`).test(line) || output.startsWith(`${line}: `))
    );
    if (found < 0) return output;
    lines.splice(0, found + 1);
  }
  return null;
}

/**
 * Runs all tests.
 *
 * @param project The folder that the package is installed in.
 * @throws {Error} When one fails.
 */
export async function runDocs({ name, command }: Runtime, project: URL): Promise<void> {
  const failures: string[] = [];
  const all = await blocks();
  if (all.length === 0) throw new Error("The docs have no blocks");
  for (const [i, block] of all.entries()) {
    const stem = `${name.replace(" ", "_")}_docs_${i}`;
    const source = new URL(`${stem}.ts`, project);
    const script = new URL(`${stem}.mjs`, project);
    await Deno.writeTextFile(source, block.code);
    const compile = [...await esbuild(), fromFileUrl(source), "--format=esm", "--target=node20"];
    await Deno.writeTextFile(script, await succeed(compile));
    const ended = await limited([...command, fromFileUrl(script)], LIMIT, project);
    if (ended.code !== 0) failures.push(`${block.name}:\n${ended.stdout}${ended.stderr}`);
    const missing = missingOutput(block.code, ended.stdout);
    if (missing !== null) {
      failures.push(`${block.name} did not print "${missing}", but:\n${ended.stdout}`);
    }
  }
  if (failures.length > 0) throw new Error(failures.join("\n"));
}
