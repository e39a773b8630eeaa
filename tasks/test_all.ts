/**
 * The tests on every runtime: Deno as they are; Node 20, the newest Node and Bun bundled from source, and
 * those that use public names only against the npm package as well; Chromium, in a page and in a worker.
 * One table at the end.
 *
 * ```sh
 * deno task test:all                   # everything
 * deno task test:all --runtime bun     # one runtime: deno, node20, node26, bun, chromium (and node22, node24)
 * deno task test:all tests/conformance # some of the files
 * ```
 *
 * A test file whose first lines hold `// Deno only: reason` isn't run elsewhere, and the table says so.
 * The runtimes come from npm, unless they are installed. As many run at a time as there are processors.
 */

import { buildNpm, installedIn } from "./build_npm.ts";
import { standInArgs } from "./std.ts";
import { fromFileUrl } from "./support.ts";
import { findChromium, testInBrowser } from "./test_browser.ts";
import { runExamples } from "./test_examples.ts";
import { bundleAgainstPackage, bundleSource, type TestFile, testFiles } from "./test_files.ts";
import {
  type Finished,
  NEWEST_NODE,
  OLDEST_NODE,
  OUT,
  output,
  type Runtime,
  runtime,
  RUNTIME_NAMES,
} from "./tools.ts";

const ROOT = new URL("../", import.meta.url);
const RUNNER = fromFileUrl(new URL("tests/runner/deno_test.mjs", ROOT));
/** Those of every run; `--runtime` may ask for others. */
const RUNTIMES = [`Node ${OLDEST_NODE}`, `Node ${NEWEST_NODE}`, "Bun"];

/** A line of the table. */
interface Outcome {
  readonly suite: string;
  readonly transport: string;
  /** What was tested: the source, or the npm package. */
  readonly of: string;
  readonly runtime: string;
  readonly passed: number;
  readonly failed: number;
  readonly note: string;
}

type Counts = Pick<Outcome, "passed" | "failed" | "note">;

/** Files that are run together: those of one line. */
interface Group {
  readonly suite: string;
  readonly transport: string;
  readonly files: readonly TestFile[];
}

function grouped(files: readonly TestFile[]): Group[] {
  const groups = new Map<string, TestFile[]>();
  for (const file of files) {
    const key = `${file.suite}/${file.transport}`;
    groups.set(key, [...groups.get(key) ?? [], file]);
  }
  return [...groups.values()].map((its) => ({
    suite: its[0]?.suite ?? "",
    transport: its[0]?.transport ?? "",
    files: its,
  }));
}

/** The longest that a group may take on a runtime, in milliseconds: then it is ended. */
const LIMIT = 600_000;

/** Shows what a command that failed has said: of the names of tests, only the last one's. */
function complain(what: string, { stdout, stderr }: Finished): void {
  const lines = stdout.split("\n");
  const last = lines.findLastIndex((line) => line.startsWith("run: "));
  const shown = lines.filter((line, i) => !line.startsWith("run: ") || i === last);
  console.log(`\n=== FAILED: ${what}\n${shown.join("\n")}\n${stderr}`);
}

function ended({ code }: Finished): string {
  return `ended with exit code ${code}, or took longer than ${LIMIT / 60_000} minutes`;
}

