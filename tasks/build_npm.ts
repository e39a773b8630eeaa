/**
 * Builds the npm package: `.out/npm/package/`, and the tarball beside it.
 *
 * If JSR can be reached, dnt builds it, and also runs its own type check and the tests of the
 * layers that need only the language. Otherwise `deno pack` builds it, and this task adds what that
 * leaves out. Both have the same entries, as ES modules with types. `--dnt` requires
 * the first builder, `--pack` the second.
 *
 * ```sh
 * deno task npm
 * ```
 */

import { REPOSITORY, SITE, withAbsoluteLinks } from "./places.ts";
import { fromFileUrl } from "./support.ts";
import { npm, OUT, output, succeed } from "./tools.ts";

/** The package's name on npm: here and nowhere else. */
export const NPM_NAME = "web-socket-channel";

const ROOT = new URL("../", import.meta.url);

/** A built package. */
export interface Built {
  /** The folder of all output. */
  readonly folder: URL;
  /** The package as a folder. */
  readonly content: URL;
  /** The package as npm gets it. */
  readonly tarball: URL;
}

/** In a bundle for browsers other entries take the place of these: they have nothing that a page can't use. */
export const FOR_PAGES: Readonly<Record<string, string>> = {
  ".": "./page",
  "./native": "./page",
  "./reconnecting": "./reconnecting/page",
  "./faces": "./faces/page",
};

const DNT = "jsr:@deno/dnt@^0.43.2";

/** Tests that need only the language, which dnt's own runner can run. */
const DNT_TESTS = "tests/{handshake,protocol}/*_test.ts";

interface Config {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly exports: Record<string, string>;
  readonly publish: { readonly include: readonly string[] };
}

/** The fields of package.json besides the entries. */
interface Manifest {
  name: string;
  version: string;
  description: string;
  keywords: string[];
  license: string;
  repository: { type: string; url: string };
  homepage: string;
  bugs: { url: string };
  type: string;
  engines: { node: string };
  sideEffects: boolean;
  [field: string]: unknown;
}

/** The project's configuration. */
export async function readConfig(): Promise<Config> {
  return JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
}

function manifest({ version, license }: Config): Manifest {
  return {
    name: NPM_NAME,
    version,
    description:
      "WebSocket channels for Node, Deno, Bun and browsers: incoming messages as a stream, a sink for outgoing ones, and a promise of how the connection ended",
    keywords: [
      "websocket",
      "rfc6455",
      "permessage-deflate",
      "stream",
      "async-iterator",
      "web-streams",
      "backpressure",
      "channel",
    ],
    license,
    repository: { type: "git", url: `git+${REPOSITORY}.git` },
    homepage: SITE,
    bugs: { url: `${REPOSITORY}/issues` },
    type: "module",
    // process.getBuiltinModule came with this version.
    engines: { node: ">=20.16" },
    sideEffects: false,
  };
}

/** Whether dnt is available: it comes from JSR. */
export async function hasDnt(): Promise<boolean> {
  const command = [Deno.execPath(), "cache", "--quiet", DNT];
  return (await output(command, { cwd: fromFileUrl(ROOT) })).code === 0;
}

/** The part of dnt that this task uses; its own types are not available everywhere. */
interface Dnt {
  build(options: {
    entryPoints: { name: string; path: string }[];
    outDir: string;
    importMap: string;
    shims: { deno: { test: boolean | "dev" } };
    esModule: boolean;
    scriptModule: "cjs" | "umd" | false;
    skipSourceOutput: boolean;
    declaration: "inline" | "separate" | false;
    typeCheck: "both" | "single" | false;
    filterDiagnostic(diagnostic: { file?: { fileName: string } }): boolean;
    test: boolean;
    rootTestDir: string;
    testPattern: string;
    compilerOptions: { target: "ES2022"; lib: ("ESNext" | "DOM" | "DOM.Iterable")[] };
    package: Manifest;
  }): Promise<void>;
}

