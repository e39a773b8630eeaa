/**
 * Everything that must be clean before a commit. The quick steps run first, one after the other; then the long ones,
 * as many at a time as there are processors. It starts no step after one that fails, and names that one.
 *
 * ```sh
 * deno task ok                  # everything
 * deno task ok lint types       # these steps only
 * deno task ok --without tests  # all but these
 * ```
 */

import { standInArgs } from "./std.ts";
import { fromFileUrl, run } from "./support.ts";
import { output } from "./tools.ts";

const ROOT = new URL("../", import.meta.url);

interface Step {
  readonly name: string;
  readonly args: readonly string[];
  /** It takes long: its output is printed when it has ended. */
  readonly isLong?: boolean;
}

async function entries(): Promise<string[]> {
  const config = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  return Object.values(config.exports as Record<string, string>);
}

async function folders(...names: string[]): Promise<string[]> {
  const there: string[] = [];
  for (const name of names) {
    const found = await Deno.stat(new URL(name, ROOT)).catch(() => null);
    if (found?.isDirectory) there.push(name);
  }
  return there;
}

/** The steps, the quick ones first, then the longest first. The examples are run by the tests. */
async function steps(std: string[]): Promise<Step[]> {
  const all = await folders("src", "tests", "examples", "bench", "tasks");
  // CI has a clean checkout; before a commit there is none.
  const dirty = Deno.env.get("CI") === undefined ? ["--allow-dirty"] : [];
  const task = (name: string, ...args: string[]): Step => ({
    name,
    args: ["task", "--quiet", name, ...args],
  });
  const documented = ["mod.ts", "status.ts", "src", "README.md", "docs"];
  return [
    { name: "format", args: ["fmt", "--check"] },
    { name: "lint", args: ["lint"] },
    { name: "words", args: ["run", "--allow-all", "tasks/words.ts"] },
    // Each by itself: an entry exports every type that it mentions.
    ...(await entries()).map((it) => ({ name: "docs", args: ["doc", "--lint", it] })),
    { name: "types", args: ["check", ...std, "mod.ts", "status.ts", ...all] },
    task("options"),
    task("figures"),
    task("demo"),
    { name: "workflows", args: ["run", "--allow-all", "tasks/check_workflows.ts"] },
    task("test"),
    ...[
      task("coverage"),
      { name: "doc-tests", args: ["test", ...std, "--doc", "--allow-all", ...documented] },
      // A smoke test: the figures don't matter here.
      task("bench", "--quick", "--runtime", "deno"),
      task("size"),
      { name: "publish", args: ["publish", "--dry-run", ...dirty] },
    ].map((it) => ({ ...it, isLong: true })),
  ].map((it) => it.name === "test" ? { ...it, name: "tests" } : it);
}

function chosen(all: Step[]): Step[] {
  const [first, ...rest] = Deno.args;
  const without = first === "--without";
  const names = without ? rest : Deno.args;
  const unknown = names.filter((name) => !all.some((step) => step.name === name));
  if (unknown.length > 0) {
    console.error(
      `No such step: ${unknown.join(", ")}. There are: ${all.map((it) => it.name).join(", ")}`,
    );
    Deno.exit(2);
  }
  if (names.length === 0) return all;
  return all.filter((step) => names.includes(step.name) !== without);
}

const done: string[] = [];
const faults: string[] = [];

function head({ name, args }: Step): string {
  return `\n=== ${name}: deno ${args.filter((it) => !it.startsWith("--import-map=")).join(" ")}`;
}

async function runStep(step: Step): Promise<void> {
  const start = performance.now();
  const cwd = fromFileUrl(ROOT);
  let code: number;
  if (step.isLong) {
    const ended = await output([Deno.execPath(), ...step.args], { cwd });
    console.log(`${head(step)}\n${ended.stdout}${ended.stderr}`);
    code = ended.code;
  } else {
    console.log(head(step));
    code = await run(Deno.execPath(), [...step.args], { cwd });
  }
  if (code !== 0) faults.push(`${step.name} (exit code ${code})`);
  else done.push(`${step.name} ${((performance.now() - start) / 1000).toFixed(1)} s`);
}

async function runAll(its: Step[], atOnce: number): Promise<void> {
  const work = async (): Promise<void> => {
    while (faults.length === 0) {
      const step = its.shift();
      if (step === undefined) return;
      await runStep(step);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

const all = chosen(await steps(await standInArgs()));
await runAll(all.filter((it) => !it.isLong), 1);
await runAll(all.filter((it) => it.isLong), navigator.hardwareConcurrency);
if (faults.length > 0) {
  console.log(`\nnot ok: ${faults.join(", ")}`);
  Deno.exit(1);
}
console.log(`\nok: ${done.join(", ")}`);
