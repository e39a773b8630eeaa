/**
 * Runs `deno <command> …` so that it also works where JSR can't be reached.
 *
 * The tests use `@std/assert` and `@std/async`, from JSR. This task first sees whether Deno can get
 * them; if the registry can't be reached it runs the same command with an import map that puts the
 * small stand-ins of tests/offline/ in their place, and says so. `STD=jsr` insists on the genuine
 * packages, `STD=offline` on the stand-ins.
 *
 * ```sh
 * deno run --allow-all tasks/std.ts test --allow-all
 * ```
 */

import { fromFileUrl, run } from "./support.ts";

const ROOT = new URL("../", import.meta.url);
const SECONDS = 20;

interface Config {
  imports: Record<string, string>;
  exports: Record<string, string>;
  name: string;
}

async function readConfig(): Promise<Config> {
  const read = async (name: string): Promise<Config> =>
    JSON.parse(await Deno.readTextFile(new URL(name, ROOT)));
  return { ...await read("deno.json"), ...await read("import_map.json") };
}

/** The import map of the stand-ins, as a `data:` URL. It replaces deno.json's, so it holds the whole map. */
function offlineImportMap(config: Config): string {
  const imports: Record<string, string> = { ...config.imports };
  for (const name of Object.keys(imports)) {
    if (!imports[name]?.startsWith("jsr:@std/")) continue;
    imports[name] = new URL(`tests/offline/${name.slice("@std/".length)}.ts`, ROOT).href;
  }
  for (const [entry, file] of Object.entries(config.exports)) {
    imports[config.name + entry.slice(1)] = new URL(file, ROOT).href;
  }
  return "data:application/json," + encodeURIComponent(JSON.stringify({ imports }));
}

/** Whether the registry itself answers: then a package that isn't available is a fault to show. */
async function registryAnswers(): Promise<boolean> {
  const registry = Deno.env.get("JSR_URL") ?? "https://jsr.io";
  try {
    const url = new URL("/@std/assert/meta.json", registry);
    const response = await fetch(url, { signal: AbortSignal.timeout(SECONDS * 1000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

async function genuineCached(config: Config): Promise<boolean> {
  const specifiers = Object.values(config.imports).filter((it) => it.startsWith("jsr:@std/"));
  const signal = AbortSignal.timeout(SECONDS * 1000);
  const command = new Deno.Command(Deno.execPath(), {
    args: ["cache", "--quiet", ...specifiers],
    stdout: "null",
    stderr: "piped",
    signal,
  });
  const { success, stderr } = await command.output();
  if (success) return true;
  if (!signal.aborted && await registryAnswers()) {
    console.error(new TextDecoder().decode(stderr));
    Deno.exit(1);
  }
  return false;
}

async function useStandIns(config: Config): Promise<boolean> {
  switch (Deno.env.get("STD")) {
    case "jsr":
      return false;
    case "offline":
      console.error("std: STD=offline, so the stand-ins of tests/offline/ serve as @std.");
      return true;
  }
  if (await genuineCached(config)) return false;
  console.error("std: JSR can't be reached, so the stand-ins of tests/offline/ serve as @std.");
  // What this task's own children start needs no second try.
  Deno.env.set("STD", "offline");
  return true;
}

/** The arguments that put the stand-ins in place, or none where the genuine packages are available. */
export async function standInArgs(): Promise<string[]> {
  const config = await readConfig();
  return await useStandIns(config) ? [`--import-map=${offlineImportMap(config)}`] : [];
}

if (import.meta.main) {
  const [command, ...rest] = Deno.args;
  if (command === undefined) {
    console.error("usage: tasks/std.ts <deno command> [arguments]");
    Deno.exit(2);
  }
  const args = [command, ...await standInArgs(), ...rest];
  Deno.exit(await run(Deno.execPath(), args, { cwd: fromFileUrl(ROOT) }));
}
