/**
 * Builds the npm package and checks the tarball that users get: the findings of package linters, its
 * types in a strict project, its entries on each runtime, and browser bundles of it.
 *
 * ```sh
 * deno task npm:check             # all checks
 * deno task npm:check tsc bundle  # those whose names begin so
 * deno task npm:check --both      # of the packages of both builders, side by side
 * ```
 */

import {
  builderOf,
  buildNpm,
  type Built,
  FOR_PAGES,
  hasDnt,
  installedIn,
  NPM_NAME,
  readConfig,
} from "./build_npm.ts";
import { type Checked, sourceEntries, specifier, write, writeReadme } from "./checked_package.ts";
import { checkCompiler, checkSource, checkTypes, COMPILERS } from "./check_types.ts";
import { WebSocketServer } from "../src/server/mod.ts";
import { runDocs } from "./docs_blocks.ts";
import { wrongFiles } from "./package_files.ts";
import { followOn, followOnDeno, followWithVite } from "./readme_projects.ts";
import { REPOSITORY, SITE } from "./places.ts";
import { fromFileUrl } from "./support.ts";
import { byEsbuild, byVite, checkPage } from "./page_bundles.ts";
import { followTutorial } from "./tutorial_project.ts";
import {
  esbuild,
  NEWEST_NODE,
  OLDEST_NODE,
  type Runtime,
  runtime,
  succeed,
  toolCommand,
} from "./tools.ts";

const ROOT = new URL("../", import.meta.url);
/** Entries that don't work in a browser. */
const ELSEWHERE = new Set([
  ...["./net", "./server", "./diagnostics", "./cli", "./topics", "./topics/testing"],
]);

/** The manifest has what npm shows of a package and what bundlers go by. */
async function checkManifest({ project, entries }: Checked): Promise<void> {
  const installed = new URL(`node_modules/${NPM_NAME}/package.json`, project);
  const manifest = JSON.parse(await Deno.readTextFile(installed));
  const wrong = Object.entries({
    "name": manifest.name === NPM_NAME,
    "version": manifest.version === (await readConfig()).version,
    "exports": [...entries.keys()].every((it) => it in manifest.exports),
    "browser": Object.entries(FOR_PAGES).every(([it, page]) =>
      manifest.exports[it].browser === manifest.exports[page].default
    ),
    // What is exported to a page is what the types say.
    "names for browsers": Object.entries(FOR_PAGES).every(([entry, page]) =>
      entries.get(entry)?.every((it) => entries.get(page)?.includes(it))
    ),
    "engines": manifest.engines?.node === ">=20.16",
    "sideEffects": manifest.sideEffects === false,
    "license": typeof manifest.license === "string",
    "description": typeof manifest.description === "string",
    "repository": manifest.repository?.url === `git+${REPOSITORY}.git`,
    "homepage": manifest.homepage === SITE,
    "bugs": manifest.bugs?.url === `${REPOSITORY}/issues`,
    "no dependencies": !Object.keys(manifest).some((it) => it.endsWith("ependencies")),
    "no scripts": manifest.scripts === undefined,
    "bin": manifest.bin?.[NPM_NAME] === "./bin.js",
  }).filter(([, right]) => !right).map(([field]) => field);
  if (wrong.length > 0) throw new Error(`package.json is wrong: ${wrong.join(", ")}`);
}

