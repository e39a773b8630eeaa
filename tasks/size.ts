/**
 * How large the package is in a page's bundle, as a user gets it from npm: bundled and minified by esbuild
 * and by Vite, and compressed by gzip, beside other packages. It fails when an entry is larger than its
 * budget, when a page's bundle has code that no page can use, or when the README says something else.
 *
 * ```sh
 * deno task size           # the table
 * deno task size --parts   # and what each file takes of it
 * deno task size --readme  # writes the table into the README
 * ```
 */

import { gzipSync } from "node:zlib";
import { buildNpm, installedIn, NPM_NAME, readConfig } from "./build_npm.ts";
import { fromFileUrl } from "./support.ts";
import { esbuild, npm, succeed, toolCommand, toolVersion } from "./tools.ts";

const ROOT = new URL("../", import.meta.url);
const README = new URL("README.md", ROOT);

/** What is measured: a module of its own, so that tree shaking does what it does for a user. */
interface Measured {
  readonly name: string;
  readonly source: string;
  /** Whether it belongs into a page: then Vite bundles it as well. */
  readonly isForPages: boolean;
  /** Its maximum size with every bundler, in bytes. */
  readonly budget?: number;
  /** Its goal, in bytes. */
  readonly target?: number;
}

/** The part of a bundle that loads at once. */
interface Weight {
  readonly minified: number;
  readonly compressed: number;
  /** The files that load later, when they are used. */
  readonly later: readonly string[];
  /** The files, the largest first, with their bytes. */
  readonly parts: readonly (readonly [string, number])[];
}

interface Result extends Measured {
  readonly esbuild: Weight;
  readonly vite: Weight | null;
}

interface Metafile {
  outputs: Record<string, {
    entryPoint?: string;
    inputs: Record<string, { bytesInOutput: number }>;
    imports: { path: string; kind: string; external?: boolean }[];
  }>;
}

type ViteManifest = Record<string, {
  file: string;
  isEntry?: boolean;
  imports?: string[];
  dynamicImports?: string[];
}>;

const KILOBYTE = 1000;

/** Entries that have no place in a page. */
const ELSEWHERE = new Set([
  ...["./net", "./http2", "./server", "./testing", "./check", "./diagnostics", "./cli"],
  ...["./topics", "./topics/testing"],
]);

/** The imports of a user of the platform's own `WebSocket`. */
const NATIVE_ALONE = "./native, connect alone";

/** The entry of a page's own `WebSocket`. */
const NATIVE = "./native";

/** The imports of a user of a reconnecting connection. */
const RECONNECTING_ALONE = "./reconnecting, connect alone";

/** The same with resumption, which adds nothing to the others. */
const RESUMING = "./reconnecting, with resumption";

/** What these may add to all that {@linkcode NATIVE} exports, with any bundler: its `connect` alone is smaller. */
const ADDITIONS: Readonly<Record<string, number>> = {
  [RECONNECTING_ALONE]: 4 * KILOBYTE,
  [RESUMING]: 6 * KILOBYTE,
};

/**
 * The budgets of what belongs into a page, so that it can't grow unnoticed, and where it is meant to be.
 * Lower a budget when what it is about has come down.
 */
const BUDGETS: Record<string, { readonly budget: number; readonly target: number }> = {
  ".": { budget: 23.2 * KILOBYTE, target: 16 * KILOBYTE },
  [NATIVE_ALONE]: { budget: 21.2 * KILOBYTE, target: 7 * KILOBYTE },
  "./faces": { budget: 27.7 * KILOBYTE, target: 22 * KILOBYTE },
  [RECONNECTING_ALONE]: { budget: 26 * KILOBYTE, target: 11 * KILOBYTE },
};

/** Code that no page can use: in its bundle there is none, not even in a chunk that is loaded later. */
const NOT_IN_A_PAGE =
  /\/src\/net\/|\/src\/server\/|\/src\/diagnostics\/|\/src\/permessage_deflate\/(?:de|in)flate\.js$/;

/** Packages with a part of these features, and the imports of their users. */
const PEERS: readonly (readonly [name: string, imported: string])[] = [
  ["partysocket", "default as it"],
  ["reconnecting-websocket", "default as it"],
  ["socket.io-client", "io"],
];

async function measuredModules(): Promise<Measured[]> {
  const entries = Object.keys((await readConfig()).exports).map((name) => ({
    name,
    source: `export * from "${NPM_NAME}${name.slice(1)}";`,
    isForPages: !ELSEWHERE.has(name),
  }));
  const alone = {
    name: NATIVE_ALONE,
    source: `import { NativeWebSocketChannel } from "${NPM_NAME}/native";
export const connect = NativeWebSocketChannel.connect;`,
    isForPages: true,
  };
  const reconnecting = {
    name: RECONNECTING_ALONE,
    source: `import { ReconnectingChannel } from "${NPM_NAME}/reconnecting";
export const connect = ReconnectingChannel.connect;`,
    isForPages: true,
  };
  const resuming = {
    name: RESUMING,
    source: `import { ReconnectingChannel, resumption } from "${NPM_NAME}/reconnecting";
export const connect = (url) => ReconnectingChannel.connect(url, { resume: resumption() });`,
    isForPages: true,
  };
  const peers = PEERS.map(([name, imported]) => ({
    name: `${name} ${toolVersion(name)}`,
    source: `export { ${imported} } from "${name}";`,
    isForPages: true,
  }));
  return [
    ...[...entries, alone, reconnecting, resuming].map((it) => ({ ...it, ...BUDGETS[it.name] })),
    ...peers,
  ];
}

