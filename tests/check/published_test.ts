// Deno only: it reads the project's files

import { assert, assertEquals } from "@std/assert";
import { listCases } from "../../src/check/mod.ts";
import { readText } from "../support/sources.ts";
import { PLACES, publishedReports, tableIn, tableOf } from "./published.ts";
import { reportSchema, SCHEMA_FILE, schemaText } from "./report_schema.ts";

Deno.test("check reports: the published reports have the documented format and the current cases", async () => {
  const reports = await publishedReports();
  assert(reports.size >= 13, `${reports.size}`);
  for (const [name, report] of reports) {
    const parsed = reportSchema.safeParse(report);
    assert(parsed.success, `${name}: ${parsed.error}`);
    assertEquals(report.isComplete, true, name);
    const ids = listCases(report.side).map(({ id }) => id);
    assertEquals(report.results.map(({ id }) => id), ids, `${name}: deno task check_peers --write`);
  }
});

Deno.test("check reports: the reports of this package contain only the verdict ok", async () => {
  for (const [name, { counts, results }] of await publishedReports()) {
    if (name.includes("_own_")) assertEquals(counts.ok, results.length, name);
  }
});

Deno.test("check reports: the schema matches the documented schema", async () => {
  assertEquals(await readText(SCHEMA_FILE), schemaText());
});

Deno.test("check reports: the tables of the pages match the reports", async () => {
  const table = await tableOf();
  for (const place of PLACES) assertEquals(tableIn(await readText(place)), table, place);
});

/** The statements of docs/how-to/check.md about other packages: a report, a case, and its verdict. */
const SAID: readonly (readonly [report: string, id: string, verdict: string])[] = [
  ["server_ws", "fragment/flood-64-bytes", "informational"],
  ["server_ws", "ping/2000", "informational"],
  ["server_ws", "handshake/http-1.0", "failed"],
  ["server_ws", "handshake/two-hosts", "failed"],
  ["server_ws", "handshake/version-8", "non-strict"],
  ["server_deno", "deflate/hello", "unimplemented"],
  ["client_deno", "deflate/hello", "unimplemented"],
  ["server_deno", "rsv/text-010", "non-strict"],
  ["server_deno", "mask/none-text", "failed"],
  ["client_deno", "mask/binary", "failed"],
  ["server_deno", "utf8/split-cut", "failed"],
  ["client_deno", "answer/accept-other-key", "failed"],
  ["server_bun", "deflate/window-peer-9", "unimplemented"],
  ["client_bun", "answer/two-accepts", "failed"],
  ["client_node", "utf8/valid-bom", "failed"],
  ["client_node", "answer/extension-window-7", "failed"],
  ["client_node", "deflate/final-then-more", "failed"],
  ["client_node", "answer/accept-other-key", "failed"],
  ["server_python", "deflate/window-peer-8-forgets", "failed"],
  ["server_python", "deflate/final-then-more", "failed"],
  ["client_ws", "deflate/final-inside", "non-strict"],
  ["client_bun", "deflate/final-inside", "non-strict"],
  ["client_node", "deflate/final-inside", "non-strict"],
  ["client_python", "deflate/final-inside", "non-strict"],
];

Deno.test("check reports: the guide's statements about other packages match their reports", async () => {
  const reports = await publishedReports();
  const seen = SAID.map(([name, id]) => {
    const result = reports.get(name)?.results.find((it) => it.id === id);
    return [name, id, result?.verdict ?? "missing"];
  });
  assertEquals(seen, SAID.map((it) => [...it]));
});
