/**
 * All that must be clean before a commit, one step after the other; it stops at the first that isn't,
 * and says which.
 *
 * ```sh
 * deno task ok                  # everything
 * deno task ok lint types       # these steps only
 * deno task ok --without tests  # all but these
 * ```
 */

import { standInArgs } from "./std.ts";
import { fromFileUrl, run } from "./support.ts";

const ROOT = new URL("../", import.meta.url);

interface Step {
  readonly name: string;
  readonly args: readonly string[];
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

/** The steps, the quick ones first. The examples are run by the tests. */
async function steps(std: string[]): Promise<Step[]> {
  const all = await folders("src", "tests", "examples", "bench", "tasks");
  // CI has a clean checkout; before a commit there is none.
  const dirty = Deno.env.get("CI") === undefined ? ["--allow-dirty"] : [];
  return [
    { name: "format", args: ["fmt", "--check"] },
    { name: "lint", args: ["lint"] },
    { name: "words", args: ["run", "--allow-all", "tasks/words.ts"] },
    // Each by itself: an entry exports every type that it mentions.
    ...(await entries()).map((it) => ({ name: "docs", args: ["doc", "--lint", it] })),
    { name: "types", args: ["check", ...std, "mod.ts", "status.ts", ...all] },
    { name: "options", args: ["task", "--quiet", "options"] },
    { name: "figures", args: ["task", "--quiet", "figures"] },
    { name: "tests", args: ["test", ...std, "--allow-all"] },
    {
      name: "doc-tests",
      args: [
        "test",
        ...std,
        "--doc",
        "--allow-all",
        "mod.ts",
        "status.ts",
        "src",
        "README.md",
        "docs",
      ],
    },
    { name: "demo", args: ["task", "--quiet", "demo"] },
    { name: "coverage", args: ["task", "--quiet", "coverage"] },
    { name: "workflows", args: ["run", "--allow-all", "tasks/check_workflows.ts"] },
    { name: "publish", args: ["publish", "--dry-run", ...dirty] },
  ];
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
for (const { name, args } of chosen(await steps(await standInArgs()))) {
  console.log(
    `\n=== ${name}: deno ${args.filter((it) => !it.startsWith("--import-map=")).join(" ")}`,
  );
  const start = performance.now();
  const code = await run(Deno.execPath(), [...args], { cwd: fromFileUrl(ROOT) });
  if (code !== 0) {
    console.log(`\nnot ok: ${name} (exit code ${code})`);
    Deno.exit(1);
  }
  done.push(`${name} ${((performance.now() - start) / 1000).toFixed(1)} s`);
}
console.log(`\nok: ${done.join(", ")}`);