async function buildWithDnt(config: Config, content: URL): Promise<void> {
  const { build }: Dnt = await import(DNT);
  const path = (file: string): string => fromFileUrl(new URL(file, ROOT));
  await build({
    entryPoints: Object.entries(config.exports).map(([name, file]) => ({ name, path: path(file) })),
    outDir: fromFileUrl(content),
    importMap: path("import_map.json"),
    shims: { deno: { test: "dev" } },
    esModule: true,
    scriptModule: false,
    skipSourceOutput: true,
    declaration: "inline",
    typeCheck: "single",
    // The tests' types are checked by Deno, whose settings are stricter than dnt's can be.
    filterDiagnostic: ({ file }) => !/\/src\/(?:tests|deps)\//.test(file?.fileName ?? ""),
    test: true,
    rootTestDir: path("."),
    testPattern: DNT_TESTS,
    compilerOptions: {
      target: "ES2022",
      lib: ["ESNext", "DOM", "DOM.Iterable"],
    },
    package: manifest(config),
  });
  // The dependencies of its test runner aren't part of the package.
  for (const left of ["node_modules", "package-lock.json", "test_runner.js"]) {
    await Deno.remove(new URL(left, content), { recursive: true }).catch(() => {});
  }
}

async function buildWithPack(content: URL): Promise<void> {
  const folder = new URL("../", content);
  const tarball = fromFileUrl(new URL("packed.tgz", folder));
  await succeed([
    Deno.execPath(),
    "pack",
    "--quiet",
    "--allow-dirty",
    "--no-source-maps",
    `--output=${tarball}`,
  ], { cwd: fromFileUrl(ROOT) });
  // Its content lies in a folder "package".
  await succeed(["tar", "-xzf", tarball, "-C", fromFileUrl(folder)]);
  await Deno.remove(tarball);
}

/**
 * Writes package.json, the same for either builder. dnt's would offer the entries to `import` alone, and so
 * none to `require`; what its tests need is not the package's either.
 */
async function writeManifest(config: Config, content: URL, below: string): Promise<void> {
  const entries: [name: string, entry: { types: string; browser?: string; default: string }][] = [];
  for (const [name, file] of Object.entries(config.exports)) {
    const path = `${below}${file.slice(2)}`;
    const entry = {
      types: `./${path.replace(/\.ts$/, ".d.ts")}`,
      default: `./${path.replace(/\.ts$/, ".js")}`,
    };
    for (const it of Object.values(entry)) await Deno.stat(new URL(it, content));
    entries.push([name, entry]);
  }
  const [, main] = entries[0] ?? [];
  if (main === undefined) throw new Error("There is no entry");
  const files = new Map(entries.map(([name, entry]) => [name, entry.default]));
  for (const entry of entries) {
    const [name, { types, default: path }] = entry;
    // The first condition that fits is taken.
    const browser = files.get(FOR_PAGES[name] ?? "");
    if (browser !== undefined) entry[1] = { types, browser, default: path };
  }
  const whole = {
    ...manifest(config),
    main: main.default,
    types: main.types,
    bin: { [NPM_NAME]: "./bin.js" },
    exports: Object.fromEntries(entries),
  };
  await Deno.writeTextFile(
    new URL("package.json", content),
    JSON.stringify(whole, null, 2) + "\n",
  );
}

/** The pages of the package, and where they are in the repository. */
const PAGES: Readonly<Record<string, string>> = {
  "README.md": "npm/README.md",
  "CHANGELOG.md": "CHANGELOG.md",
  "LICENSE": "LICENSE",
};

/** The package has a README of its own, and its pages have no neighbours to link to. */
async function writePages({ version }: Config, content: URL): Promise<void> {
  for (const [name, path] of Object.entries(PAGES)) {
    const text = await Deno.readTextFile(new URL(path, ROOT));
    await Deno.writeTextFile(new URL(name, content), withAbsoluteLinks(text, path, `v${version}`));
  }
}

/** The command line, as npm starts it. */
async function writeCommand(config: Config, content: URL, below: string): Promise<void> {
  const entry = config.exports["./cli"]?.slice(2).replace(/\.ts$/, ".js");
  await Deno.writeTextFile(
    new URL("bin.js", content),
    `#!/usr/bin/env node\nimport { main } from "./${below}${entry}";\n\nvoid main();\n`,
  );
}

/** The files below a folder. */
export async function filesIn(folder: URL): Promise<URL[]> {
  const files: URL[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isDirectory) files.push(...await filesIn(new URL(`${entry.name}/`, folder)));
    else files.push(new URL(entry.name, folder));
  }
  return files;
}

