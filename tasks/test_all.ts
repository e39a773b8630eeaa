/**
 * The tests on every runtime: Deno as they are; Node 20, the newest Node and Bun bundled from source, and
 * those that use public names only against the npm package as well; those of connections with zone.js,
 * which replaces `Promise`; Chromium, in a page and in a worker; workerd; and what a user does with the
 * package.
 * One table at the end.
 *
 * ```sh
 * deno task test:all                   # everything
 * deno task test:all --runtime bun     # one runtime: deno, node20, node26, bun, zone, chromium, workerd, places, consumers (and node22, node24)
 * deno task test:all tests/conformance # some of the files
 * ```
 *
 * A test file whose first lines hold `// Deno only: reason` isn't run elsewhere, and the table says so.
 * The runtimes come from npm, unless they are installed. One more job runs at a time than there are processors,
 * because each job waits now and then.
 * `--deno-log FILE` takes Deno's part from what `deno task test` has printed.
 */

import { buildNpm, type Built, installedIn } from "./build_npm.ts";
import { checkPackage } from "./check_npm.ts";
import { type Ended, limited } from "./process_tree.ts";
import { standInArgs } from "./std.ts";
import { fromFileUrl } from "./support.ts";
import { type Counts, ignoredNote, type Outcome, readDenoLog, sum, table } from "./table.ts";
import { findChromium, testInBrowser } from "./test_browser.ts";
import { runExamples } from "./test_examples.ts";
import { bundleAgainstPackage, bundleSource, type TestFile, testFiles } from "./test_files.ts";
import { testConsumers } from "./test_consumers.ts";
import { testPlaces } from "./test_places.ts";
import { testInWorkerd } from "./test_workerd.ts";
import {
  NEWEST_NODE,
  OLDEST_NODE,
  OUT,
  type Runtime,
  runtime,
  RUNTIME_NAMES,
  withZone,
  ZONE,
} from "./tools.ts";

const ROOT = new URL("../", import.meta.url);
const RUNNER = fromFileUrl(new URL("tests/runner/deno_test.mjs", ROOT));
/** The runtimes of every run; `--runtime` can select others. */
const RUNTIMES = [`Node ${OLDEST_NODE}`, `Node ${NEWEST_NODE}`, "Bun"];

/**
 * What is run with zone.js: all that is about connections. It reports uncaught errors in a way of its
 * own, so tests of those would fail for no fault of ours.
 */
const WITH_ZONE = ["conformance", "net", "server", "realm"];

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
const GROUP_LIMIT = 300_000;
/** The longest that a job may take: what is done in this process has no other limit. */
const JOB_LIMIT = 1_200_000;

/** The duration of a file or a job. */
interface Took {
  readonly name: string;
  readonly seconds: number;
}

const times: Took[] = [];

/** The longest ones: what to look at first to make CI faster. */
function printSlowest(of: readonly Took[], count: number): void {
  const sorted = [...of].sort((a, b) => b.seconds - a.seconds).slice(0, count);
  console.log("\nThe slowest, in seconds:");
  for (const { name, seconds } of sorted) console.log(`${seconds.toFixed(1)} ${name}`);
}

/** Shows what a command that failed has said: of the names of tests, only the last one's. */
function complain(what: string, { stdout, stderr }: Ended): void {
  const lines = stdout.split("\n");
  const last = lines.findLastIndex((line) => line.startsWith("run: "));
  const shown = lines.filter((line, i) => !line.startsWith("run: ") || i === last);
  console.log(`\n=== FAILED: ${what}\n${shown.join("\n")}\n${stderr}`);
}

function ended({ code, isLate }: Ended): string {
  if (isLate) return `not done after ${GROUP_LIMIT / 60_000} minutes`;
  return `ended with exit code ${code}`;
}

async function onDeno({ suite, files }: Group): Promise<Counts> {
  const paths = files.map((file) => file.path);
  const options = ["--quiet", ...await standInArgs(), "--allow-all"];
  const command = [Deno.execPath(), "test", ...options, ...paths];
  const finished = await limited(command, GROUP_LIMIT, ROOT);
  if (finished.code !== 0) complain(`${suite} on Deno`, finished);
  const { files: found, total } = readDenoLog(finished.stdout);
  if (total === null) return { passed: 0, failed: 1, note: ended(finished) };
  const notes = [...found.values()].map((it) => it.note).filter((it) => it !== "");
  // An error outside of any test isn't among those that failed.
  const more = finished.code === 0 || total.failed > 0 ? 0 : 1;
  return { passed: total.passed, failed: total.failed + more, note: notes.join("; ") };
}

