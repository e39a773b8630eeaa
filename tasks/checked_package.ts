/** Shared code of the checks of the npm package: the package, and a project that uses it. */

import { type Built, NPM_NAME, readConfig } from "./build_npm.ts";

/** The names that the source exports, for a comparison with the package. */
export type Entries = ReadonlyMap<string, readonly string[]>;

/** The package, and a project that it is installed in. */
export interface Checked {
  readonly built: Built;
  readonly project: URL;
  readonly entries: Entries;
}

/** The entries of the source. */
export async function sourceEntries(): Promise<Entries> {
  const entries = new Map<string, readonly string[]>();
  for (const [name, file] of Object.entries((await readConfig()).exports)) {
    const module = await import(new URL(`../${file}`, import.meta.url).href);
    entries.set(name, Object.keys(module).sort());
  }
  return entries;
}

/** The import specifier of an entry. */
export function specifier(entry: string): string {
  return NPM_NAME + entry.slice(1);
}

/** Writes a file of the project. */
export function write({ project }: Checked, name: string, text: string): Promise<void> {
  return Deno.writeTextFile(new URL(name, project), text);
}

/** Writes the blocks of both READMEs, unchanged except for the package's name, as modules of the project. */
export async function writeReadme(checked: Checked): Promise<string[]> {
  const { name } = await readConfig();
  const root = await Deno.readTextFile(new URL("../README.md", import.meta.url));
  const own = await Deno.readTextFile(new URL("README.md", checked.built.content));
  const readme = root.replaceAll(name, NPM_NAME) + own;
  const blocks = [...readme.matchAll(/^```ts.*\n([^]*?)^```$/gm)].map((match) => match[1] ?? "");
  if (blocks.length === 0) throw new Error("The README has no blocks");
  const names = blocks.map((_, i) => `readme_${i}.ts`);
  for (const [i, name] of names.entries()) await write(checked, name, `${blocks[i]}\nexport {};\n`);
  return names;
}
