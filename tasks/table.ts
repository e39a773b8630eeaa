/** The table at the end of the tests of all runtimes. */

/** A line of the table. */
export interface Outcome {
  readonly suite: string;
  readonly transport: string;
  /** The tested code: the source, or the npm package. */
  readonly of: string;
  readonly runtime: string;
  readonly passed: number;
  readonly failed: number;
  readonly note: string;
}

/** The counts and the note of a line. */
export type Counts = Pick<Outcome, "passed" | "failed" | "note">;

function result({ passed, failed }: Outcome): string {
  return passed + failed === 0 ? "not applicable" : `${passed} passed, ${failed} failed`;
}

/** The lines sorted by suite and transport, in columns. */
export function table(outcomes: readonly Outcome[]): string {
  const sorted = [...outcomes].sort((a, b) =>
    `${a.suite}/${a.transport}`.localeCompare(`${b.suite}/${b.transport}`)
  );
  const rows = [["suite", "transport", "of", "runtime", "result", "note"]];
  for (const it of sorted) {
    rows.push([it.suite, it.transport || "-", it.of, it.runtime, result(it), it.note]);
  }
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row.map((cell, i) => i < 5 ? cell.padEnd(widths[i] ?? 0) : cell).join("  ").trimEnd()
  ).join("\n");
}

/** The sum of all lines. */
export function sum(outcomes: readonly Counts[]): { passed: number; failed: number } {
  let passed = 0;
  let failed = 0;
  for (const it of outcomes) {
    passed += it.passed;
    failed += it.failed;
  }
  return { passed, failed };
}

/** The reason in the name of a left-out test. */
const REASON = /(?:\((?:not applicable|left out): (.*)\)|\bnot run, (.*))$/;

/** How many tests were left out, and why. */
export function ignoredNote(names: readonly string[]): string {
  if (names.length === 0) return "";
  const found = names.map((name) => REASON.exec(name)).map((it) => it?.[1] ?? it?.[2]);
  const reasons = [...new Set(found.filter((it) => it !== undefined))];
  return [`${names.length} ignored`, ...reasons.length > 0 ? [reasons.join("; ")] : []].join(": ");
}

const FILE = /^running \d+ tests? from (?:\.\/)?(\S+)$/;
/** What a test prints may part its result from its name. A step, which is indented, is part of a test. */
const RESULT = /^(?! {2})(.*?)(?:^| \.\.\.) (ok|FAILED|ignored)(?: \([^()]*\))?$/;
const TOTAL = /^(?:ok|FAILED) \| (\d+) passed(?: \([^()]*\))? \| (\d+) failed(?: \([^()]*\))?/;

/** The output of `deno test`, file by file. */
export interface DenoLog {
  /** By the file's path from the project's root. */
  readonly files: ReadonlyMap<string, Counts>;
  /** Its own sum, or `null` if it did not print one. */
  readonly total: { readonly passed: number; readonly failed: number } | null;
}

/** Reads what `deno test` prints. */
export function readDenoLog(log: string): DenoLog {
  const files = new Map<string, { ok: number; FAILED: number; ignored: string[] }>();
  let total: DenoLog["total"] = null;
  let counts = { ok: 0, FAILED: 0, ignored: [] as string[] };
  // deno-lint-ignore no-control-regex -- colours
  for (const line of log.replaceAll(/\x1b\[[\d;]*m/g, "").split("\n")) {
    const file = FILE.exec(line)?.[1];
    const [, name = "", result] = RESULT.exec(line) ?? [];
    const sum = TOTAL.exec(line);
    if (file !== undefined) files.set(file, counts = { ok: 0, FAILED: 0, ignored: [] });
    if (result === "ok" || result === "FAILED") counts[result]++;
    if (result === "ignored") counts.ignored.push(name);
    if (sum !== null) total = { passed: Number(sum[1]), failed: Number(sum[2]) };
  }
  const counted = [...files].map(([path, { ok, FAILED, ignored }]): [string, Counts] => {
    return [path, { passed: ok, failed: FAILED, note: ignoredNote(ignored) }];
  });
  return { files: new Map(counted), total };
}