/** Bundles as an application's bundlers would. */
async function measure(measured: Measured, project: URL): Promise<Result> {
  const stem = measured.name.replaceAll(/[^a-z]+/g, "_");
  const input = `in/${stem}.js`;
  await Deno.mkdir(new URL("in/", project), { recursive: true });
  await Deno.writeTextFile(new URL(input, project), measured.source);
  return {
    ...measured,
    esbuild: await byEsbuild(input, measured.isForPages, project),
    vite: measured.isForPages ? await byVite(input, project) : null,
  };
}

async function byEsbuild(input: string, isForPages: boolean, project: URL): Promise<Weight> {
  const out = input.replace("in/", "esbuild/").replace(".js", "");
  await succeed([
    ...await esbuild(),
    input,
    "--bundle",
    "--minify",
    "--splitting",
    "--format=esm",
    "--target=es2022",
    `--platform=${isForPages ? "browser" : "node"}`,
    `--outdir=${out}`,
    `--metafile=${out}.json`,
    "--log-level=error",
  ], { cwd: fromFileUrl(project) });
  const { outputs }: Metafile = JSON.parse(
    await Deno.readTextFile(new URL(`${out}.json`, project)),
  );
  const entry = Object.keys(outputs).find((path) => outputs[path]?.entryPoint === input);
  const chunks = Object.entries(outputs).map(([path, { imports, inputs }]) => ({
    path,
    imports: imports.filter(({ kind }) => kind === "import-statement").map((it) => it.path),
    inputs: Object.entries(inputs).map(([file, it]) => [file, it.bytesInOutput] as const),
  }));
  return weigh(chunks, entry, project);
}

async function byVite(input: string, project: URL): Promise<Weight> {
  const out = input.replace("in/", "vite/").replace(".js", "");
  // The preloading code is the bundler's, not the package's.
  const build = {
    target: "es2022",
    outDir: out,
    manifest: "manifest.json",
    modulePreload: false,
    rollupOptions: { input, preserveEntrySignatures: "strict" },
  };
  const config = `${out}.config.mjs`;
  await Deno.mkdir(new URL("vite/", project), { recursive: true });
  await Deno.writeTextFile(
    new URL(config, project),
    `export default ${JSON.stringify({ logLevel: "error", build })};\n`,
  );
  const command = [...await toolCommand("vite", "vite"), "build", "--config", config];
  await succeed(command, { cwd: fromFileUrl(project) });
  const manifest: ViteManifest = JSON.parse(
    await Deno.readTextFile(new URL(`${out}/manifest.json`, project)),
  );
  const path = (key: string): string => `${out}/${manifest[key]?.file}`;
  const chunks = Object.entries(manifest).map(([key, { imports = [] }]) => ({
    path: path(key),
    imports: imports.map(path),
    inputs: [],
  }));
  const entry = Object.keys(manifest).find((key) => manifest[key]?.isEntry);
  return weigh(chunks, entry && path(entry), project);
}

interface Chunk {
  readonly path: string;
  readonly imports: readonly string[];
  readonly inputs: readonly (readonly [string, number])[];
}

/** The entry's chunk with all that it imports at once; a chunk imported later isn't counted. */
async function weigh(
  chunks: readonly Chunk[],
  entry: string | undefined,
  project: URL,
): Promise<Weight> {
  if (entry === undefined) throw new Error("The bundle has no entry");
  const byPath = new Map(chunks.map((it) => [it.path, it]));
  const atOnce = new Set([entry]);
  const parts: [string, number][] = [];
  let minified = 0;
  let compressed = 0;
  for (const path of atOnce) {
    for (const other of byPath.get(path)?.imports ?? []) atOnce.add(other);
    const bytes = await Deno.readFile(new URL(path, project));
    minified += bytes.length;
    compressed += gzipSync(bytes, { level: 9 }).length;
    for (const [file, size] of byPath.get(path)?.inputs ?? []) parts.push([file, size]);
  }
  const later = chunks.filter(({ path }) => !atOnce.has(path))
    .flatMap(({ inputs }) => inputs.map(([file]) => file));
  return { minified, compressed, later, parts: parts.sort(([, a], [, b]) => b - a) };
}

function kilobytes(bytes: number): string {
  return `${(bytes / KILOBYTE).toFixed(1)} kB`;
}

