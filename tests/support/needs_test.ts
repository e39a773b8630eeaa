/** Tests that are left out say what to install. */
// Deno only: it reads the project's files

import { assertEquals, assertThrows } from "@std/assert";
import { ignoredNote } from "../../tasks/table.ts";
import { INSTALL, leftOut } from "./needs.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("needs: a test that is left out names the program and how to install it", () => {
  assertEquals(leftOut("nginx", true), "");
  const name = `behind nginx${leftOut("nginx", false)}`;
  assertEquals(
    name,
    "behind nginx (left out: nginx is not installed; apt-get install -y nginx)",
  );
  // And so does the table of all runtimes.
  assertEquals(ignoredNote([name]), "1 ignored: nginx is not installed; apt-get install -y nginx");
  assertThrows(() => leftOut("no such program", true), RangeError, "no such program");
});

Deno.test("needs: CI installs exactly the programs that the tests need", async () => {
  const script = await Deno.readTextFile(new URL(".ci/run", ROOT));
  const [, packages = ""] = /apt-get .*install .*\\\n\s+(.*?) \|\|/.exec(script) ?? [];
  const wanted = Object.values(INSTALL).flatMap((it) =>
    /^apt-get install -y (\S+)$/.exec(it)?.[1] ?? []
  );
  // Other packages depend on it.
  const installed = [...packages.split(" "), "python3"];
  assertEquals(wanted.sort(), installed.sort());
});

/** Folders whose tests have their own texts. */
const OTHERS = /^tests\/(?:topics|http2|check|cli|diagnostics|tasks)/;

Deno.test("needs: each file whose tests need a program uses leftOut", async () => {
  const silent: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
      const path = `${folder}${name}`;
      if (isDirectory) await walk(`${path}/`);
      if (!path.endsWith(".ts") || OTHERS.test(path)) continue;
      const text = await Deno.readTextFile(new URL(path, ROOT));
      const isLeftOut = /ignore:.*\b(?:command|chromium|python|nginx|NODE|node|program)\b.*=== null/
        .test(text);
      const own = path.startsWith("tests/support/needs") ? "" : text;
      if (isLeftOut && !/\b(?:leftOut|missing)\(/.test(text)) silent.push(path);
      if (/is(?: not|n't) installed[`")]/.test(own)) silent.push(`${path} has a text of its own`);
    }
  };
  await walk("tests/");
  assertEquals(silent, []);
});
