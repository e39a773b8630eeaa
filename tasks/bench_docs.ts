/** Writes a measurement's tables and pictures into docs/. */

import { between, origin, rowTables, summary, targetTable } from "../bench/report/markdown.ts";
import { plots } from "../bench/report/plots.ts";
import type { Measurement } from "../bench/row.ts";
import { fromFileUrl } from "./support.ts";
import { succeed } from "./tools.ts";

const ROOT = new URL("../", import.meta.url);
const ASSETS = new URL("docs/assets/performance/", ROOT);
const PAGE = "docs/explanation/performance.md";

/** Writes the JSON, the pictures, and the text between the documents' markers. */
export async function writeDocs(measurement: Measurement): Promise<void> {
  await Deno.mkdir(ASSETS, { recursive: true });
  await Deno.writeTextFile(new URL("results.json", ASSETS), JSON.stringify(measurement) + "\n");
  for (const [name, svg] of plots(measurement)) {
    await Deno.writeTextFile(new URL(name, ASSETS), svg);
  }
  await fill(PAGE, {
    summary: `${origin(measurement)}\n\n${summary(measurement)}`,
    targets: `${origin(measurement)}\n\n${targetTable(measurement)}`,
    rows: rowTables(measurement),
  });
  await succeed([Deno.execPath(), "fmt", "--quiet", PAGE], { cwd: fromFileUrl(ROOT) });
  console.log(`Written: ${PAGE}, ${fromFileUrl(ASSETS)}`);
}

async function fill(path: string, texts: Readonly<Record<string, string>>): Promise<void> {
  const url = new URL(path, ROOT);
  let document = await Deno.readTextFile(url);
  for (const [name, text] of Object.entries(texts)) document = between(document, name, text);
  await Deno.writeTextFile(url, document);
}
