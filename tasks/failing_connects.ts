/**
 * Failing connects, each for one reason, on every runtime: the error that a user reads with our own transport, with
 * the platform's own `WebSocket`, and with npm `ws`. The list is `tests/failing_connects/cases.ts`; its
 * tests compare the page with what they see.
 *
 * ```sh
 * deno task failing_connects          # the table, with the time until each failure was known
 * deno task failing_connects --write  # and docs/reference/failing_connects.md anew
 * ```
 */

import { FAILING_CONNECTS } from "../tests/failing_connects/cases.ts";
import type { Seen, Via } from "../tests/failing_connects/attempt.ts";
import { type AllSeen, lineOf, OWN, PAGE, tablesOf } from "../tests/failing_connects/page.ts";
import { printed } from "../tests/failing_connects/print_all.ts";
import { fromFileUrl } from "./support.ts";
import { NEWEST_NODE, OLDEST_NODE, OUT, output, runtime, succeed } from "./tools.ts";

const ROOT = new URL("../", import.meta.url);
const PROGRAM = new URL("tests/failing_connects/program.ts", ROOT);

/** The bundled program, for runtimes that don't run TypeScript. */
async function bundle(): Promise<string> {
  const folder = new URL("failing_connects/", OUT);
  await Deno.mkdir(folder, { recursive: true });
  const file = fromFileUrl(new URL("program.mjs", folder));
  const options = ["--quiet", "--platform=deno", "--format=esm", `--output=${file}`];
  await succeed([Deno.execPath(), "bundle", ...options, fromFileUrl(PROGRAM)], {
    cwd: fromFileUrl(ROOT),
  });
  return file;
}

type Run = (name: string, via: Via) => Promise<ReadonlyMap<string, Seen>>;

async function runner(): Promise<Run> {
  const script = await bundle();
  return async (name, via) => {
    if (name !== "Deno") {
      return await printed([...(await runtime(name)).command, script, via], false);
    }
    const command = [Deno.execPath(), "run", "--quiet", "--allow-all", fromFileUrl(PROGRAM), via];
    return await printed(command, true);
  };
}

/** The runtimes of the texts: `Deno 2.9`, `Bun 1.4`, `Node 26`. */
async function version(name: string): Promise<string> {
  if (name === "Deno") return `Deno ${Deno.version.deno.split(".", 2).join(".")}`;
  if (name !== "Bun") return name;
  const { command } = await runtime(name);
  const { stdout } = await output([...command, "--version"]);
  return `Bun ${stdout.split(".", 2).join(".")}`;
}

async function seeAll(): Promise<AllSeen> {
  const run = await runner();
  const newest = `Node ${NEWEST_NODE}`;
  const own = new Map<string, ReadonlyMap<string, Seen>>();
  for (const name of [newest, `Node ${OLDEST_NODE}`, "Bun", "Deno"]) {
    own.set(await version(name), await run(name, "net"));
  }
  const others = new Map([
    ["Deno's", await run("Deno", "native")],
    ["Bun's", await run("Bun", "native")],
    ["`ws`", await run(newest, "ws")],
  ]);
  return { own, others };
}

function pageOf(all: AllSeen): string {
  const versions = [...all.own.keys()];
  const last = versions.pop();
  return `<!-- deno-fmt-ignore-file -->
<!-- Written by deno task failing_connects --write. -->

# What a failing connect says

This page has ${FAILING_CONNECTS.length} connection attempts that fail, each for one reason. \`${OWN}\` is this package's own transport,
on every runtime. \`Deno's\` and \`Bun's\` are channels over the platform's own \`WebSocket\`. \`ws\` is the npm package, without a channel.

Observed with ${versions.join(", ")} and ${last}.

- Each error text of a channel begins with \`Cannot connect to <url>: \`; the tables omit that.
- Over Node's own \`WebSocket\` (\`transport: "native"\`), all errors have the same text: the connection could not be opened, and
  the platform does not report why. To get the cause, connect with transport: "net" or require: ["failureCause"]
- A browser reports no more: see [why an attempt failed](platforms.md#why-an-attempt-failed).
- Each attempt failed at once, except the one that waits for its timeout.
- *it connects*: the platform opens the connection although the answer is wrong.

${tablesOf(all)}`;
}

function show({ own, others }: AllSeen): void {
  const all = [...own].map(([name, seen]) => [`${OWN}, on ${name}`, seen] as const);
  for (const [transport, seen] of [...all, ...others]) {
    for (const it of seen.values()) console.log(`${lineOf(transport, it)} ${it.time} ms |`);
  }
}

if (import.meta.main) {
  const all = await seeAll();
  show(all);
  if (Deno.args.includes("--write")) {
    await Deno.writeTextFile(new URL(PAGE, ROOT), pageOf(all).trimEnd() + "\n");
  }
}