const DENO_COUNTS =
  /\| (\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed(?: \(\d+ steps?\))?(?: \| (\d+) ignored)?/;

async function onDeno({ suite, files }: Group): Promise<Counts> {
  const paths = files.map((file) => file.path);
  const options = ["--quiet", ...await standInArgs(), "--allow-all"];
  const finished = await output([Deno.execPath(), "test", ...options, ...paths], {
    cwd: fromFileUrl(ROOT),
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(LIMIT),
  });
  if (finished.code !== 0) complain(`${suite} on Deno`, finished);
  const counts = DENO_COUNTS.exec(finished.stdout);
  if (counts === null) return { passed: 0, failed: 1, note: ended(finished) };
  const [, passed, failed, ignored] = counts.map(Number);
  const note = ignored ? `${ignored} ignored` : "";
  // An error outside of any test isn't among those that failed.
  const more = finished.code === 0 || failed ? 0 : 1;
  return { passed: passed ?? 0, failed: (failed ?? 0) + more, note };
}

async function on(
  { name, command }: Runtime,
  { suite }: Group,
  scripts: readonly string[],
): Promise<Counts> {
  const finished = await output([...command, RUNNER, ...scripts], {
    cwd: fromFileUrl(ROOT),
    signal: AbortSignal.timeout(LIMIT),
  });
  if (finished.code !== 0) complain(`${suite} on ${name}`, finished);
  const last = finished.stdout.trimEnd().split("\n").at(-1) ?? "";
  if (!last.startsWith('{"passed"')) {
    return { passed: 0, failed: 1, note: ended(finished) };
  }
  const { passed, failed, ignored } = JSON.parse(last);
  if (ignored.length === 0) {
    return { passed, failed, note: passed + failed === 0 ? "none of it is for this runtime" : "" };
  }
  const reasons = new Set(ignored.map((it: string) => it.replace(/^.*not run, /, "")));
  const note = passed + failed === 0 ? [...reasons].join("; ") : `${ignored.length} ignored`;
  return { passed, failed, note };
}

/** Something to do that fills lines of the table. */
interface Job {
  readonly of: string;
  readonly runtime: string;
  run(): Promise<Outcome[]>;
}

function denoJob(groups: readonly Group[]): Job {
  const run = async (): Promise<Outcome[]> => {
    const outcomes: Outcome[] = [];
    for (const group of groups) {
      const { suite, transport } = group;
      outcomes.push({ suite, transport, of: "source", runtime: "Deno", ...await onDeno(group) });
    }
    return outcomes;
  };
  return { of: "source", runtime: "Deno", run };
}

/** The files of a group that run elsewhere, bundled; and why the others don't. */
function portable(
  { files }: Group,
  bundles: ReadonlyMap<string, string>,
): { scripts: string[]; note: string } {
  const scripts = files.flatMap(({ path }) => bundles.get(path) ?? []);
  const left = files.filter(({ denoOnly }) => denoOnly !== "");
  return { scripts, note: left.map((it) => `${it.path}: ${it.denoOnly}`).join("; ") };
}

function runtimeJob(
  name: string,
  groups: readonly Group[],
  bundles: ReadonlyMap<string, string>,
  of: string,
): Job {
  const run = async (): Promise<Outcome[]> => {
    const outcomes: Outcome[] = [];
    const missing: Counts = { passed: 0, failed: 0, note: "" };
    const found = await runtime(name).catch((error: Error) => error);
    for (const group of groups) {
      const line = { suite: group.suite, transport: group.transport, of, runtime: name };
      const { scripts, note } = portable(group, bundles);
      const why = found instanceof Error ? found.message : note;
      const counts = found instanceof Error || scripts.length === 0
        ? missing
        : await on(found, group, scripts);
      const notes = [counts.note, why].filter((it) => it !== "");
      outcomes.push({ ...line, ...counts, note: notes.join("; ") });
    }
    return outcomes;
  };
  return { of, runtime: name, run };
}

function examplesJob(name: string, find: () => Promise<Runtime>, project: URL): Job {
  const line = { suite: "examples", transport: "", of: "package", runtime: name };
  const run = async (): Promise<Outcome[]> => [
    { ...line, ...await runExamples(await find(), project), note: "" },
  ];
  return { of: "package", runtime: name, run };
}

function chromiumJob(): Job {
  const run = async (): Promise<Outcome[]> => {
    const chromium = await findChromium();
    if (chromium === null) {
      const line = { suite: "conformance", transport: "native", of: "source", runtime: "Chromium" };
      return [{ ...line, passed: 0, failed: 0, note: "Chromium isn't installed" }];
    }
    return (await testInBrowser(chromium)).map(({ suite, place, passed, failed, ignored }) => ({
      suite,
      transport: suite.startsWith("conformance") ? "native" : "",
      of: "source",
      runtime: `Chromium, ${place}`,
      passed,
      failed,
      note: ignored > 0 ? `${ignored} ignored` : "",
    }));
  };
  return { of: "source", runtime: "Chromium", run };
}

/** A job that couldn't be done is a line of the table as well. */
function failed({ of, runtime }: Job, error: unknown): Outcome[] {
  console.log(`\n=== FAILED: ${runtime}, ${of}\n${error instanceof Error ? error.stack : error}`);
  const note = "could not be run";
  return [{ suite: "all", transport: "", of, runtime, passed: 0, failed: 1, note }];
}

/** Runs jobs, as many at a time as there are processors, each when it is its turn. */
async function runAll(jobs: readonly Job[]): Promise<Outcome[]> {
  const outcomes: Outcome[][] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < jobs.length) {
      const turn = next++;
      const job = jobs[turn];
      if (job !== undefined) outcomes[turn] = await job.run().catch((error) => failed(job, error));
    }
  };
  await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, work));
  return outcomes.flat();
}

