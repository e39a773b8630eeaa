/** The scripts of .ci/: they name existing files, run to their end, and print their last line. */
// Deno only: it starts processes

import { assert, assertEquals, assertMatch } from "@std/assert";
import { testFiles } from "../../tasks/test_files.ts";

const ROOT = new URL("../../", import.meta.url);
const SCRIPTS = [".ci/run", ".ci/nightly"];

const read = (path: string): Promise<string> => Deno.readTextFile(new URL(path, ROOT));
const onLinux = { ignore: Deno.build.os !== "linux" };

/** Programs that replace the real ones in a script: `node` records its arguments, and may fail. */
const STAND_INS: Readonly<Record<string, string>> = {
  node: `echo "$@" >> "$CALLS"; shift 2; case "$*" in *"$FAIL"*) exit 1;; esac`,
  npx: "echo /bin/true",
  deno: "exit 0",
  bun: "exit 0",
  unshare: "exit 1",
  id: "echo 1",
};

interface Ran {
  readonly code: number;
  readonly lastLine: string;
  /** The commands of its steps. */
  readonly steps: readonly string[];
}

/** Runs a script with the stand-ins; a step that has `fail` in its command fails. */
async function run(script: string, fail: string): Promise<Ran> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, body] of Object.entries(STAND_INS)) {
      await Deno.writeTextFile(`${folder}/${name}`, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    }
    const calls = `${folder}/calls`;
    const { code, stdout } = await new Deno.Command("bash", {
      args: [script],
      cwd: ROOT,
      env: { PATH: `${folder}:/usr/bin:/bin`, CALLS: calls, FAIL: fail, TMPDIR: folder },
      stderr: "null",
    }).output();
    const steps = (await Deno.readTextFile(calls)).trim().split("\n")
      // The limit's own path, the minutes and the log.
      .map((it) => it.replace(/^\.ci\/limit\.mjs \d+ \S+ /, ""));
    return {
      code,
      lastLine: new TextDecoder().decode(stdout).trimEnd().split("\n").at(-1) ?? "",
      steps,
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test(
  "ci: each script parses, and each task and file that it names is there",
  onLinux,
  async () => {
    const { tasks } = JSON.parse(await read("deno.json"));
    for (const script of SCRIPTS) {
      const { code } = await new Deno.Command("bash", { args: ["-n", script], cwd: ROOT }).output();
      assertEquals(code, 0, `bash -n ${script}`);
      for (const step of (await run(script, "none of them")).steps) {
        const task = /deno task ([\w:]+)/.exec(step)?.[1];
        assert(task === undefined || task in tasks, `${script}: no task ${task}`);
        for (const [path] of step.matchAll(/\b(?:tests|tasks)\/[\w/.]+/g)) {
          assert((await Deno.stat(new URL(path, ROOT))).isFile, `${script}: ${path}`);
        }
      }
    }
  },
);

Deno.test("ci: the file of a nightly step reads each setting of the step", onLinux, async () => {
  const { steps } = await run(".ci/nightly", "none of them");
  for (const step of steps) {
    const [path] = /tests\/\S+\.ts/.exec(step) ?? [];
    const settings = [...step.matchAll(/\b([A-Z][A-Z_]+)=/g)].map(([, name = ""]) => name);
    // This one is read by tests/support/random.ts.
    for (const name of settings.filter((it) => it !== "TEST_SEED")) {
      assert(path !== undefined, step);
      assert(await isRead(path, name), `${path} doesn't read ${name}`);
    }
  }
});

/** Whether a test, or a file beside it, reads a variable of the environment. */
async function isRead(path: string, name: string): Promise<boolean> {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
    if (entry.isFile && (await read(`${folder}${entry.name}`)).includes(`"${name}"`)) return true;
  }
  return false;
}

Deno.test(
  "ci: nightly's last line counts its steps, and its exit code says whether one failed",
  onLinux,
  async () => {
    const good = await run(".ci/nightly", "none of them");
    assertEquals([good.code, good.lastLine], [0, `${good.steps.length} steps passed, 0 failed`]);
    const bad = await run(".ci/nightly", "walks_test");
    assertEquals(bad.lastLine, `${good.steps.length - 1} steps passed, 1 failed`);
    assertEquals(bad.code, 1);
  },
);

Deno.test("ci: the last line of run is a sum, and includes failed steps", onLinux, async () => {
  for (const fail of ["none of them", "task ok"]) {
    const { code, lastLine, steps } = await run(".ci/run", fail);
    assertMatch(lastLine, /^\d+ passed, \d+ failed$/);
    // The stand-ins run no test, which is also a failure.
    assertEquals([code, lastLine], [1, `0 passed, ${fail === "task ok" ? 2 : 1} failed`]);
    assertEquals(steps.some((it) => it.includes("deno task test:all")), true);
  }
});

Deno.test(
  "ci: nightly runs each suite of public names against the package on each runtime",
  onLinux,
  async () => {
    const { steps } = await run(".ci/nightly", "none of them");
    const paths = (await testFiles([])).filter((it) => it.isPublic).map((it) => it.path);
    assert(paths.length > 0);
    for (const runtime of ["node20", "node26", "bun"]) {
      const step = steps.find((it) => it.includes(`--runtime ${runtime} ${paths[0]}`)) ?? "";
      assertEquals(paths.filter((it) => !step.includes(it)), [], runtime);
    }
  },
);
