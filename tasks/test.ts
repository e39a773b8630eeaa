/**
 * Runs the tests: a line for each file, with the tests that were left out and why, then the failures in full.
 * Many files are divided among several processes. As many of those run at a time as there are processors, and one of
 * them checks the types.
 *
 * ```sh
 * deno task test                    # all
 * deno task test tests/net          # these files and folders
 * CI=true deno task test            # a line for each test, as deno test prints it
 * ```
 */

import { standInArgs } from "./std.ts";
import { fromFileUrl, run, TextLineStream } from "./support.ts";
import { ignoredNote } from "./table.ts";
import { testFiles } from "./test_files.ts";

const ROOT = new URL("../", import.meta.url);
/** How many files a process of `deno test` gets: each process takes about a second to start. */
const FILES_A_PROCESS = 20;
/** A file that prints nothing for so long is named, in milliseconds: a test may hang. */
const SILENCE = 60_000;

/** The output of one file's tests. */
export interface FileReport {
  readonly path: string;
  /** All its lines, as they were printed. */
  readonly lines: readonly string[];
  /** The same as one line. */
  readonly summary: string;
  readonly milliseconds: number;
}

/** Reads what `deno test` prints, file by file. */
export class FileReporter {
  /** The failures in full: what `deno test` prints behind the last file, without its sum. */
  readonly failures: string[] = [];
  /** `passed`, `failed`, `ignored` and the like; `null` before the sum is printed. */
  total: ReadonlyMap<string, number> | null = null;
  readonly #onReport: (report: FileReport) => void;
  #path: string | null = null;
  #lines: string[] = [];
  #start = 0;
  #passed = 0;
  #failed = 0;
  #ignored: string[] = [];
  #isEnd = false;

  constructor(onReport: (report: FileReport) => void) {
    this.#onReport = onReport;
  }

