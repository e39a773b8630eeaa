/**
 * The tests on every runtime: Deno as they are; Node 20, the newest Node and Bun bundled from
 * source. One table at the end.
 *
 * ```sh
 * deno task test:all                   # everything
 * deno task test:all --runtime bun     # one runtime
 * deno task test:all tests/conformance # some of the files
 * ```
 *
 * A test file whose first lines hold `// Deno only: reason` isn't run elsewhere, and the table says so.
 * The runtimes come from npm; the Node that is installed serves as Node 20 where it is one.
 */

import { standInArgs } from "./std.ts";
import { fromFileUrl } from "./support.ts";

const ROOT = new URL("../", import.meta.url);
const OUT = new URL(".out/tests/", ROOT);

/** A runtime, and how to start a script on it. */
interface Runtime {
  readonly name: string;
  /** What `--version` must print, at least its beginning: a wrong runtime would pass silently. */
  readonly version: RegExp;
  readonly command: readonly string[];
}

interface Outcome {
  readonly suite: string;
  readonly runtime: string;
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
  readonly note: string;
}

function nodeFromNpm(major: number): string[] {
  return ["npx", "-y", "-p", `${nodePackage()}@${major}`, "node"];
}

/** npm's `node` package needs an install script to get a binary; these are the binaries themselves. */
function nodePackage(): string {
  const arch = Deno.build.arch === "aarch64" ? "arm64" : "x64";
  const os = Deno.build.os === "windows" ? "win" : Deno.build.os;
  return `node-${os}-${arch}`;
}

const RUNTIMES: readonly Runtime[] = [
  { name: "Node 20", version: /^v20\./, command: nodeFromNpm(20) },
  { name: "Node 26", version: /^v26\./, command: nodeFromNpm(26) },
  { name: "Bun", version: /^1\./, command: ["npx", "-y", "bun"] },
];

async function output(command: readonly string[], options: Deno.CommandOptions = {}): Promise<{
  code: number;
  stdout: string;
  stderr: string;
}> {
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...options,
  });
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Where the runtime's program is, so that it starts without npm each time. */
async function located(runtime: Runtime): Promise<Runtime | string> {
  const installed = runtime.name === "Bun" ? "bun" : "node";
  for (const command of [[installed], runtime.command]) {
    const seen = await output([...command, "--version"]).catch(() => null);
    if (seen === null || !runtime.version.test(seen.stdout)) continue;
    if (command.length === 1) return { ...runtime, command };
    return { ...runtime, command };
  }
  return `not to be had: ${runtime.command.join(" ")}`;
}

interface TestFile {
  readonly path: string;
  readonly suite: string;
  /** Why it runs on Deno only; empty when it doesn't. */
  readonly denoOnly: string;
}

async function testFiles(chosen: readonly string[]): Promise<TestFile[]> {
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
  const reason = /^\/\/ Deno only: (.+)$/m.exec(text.slice(0, 2000))?.[1] ?? "";
  const parts = path.split("/");
  return { path, suite: parts.length > 2 ? parts[1] ?? "" : "project", denoOnly: reason };
}

async function bundle(files: readonly TestFile[]): Promise<string[]> {
  await Deno.remove(OUT, { recursive: true }).catch(() => {});
  const paths = files.map((file) => file.path);
  const { code, stderr } = await output([
    Deno.execPath(),
    "bundle",
    "--quiet",
    ...await standInArgs(),
    "--platform=deno",
    "--format=esm",
    "--code-splitting",
    `--outdir=${fromFileUrl(OUT)}`,
    ...paths,
  ], { cwd: fromFileUrl(ROOT) });
  if (code !== 0) throw new Error(`deno bundle failed:\n${stderr}`);
  return await bundled(paths);
}

/** The bundles lie below the output folder as the sources do below their common folder. */
async function bundled(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: URL): Promise<void> => {
    for await (const entry of Deno.readDir(folder)) {
      if (entry.isDirectory) await walk(new URL(`${entry.name}/`, folder));
      else if (entry.name.endsWith("_test.js")) {
        found.push(fromFileUrl(new URL(entry.name, folder)));
      }
    }
  };
  await walk(OUT);
  return paths.map((path) => {
    const name = path.slice("tests/".length).replace(/\.ts$/, ".js");
    const file = found.find((it) => it.replaceAll("\\", "/").endsWith(`/${name}`)) ??
      found.find((it) => it.replaceAll("\\", "/").endsWith(`/${name.split("/").at(-1)}`));
    if (file === undefined) throw new Error(`No bundle of ${path}`);
    return file;
  });
}