function result({ passed, failed }: Outcome): string {
  return passed + failed === 0 ? "not applicable" : `${passed} passed, ${failed} failed`;
}

function show(outcomes: readonly Outcome[]): void {
  const sorted = [...outcomes].sort((a, b) =>
    `${a.suite}/${a.transport}`.localeCompare(`${b.suite}/${b.transport}`)
  );
  const rows = [["suite", "transport", "of", "runtime", "result", "note"]];
  for (const it of sorted) {
    rows.push([it.suite, it.transport || "-", it.of, it.runtime, result(it), it.note]);
  }
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  console.log();
  for (const row of rows) {
    console.log(
      row.map((cell, i) => i < 5 ? cell.padEnd(widths[i] ?? 0) : cell).join("  ").trimEnd(),
    );
  }
}

async function jobsFor(
  files: readonly TestFile[],
  isWanted: (runtime: string) => boolean,
): Promise<Job[]> {
  const jobs: Job[] = [];
  if (isWanted("Deno")) jobs.push(denoJob(grouped(files)));
  const names = (isWanted("") ? RUNTIMES : RUNTIME_NAMES).filter(isWanted);
  if (names.length > 0) {
    const portable = files.filter((file) => file.denoOnly === "");
    const bundles = await bundleSource(portable, new URL("tests/", OUT));
    for (const name of names) jobs.push(runtimeJob(name, grouped(files), bundles, "source"));
    jobs.push(...await packageJobs(files.filter((file) => file.isPublic), names));
  }
  if (isWanted("Chromium")) jobs.push(chromiumJob());
  return jobs;
}

async function packageJobs(files: readonly TestFile[], names: readonly string[]): Promise<Job[]> {
  const project = await installedIn(await buildNpm("whichever can be had", "suites"));
  const bundles = await bundleAgainstPackage(files, project);
  const deno = { name: "Deno", command: [Deno.execPath(), "run", "--quiet", "--allow-all"] };
  return [
    ...names.map((name) => runtimeJob(name, grouped(files), bundles, "package")),
    ...names.map((name) => examplesJob(name, () => runtime(name), project)),
    examplesJob("Deno", () => Promise.resolve(deno), project),
  ];
}

async function main(args: string[]): Promise<number> {
  const at = args.indexOf("--runtime");
  const wanted = at < 0 ? "" : (args.splice(at, 2)[1] ?? "").toLowerCase().replaceAll(" ", "");
  const isWanted = (name: string): boolean =>
    name.toLowerCase().replaceAll(" ", "").startsWith(wanted);
  const start = performance.now();
  const outcomes = await runAll(await jobsFor(await testFiles(args), isWanted));
  show(outcomes);
  const sum = (of: "passed" | "failed"): number => outcomes.reduce((all, it) => all + it[of], 0);
  const seconds = Math.round((performance.now() - start) / 1000);
  console.log(`\n${sum("passed")} passed, ${sum("failed")} failed (in ${seconds} s)`);
  return sum("failed") === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main([...Deno.args]));
