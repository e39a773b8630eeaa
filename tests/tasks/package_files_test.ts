/** The check of the npm package's files, on folders as dnt writes them. */
// Deno only: it imports a task

import { assertEquals } from "@std/assert";
import { type CheckResult, sideBySide } from "../../tasks/check_npm.ts";
import { sourceModules, wrongFiles } from "../../tasks/package_files.ts";

const modules = [...await sourceModules()];

/** A folder as dnt writes it, with one more file, or with another text in a file. */
async function faults(files: Readonly<Record<string, string | null>>): Promise<string[]> {
  const folder = await Deno.makeTempDir();
  try {
    const all: Record<string, string | null> = {
      "package.json": `{"bin":{"some":"./bin.js"}}`,
      "README.md": "",
      "CHANGELOG.md": "",
      "LICENSE": "",
      "bin.js": "",
      ...Object.fromEntries(modules.map((it) => [`esm/${it}.js`, "export {};"])),
      ...Object.fromEntries(modules.map((it) => [`esm/${it}.d.ts`, "export {};"])),
      ...files,
    };
    for (const [path, text] of Object.entries(all)) {
      if (text === null) continue;
      await Deno.mkdir(`${folder}/${path.slice(0, path.lastIndexOf("/") + 1)}`, {
        recursive: true,
      });
      await Deno.writeTextFile(`${folder}/${path}`, text);
    }
    return (await wrongFiles(new URL(`file://${folder}/`))).sort();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("package files: accepts exactly the files of the source", async () => {
  assertEquals(await faults({}), []);
});

Deno.test("package files: finds dnt's shims, its Proxy and its polyfills", async () => {
  const merged = `export const dntGlobalThis = createMergeProxy(globalThis, dntGlobals);`;
  assertEquals(
    await faults({
      "esm/_dnt.shims.js": merged,
      "esm/mod.js": `import * as dntShim from "./_dnt.shims.js";`,
      "esm/status.js": `const scope = new Proxy(globalThis, {});`,
      "esm/src/web_socket/turns.js": `import "../../_dnt.polyfills.js";`,
    }),
    [
      "_dnt.shims.js is not of the source",
      "_dnt.shims.js uses a shim",
      "mod.js uses a shim",
      "src/web_socket/turns.js uses a shim",
      "status.js puts a Proxy in place of globalThis",
    ],
  );
});

Deno.test("package files: finds a missing file and a foreign file", async () => {
  assertEquals(
    await faults({ "esm/status.js": null, "esm/deps/jsr.io/other.js": "", "bin.js": null }),
    [
      "bin.js is missing",
      "deps/jsr.io/other.js is not of the source",
      "status.js is missing",
    ],
  );
});

Deno.test("package checks: prints both builders' results side by side, or says that dnt is not available", () => {
  const result = (name: string, error: string | null): CheckResult => {
    return { name, error, note: "", seconds: 1 };
  };
  const pack = [result("files", null), result("publint", "wrong")];
  assertEquals(
    sideBySide([result("files", "a shim")], pack).split("\n"),
    [
      "check    dnt            deno pack",
      "files    FAILED         ok",
      "publint  not run        FAILED",
    ],
  );
  assertEquals(sideBySide(null, pack).split("\n")[1], "files    not available  ok");
});
