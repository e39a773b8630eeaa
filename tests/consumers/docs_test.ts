/** The code of the how-to is that of the programs, and the table has the versions that they run with. */
// Deno only: it reads the project's files

import { assert, assertEquals } from "@std/assert";
import { NPM_NAME, readConfig } from "../../tasks/build_npm.ts";
import { toolVersion } from "../../tasks/tools.ts";
import { readText } from "../support/sources.ts";

const PAGE = "docs/how-to/libraries.md";
const TABLE = "docs/reference/faces.md";

function linesOf(text: string): string[] {
  return text.split("\n").map((it) => it.trim()).filter((it) => it !== "");
}

Deno.test("libraries: each block is in its program, line by line", async () => {
  const { name } = await readConfig();
  const page = await readText(PAGE);
  const blocks = [...page.matchAll(/<!-- (\S+\.mjs) -->\n\n```js ignore\n([^]*?)```/g)];
  assertEquals(blocks.length, page.split("```js ignore").length - 1);
  assert(blocks.length >= 12);
  for (const [, program = "", block = ""] of blocks) {
    const lines = linesOf(await readText(`tests/consumers/programs/${program}`));
    let at = 0;
    for (const line of linesOf(block.replaceAll(name, NPM_NAME))) {
      const found = lines.indexOf(line, at);
      assert(found >= 0, `${program} has not, or not there: ${line}`);
      at = found + 1;
    }
  }
});

Deno.test("libraries: the table has the versions that the programs run with", async () => {
  const rows = [...(await readText(TABLE)).matchAll(/^\| `([^`]+)` +\| ([\d.]+) +\|/gm)];
  assert(rows.length >= 10);
  for (const [, library = "", version] of rows) {
    assertEquals(version, toolVersion(library), library);
  }
});
