/**
 * Builds the npm package and looks at the tarball as a user gets it: what package linters say of it, its
 * types in a strict project, its entries on each runtime, and browser bundles of it.
 *
 * ```sh
 * deno task npm:check
 * ```
 */

import { builderOf, buildNpm, installedIn, NPM_NAME, readConfig } from "./build_npm.ts";
import { fromFileUrl } from "./support.ts";
import {
  esbuild,
  NEWEST_NODE,
  OLDEST_NODE,
  type Runtime,
  runtime,
  succeed,
  tool,
  toolCommand,
} from "./tools.ts";

/** Entries that have no place in a browser. */
const ELSEWHERE = new Set(["./net", "./server"]);

const built = await buildNpm(builderOf(Deno.args));
const PROJECT = await installedIn(built);

/** What is to be exported: read from the source, compared with the package. */
type Entries = ReadonlyMap<string, readonly string[]>;

async function sourceEntries(): Promise<Entries> {
  const entries = new Map<string, readonly string[]>();
  for (const [name, file] of Object.entries((await readConfig()).exports)) {
    const module = await import(new URL(`../${file}`, import.meta.url).href);
    entries.set(name, Object.keys(module).sort());
  }
  return entries;
}

function specifier(entry: string): string {
  return NPM_NAME + entry.slice(1);
}

function write(name: string, text: string): Promise<void> {
  return Deno.writeTextFile(new URL(name, PROJECT), text);
}

/** The manifest has what npm shows of a package and what bundlers go by. */
async function checkManifest(entries: Entries): Promise<void> {
  const installed = new URL(`node_modules/${NPM_NAME}/package.json`, PROJECT);
  const manifest = JSON.parse(await Deno.readTextFile(installed));
  const wrong = Object.entries({
    "name": manifest.name === NPM_NAME,
    "version": manifest.version === (await readConfig()).version,
    "exports": [...entries.keys()].every((it) => it in manifest.exports),
    "engines": manifest.engines?.node === ">=20.16",
    "sideEffects": manifest.sideEffects === false,
    "license": typeof manifest.license === "string",
    "description": typeof manifest.description === "string",
    "repository": typeof manifest.repository?.url === "string",
    "no dependencies": manifest.dependencies === undefined,
  }).filter(([, right]) => !right).map(([field]) => field);
  if (wrong.length > 0) throw new Error(`package.json is wrong: ${wrong.join(", ")}`);
}

async function checkPublint(): Promise<void> {
  await succeed([
    ...await toolCommand("publint", "publint"),
    "--strict",
    fromFileUrl(built.content),
  ]);
}

async function checkAttw(): Promise<void> {
  const attw = await toolCommand("@arethetypeswrong/cli", "attw");
  await succeed([...attw, fromFileUrl(built.tarball), "--profile", "esm-only", "--no-color"]);
}

/** The README's blocks as they stand, but for the package's name, as modules of the project. */
async function writeReadme(): Promise<string[]> {
  const readme = await Deno.readTextFile(new URL("README.md", built.content));
  const blocks = [...readme.matchAll(/^```ts.*\n([^]*?)^```$/gm)].map((match) => match[1] ?? "");
  if (blocks.length === 0) throw new Error("The README has no blocks");
  const names = blocks.map((_, i) => `readme_${i}.ts`);
  for (const [i, name] of names.entries()) await write(name, `${blocks[i]}\nexport {};\n`);
  return names;
}

/** A strict project that uses all of the package, and looks into its declarations as well. */
async function checkTypes(entries: Entries): Promise<void> {
  const imports = [...entries.keys()].map((it, i) =>
    `import * as entry${i} from ${JSON.stringify(specifier(it))};`
  );
  const names = imports.map((_, i) => `entry${i}`);
  await write(
    "consumer.ts",
    `${imports.join("\n")}
import { type CloseInfo, ConnectError, WebSocketChannel } from "${NPM_NAME}";

export const entries = [${names.join(", ")}];

export async function talk(url: string): Promise<CloseInfo> {
  await using channel = WebSocketChannel.connect(url, { protocols: ["v1"] });
  try {
    await channel.ready;
  } catch (error) {
    if (error instanceof ConnectError) throw new Error(String(error.phase), { cause: error });
    throw error;
  }
  channel.sink.add("text");
  channel.sink.add(new Uint8Array(1));
  for await (const message of channel.stream) {
    if (typeof message === "string") message.toUpperCase();
    else message.subarray(0, 1);
  }
  return await channel.closed;
}

// @ts-expect-error: a number is no message
export const wrong = (channel: WebSocketChannel) => channel.sink.add(1);
`,
  );
  const files = ["consumer.ts", ...await writeReadme()];
  const typeRoots = fromFileUrl(new URL("../", await tool("@types/node")));
  const dom = ["dom", "dom.iterable", "dom.asynciterable"];
  for (
    const [moduleResolution, lib] of [["nodenext", dom], ["bundler", dom], [
      "nodenext",
      [],
    ]] as const
  ) {
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      skipLibCheck: false,
      target: "es2022",
      module: moduleResolution === "nodenext" ? "nodenext" : "esnext",
      moduleResolution,
      lib: ["es2023", "esnext.disposable", ...lib],
      types: ["node"],
      typeRoots: [typeRoots],
    };
    await write("tsconfig.json", JSON.stringify({ compilerOptions, files }));
    await succeed([...await toolCommand("typescript", "tsc"), "-p", "."], {
      cwd: fromFileUrl(PROJECT),
    });
  }
}

