/**
 * Benchmarks beside peers. Targets are shown, never judged: a machine that others use as well proves
 * nothing.
 *
 * ```sh
 * deno task bench                    # all of them
 * deno task bench protocol           # one
 * deno task bench protocol --quick   # only to see that it works
 * deno task bench protocol --json    # for machines
 * ```
 *
 * On Node and Bun: `deno bundle --platform deno -o bench.mjs bench/main.ts`, peers included, then `node
 * bench.mjs protocol`.
 */

import process from "node:process";
import {
  type Effort,
  type Fact,
  type Group,
  list,
  measure,
  type Report,
  table,
} from "./harness.ts";

/** A benchmark: its groups, made when it is its turn. */
interface Bench {
  groups(quick: boolean): Promise<Group[]> | Group[];
  /** What isn't a rate. */
  facts?(quick: boolean): Promise<Fact[]>;
}

const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  protocol: () => import("./protocol.ts"),
  net: () => import("./net.ts"),
  server: () => import("./server.ts"),
};

function runtime(): string {
  const { bun, deno } = process.versions as Record<string, string | undefined>;
  if (deno !== undefined) return `Deno ${deno}`;
  return bun !== undefined ? `Bun ${bun}` : `Node ${process.versions.node}`;
}

async function main(args: readonly string[]): Promise<void> {
  const quick = args.includes("--quick");
  const json = args.includes("--json");
  const named = args.filter((arg) => !arg.startsWith("--"));
  const effort: Effort = quick ? { rounds: 3, milliseconds: 50 } : { rounds: 9, milliseconds: 300 };
  const reports: Record<string, (Report | Fact)[]> = {};
  if (!json) console.log(`${runtime()}\n`);
  for (const name of named.length > 0 ? named : Object.keys(benches)) {
    const load = Object.hasOwn(benches, name) ? benches[name] : undefined;
    if (load === undefined) {
      throw new RangeError(`No such benchmark: ${name}. There are: ${Object.keys(benches).join()}`);
    }
    const bench = await load();
    const all: (Report | Fact)[] = reports[name] = [];
    for (const group of await bench.groups(quick)) {
      const report = await measure(group, effort);
      all.push(report);
      if (!json) console.log(table(report));
    }
    for (const fact of await bench.facts?.(quick) ?? []) {
      all.push(fact);
      if (!json) console.log(list(fact));
    }
  }
  if (json) console.log(JSON.stringify({ runtime: runtime(), ...effort, reports }, null, 2));
}

const args = process.argv.slice(2);
if (args[0] === "net-server") {
  // What the benchmark `net` starts, in a process of its own.
  await (await import("./net_server.ts")).serve();
} else if (args[0] === "server-process") {
  const { serve } = await import("./server_process.ts");
  await serve(args[1] as Parameters<typeof serve>[0]);
} else {
  await main(args);
  // A peer's streams or sockets may be open still.
  process.exit(0);
}