async function on(
  { name, command }: Runtime,
  { suite }: Group,
  scripts: readonly string[],
): Promise<Counts> {
  const finished = await limited([...command, RUNNER, ...scripts], GROUP_LIMIT, ROOT);
  if (finished.code !== 0) complain(`${suite} on ${name}`, finished);
  const last = finished.stdout.trimEnd().split("\n").at(-1) ?? "";
  if (!last.startsWith('{"passed"')) {
    return { passed: 0, failed: 1, note: ended(finished) };
  }
  const { passed, failed, ignored, seconds } = JSON.parse(last);
  for (const [path, took] of Object.entries(seconds as Record<string, number>)) {
    times.push({ name: `${name}: ${path.replace(/^.*\/\.out\//, "")}`, seconds: took });
  }
  const note = ignored.length === 0 && passed + failed === 0
    ? "none of it is for this runtime"
    : ignoredNote(ignored);
  return { passed, failed, note };
}

/** A job that produces lines of the table. */
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

/** Deno's lines, from the output of its own run. */
function denoLogJob(groups: readonly Group[], log: string): Job {
  const run = async (): Promise<Outcome[]> => {
    const { files: found, total } = readDenoLog(await Deno.readTextFile(log));
    const missing = (path: string): Counts => ({
      passed: 0,
      failed: 1,
      note: `${path} wasn't run`,
    });
    const outcomes = groups.map(({ suite, transport, files }) => {
      const counts = files.map(({ path }) => found.get(path) ?? missing(path));
      const note = counts.map((it) => it.note).filter((it) => it !== "").join("; ");
      return { suite, transport, of: "source", runtime: "Deno", ...sum(counts), note };
    });
    const { passed, failed } = sum(outcomes);
    if (total !== null && total.passed === passed && total.failed === failed) return outcomes;
    // It has ended before its end, or something that isn't a test has failed.
    const note = total === null ? "ended before its end" : "its own sum is another";
    const line = { suite: "all", transport: "", of: "source", runtime: "Deno" };
    return [...outcomes, { ...line, passed: 0, failed: 1, note }];
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
    const wanted = name === ZONE ? withZone() : runtime(name);
    const found = await wanted.catch((error: Error) => error);
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

/** A user's steps with the package, and the findings of package linters. */
function packageJob(built: Built): Job {
  const run = async (): Promise<Outcome[]> => {
    const line = { suite: "npm package", transport: "", of: "package" };
    const results = await checkPackage(built);
    return results.map(({ name, error, note, seconds }) => {
      times.push({ name: `npm package: ${name}`, seconds });
      if (error !== null) console.log(`\n=== FAILED: npm package, ${name}\n${error}`);
      const passed = error === null && note === "" ? 1 : 0;
      return { ...line, runtime: name, passed, failed: error === null ? 0 : 1, note };
    });
  };
  return { of: "package", runtime: "npm package", run };
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
      note: ignoredNote(ignored),
    }));
  };
  return { of: "source", runtime: "Chromium", run };
}

function workerdJob(): Job {
  const line = { suite: "conformance", transport: "native", of: "source" };
  const run = async (): Promise<Outcome[]> =>
    (await testInWorkerd()).map(({ date, passed, failed, ignored }) => ({
      ...line,
      runtime: `workerd, as of ${date}`,
      passed,
      failed,
      note: ignoredNote(ignored),
    }));
  return { of: "source", runtime: "workerd", run };
}

function placesJob(): Job {
  const runtime = `Node ${NEWEST_NODE}`;
  const run = async (): Promise<Outcome[]> =>
    (await testPlaces()).map(({ name, error }) => {
      if (error !== null) console.log(`\n=== FAILED: ${name}\n${error}`);
      const counts = { passed: error === null ? 1 : 0, failed: error === null ? 0 : 1 };
      return { suite: `place: ${name}`, transport: "", of: "source", runtime, ...counts, note: "" };
    });
  return { of: "source", runtime: "places", run };
}

function consumersJob(): Job {
  const line = { suite: "consumers", transport: "", of: "package" };
  const run = async (): Promise<Outcome[]> =>
    (await testConsumers()).map((outcome) => ({ ...line, ...outcome }));
  return { of: "package", runtime: "consumers", run };
}

/** A job that couldn't be done is a line of the table as well. */
function failed({ of, runtime }: Job, error: unknown): Outcome[] {
  console.log(`\n=== FAILED: ${runtime}, ${of}\n${error instanceof Error ? error.stack : error}`);
  const note = "could not be run";
  return [{ suite: "all", transport: "", of, runtime, passed: 0, failed: 1, note }];
}

