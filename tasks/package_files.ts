/** The expected files of the npm package, from either builder, and the faults of the built files. */

import { filesIn, readConfig } from "./build_npm.ts";
import { fromFileUrl } from "./support.ts";
import { succeed } from "./tools.ts";

const ROOT = new URL("../", import.meta.url);

let modules: Promise<ReadonlySet<string>> | null = null;

/** Each module of the source that an entry leads to, without its `.ts`. */
export function sourceModules(): Promise<ReadonlySet<string>> {
  return modules ??= readModules();
}

async function readModules(): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const entry of Object.values((await readConfig()).exports)) {
    const info = [Deno.execPath(), "info", "--json", "--no-remote", entry];
    const { modules } = JSON.parse(await succeed(info, { cwd: fromFileUrl(ROOT) })) as {
      modules: { specifier: string }[];
    };
    for (const { specifier } of modules) {
      found.add(specifier.slice(ROOT.href.length).replace(/\.ts$/, ""));
    }
  }
  return found;
}

/** The shims that dnt adds for missing features: the package needs none. */
const SHIM = /_dnt\.(?:shims|polyfills)|dntGlobalThis|dntGlobals|dntShim|createMergeProxy/;
/** A stand-in for the global object: what is compared by identity with `globalThis` or a worker's scope fails. */
const PROXY = /new Proxy\(\s*(?:globalThis|self|window)\b/;

/**
 * Compares a built package with the source.
 *
 * @param content The package as a folder. ES modules may be in its folder `esm/`, where dnt puts them.
 * @returns A line for each file that is missing, that no module of the source is, or that has a shim.
 */
export async function wrongFiles(content: URL): Promise<string[]> {
  const modules = await sourceModules();
  const wanted = new Set(["package.json", "README.md", "CHANGELOG.md", "LICENSE"]);
  for (const it of modules) wanted.add(`${it}.js`);
  const { bin = {} } = JSON.parse(
    await Deno.readTextFile(new URL("package.json", content)),
  ) as { bin?: Record<string, string> };
  for (const path of Object.values(bin)) wanted.add(path.replace(/^\.\//, ""));
  // A declaration that no public type needs may be left out.
  const allowed = new Set([...wanted, ...[...modules].map((it) => `${it}.d.ts`)]);
  const wrong: string[] = [];
  for (const file of await filesIn(content)) {
    const path = file.href.slice(content.href.length).replace(/^esm\//, "");
    if (!allowed.has(path)) wrong.push(`${path} is not of the source`);
    wanted.delete(path);
    if (!path.endsWith(".js")) continue;
    const text = await Deno.readTextFile(file);
    if (SHIM.test(text)) wrong.push(`${path} uses a shim`);
    if (PROXY.test(text)) wrong.push(`${path} puts a Proxy in place of globalThis`);
  }
  return [...wrong, ...[...wanted].map((it) => `${it} is missing`)];
}