async function runOn(
  runtime: Runtime,
  suite: string,
  scripts: readonly string[],
): Promise<Outcome> {
  const runner = fromFileUrl(new URL("tests/runner/deno_test.mjs", ROOT));
  const { code, stdout, stderr } = await output([...runtime.command, runner, ...scripts], {
    cwd: fromFileUrl(ROOT),
  });
  const last = stdout.trimEnd().split("\n").at(-1) ?? "";
  const counted = last.startsWith('{"passed"');
  const counts = counted ? JSON.parse(last) : { passed: 0, failed: 1, ignored: 0 };
  if (code !== 0) {
    console.log(stdout);
    console.error(stderr);
  }
  const note = counted ? "" : `ended with exit code ${code}`;
  return { suite, runtime: runtime.name, ...counts, note };
}

async function runOnDeno(suite: string, files: readonly TestFile[]): Promise<Outcome> {
  const { code, stdout, stderr } = await output([
    Deno.execPath(),
    "test",
    "--quiet",
    ...await standInArgs(),
    "--allow-all",
    ...files.map((file) => file.path),
  ], { cwd: fromFileUrl(ROOT), env: { NO_COLOR: "1" } });
  const counts =
    /\| (\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed(?: \(\d+ steps?\))?(?: \| (\d+) ignored)?/
      .exec(stdout);
  if (code !== 0) {
    console.log(stdout);
    console.error(stderr);
  }
  return {
    suite,
    runtime: "Deno",
    passed: Number(counts?.[1] ?? 0),
    failed: counts === null ? 1 : Number(counts[2]),
    ignored: Number(counts?.[3] ?? 0),
    note: "",
  };
}

function show(outcomes: readonly Outcome[]): void {
  const rows = outcomes.map(({ suite, runtime, passed, failed, ignored, note }) => [
    suite,
    runtime,
    note !== "" && passed + failed === 0 ? "not applicable" : `${passed} passed, ${failed} failed`,
    [ignored > 0 ? `${ignored} ignored` : "", note].filter((it) => it !== "").join("; "),
  ]);
  const widths = [0, 1, 2].map((column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0))
  );
  console.log("\nsuite × runtime");
  for (const row of rows) {
    console.log(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd());
  }
}

function bySuite(files: readonly TestFile[]): Map<string, TestFile[]> {
  const suites = new Map<string, TestFile[]>();
  for (const file of files) suites.set(file.suite, [...suites.get(file.suite) ?? [], file]);
  return suites;
}

async function main(args: string[]): Promise<number> {
  const at = args.indexOf("--runtime");
  const wanted = at < 0 ? null : args.splice(at, 2)[1]?.toLowerCase();
  const isWanted = (name: string): boolean =>
    wanted === null ||
    name.toLowerCase().replace(" ", "").startsWith(wanted?.replace(" ", "") ?? "");
  const files = await testFiles(args);
  const outcomes: Outcome[] = [];
  if (isWanted("Deno")) {
    for (const [suite, its] of bySuite(files)) outcomes.push(await runOnDeno(suite, its));
  }
  const portable = files.filter((file) => file.denoOnly === "");
  const runtimes = RUNTIMES.filter((runtime) => isWanted(runtime.name));
  const scripts = runtimes.length === 0 ? [] : await bundle(portable);
  for (const wantedRuntime of runtimes) {
    const runtime = await located(wantedRuntime);
    for (const [suite, its] of bySuite(files)) {
      if (typeof runtime === "string") {
        const missing = { suite, runtime: wantedRuntime.name, passed: 0, failed: 0, ignored: 0 };
        outcomes.push({ ...missing, note: runtime });
        continue;
      }
      const here = portable.filter((file) => file.suite === suite);
      const itsScripts = here.map((file) => scripts[portable.indexOf(file)] as string);
      const reasons = its.filter((file) => file.denoOnly !== "");
      const note = reasons.map((file) => `${file.path}: ${file.denoOnly}`).join("; ");
      if (here.length === 0) {
        outcomes.push({ suite, runtime: runtime.name, passed: 0, failed: 0, ignored: 0, note });
        continue;
      }
      const outcome = await runOn(runtime, suite, itsScripts);
      outcomes.push({
        ...outcome,
        note: [outcome.note, note].filter((it) => it !== "").join("; "),
      });
    }
  }
  show(outcomes);
  const passed = outcomes.reduce((sum, it) => sum + it.passed, 0);
  const failed = outcomes.reduce((sum, it) => sum + it.failed, 0);
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main([...Deno.args]));
