/**
 * Compares this package with others, on Deno, the newest Node, Node 20 and Bun.
 *
 * ```sh
 * deno task bench                        # everything, about twenty minutes
 * deno task bench net growth             # these sections only
 * deno task bench --runtime bun          # one runtime: deno, node20, node26, bun; may be repeated
 * deno task bench --quick                # only to see that it works: the figures mean nothing
 * deno task bench --json results.json    # where the figures go; .out/bench/results.json
 * deno task bench --resume               # measures only what isn't in that file
 * deno task bench --from results.json    # measures nothing: table and pictures of that file
 * deno task bench --docs                 # also the pictures and tables of docs/
 * ```
 *
 * If it measures only a part, the rest of the file stays. It shows targets, but never fails for them: a machine
 * that does other work as well proves nothing. It fails when a section doesn't run to its end, or,
 * with `--quick`, when a contender fails.
 */

import { cpus, type as osName } from "node:os";
import { plots } from "../bench/report/plots.ts";
import { runText, verdictText } from "../bench/report/text.ts";
import type { Measurement, Row, Run } from "../bench/row.ts";
import { verdicts } from "../bench/targets.ts";
import { writeDocs } from "./bench_docs.ts";
import {
  type BenchRuntime,
  findRuntime,
  prepare,
  runSection,
  RUNTIMES,
  SECTIONS,
} from "./bench_run.ts";
import { fromFileUrl } from "./support.ts";
import { OUT } from "./tools.ts";

/** The parsed arguments. */
interface Request {
  readonly sections: readonly string[];
  readonly runtimes: readonly string[];
  readonly quick: boolean;
  readonly resume: boolean;
  readonly docs: boolean;
  readonly json: string;
  readonly from: string | null;
}

const FLAGS = ["--quick", "--resume", "--docs"];
const OPTIONS = ["--runtime", "--json", "--from"];

function parse(args: readonly string[]): Request {
  const sections: string[] = [];
  const values = new Map<string, string[]>(OPTIONS.map((name) => [name, []]));
  const flags = new Set<string>();
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    const list = values.get(arg);
    if (FLAGS.includes(arg)) flags.add(arg);
    else if (list !== undefined) list.push(args[++i] ?? "");
    else sections.push(one("section", arg, SECTIONS));
  }
  const runtimes = values.get("--runtime") ?? [];
  for (const name of runtimes) one("runtime", name, Object.keys(RUNTIMES));
  return {
    sections,
    runtimes: runtimes.length > 0 ? runtimes : Object.keys(RUNTIMES),
    quick: flags.has("--quick"),
    resume: flags.has("--resume"),
    docs: flags.has("--docs"),
    json: values.get("--json")?.at(-1) ?? fromFileUrl(new URL("bench/results.json", OUT)),
    from: values.get("--from")?.at(-1) ?? null,
  };
}

function one(what: string, name: string, all: readonly string[]): string {
  if (all.includes(name)) return name;
  console.error(`No such ${what}: ${name}. There are: ${all.join(", ")}`);
  Deno.exit(2);
}

async function read(path: string): Promise<Measurement> {
  return JSON.parse(await Deno.readTextFile(path));
}

function machine(): string {
  const all = cpus();
  return `${all.length} × ${all[0]?.model.trim() ?? "an unknown processor"}, ${osName()}, loopback`;
}

/** Measures, and writes the file after each section. Returns the failures. */
async function measure(request: Request): Promise<string[]> {
  const { json, quick } = request;
  const runs = new Map((await keptRuns(request)).map((run) => [run.runtime, run]));
  const save = async (): Promise<void> => {
    const ordered = Object.values(RUNTIMES).flatMap((name) => runs.get(name) ?? []);
    const all: Measurement = { machine: machine(), quick, runs: ordered };
    await Deno.mkdir(new URL("bench/", OUT), { recursive: true });
    await Deno.writeTextFile(json, JSON.stringify(all));
  };
  const script = await prepare();
  const faults: string[] = [];
  for (const key of request.runtimes) {
    const runtime = await findRuntime(key).catch((error: Error) => error);
    if (runtime instanceof Error) {
      console.log(`${RUNTIMES[key]}: left out. ${runtime.message}`);
      continue;
    }
    for (const section of sectionsFor(key, request, runs.get(runtime.name))) {
      const { rows, isDone } = await measureSection(runtime, script, section, request, faults);
      const done = isDone ? [section] : [];
      runs.set(runtime.name, merged(runs.get(runtime.name), runtime, done, rows));
      await save();
    }
  }
  return faults;
}

