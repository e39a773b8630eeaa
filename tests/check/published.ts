/** The reports in docs/assets/check/, and their table. For Deno only: it reads the project's files. */

import { type Report, type Verdict, VERDICTS } from "../../src/check/mod.ts";
import { filesBelow, readText } from "../support/sources.ts";

/** Pages with the table. */
export const PLACES: readonly string[] = ["README.md", "docs/how-to/check.md"];

/** Finds the table by its header. */
const HEADER = "ok · informational · non-strict · unimplemented · failed";
const TABLE = new RegExp(`^\\| ${HEADER} *\\|.*\\n(?:\\|.*\\n)*`, "m");

/** The implementations in the table, in its order. */
const ORDER = ["own_deno", "own_node", "own_bun", "ws", "deno", "bun", "node", "python"];

/** The reports, by name: `server_ws`. */
export async function publishedReports(): Promise<Map<string, Report>> {
  const files = (await filesBelow("docs/assets/check")).filter((it) => it.endsWith(".json"));
  const reports = await Promise.all(files.map(async (path) => {
    const name = path.replace(/^.*\/|\.json$/g, "");
    return [name, JSON.parse(await readText(path)) as Report] as const;
  }));
  return new Map(reports.filter(([name]) => name !== "report.schema"));
}

const NAMES = Object.keys(VERDICTS) as Verdict[];

/** The table of the published reports: the number of cases for each verdict. */
export async function tableOf(): Promise<string> {
  const reports = await publishedReports();
  const cell = (report: Report | undefined): string =>
    report === undefined ? "–" : NAMES.map((it) => report.counts[it]).join(" · ");
  const own = ORDER.filter((it) => it.startsWith("own_"));
  const cells = (name: string): string =>
    ["server", "client"].map((side) => cell(reports.get(`${side}_${name}`))).join();
  // The results are the same on every runtime, as they should be: one row.
  const isSame = new Set(own.map(cells)).size === 1;
  const rows = ORDER.filter((it) => !isSame || !own.slice(1).includes(it)).flatMap((name) => {
    const [server, client] = [reports.get(`server_${name}`), reports.get(`client_${name}`)];
    const subject = isSame && name === own[0]
      ? "this package, on Deno, Node and Bun"
      : server?.subject ?? client?.subject;
    return subject === undefined ? [] : [`| ${subject} | ${cell(server)} | ${cell(client)} |`];
  });
  return [`| ${HEADER} | as a server | as a client |`, "| --- | --- | --- |", ...rows].join("\n");
}

/** The table of a page, without its layout. */
export function tableIn(page: string): string {
  const [table = ""] = TABLE.exec(page) ?? [];
  return table.trimEnd().split("\n").map((row) =>
    row.replace(/ *\| */g, " | ").replace(/-{3,}/g, "---").trim()
  ).join("\n");
}

/** Replaces the table of a page. */
export function withTable(page: string, table: string): string {
  if (!TABLE.test(page)) throw new Error("The page has no table of reports");
  return page.replace(TABLE, () => `${table}\n`);
}