/** The pages that npm shows have no commands of the repository, and no broken link. */
async function checkPages({ built }: Checked): Promise<void> {
  const wrong: string[] = [];
  for (const page of ["README.md", "CHANGELOG.md"]) {
    const text = await Deno.readTextFile(new URL(page, built.content));
    for (const [, link = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (!/^https:|^#/.test(link)) wrong.push(`${page} has the relative link ${link}`);
      const path = /^\/(?:blob|tree|raw)\/v[^/]+\/([^#]+)/.exec(link.slice(REPOSITORY.length))?.[1];
      if (!link.startsWith(REPOSITORY)) continue;
      if (path === undefined) wrong.push(`${page} links to ${link}`);
      else if (await Deno.stat(new URL(path, ROOT)).catch(() => null) === null) {
        wrong.push(`${page} links to ${path}, which the repository has not`);
      }
    }
  }
  const readme = await Deno.readTextFile(new URL("README.md", built.content));
  for (const [command] of readme.matchAll(/deno task [\w:]+|bash \.ci\S*/g)) {
    wrong.push(`README.md has the repository's command ${command}`);
  }
  for (const word of [`npm install ${NPM_NAME}`, "CommonJS", "TypeScript 5.4", "Node 20.16"]) {
    if (!readme.includes(word)) wrong.push(`README.md doesn't say ${word}`);
  }
  if (wrong.length > 0) throw new Error(wrong.join("\n"));
}

/** The package has the files of the source, whatever built it. */
async function checkFiles({ built }: Checked): Promise<void> {
  const wrong = await wrongFiles(built.content);
  if (wrong.length > 0) throw new Error(wrong.join("\n"));
}

async function checkPublint({ built }: Checked): Promise<void> {
  await succeed([
    ...await toolCommand("publint", "publint"),
    "--strict",
    fromFileUrl(built.content),
  ]);
}

async function checkAttw({ built }: Checked): Promise<void> {
  const attw = await toolCommand("@arethetypeswrong/cli", "attw");
  await succeed([...attw, fromFileUrl(built.tarball), "--profile", "esm-only", "--no-color"]);
}

/** Each entry has the names that the source has, and two channels can talk. */
async function checkOn(runtime: Runtime, checked: Checked): Promise<void> {
  const { entries, project } = checked;
  const wanted = JSON.stringify([...entries].map(([name, names]) => [specifier(name), names]));
  const assertions = `
for (const [specifier, names] of ${wanted}) {
  const found = Object.keys(load[specifier]).filter((it) => it !== "default").sort();
  if (String(found) !== String(names)) {
    throw new Error(specifier + " exports " + found + ", it should export " + names);
  }
}
const { WebSocketChannel } = load["${NPM_NAME}"];
const { channelPair } = load["${NPM_NAME}/stream-channel"];
async function talk() {
  const { local, foreign } = channelPair();
  const client = WebSocketChannel.over(local, { side: "client" });
  const server = WebSocketChannel.over(foreign, { side: "server" });
  client.sink.add("hello");
  const { value } = await server.stream.next();
  if (value !== "hello") throw new Error("received " + value);
  await client.sink.close(1000, "done");
  const { code, reason, wasClean } = await server.closed;
  if (code !== 1000 || reason !== "done" || !wasClean) throw new Error("closed: " + code);
  console.log("talked");
}
`;
  const load = [...entries.keys()].map((it) => JSON.stringify(specifier(it)));
  await write(
    checked,
    "imports.mjs",
    `const load = {};\nfor (const it of [${load}]) load[it] = await import(it);\n${assertions}
await talk();\n`,
  );
  // Node has been able to since 20.19 and 22.12.
  await write(
    checked,
    "requires.cjs",
    `const { require_module = "Bun" in globalThis } = process.features;
if (!require_module) { console.log("talked"); process.exit(); }
const load = {};\nfor (const it of [${load}]) load[it] = require(it);\n${assertions}
talk().catch((error) => { console.error(error); process.exitCode = 1; });\n`,
  );
  for (const script of ["imports.mjs", "requires.cjs"]) {
    const said = await succeed([...runtime.command, script], { cwd: fromFileUrl(project) });
    if (!said.includes("talked")) throw new Error(`${script} said: ${said}`);
  }
}

/** An application for browsers. */
async function writeApplication(checked: Checked): Promise<void> {
  const { entries } = checked;
  const readme = (await writeReadme(checked)).map((it) => `import("./${it}");\n`).join("");
  const usable = [...entries.keys()].filter((it) => !ELSEWHERE.has(it));
  const imports = usable.map((it, i) =>
    `import * as entry${i} from ${JSON.stringify(specifier(it))};`
  );
  await write(
    checked,
    "application.js",
    `${readme}${imports.join("\n")}\nconsole.log(${usable.map((_, i) => `entry${i}`)});\n`,
  );
  await write(checked, "index.html", `<script type="module" src="./application.js"></script>\n`);
}

/** No builtin of Node is imported, nor replaced by an empty module. */
function assertForBrowsers(text: string): void {
  const builtin = /(?:from|import\(?|require\()\s*["'`]node:[a-z/]+["'`]|browser-external/;
  // Vite keeps doc comments, whose examples may be of a server.
  const found = builtin.exec(text.replace(/^\s*\*.*$/gm, ""));
  if (found !== null) throw new Error(`The bundle imports a builtin: ${found[0]}`);
}

async function checkEsbuild(checked: Checked): Promise<void> {
  await writeApplication(checked);
  const command = [...await esbuild(), "application.js", "--bundle", "--format=esm"];
  assertForBrowsers(
    await succeed([...command, "--platform=browser", "--log-level=error"], {
      cwd: fromFileUrl(checked.project),
    }),
  );
}

async function checkVite(checked: Checked): Promise<void> {
  await writeApplication(checked);
  const vite = await toolCommand("vite", "vite");
  const options = ["--outDir=dist", "--minify=false", "--logLevel=error"];
  await succeed([...vite, "build", ...options], { cwd: fromFileUrl(checked.project) });
  let found = false;
  for await (const { name } of Deno.readDir(new URL("dist/assets/", checked.project))) {
    if (!name.endsWith(".js")) continue;
    const text = await Deno.readTextFile(new URL(`dist/assets/${name}`, checked.project));
    assertForBrowsers(text);
    found ||= text.includes("WebSocketChannel");
  }
  if (!found) throw new Error("Vite's output doesn't hold the package");
}

/** The command line, as npm installs it. */
async function checkCommand(command: readonly string[], { project }: Checked): Promise<void> {
  const server = await WebSocketServer.bind({
    handler: (channel) => {
      channel.stream.listen((message) => void channel.sink.add(message));
    },
  });
  const cwd = fromFileUrl(project);
  try {
    const pong = await succeed([...command, "ping", server.url, "--count", "1"], { cwd });
    if (!pong.includes("1 sent, 1 answered")) throw new Error(`ping said: ${pong}`);
    const help = await succeed([...command, "--help"], { cwd });
    if (!help.includes("connect URL")) throw new Error(`--help said: ${help}`);
  } finally {
    await server.close();
  }
}

/** The result of a check. */
export interface CheckResult {
  readonly name: string;
  /** The fault, or `null`. */
  readonly error: string | null;
  /** Why the check couldn't run, or an empty text. */
  readonly note: string;
  /** Its duration. */
  readonly seconds: number;
}

/** A check. It throws for a fault, and may return why it couldn't run. */
interface Check {
  readonly name: string;
  run(checked: Checked): Promise<string | void>;
}

const DENO: Runtime = { name: "Deno", command: [Deno.execPath(), "run", "--allow-all"] };
const NODES = [`Node ${OLDEST_NODE}`, `Node ${NEWEST_NODE}`];

const CHECKS: readonly Check[] = [
  { name: "package.json", run: checkManifest },
  { name: "README and CHANGELOG", run: checkPages },
  { name: "files", run: checkFiles },
  { name: "publint", run: checkPublint },
  { name: "attw", run: checkAttw },
  { name: "tsc", run: checkTypes },
  ...COMPILERS.map((version) => ({
    name: `tsc ${version}`,
    run: (checked: Checked) => checkCompiler(version, checked),
  })),
  { name: "tsc, source", run: checkSource },
  ...[...NODES, "Bun"].map((name) => ({
    name: `entries, ${name}`,
    run: async (checked: Checked) => checkOn(await runtime(name), checked),
  })),
  { name: "entries, Deno", run: (checked) => checkOn(DENO, checked) },
  ...[...NODES, "Bun"].map((name) => ({
    name: `command line, ${name}`,
    run: async (checked: Checked) => {
      const { command } = await runtime(name);
      await checkCommand([...command, `node_modules/${NPM_NAME}/bin.js`], checked);
    },
  })),
  {
    name: "command line, npx",
    run: (checked) => checkCommand(["npx", "--no-install", NPM_NAME], checked),
  },
  {
    name: "command line, Deno",
    run: async (checked) => {
      const folder = `node_modules/${NPM_NAME}/`;
      const { exports } = JSON.parse(
        await Deno.readTextFile(new URL(`${folder}package.json`, checked.project)),
      );
      await checkCommand([...DENO.command, folder + exports["./cli"].default], checked);
    },
  },
  { name: "bundle, esbuild", run: checkEsbuild },
  { name: "bundle, Vite", run: checkVite },
  { name: "page, esbuild", run: (checked) => checkPage(checked, byEsbuild) },
  { name: "page, Vite", run: (checked) => checkPage(checked, byVite) },
  ...NODES.map((name) => ({
    name: `README, ${name}`,
    run: async ({ built }: Checked) => followOn("Node", await runtime(name), built),
  })),
  {
    name: "README, Bun",
    run: async ({ built }) => followOn("Bun", await runtime("Bun"), built),
  },
  { name: "README, Deno", run: followOnDeno },
  {
    name: "a page, Vite",
    run: async ({ built }) => followWithVite(await runtime(`Node ${NEWEST_NODE}`), built),
  },
  { name: "tutorial, all", run: checkTutorial },
  ...[...NODES, "Bun"].map((name) => ({
    name: `docs, ${name}`,
    run: async ({ project }: Checked) => runDocs(await runtime(name), project),
  })),
];

/** The tutorial's programs, on as many runtimes as it has. */
async function checkTutorial({ built }: Checked): Promise<void> {
  const [server, guest] = [await runtime(`Node ${OLDEST_NODE}`), await runtime("Bun")];
  await followTutorial([server, guest, DENO], built);
  await followTutorial([DENO, await runtime(`Node ${NEWEST_NODE}`), guest], built);
}

/**
 * Checks the package that users get.
 *
 * @param wanted Whether a check of this name is to run.
 */
export async function checkPackage(
  built: Built,
  wanted: (name: string) => boolean = () => true,
): Promise<CheckResult[]> {
  const project = await installedIn(built, "checked");
  const checked = { built, project, entries: await sourceEntries() };
  const results: CheckResult[] = [];
  for (const { name, run } of CHECKS) {
    if (!wanted(name)) continue;
    const start = performance.now();
    let [error, note]: [string | null, string] = [null, ""];
    try {
      note = await run(checked) ?? "";
    } catch (reason) {
      error = reason instanceof Error ? reason.message : `${reason}`;
    }
    results.push({ name, error, note, seconds: (performance.now() - start) / 1000 });
  }
  return results;
}

function describe({ name, error, note }: CheckResult): string {
  if (error !== null) return `FAILED: ${name}\n${error}`;
  return note === "" ? `ok: ${name}` : `not applicable: ${name}: ${note}`;
}

/** Checks the packages of both builders and prints the results side by side; gives how many checks failed. */
async function checkBoth(wanted: (name: string) => boolean): Promise<number> {
  const isThere = await hasDnt();
  if (!isThere) {
    console.log("dnt isn't available: JSR can't be reached. Only deno pack's package is checked.");
  }
  const columns = new Map<string, CheckResult[]>();
  for (const builder of isThere ? ["dnt", "pack"] as const : ["pack"] as const) {
    columns.set(builder, await checkPackage(await buildNpm(builder, `npm-${builder}`), wanted));
  }
  console.log(`\n${sideBySide(columns.get("dnt") ?? null, columns.get("pack") ?? [])}`);
  const failed = [...columns].flatMap(([builder, results]) =>
    results.filter(({ error }) => error !== null).map((it) => `\n${builder}, ${describe(it)}`)
  );
  for (const it of failed) console.log(it);
  return failed.length;
}

/** A line for each check with the results for both builders' packages; `null` if dnt isn't available. */
export function sideBySide(
  dnt: readonly CheckResult[] | null,
  pack: readonly CheckResult[],
): string {
  const word = (it: CheckResult | undefined): string =>
    it === undefined
      ? "not run"
      : it.error !== null
      ? "FAILED"
      : it.note === ""
      ? "ok"
      : "left out";
  const width = Math.max(...pack.map(({ name }) => name.length), 5);
  const rows = pack.map((it) => {
    const other = dnt === null ? "not available" : word(dnt.find(({ name }) => name === it.name));
    return `${it.name.padEnd(width)}  ${other.padEnd(13)}  ${word(it)}`;
  });
  return [`${"check".padEnd(width)}  ${"dnt".padEnd(13)}  deno pack`, ...rows].join("\n");
}

if (import.meta.main) {
  const names = Deno.args.filter((it) => !it.startsWith("--"));
  const wanted = (name: string): boolean =>
    names.length === 0 || names.some((it) => name.startsWith(it));
  if (Deno.args.includes("--both")) Deno.exit(await checkBoth(wanted) === 0 ? 0 : 1);
  const results = await checkPackage(await buildNpm(builderOf(Deno.args)), wanted);
  for (const result of results) console.log(describe(result));
  const failed = results.filter(({ error }) => error !== null).length;
  console.log(`\n${results.length - failed} passed, ${failed} failed`);
  Deno.exit(failed === 0 ? 0 : 1);
}
