/** The project's own source files, and what they import. For Deno only. */

import { pooledMap } from "@std/async";

const ROOT = new URL("../../", import.meta.url);

/** An import, or an export from another module. */
export interface Import {
  /** The path from the project's root, of one of its files; else the specifier. */
  readonly target: string;
  /** Whether it imports only types. */
  readonly isType: boolean;
}

/** A source file. */
export interface Source {
  /** From the project's root, such as `src/native/polling.ts`. */
  readonly path: string;
  readonly text: string;
  /** Its text, with blanks instead of comments. */
  readonly code: string;
  /** Its code without the content of strings and templates. */
  readonly bare: string;
  readonly imports: readonly Import[];
}

const STRING = `"(?:[^"\\\\\\n]|\\\\.)*"|'(?:[^'\\\\\\n]|\\\\.)*'|\`(?:[^\`\\\\]|\\\\.)*\``;
const STRINGS_AND_COMMENTS = new RegExp(`(${STRING})|/\\*[^]*?\\*/|//.*$`, "gm");
const IMPORTS = /^(?:import|export)(\s+type\b)?(?:[^;"'`=()]*?\bfrom)?\s*"([^"]+)";/gm;
const DYNAMIC_IMPORTS = /\bimport\("([^"]+)"\)/g;

/** Reads a text file of the project. */
export function readText(path: string): Promise<string> {
  return Deno.readTextFile(new URL(path, ROOT));
}

/** The paths of all files below a folder, from the project's root, sorted. */
export async function filesBelow(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(new URL(`${folder}/`, ROOT))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) files.push(...await filesBelow(path));
    else files.push(path);
  }
  return files.sort();
}

/** All TypeScript files below a folder. */
export async function sourcesBelow(folder: string): Promise<Source[]> {
  const paths = (await filesBelow(folder)).filter((path) => path.endsWith(".ts"));
  const sources: Source[] = [];
  for await (const source of pooledMap(32, paths, readSource)) sources.push(source);
  return sources;
}

/** One source file. */
export async function readSource(path: string): Promise<Source> {
  return parseSource(path, await readText(path));
}

/** The parts of a source file. */
export function parseSource(path: string, text: string): Source {
  const blank = (hidden: string): string => hidden.replace(/[^\n]/g, " ");
  const code = text.replace(STRINGS_AND_COMMENTS, (all, string) => string ?? blank(all));
  const bare = code.replace(STRINGS_AND_COMMENTS, (all) => all[0] + blank(all.slice(2)) + all[0]);
  return { path, text, code, bare, imports: importsOf(path, code) };
}

function importsOf(path: string, code: string): Import[] {
  const found: Import[] = [];
  for (const [, type, specifier] of code.matchAll(IMPORTS)) {
    found.push({ target: resolve(path, specifier ?? ""), isType: type !== undefined });
  }
  for (const [, specifier] of code.matchAll(DYNAMIC_IMPORTS)) {
    found.push({ target: resolve(path, specifier ?? ""), isType: false });
  }
  return found;
}

function resolve(path: string, specifier: string): string {
  if (!specifier.startsWith(".")) return specifier;
  return new URL(specifier, `file:///${path}`).pathname.slice(1);
}
