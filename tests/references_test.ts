/** The reference pages are complete: every capability, every error class. */
// Deno only: it reads the project's files

import { assert, assertEquals } from "@std/assert";
import * as main from "../mod.ts";
import * as reconnecting from "../src/reconnecting/mod.ts";
import * as server from "../src/server/mod.ts";
import * as streams from "../src/stream_channel/mod.ts";
import { NO_CAPABILITIES } from "../src/web_socket/capabilities.ts";
import { EXPORTS_0_1 } from "./support/exports_0_1.ts";
import { readText } from "./support/sources.ts";

Deno.test("references: each capability has its row in the table of transports", async () => {
  const page = await readText("docs/reference/platforms.md");
  const table = page.slice(page.indexOf("## What each transport can do"));
  const cells = [...table.matchAll(/^\| ([^|]+) \|/gm)].map(([, cell]) => cell ?? "");
  const missing = Object.keys(NO_CAPABILITIES).filter((name) =>
    !cells.some((cell) => cell.includes(`\`${name}\``))
  );
  assertEquals(missing, []);
});

Deno.test("references: the page of errors lists each public error class", async () => {
  const page = await readText("docs/reference/errors.md");
  const classes = Object.entries({ ...main, ...reconnecting, ...server, ...streams })
    .filter(([, value]) => typeof value === "function" && value.prototype instanceof Error)
    .map(([name]) => name);
  assert(classes.length >= 5, String(classes));
  assertEquals(classes.filter((name) => !page.includes(`\`${name}\``)), []);
});

Deno.test("references: the index of the docs leads to each page", async () => {
  const index = await readText("docs/README.md");
  const missing: string[] = [];
  for (const folder of ["tutorial", "how-to", "explanation", "reference"]) {
    for await (const { name } of Deno.readDir(new URL(`../docs/${folder}/`, import.meta.url))) {
      if (name.endsWith(".md") && !index.includes(`(${folder}/${name}`)) missing.push(name);
    }
  }
  assertEquals(missing, []);
});

Deno.test("references: the migration notes name only removed members", async () => {
  const page = await readText("docs/how-to/migrate.md");
  const types = page.slice(page.indexOf("Types:"), page.indexOf("What behaves"));
  const doors = await Promise.all(
    ["mod.ts", "src/channel_types.ts", "src/server/mod.ts"].map(readText),
  );
  for (const [, before = ""] of types.matchAll(/^\| `(\w+)`/gm)) {
    for (const door of doors) assert(!new RegExp(`\\b${before}\\b`).test(door), before);
  }
});

Deno.test("references: each name of 0.1 is still exported, or the migration notes name it", async () => {
  const { exports } = JSON.parse(await readText("deno.json"));
  const doors = await Promise.all(
    [...Object.values<string>(exports), "src/channel_types.ts", "src/server/entry_types.ts"]
      .map((it) => readText(it)),
  );
  const exported = doors.join("\n").replaceAll(/\/\*\*[^]*?\*\//g, "");
  const page = await readText("docs/how-to/migrate.md");
  const missing = EXPORTS_0_1.filter((name) =>
    !new RegExp(`\\b${name}\\b`).test(exported) && !page.includes(`\`${name}\``)
  );
  assertEquals(missing, []);
});

Deno.test("references: the import map for editors without JSR matches the other one", async () => {
  const { imports } = JSON.parse(await readText("import_map.json"));
  const { name, exports } = JSON.parse(await readText("deno.json"));
  const offline = JSON.parse(await readText("tests/offline/import_map.json")).imports;
  const own = Object.keys(exports).map((it) => name + it.slice(1));
  assertEquals(Object.keys(offline).sort(), [...Object.keys(imports), ...own].sort());
});

Deno.test("references: plain deno test works with the import map that editors and CONTRIBUTING.md name", async () => {
  const settings = JSON.parse(await readText(".vscode/settings.json"));
  const path = "tests/offline/import_map.json";
  assertEquals(settings["deno.importMap"], `./${path}`);
  assert((await readText("CONTRIBUTING.md")).includes(`deno test -A --import-map=${path}`));
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--quiet", "-A", `--import-map=${path}`, "tests/status_test.ts"],
    cwd: new URL("../", import.meta.url),
    stdout: "null",
    stderr: "null",
  }).output();
  assertEquals(code, 0);
});

Deno.test("references: the README's figures match the page about performance", async () => {
  const sentence = /^Echoes of 64 bytes [^]*?\n\n/m.exec(await readText("README.md"))?.[0];
  const page = await readText("docs/explanation/performance.md");
  const table = page.slice(page.indexOf("**Echo of 64 B, 256 in flight**"));
  const cells = (row: string) =>
    new RegExp(`^\\| ${row} +(\\|.*)\\|$`, "m").exec(table)?.[1]?.split("|").map((it) => it.trim());
  for (const row of ["ours ↔ ours", "ws ↔ ws"]) {
    const [, deno, newest, , bun] = cells(row) ?? [];
    for (const figure of [deno, newest, bun]) {
      const millions = parseFloat(figure ?? "") / (figure?.endsWith("k") ? 1000 : 1);
      assert(sentence?.includes(millions.toFixed(2)), `${row}: ${figure}`);
    }
  }
});
