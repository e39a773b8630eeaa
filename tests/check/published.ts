/** The reports in docs/assets/check/, and the table of them. For Deno only: it reads the project's files. */

import { type Report, type Verdict, VERDICTS } from "../../src/check/mod.ts";
import { filesBelow, readText } from "../support/sources.ts";

/** Pages with the table, between two comments. */
export const PLACES: readonly string[] = ["README.md", "docs/how-to/check.md"];

const START = "<!-- check -->";
const END = "<!-- /check -->";

/** Whose reports are in the table, in its order. */
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

/** The table of the published reports: for each, how many cases have each verdict. */
export async function tableOf(): Promise<string> {
  const reports = await publishedReports();
  const cell = (report: Report | undefined): string =>
    report === undefined ? "–" : NAMES.map((it) => report.counts[it]).join(" · ");
  const rows = ORDER.flatMap((name) => {
    const [server, client] = [reports.get(`server_${name}`), reports.get(`client_${name}`)];
    const subject = server?.subject ?? client?.subject;
    return subject === undefined ? [] : [`| ${subject} | ${cell(server)} | ${cell(client)} |`];
  });
  return ["|  | as a server | as a client |", "| --- | --- | --- |", ...rows].join("\n");
}

/** The table that a page has, without its layout. */
export function tableIn(page: string): string {
  const table = page.slice(page.indexOf(START) + START.length, page.indexOf(END)).trim();
  return table.split("\n").map((row) =>
    row.replace(/ *\| */g, " | ").replace(/-+/g, (it) => it.length > 2 ? "---" : it).trim()
      .replace(/^\| \|/, "|  |")
  ).join("\n");
}

/** A page with another table. */
export function withTable(page: string, table: string): string {
  const [start, end] = [page.indexOf(START), page.indexOf(END)];
  if (start < 0 || end < 0) throw new Error(`No ${START} … ${END}`);
  return `${page.slice(0, start + START.length)}\n\n${table}\n\n${page.slice(end)}`;
}