/** The content of the file, unless everything is measured again. */
async function keptRuns(request: Request): Promise<readonly Run[]> {
  const { json, quick, resume, sections, runtimes } = request;
  const isPart = sections.length > 0 || runtimes.length < Object.keys(RUNTIMES).length;
  if (!resume && !isPart) return [];
  const file = await read(json).catch(() => null);
  // Don't mix the figures of a smoke test with others.
  return file?.quick === quick ? file.runs : [];
}

/** The sections to run: the named ones, otherwise all, or with `--resume` the missing ones. */
function sectionsFor(
  key: string,
  { sections, quick, resume }: Request,
  run: Run | undefined,
): string[] {
  // A section that doesn't depend on the runtime runs once.
  const possible = SECTIONS.filter((it) => it !== "size" || (key === "deno" && !quick));
  if (sections.length > 0) return sections.filter((it) => possible.includes(it));
  return possible.filter((it) => !resume || run?.sections.includes(it) !== true);
}

async function measureSection(
  runtime: BenchRuntime,
  script: string,
  section: string,
  { quick }: Request,
  faults: string[],
): Promise<{ rows: Row[]; isDone: boolean }> {
  const start = performance.now();
  const said = (what: string): void => {
    const seconds = Math.round((performance.now() - start) / 1000);
    console.log(`${runtime.name}, ${section}, ${seconds} s: ${what}`);
  };
  const rows: Row[] = [];
  try {
    for await (const row of runSection(runtime, script, section, quick)) {
      rows.push(row);
      said(row.title);
      for (const { name, failed } of row.results) {
        if (failed === undefined) continue;
        said(`${name} failed: ${failed}`);
        if (quick) faults.push(`${runtime.name}, ${row.title}: ${name}: ${failed}`);
      }
    }
  } catch (error) {
    said(String(error));
    faults.push(`${runtime.name}, ${section}: ${error}`);
    return { rows, isDone: false };
  }
  return { rows, isDone: true };
}

function merged(
  run: Run | undefined,
  { name, version }: BenchRuntime,
  done: readonly string[],
  rows: readonly Row[],
): Run {
  const old = run?.rows ?? [];
  // A new measurement keeps the place of the old one.
  const replaced = old.map((row) => rows.find(({ id }) => id === row.id) ?? row);
  const added = rows.filter(({ id }) => !old.some((row) => row.id === id));
  return {
    runtime: name,
    version,
    date: new Date().toISOString(),
    sections: [...new Set([...run?.sections ?? [], ...done])],
    rows: [...replaced, ...added],
  };
}

async function report(measurement: Measurement, { docs, json }: Request): Promise<void> {
  const { runs, quick } = measurement;
  for (const run of runs) console.log(`\n${runText(run, !quick)}`);
  for (const run of quick ? [] : runs) {
    const missed = verdicts(run).filter(({ isMet }) => !isMet);
    if (missed.length > 0) console.log(`${run.runtime}, not reached:`);
    for (const verdict of missed) console.log(`  ${verdict.target.row}: ${verdictText(verdict)}`);
  }
  const folder = new URL("bench/plots/", OUT);
  await Deno.mkdir(folder, { recursive: true });
  for (const [name, svg] of plots(measurement)) {
    await Deno.writeTextFile(new URL(name, folder), svg);
  }
  console.log(`\nFigures: ${json}\nPictures: ${fromFileUrl(folder)}`);
  if (docs && !quick) await writeDocs(measurement);
  if (quick) console.log("A quick try: the figures mean nothing.");
}

if (import.meta.main) {
  const request = parse(Deno.args);
  const faults = request.from === null ? await measure(request) : [];
  const path = request.from ?? request.json;
  await report(await read(path), { ...request, json: path });
  for (const fault of faults) console.error(`failed: ${fault}`);
  Deno.exit(faults.length > 0 ? 1 : 0);
}