/** Each entry has the names that the source has, and two channels can talk. */
async function checkOn(runtime: Runtime, entries: Entries): Promise<void> {
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
    "imports.mjs",
    `const load = {};\nfor (const it of [${load}]) load[it] = await import(it);\n${assertions}
await talk();\n`,
  );
  // Node has been able to since 20.19 and 22.12.
  await write(
    "requires.cjs",
    `const { require_module = "Bun" in globalThis } = process.features;
if (!require_module) { console.log("talked"); process.exit(); }
const load = {};\nfor (const it of [${load}]) load[it] = require(it);\n${assertions}
talk().catch((error) => { console.error(error); process.exitCode = 1; });\n`,
  );
  for (const script of ["imports.mjs", "requires.cjs"]) {
    const said = await succeed([...runtime.command, script], { cwd: fromFileUrl(PROJECT) });
    if (!said.includes("talked")) throw new Error(`${script} said: ${said}`);
  }
}

/** An application for browsers. */
async function writeApplication(entries: Entries): Promise<void> {
  const readme = (await writeReadme()).map((it) => `import("./${it}");\n`).join("");
  const usable = [...entries.keys()].filter((it) => !ELSEWHERE.has(it));
  const imports = usable.map((it, i) =>
    `import * as entry${i} from ${JSON.stringify(specifier(it))};`
  );
  await write(
    "application.js",
    `${readme}${imports.join("\n")}\nconsole.log(${usable.map((_, i) => `entry${i}`)});\n`,
  );
  await write("index.html", `<script type="module" src="./application.js"></script>\n`);
}

/** No builtin of Node is imported, nor replaced by an empty module. */
function assertForBrowsers(text: string): void {
  const builtin = /(?:from|import\(?|require\()\s*["'`]node:[a-z/]+["'`]|browser-external/;
  const found = builtin.exec(text);
  if (found !== null) throw new Error(`The bundle imports a builtin: ${found[0]}`);
}

async function checkEsbuild(entries: Entries): Promise<void> {
  await writeApplication(entries);
  const command = [...await esbuild(), "application.js", "--bundle", "--format=esm"];
  assertForBrowsers(
    await succeed([...command, "--platform=browser", "--log-level=error"], {
      cwd: fromFileUrl(PROJECT),
    }),
  );
}

async function checkVite(entries: Entries): Promise<void> {
  await writeApplication(entries);
  const vite = await toolCommand("vite", "vite");
  const options = ["--outDir=dist", "--minify=false", "--logLevel=error"];
  await succeed([...vite, "build", ...options], { cwd: fromFileUrl(PROJECT) });
  let found = false;
  for await (const { name } of Deno.readDir(new URL("dist/assets/", PROJECT))) {
    if (!name.endsWith(".js")) continue;
    const text = await Deno.readTextFile(new URL(`dist/assets/${name}`, PROJECT));
    assertForBrowsers(text);
    found ||= text.includes("WebSocketChannel");
  }
  if (!found) throw new Error("Vite's output doesn't hold the package");
}

const entries = await sourceEntries();

const checks: [name: string, check: () => Promise<void>][] = [
  ["package.json", () => checkManifest(entries)],
  ["publint", () => checkPublint()],
  ["attw --profile esm-only", () => checkAttw()],
  ["tsc, strict, with skipLibCheck false", () => checkTypes(entries)],
  ...[`Node ${OLDEST_NODE}`, `Node ${NEWEST_NODE}`, "Bun"].map((
    name,
  ): [string, () => Promise<void>] => [
    `installed and run on ${name}, by import and by require`,
    async () => checkOn(await runtime(name), entries),
  ]),
  ["installed and run on Deno", async () => {
    await checkOn({ name: "Deno", command: [Deno.execPath(), "run", "--allow-all"] }, entries);
  }],
  ["bundled by esbuild for browsers", () => checkEsbuild(entries)],
  ["bundled by Vite for browsers", () => checkVite(entries)],
];
let failed = 0;
for (const [name, check] of checks) {
  try {
    await check();
    console.log(`ok: ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED: ${name}\n${error instanceof Error ? error.message : error}`);
  }
}
console.log(`\n${checks.length - failed} passed, ${failed} failed`);
Deno.exit(failed === 0 ? 0 : 1);