/** Does a job, but for no longer than its limit: what hangs then ends with this process. */
async function inTime(job: Job): Promise<Outcome[]> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const message = `Not done after ${JOB_LIMIT / 60_000} minutes`;
    timer = setTimeout(() => reject(new Error(message)), JOB_LIMIT);
  });
  const start = performance.now();
  try {
    return await Promise.race([job.run(), late]);
  } catch (error) {
    return failed(job, error);
  } finally {
    clearTimeout(timer);
    const seconds = (performance.now() - start) / 1000;
    times.push({ name: `all of ${job.runtime}, ${job.of}`, seconds });
  }
}

/** Runs jobs in their order, some at a time. */
async function runAll(jobs: readonly Job[]): Promise<Outcome[]> {
  const outcomes: Outcome[][] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < jobs.length) {
      const turn = next++;
      const job = jobs[turn];
      if (job !== undefined) outcomes[turn] = await inTime(job);
    }
  };
  await Promise.all(Array.from({ length: navigator.hardwareConcurrency + 1 }, work));
  return outcomes.flat();
}

/** The parsed arguments. */
interface Wanted {
  readonly files: readonly TestFile[];
  /** Nothing less than everything. */
  readonly isAll: boolean;
  /** What Deno's own run has printed, or `undefined`: the tests are run. */
  readonly denoLog: string | undefined;
  isRuntime(name: string): boolean;
}

async function jobsFor({ files, isAll, denoLog, isRuntime }: Wanted): Promise<Job[]> {
  const jobs: Job[] = [];
  const groups = grouped(files);
  if (isRuntime("Deno")) {
    jobs.push(denoLog === undefined ? denoJob(groups) : denoLogJob(groups, denoLog));
  }
  const names = (isRuntime("") ? RUNTIMES : RUNTIME_NAMES).filter(isRuntime);
  const portable = files.filter((file) => file.denoOnly === "");
  let bundles: ReadonlyMap<string, string> | null = null;
  if (names.length > 0) {
    const ofPackage = files.filter((file) => file.isPublic);
    const [source, built] = await Promise.all([
      bundleSource(portable, new URL("tests/", OUT)),
      ofPackage.length > 0 ? buildNpm("whichever is available", "suites") : null,
    ]);
    bundles = source;
    jobs.push(...names.map((name) => runtimeJob(name, groups, source, "source")));
    if (built !== null) {
      // Of everything on the oldest runtime only: the same tests have run from source on each, and .ci/nightly runs them
      // against the package on each.
      jobs.push(...await packageJobs(built, ofPackage, names, isAll ? names.slice(0, 1) : names));
      if (isAll) jobs.push(packageJob(built));
    }
  }
  if (isRuntime(ZONE)) {
    const chosen = portable.filter((file) => WITH_ZONE.includes(file.suite));
    bundles ??= await bundleSource(chosen, new URL("zone/", OUT));
    jobs.push(runtimeJob(ZONE, grouped(chosen), bundles, "source"));
  }
  if (isRuntime("Chromium")) jobs.push(chromiumJob());
  if (isRuntime("workerd")) jobs.push(workerdJob());
  if (isRuntime("places")) jobs.push(placesJob());
  if (isRuntime("consumers")) jobs.push(consumersJob());
  return jobs;
}

async function packageJobs(
  built: Built,
  files: readonly TestFile[],
  names: readonly string[],
  suitesOn: readonly string[],
): Promise<Job[]> {
  const project = await installedIn(built, "suites");
  const bundles = await bundleAgainstPackage(files, project);
  const deno = { name: "Deno", command: [Deno.execPath(), "run", "--quiet", "--allow-all"] };
  return [
    ...suitesOn.map((name) => runtimeJob(name, grouped(files), bundles, "package")),
    ...names.map((name) => examplesJob(name, () => runtime(name), project)),
    examplesJob("Deno", () => Promise.resolve(deno), project),
  ];
}

/** Takes an option and its value out of the arguments. */
function take(args: string[], option: string): string | undefined {
  const at = args.indexOf(option);
  return at < 0 ? undefined : args.splice(at, 2)[1];
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(" ", "");
}

async function main(args: string[]): Promise<number> {
  const start = performance.now();
  const name = plain(take(args, "--runtime") ?? "");
  const denoLog = take(args, "--deno-log");
  const wanted = {
    files: await testFiles(args),
    isAll: name === "" && args.length === 0,
    denoLog,
    isRuntime: (it: string) => plain(it).startsWith(name),
  };
  const outcomes = await runAll(await jobsFor(wanted));
  if (wanted.isAll) printSlowest(times, 40);
  console.log(`\n${table(outcomes)}`);
  const { passed, failed } = sum(outcomes);
  const seconds = Math.round((performance.now() - start) / 1000);
  console.log(`\n${passed} passed, ${failed} failed (in ${seconds} s)`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main([...Deno.args]));