/**
 * Puts npm's name where the JSR name stands, in doc comments and in what people read; but for commands
 * that are about JSR.
 */
async function rename(config: Config, content: URL): Promise<void> {
  const name = new RegExp(`(?<!jsr:|jsr add )${RegExp.escape(config.name)}\\b`, "g");
  for (const file of await filesIn(content)) {
    if (!/\.(js|ts|md)$/.test(file.pathname)) continue;
    const text = await Deno.readTextFile(file);
    const renamed = text.replaceAll(name, NPM_NAME);
    if (renamed !== text) await Deno.writeTextFile(file, renamed);
  }
}

/**
 * A declaration says which library it needs beyond that of the oldest target, so that it can be used without
 * the user's `lib` naming it.
 */
async function addReferences(content: URL): Promise<void> {
  for (const file of await filesIn(content)) {
    if (!file.pathname.endsWith(".d.ts")) continue;
    const text = await Deno.readTextFile(file);
    if (!/\b(?:AsyncDisposable|asyncDispose)\b/.test(text)) continue;
    await Deno.writeTextFile(file, `/// <reference lib="esnext.disposable" />\n${text}`);
  }
}

/** Source files that no entry leads to are packed as they are: no entry imports them. */
async function removeSources(content: URL): Promise<void> {
  for (const file of await filesIn(content)) {
    const { pathname } = file;
    if (/\/(?:deno|import_map)\.json$/.test(pathname)) await Deno.remove(file);
    if (pathname.endsWith(".ts") && !pathname.endsWith(".d.ts")) await Deno.remove(file);
  }
}

/** What to build with. */
export type Builder = "dnt" | "pack" | "whichever is available";

async function chooseBuilder(builder: Builder): Promise<"dnt" | "pack"> {
  if (builder !== "whichever is available") return builder;
  if (await hasDnt()) return "dnt";
  console.log("npm: dnt isn't available from JSR, so the package is built with deno pack.");
  return "pack";
}

/**
 * Builds the package.
 *
 * @param builder What to build with; left out: dnt where it is available.
 * @param name The folder of the output: tasks that run at the same time have one each.
 */
export async function buildNpm(
  builder: Builder = "whichever is available",
  name: string = "npm",
): Promise<Built> {
  const config = await readConfig();
  const folder = new URL(`${name}/`, OUT);
  const content = new URL("package/", folder);
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.mkdir(folder, { recursive: true });
  const chosen = await chooseBuilder(builder);
  await (chosen === "dnt" ? buildWithDnt(config, content) : buildWithPack(content));
  // dnt puts ES modules into a folder of their own.
  await writeManifest(config, content, chosen === "dnt" ? "esm/" : "");
  await writeCommand(config, content, chosen === "dnt" ? "esm/" : "");
  await writePages(config, content);
  await removeSources(content);
  await addReferences(content);
  await rename(config, content);
  const said = await npm(folder, "pack", fromFileUrl(content), "--json");
  const [{ filename, size, unpackedSize, entryCount }] = JSON.parse(said);
  const kilobytes = (bytes: number): string => `${Math.round(bytes / 1000)} kB`;
  console.log(
    `npm: ${filename}, ${kilobytes(size)}, ${
      kilobytes(unpackedSize)
    } in ${entryCount} files, by ${chosen}`,
  );
  return { folder, content, tarball: new URL(filename, folder) };
}

/**
 * Makes a project with nothing in it but the package, as npm installs it.
 *
 * @param name The project's folder: each user of the package has one.
 */
export async function installedIn({ folder, tarball }: Built, name: string): Promise<URL> {
  const project = new URL(`${name}/`, folder);
  await Deno.mkdir(project, { recursive: true });
  await Deno.writeTextFile(new URL("package.json", project), `{"private":true,"type":"module"}`);
  await npm(project, "install", fromFileUrl(tarball));
  return project;
}

/** The builder that the arguments of a task select. */
export function builderOf(args: readonly string[]): Builder {
  if (args.includes("--dnt")) return "dnt";
  return args.includes("--pack") ? "pack" : "whichever is available";
}

if (import.meta.main) {
  const { tarball } = await buildNpm(builderOf(Deno.args));
  console.log(fromFileUrl(tarball));
}
