/** A measurement as text for a terminal. */

import { number } from "../numbers.ts";
import { median, type Row, type Run, spread } from "../row.ts";
import { limitOf, type Verdict, verdicts } from "../targets.ts";

const BAR = 24;

/** A row: its contenders with their medians, the spread of the rounds, and bars. */
export function rowText({ title, unit, results }: Row): string {
  const width = Math.max(...results.map(({ name }) => name.length));
  const most = Math.max(...results.map(({ values }) => median(values)), Number.MIN_VALUE);
  const lines = results.map(({ name, values, failed }) => {
    if (values.length === 0) return `  ${name.padEnd(width)}  failed: ${failed ?? "no values"}`;
    const value = median(values);
    const bar = "█".repeat(Math.max(1, Math.round(BAR * value / most)));
    const percent = values.length > 1 ? `±${Math.round(100 * spread(values))} %` : "";
    const note = failed === undefined ? "" : `  ${failed}`;
    return `  ${name.padEnd(width)} ${number(value).padStart(8)} ${
      percent.padStart(6)
    }  ${bar}${note}`;
  });
  return [`${title} (${unit})`, ...lines].join("\n");
}

/** One target, and whether it was met. */
export function verdictText({ target, reached, of, isMet }: Verdict): string {
  const beside = of === null ? "" : ` × ${of}`;
  const mark = isMet ? "met   " : "MISSED";
  return `${mark} ${number(reached)}${beside}, target ${limitOf(target)}: ${target.what}`;
}

/**
 * All rows of a run, each with its targets.
 *
 * @param judged Whether the figures are meaningful; otherwise the targets are left out.
 */
export function runText(run: Run, judged = true): string {
  const all = judged ? verdicts(run) : [];
  const rows = run.rows.map((row) => {
    const own = all.filter(({ target }) => target.row === row.id);
    return [rowText(row), ...own.map((it) => `  ${verdictText(it)}`), ""].join("\n");
  });
  const met = all.filter(({ isMet }) => isMet).length;
  const head = `═══ ${run.runtime} (${run.version}), ${run.date}`;
  const result = judged ? [`${run.runtime}: ${met} of ${all.length} targets met`, ""] : [];
  return [head, "", ...rows, ...result].join("\n");
}