  /** Takes a line. */
  take(colored: string): void {
    // deno-lint-ignore no-control-regex -- the colours of a terminal
    const line = colored.replace(/\x1b\[[\d;]*m/g, "");
    const [, path] = /^running \d+ tests? from (?:\.\/)?(\S+)$/.exec(line) ?? [];
    if (path !== undefined) {
      this.#finish();
      this.#path = path;
      this.#start = performance.now();
    }
    const sum = /^(?:ok|FAILED) \| (.*?)(?: \([^()]*\))?$/.exec(line)?.[1];
    if (sum !== undefined || line === " ERRORS ") {
      this.#finish();
      this.#isEnd = true;
    }
    if (sum !== undefined) this.total = readTotal(sum);
    else if (this.#isEnd || this.#path === null) this.failures.push(colored);
    else this.#takeOfFile(line, colored);
  }

  /** The file that runs, for a line of progress. */
  get path(): string | null {
    return this.#path;
  }

  /** The last line that it printed. */
  get lastLine(): string {
    return this.#lines.at(-1) ?? "";
  }

  #takeOfFile(line: string, colored: string): void {
    this.#lines.push(colored);
    const [, name = "", outcome] = /^(\S.*?) \.\.\. .*?(ok|FAILED|ignored) \(/.exec(line) ?? [];
    if (outcome === "ok") this.#passed++;
    if (outcome === "FAILED") this.#failed++;
    if (outcome === "ignored") this.#ignored.push(name);
  }

  #finish(): void {
    if (this.#path === null) return;
    const note = ignoredNote(this.#ignored);
    const summary =
      `${this.#failed === 0 ? "ok    " : "FAILED"} ${this.#path}: ${this.#passed} passed` +
      (this.#failed === 0 ? "" : `, ${this.#failed} failed`) + (note === "" ? "" : `, ${note}`);
    const milliseconds = performance.now() - this.#start;
    const { length } = this.#lines;
    // Blank lines part the failures from the tests.
    const lines = this.#lines.slice(0, this.#lines.findLastIndex((it) => it !== "") + 1 || length);
    this.#onReport({ path: this.#path, lines, summary, milliseconds });
    this.#path = null;
    this.#lines = [];
    this.#passed = this.#failed = 0;
    this.#ignored = [];
  }
}

/** `12 passed (3 steps) | 0 failed`, as numbers by their names. */
function readTotal(text: string): Map<string, number> {
  const found = [...text.matchAll(/(\d+) ([a-z ]+)/g)];
  return new Map(found.map(([, count, name = ""]) => [name.trim(), Number(count)]));
}

/** The sums of several processes as one, in the form of `deno test`. */
export function totalLine(totals: readonly ReadonlyMap<string, number>[], seconds: number): string {
  const all = new Map([["passed", 0], ["steps", 0], ["failed", 0], ["ignored", 0]]);
  for (const total of totals) {
    for (const [name, count] of total) {
      const key = name.startsWith("step") ? "steps" : name;
      all.set(key, (all.get(key) ?? 0) + count);
    }
  }
  const steps = all.get("steps") ?? 0;
  all.delete("steps");
  const parts = [...all].map(([name, count]) =>
    `${count} ${name}${name === "passed" && steps > 0 ? ` (${steps} steps)` : ""}`
  );
  const time = `${Math.floor(seconds / 60)}m${Math.round(seconds % 60)}s`;
  return `${all.get("failed") === 0 ? "ok" : "FAILED"} | ${parts.join(" | ")} (${time})`;
}

/** Runs `deno test` with these arguments; resolves to its exit code. */
async function runTests(args: readonly string[], reporter: FileReporter): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", ...args],
    cwd: fromFileUrl(ROOT),
    stdin: "inherit",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let last = performance.now();
  const watch = setInterval(() => {
    const seconds = Math.round((performance.now() - last) / 1000);
    if (seconds * 1000 < SILENCE) return;
    console.error(`${reporter.path} prints nothing for ${seconds} s; last: ${reporter.lastLine}`);
  }, SILENCE);
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  for await (const line of lines) {
    last = performance.now();
    reporter.take(line);
  }
  clearInterval(watch);
  return (await child.status).code;
}

/** Every n-th file, so that the long ones of a folder are spread over the processes. */
function parted(paths: readonly string[]): string[][] {
  const count = Math.ceil(paths.length / FILES_A_PROCESS);
  return Array.from({ length: count }, (_, i) => paths.filter((_, at) => at % count === i));
}

async function main(args: readonly string[]): Promise<number> {
  const start = performance.now();
  const std = await standInArgs();
  const options = [...std, "--allow-all"];
  if (args.some((it) => it.startsWith("--reporter"))) {
    return await run(Deno.execPath(), ["test", ...options, ...args], { cwd: fromFileUrl(ROOT) });
  }
  const isWhole = Deno.env.get("CI") !== undefined;
  const isTerminal = Deno.stdout.isTerminal();
  const clear = isTerminal ? "\r\x1b[K" : "";
  const reports: FileReport[] = [];
  const reporters: FileReporter[] = [];
  const progress = (): void => {
    const paths = reporters.flatMap((it) => it.path ?? []);
    if (isTerminal && paths.length > 0) {
      Deno.stdout.writeSync(new TextEncoder().encode(`${clear}running ${paths.join(", ")}`));
    }
  };
  const test = async (its: readonly string[]): Promise<number> => {
    const reporter = new FileReporter((report) => {
      reports.push(report);
      console.log(clear + (isWhole ? report.lines.join("\n") : report.summary));
      progress();
    });
    reporters.push(reporter);
    return await runTests([...options, ...its], reporter);
  };
  const paths = args.some((it) => it.startsWith("-"))
    ? []
    : (await testFiles(args.map((it) => it.replace(/^\.\//, "")))).map((it) => it.path);
  const isParted = paths.length > FILES_A_PROCESS;
  // All of the project has the same check in deno task ok: the second one finds its result.
  const checked = args.length === 0 ? ["task", "--quiet", "check"] : ["check", ...std, ...paths];
  const check = (): Promise<number> => run(Deno.execPath(), checked, { cwd: fromFileUrl(ROOT) });
  const jobs = isParted
    ? [check, ...parted(paths).map((its) => () => test(["--no-check", ...its]))]
    : [() => test(args)];
  let code = 0;
  const work = async (): Promise<void> => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) code = await job() || code;
  };
  await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, work));
  for (const { failures } of reporters) {
    if (failures.some((it) => it.trim() !== "")) console.log(clear + failures.join("\n"));
  }
  if (isWhole && isParted) {
    const slow = reports.sort((a, b) => b.milliseconds - a.milliseconds).slice(0, 20);
    console.log("The slowest files, in seconds:");
    for (const it of slow) console.log(`${(it.milliseconds / 1000).toFixed(1)} ${it.path}`);
  }
  const totals = reporters.flatMap((it) => it.total ?? []);
  if (totals.length === reporters.length) {
    console.log(`\n${totalLine(totals, (performance.now() - start) / 1000)}`);
  }
  return code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
