/** The workflows of .github/: their actions, and the jobs that publish. tasks/check_workflows.ts checks their form. */
// Deno only: it reads the project's files

import { assert, assertEquals } from "@std/assert";

const FOLDER = new URL("../../.github/workflows/", import.meta.url);

const texts = new Map<string, string>();
for await (const { name } of Deno.readDir(FOLDER)) {
  texts.set(name, await Deno.readTextFile(new URL(name, FOLDER)));
}

/** The jobs of a workflow, as text. */
function jobs(text: string): Map<string, string> {
  const parts = text.slice(text.indexOf("\njobs:\n")).split(/^ {2}([\w-]+):$/m);
  return new Map(parts.flatMap((name, i) => i % 2 === 1 ? [[name, parts[i + 1] ?? ""]] : []));
}

/** What a job runs. */
function commands(job: string): string[] {
  return [...job.matchAll(/^ +(?:- )?run: (.*)$/gm)].map(([, command = ""]) => command);
}

Deno.test("workflows: pin each action to a commit", () => {
  for (const [name, text] of texts) {
    for (const [, action = ""] of text.matchAll(/uses: (.*)/g)) {
      assert(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+/.test(action), `${name}: ${action}`);
    }
  }
});

Deno.test("workflows: a job with an identity only publishes", () => {
  const found: Record<string, string[]> = {};
  for (const [file, text] of texts) {
    // Outside the jobs there is only the right to read.
    assertEquals(/^permissions:\n((?: {2}.*\n)*)/m.exec(text)?.[1], "  contents: read\n", file);
    for (const [name, job] of jobs(text)) {
      if (job.includes("id-token: write")) found[`${file} ${name}`] = commands(job);
    }
  }
  assertEquals(found, {
    "docs.yml deploy": [],
    "publish.yml jsr": ["deno publish --no-remote --no-npm"],
    "publish.yml npm": [
      "npm publish --ignore-scripts --provenance --access public ./package/*.tgz",
    ],
  });
});

Deno.test("workflows: npm gets a tarball from a job without an identity, and the publishing job resolves no package", () => {
  const { build = "", npm = "" } = Object.fromEntries(jobs(texts.get("publish.yml") ?? ""));
  assertEquals(commands(build), [
    "deno run --allow-all --no-remote --no-npm tasks/build_npm.ts --pack",
  ]);
  assert(!build.includes("id-token"));
  assert(npm.includes("needs: build") && npm.includes("download-artifact@"));
  assert(!npm.includes("checkout@"), "it has no source to run");
});

Deno.test("workflows: canary runs the tests on each runtime's coming version, on a schedule", () => {
  const text = texts.get("canary.yml") ?? "";
  assert(/on:\n {2}schedule:\n {4}- cron: "/.test(text));
  const { deno = "", bun = "", node = "" } = Object.fromEntries(jobs(text));
  assert(deno.includes("deno-version: canary") && commands(deno).includes("deno task test"));
  assert(bun.includes("bun-version: canary"));
  assert(commands(bun).includes("deno task test:all --runtime bun"));
  assert(/node-version: \d+-nightly/.test(node));
  assert(commands(node).includes("deno task test:all --runtime nodenightly"));
});
