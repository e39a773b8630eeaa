/** Formats a measurement as Markdown tables, and inserts them between a document's markers. */

import { number } from "../numbers.ts";
import { type Measurement, median, type Row, type Run, spread } from "../row.ts";
import { limitOf, targets, type Verdict, verdicts } from "../targets.ts";

function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const rule = head.map((_, i) => i === 0 ? "---" : "--:");
  return [head, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** Every target with the result of each runtime. */
export function targetTable({ runs }: Measurement): string {
  const reached = runs.map((run) => verdicts(run));
  const lines = targets.flatMap((target) => {
    const cells = reached.map((all) => all.find((it) => it.target === target));
    if (cells.every((it) => it === undefined)) return [];
    return [[target.what, limitOf(target), ...cells.map(cell)]];
  });
  return table(["what", "target", ...runs.map(({ runtime }) => runtime)], lines);
}

function cell(verdict: Verdict | undefined): string {
  if (verdict === undefined) return "";
  const value = number(verdict.reached);
  return verdict.isMet ? value : `**${value}**`;
}

/** The whole measurement: a table for each row, a column for each runtime. */
export function rowTables({ runs }: Measurement): string {
  const rows = new Map<string, Row>();
  for (const row of runs.flatMap((run) => run.rows)) rows.set(row.id, rows.get(row.id) ?? row);
  return [...rows.values()].map((row) => rowTable(row, runs)).join("\n\n");
}

function rowTable({ id, title, unit, note }: Row, runs: readonly Run[]): string {
  const found = runs.map(({ rows }) => rows.find((row) => row.id === id));
  const columns = runs.flatMap(({ runtime }, i) => {
    const row = found[i];
    return row === undefined ? [] : [{ runtime, row }];
  });
  const names = new Set(columns.flatMap(({ row }) => row.results.map((it) => it.name)));
  const lines = [...names].map((name) => [
    name,
    ...columns.map(({ row }) => valueOf(row, name)),
  ]);
  const head = ["", ...columns.map(({ runtime }) => runtime)];
  const said = note === "" ? "" : `\n\n${note}`;
  const failures = columns.flatMap(({ runtime, row }) =>
    row.results.flatMap(({ name, failed }) =>
      failed === undefined ? [] : [`\n\nOn ${runtime}, ${name} failed: ${failed}.`]
    )
  );
  return `**${title}** (${unit})${said}\n\n${table(head, lines)}${failures.join("")}`;
}

function valueOf({ results }: Row, wanted: string): string {
  const result = results.find(({ name }) => name === wanted);
  if (result === undefined) return "";
  if (result.values.length === 0) return "failed";
  const percent = Math.round(100 * spread(result.values));
  return number(median(result.values)) + (result.values.length > 1 ? ` ± ${percent} %` : "");
}

/** The origin of the figures. */
export function origin({ machine, runs, quick }: Measurement): string {
  const versions = runs.map(({ version }) => version).join(", ");
  const day = runs[0]?.date.slice(0, 10) ?? "";
  const warning = quick ? " A quick try: the figures mean nothing." : "";
  return `Measured on ${day}: ${versions}; ${machine}.${warning}`;
}

/** The most important rows for a new reader. */
const SUMMARY: readonly (readonly [row: string, contenders: readonly string[]])[] = [
  ["echo-64", ["ours ↔ ours", "global WebSocket ↔ ours", "ws ↔ ws", "raw TCP, a turn"]],
  ["echo-16384", ["ours ↔ ours", "global WebSocket ↔ ours", "ws ↔ ws", "raw TCP, a turn"]],
  ["echo-1048576", ["ours ↔ ours", "global WebSocket ↔ ours", "ws ↔ ws", "raw TCP, a turn"]],
  ["latency", ["ours ↔ ours", "global WebSocket ↔ ours", "ws ↔ ws", "raw TCP, a turn"]],
];

/** A few rows, for the first page. */
export function summary({ runs }: Measurement): string {
  const lines = SUMMARY.flatMap(([id, names]) => {
    const rows = runs.map((run) => run.rows.find((row) => row.id === id));
    const first = rows.find((row) => row !== undefined);
    if (first === undefined) return [];
    const title = `**${first.title}** (${first.unit})`;
    const values = names.map((name) => [
      name,
      ...rows.map((row) => {
        const found = row?.results.find((it) => it.name === name);
        return found === undefined ? "" : number(median(found.values));
      }),
    ]);
    return [[title, ...runs.map(() => "")], ...values];
  });
  return table(["", ...runs.map(({ runtime }) => runtime)], lines);
}

/**
 * Inserts text between a document's markers `<!-- bench: NAME -->` and `<!-- /bench -->`.
 *
 * @throws {Error} When the document has no such markers.
 */
export function between(document: string, name: string, text: string): string {
  const start = `<!-- bench: ${name} -->`;
  const end = "<!-- /bench -->";
  const from = document.indexOf(start);
  const to = document.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`The document has no markers for: ${name}`);
  return `${document.slice(0, from + start.length)}\n\n${text}\n\n${document.slice(to)}`;
}