/** The faults; empty if there is none. */
function faultsOf({ name, esbuild, vite, budget = Infinity, isForPages }: Result): string[] {
  const faults: string[] = [];
  for (const [bundler, weight] of Object.entries({ esbuild, vite })) {
    if (weight !== null && weight.compressed > budget) {
      const size = kilobytes(weight.compressed);
      faults.push(`${name}: ${size} by ${bundler}, over its budget of ${kilobytes(budget)}`);
    }
  }
  if (!isForPages) return faults;
  const files = [...esbuild.parts.map(([file]) => file), ...esbuild.later];
  for (const file of files.filter((it) => NOT_IN_A_PAGE.test(it))) {
    faults.push(`${name}: ${file} is of no use in a page`);
  }
  return faults;
}

/** The size that reconnecting adds to a connection, if it is above the limit. */
function faultsOfReconnecting(results: readonly Result[]): string[] {
  const native = results.find(({ name }) => name === NATIVE);
  return Object.entries(ADDITIONS).flatMap(([name, allowed]) => {
    const one = results.find((it) => it.name === name);
    return (["esbuild", "vite"] as const).flatMap((bundler) => {
      const added = (one?.[bundler]?.compressed ?? 0) - (native?.[bundler]?.compressed ?? 0);
      console.log(`${name} adds ${added} bytes by ${bundler}`);
      return added <= allowed ? [] : [`${name} adds more than ${kilobytes(allowed)} by ${bundler}`];
    });
  });
}

function show(results: readonly Result[]): void {
  const width = Math.max(...results.map(({ name }) => name.length));
  const cell = (bytes: number | undefined): string =>
    (bytes === undefined ? "" : kilobytes(bytes)).padStart(9);
  console.log(`${"".padEnd(width)}   minified  and gzip      Vite    budget    target`);
  for (const { name, esbuild, vite, budget, target } of results) {
    const sizes = [esbuild.minified, esbuild.compressed, vite?.compressed, budget, target].map(
      cell,
    );
    console.log(`${name.padEnd(width)}  ${sizes.join(" ")}`.trimEnd());
    if (!Deno.args.includes("--parts")) continue;
    for (const [path, bytes] of esbuild.parts) {
      console.log(`${"".padEnd(width)}  ${cell(bytes)}  ${path}`);
    }
  }
}

const TABLE = /(?<=<!-- size -->\n)[^]*?(?=<!-- \/size -->)/;

/** The rows of the README's table: what a page imports, and the peers. */
function rowsOf(results: readonly Result[]): [name: string, esbuild: number, vite: number][] {
  const shown: Record<string, string> = {
    ".": `\`import { WebSocketChannel } from "${NPM_NAME}"\``,
    [NATIVE_ALONE]: `\`NativeWebSocketChannel.connect\` of \`${NPM_NAME}/native\``,
    [RECONNECTING_ALONE]: `\`ReconnectingChannel.connect\` of \`${NPM_NAME}/reconnecting\``,
  };
  return results.flatMap(({ name, esbuild, vite, budget }) => {
    const isPeer = PEERS.some(([peer]) => name.startsWith(`${peer} `));
    if (vite === null || budget === undefined && !isPeer) return [];
    return [[shown[name] ?? name, esbuild.compressed, vite.compressed]];
  });
}

async function writeReadme(results: readonly Result[]): Promise<void> {
  const rows = rowsOf(results).map(([name, ...sizes]) =>
    `| ${name} | ${sizes.map(kilobytes).join(" | ")} |`
  );
  const table = ["", "| | esbuild | Vite |", "| --- | ---: | ---: |", ...rows, "", ""].join("\n");
  const text = await Deno.readTextFile(README);
  await Deno.writeTextFile(README, text.replace(TABLE, table));
  await succeed([Deno.execPath(), "fmt", "--quiet", fromFileUrl(README)]);
}

/** How far the README may be from what is measured: a bundler's next version need not change it. */
const TOLERANCE = 0.05;

/** The wrong statements of the README. */
async function faultsOfReadme(results: readonly Result[]): Promise<string[]> {
  const table = TABLE.exec(await Deno.readTextFile(README))?.[0] ?? "";
  const lines = table.split("\n").map((line) => line.split("|").map((it) => it.trim()));
  return rowsOf(results).flatMap(([name, ...sizes]) => {
    const said = lines.find((cells) => cells[1] === name)?.slice(2, 4).map(parseFloat) ?? [];
    const isRight = sizes.every((size, i) => {
      return Math.abs((said[i] ?? 0) * KILOBYTE - size) <= size * TOLERANCE;
    });
    const what = sizes.map(kilobytes).join(" and ");
    return isRight ? [] : [`README.md: ${name} is ${what}: run deno task size --readme`];
  });
}

if (import.meta.main) {
  const project = await installedIn(await buildNpm("pack", "size"), "project");
  const peers = PEERS.map(([name]) => `${name}@${toolVersion(name)}`);
  await npm(project, "install", "--ignore-scripts", ...peers);
  const results: Result[] = [];
  for (const measured of await measuredModules()) results.push(await measure(measured, project));
  show(results);
  if (Deno.args.includes("--readme")) await writeReadme(results);
  const faults = [
    ...results.flatMap(faultsOf),
    ...faultsOfReconnecting(results),
    ...await faultsOfReadme(results),
  ];
  if (faults.length > 0) {
    console.error(`\n${faults.join("\n")}`);
    Deno.exit(1);
  }
}
