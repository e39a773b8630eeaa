import { type CaseResult, type Report, type Verdict, VERDICTS } from "./report.ts";

const NAMES = Object.keys(VERDICTS) as Verdict[];

/**
 * Returns a page that shows reports side by side: a row for each case, a column for each report. The page needs no other
 * file and no network. Its filter of rows needs scripts; the rest works without them.
 *
 * @param reports One report, or several of the same side.
 * @returns The HTML of the page. Save it in UTF-8.
 *
 * @example
 * ```ts
 * import { checkClient, reportHtml } from "@web-socket/channel/check";
 *
 * const report = await checkClient({ cases: ["ping/empty"], connect: () => {}, timeout: 10 });
 * console.log(reportHtml(report).startsWith("<!DOCTYPE html>")); // true
 * ```
 */
export function reportHtml(reports: Report | readonly Report[]): string {
  const all = "schema" in reports ? [reports] : reports;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(titleOf(all))}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escaped(titleOf(all))}</h1>
${summary(all)}
<p>${NAMES.map((it) => `<b class="${it}">${it}</b>: ${VERDICTS[it]}`).join(". ")}.</p>
<form>
<label>Show <select id="verdict"><option value="">all cases</option><option value="other">all that aren't ok</option>${
    NAMES.map((it) => `<option>${it}</option>`).join("")
  }</select></label>
<label>with the text <input id="text" type="search"></label>
<output id="count"></output>
</form>
<table id="cases">
<thead><tr><th>Case</th>${
    all.map(({ subject }) => `<th>${escaped(subject)}</th>`).join("")
  }</tr></thead>
<tbody>
${rows(all).join("\n")}
</tbody>
</table>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function titleOf(reports: readonly Report[]): string {
  const [first, ...others] = reports;
  if (first === undefined) return "WebSocket check: no report";
  return others.length === 0
    ? `WebSocket check: ${first.subject}`
    : `WebSocket check: ${reports.length} ${first.side}s`;
}

function summary(reports: readonly Report[]): string {
  const lines = reports.map(({ subject, side, started, duration, counts, isComplete }) =>
    `<tr><th>${escaped(subject)}</th><td>${escaped(side)}</td>${
      NAMES.map((it) => `<td class="number">${Number(counts[it])}</td>`).join("")
    }<td>${escaped(started)}</td><td class="number">${Number(duration)} ms</td><td>${
      isComplete ? "" : "not complete"
    }</td></tr>`
  );
  return `<table id="summary">
<thead><tr><th></th><th>side</th>${
    NAMES.map((it) => `<th><span class="${it}">${it}</span></th>`).join("")
  }<th>begun</th><th>took</th><th></th></tr></thead>
<tbody>
${lines.join("\n")}
</tbody>
</table>`;
}

/** A row for each case, in the order of the first report that has it. */
function rows(reports: readonly Report[]): string[] {
  const maps = reports.map(({ results }) => new Map(results.map((it) => [it.id, it])));
  const ids = new Set(reports.flatMap(({ results }) => results.map(({ id }) => id)));
  return [...ids].map((id) => {
    const cells = maps.map((it) => it.get(id));
    const known = cells.find((it) => it !== undefined) as CaseResult;
    const verdicts = cells.map((it) => it?.verdict ?? "missing");
    return `<tr data-verdicts="${verdicts.map(escaped).join(" ")}"><th><code>${
      escaped(id)
    }</code><br>${escaped(known.title)} <small>${escaped(known.section)}</small></th>${
      cells.map(cellOf).join("")
    }</tr>`;
  });
}

function cellOf(result: CaseResult | undefined): string {
  if (result === undefined) return "<td>–</td>";
  const { verdict, note, transcript, duration } = result;
  const shown = `<span class="${escaped(verdict)}">${escaped(verdict)}</span>`;
  const said = note === "" ? "" : `<p>${escaped(note)}</p>`;
  const lines = transcript.length === 0 ? "" : `<pre>${transcript.map(escaped).join("\n")}</pre>`;
  if (said + lines === "") return `<td>${shown}</td>`;
  return `<td><details><summary>${shown}</summary>${said}${lines}<small>${
    Number(duration)
  } ms</small></details></td>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** A report may come from a file, and has bytes of the peer's: none of it is markup. */
function escaped(text: string): string {
  return String(text).replace(/[&<>"']/g, (it) => ENTITIES[it] ?? it);
}

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }
body { margin: 1.5rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border-bottom: 1px solid #8884; padding: .3rem .7rem; text-align: left; vertical-align: top; font-weight: 400; }
thead th { font-weight: 600; position: sticky; top: 0; background: Canvas; }
small { opacity: .7; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.ok, .informational, .non-strict, .unimplemented, .failed { border-radius: .3rem; padding: 0 .4rem; color: #fff; white-space: nowrap; font-weight: 500; }
.ok { background: #197a36; } .informational { background: #1f5fa8; } .non-strict { background: #8a5a00; }
.unimplemented { background: #666; } .failed { background: #b3261e; }
pre { max-width: 60rem; overflow-x: auto; font-size: 12px; }
summary { cursor: pointer; }
form { display: flex; gap: 1.5rem; flex-wrap: wrap; }
`;

const SCRIPT = `
const rows = [...document.querySelectorAll("#cases tbody tr")];
const [verdict, text, count] = ["verdict", "text", "count"].map((it) => document.getElementById(it));
function filter() {
  const words = text.value.toLowerCase();
  let shown = 0;
  for (const row of rows) {
    const verdicts = row.dataset.verdicts.split(" ");
    const isMeant = verdict.value === "" || (verdict.value === "other" ? verdicts.some((it) => it !== "ok" && it !== "missing") : verdicts.includes(verdict.value));
    row.hidden = !(isMeant && row.textContent.toLowerCase().includes(words));
    if (!row.hidden) shown++;
  }
  count.textContent = shown + " of " + rows.length + " cases";
}
verdict.oninput = text.oninput = filter;
document.forms[0].onsubmit = () => false;
filter();
`;
