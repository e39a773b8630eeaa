/** The programs of docs/how-to/workers.md, word for word. */
// Deno only: it starts processes

import { assertEquals } from "@std/assert";
import { deno } from "./support/command.ts";

const ROOT = new URL("../", import.meta.url);

/** The page's programs, in order, in a folder of their own that maps the package's name. */
async function inFolder(
  names: readonly string[],
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const page = await Deno.readTextFile(new URL("docs/how-to/workers.md", ROOT));
  const programs = [...page.matchAll(/^```ts ignore\n([^]*?)^```$/gm)].map(([, it]) => it ?? "");
  assertEquals(programs.length, names.length);
  const folder = await Deno.makeTempDir();
  try {
    for (const [i, name] of names.entries()) {
      await Deno.writeTextFile(`${folder}/${name}`, programs[i] ?? "");
    }
    const { name } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
    const imports = { [`${name}/stream-channel`]: new URL("src/stream_channel/mod.ts", ROOT).href };
    await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify({ imports }));
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("docs/how-to/workers.md: its programs run, end, and pass the type check", async () => {
  await inFolder(["worker.ts", "main.ts", "thread.mjs", "main.mjs"], async (folder) => {
    const config = ["--quiet", "--config", `${folder}/deno.json`];
    for (const main of ["main.ts", "main.mjs"]) {
      const run = ["run", "--check", "--allow-all", ...config, `${folder}/${main}`];
      const { code, stdout, stderr } = await deno(run);
      assertEquals({ code, stdout, stderr }, { code: 0, stdout: "HELLO\n", stderr: "" });
    }
    assertEquals((await deno(["check", ...config, `${folder}/worker.ts`])).code, 0);
  });
});
