/** The test files, and bundles of them for runtimes that don't run TypeScript. */

import { standInArgs } from "./std.ts";
import { fromFileUrl } from "./support.ts";
import { succeed } from "./tools.ts";
import { NPM_NAME, readConfig } from "./build_npm.ts";

const ROOT = new URL("../", import.meta.url);

/** A file of tests. */
export interface TestFile {
  /** From the project's root. */
  readonly path: string;
  /** The folder of tests/ that it is in. */
  readonly suite: string;
  /** What it is about, where the suite is run over several. */
  readonly transport: string;
  /** Why it runs on Deno only; empty when it doesn't. */
  readonly denoOnly: string;
  /** Whether it uses the package by its public names, so that it can run against what is published. */
  readonly isPublic: boolean;
}

/** Files that use public names only, and things that have no state to share with the package. */
const PUBLIC =
  /^tests\/(conformance\/(native|net|server|server_platform)_test|interop\/from_test)\.ts$/;

/**
 * All test files, sorted.
 *
 * @param chosen Beginnings of paths; none: all.
 */
export async function testFiles(chosen: readonly string[]): Promise<TestFile[]> {
  const files: TestFile[] = [];
  const walk = async (folder: string): Promise<void> => {
    for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
      const path = `${folder}${entry.name}`;
      if (entry.isDirectory) await walk(`${path}/`);
      else if (entry.name.endsWith("_test.ts")) files.push(await testFile(path));
    }
  };
  await walk("tests/");
  files.sort((a, b) => a.path < b.path ? -1 : 1);
  if (chosen.length === 0) return files;
  return files.filter((file) => chosen.some((it) => file.path.startsWith(it)));
}

async function testFile(path: string): Promise<TestFile> {
  const text = await Deno.readTextFile(new URL(path, ROOT));
  const denoOnly = /^\/\/ Deno only: (.+)$/m.exec(text.slice(0, 2000))?.[1] ?? "";
  const parts = path.split("/");
  const suite = parts.length > 2 ? parts[1] ?? "" : "project";
  const transport = suite === "conformance" ? (parts[2] ?? "").replace("_test.ts", "") : "";
  return { path, suite, transport, denoOnly, isPublic: PUBLIC.test(path) };
}

/**
 * Bundles files from source.
 *
 * @param folder Where to.
 * @returns The path of each one's bundle.
 */
export async function bundleSource(
  files: readonly TestFile[],
  folder: URL,
): Promise<Map<string, string>> {
  return await bundle(files, folder, await standInArgs());
}

/**
 * Bundles files so that they import the package as it is installed.
 *
 * @param project The folder that it is installed in.
 */
export async function bundleAgainstPackage(
  files: readonly TestFile[],
  project: URL,
): Promise<Map<string, string>> {
  const config = await readConfig();
  const [argument] = await standInArgs();
  const imports: Record<string, string> = argument === undefined
    ? JSON.parse(await Deno.readTextFile(new URL("import_map.json", ROOT))).imports
    : JSON.parse(decodeURIComponent(argument.slice(argument.indexOf(",") + 1))).imports;
  await Deno.mkdir(new URL("entries/", project), { recursive: true });
  for (const [entry, file] of Object.entries(config.exports)) {
    // An import map leads to URLs only; this one leads on to the name.
    const proxy = new URL(`entries/${entry.replace(/\W+/g, "_")}.ts`, project);
    await Deno.writeTextFile(proxy, `export * from "${NPM_NAME}${entry.slice(1)}";\n`);
    imports[new URL(file, ROOT).href] = proxy.href;
  }
  const map = new URL("import_map.json", project);
  await Deno.writeTextFile(map, JSON.stringify({ imports }));
  return await bundle(files, new URL("tests/", project), [
    `--import-map=${fromFileUrl(map)}`,
    `--external=${NPM_NAME}`,
    `--external=${NPM_NAME}/*`,
  ]);
}

async function bundle(
  files: readonly TestFile[],
  folder: URL,
  options: readonly string[],
): Promise<Map<string, string>> {
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  if (files.length === 0) return new Map();
  const paths = files.map((file) => file.path);
  await succeed([
    Deno.execPath(),
    "bundle",
    "--quiet",
    ...options,
    "--platform=deno",
    "--format=esm",
    "--code-splitting",
    `--outdir=${fromFileUrl(folder)}`,
    ...paths,
  ], { cwd: fromFileUrl(ROOT) });
  // Node 20 doesn't look into a file to see what it is.
  await Deno.writeTextFile(new URL("package.json", folder), `{"type":"module"}`);
  return await bundled(paths, folder);
}

/** The bundles lie below the folder as the sources do below the folder that they have in common. */
async function bundled(paths: readonly string[], folder: URL): Promise<Map<string, string>> {
  const found: string[] = [];
  const walk = async (below: URL): Promise<void> => {
    for await (const entry of Deno.readDir(below)) {
      if (entry.isDirectory) await walk(new URL(`${entry.name}/`, below));
      else if (entry.name.endsWith("_test.js")) {
        found.push(fromFileUrl(new URL(entry.name, below)).replaceAll("\\", "/"));
      }
    }
  };
  await walk(folder);
  return new Map(paths.map((path) => [path, bundleOf(path, found)]));
}

function bundleOf(path: string, found: readonly string[]): string {
  let name = path.replace(/\.ts$/, ".js");
  for (;;) {
    const file = found.find((it) => it.endsWith(`/${name}`));
    if (file !== undefined) return file;
    const slash = name.indexOf("/");
    if (slash < 0) throw new Error(`No bundle of ${path}`);
    name = name.slice(slash + 1);
  }
}
