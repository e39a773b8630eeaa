/** The npm package's types in a strict project, and the source's as dnt checks them. */

import { readConfig } from "./build_npm.ts";
import { type Checked, specifier, write, writeReadme } from "./checked_package.ts";
import { fromFileUrl } from "./support.ts";
import { succeed, tool, toolCommand } from "./tools.ts";

/** A user's programs: TypeScript checks them against the installed package, Deno does not. */
const PROGRAMS = new URL("../tests/consumers/types/", import.meta.url);

/** Copies programs into the project, beside one that imports each entry; gives the names of all. */
async function writePrograms(checked: Checked, names: readonly string[]): Promise<string[]> {
  for (const name of names) {
    await write(checked, name, await Deno.readTextFile(new URL(name, PROGRAMS)));
  }
  const imports = [...checked.entries.keys()].map((it, i) =>
    `export * as entry${i} from ${JSON.stringify(specifier(it))};\n`
  );
  await write(checked, "entries.ts", imports.join(""));
  return ["entries.ts", ...names];
}

/** A strict project that uses all of the package, and looks into its declarations as well. */
export async function checkTypes(checked: Checked): Promise<void> {
  const files = [...await writePrograms(checked, ["consumer.ts"]), ...await writeReadme(checked)];
  const forPages = [...files, ...await writePrograms(checked, ["worker.ts", "faces.ts"])];
  const typeRoots = [fromFileUrl(new URL("../", await tool("@types/node")))];
  const node = { lib: ["es2022"], types: ["node"], typeRoots };
  const dom = { ...node, lib: ["es2022", "dom", "dom.iterable", "dom.asynciterable"] };
  const { nodenext, bundler } = RESOLUTIONS;
  const projects: [options: object, files: string[]][] = [
    [{ ...nodenext, ...node }, files],
    [{ ...nodenext, ...dom }, forPages],
    [{ ...bundler, ...dom }, forPages],
  ];
  for (const [options, files] of projects) await compile(checked, options, files);
}

/** Compiles files of the project, the package's declarations included. */
async function compile(
  checked: Checked,
  options: object,
  files: readonly string[],
  version?: string,
): Promise<void> {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
    target: "es2022",
    ...options,
  };
  await write(checked, "tsconfig.json", JSON.stringify({ compilerOptions, files }));
  await succeed([...await toolCommand("typescript", "tsc", version), "-p", "."], {
    cwd: fromFileUrl(checked.project),
  });
}

/** The ways in which TypeScript finds a package. */
const RESOLUTIONS = {
  node16: { module: "node16", moduleResolution: "node16" },
  nodenext: { module: "nodenext", moduleResolution: "nodenext" },
  bundler: { module: "esnext", moduleResolution: "bundler" },
};

/** The tested compilers: the README promises the first, and all later ones. */
export const COMPILERS: readonly string[] = ["5.4", "5.5", "5.9", "6.0", "7.0"];

/** One version of TypeScript, in a project that names no library beyond ES2022 and the DOM. */
export async function checkCompiler(version: string, checked: Checked): Promise<void> {
  const readme = await Deno.readTextFile(new URL("README.md", checked.built.content));
  const promise = `TypeScript ${COMPILERS[0]} or later`;
  if (!readme.includes(promise)) throw new Error(`The README doesn't say: ${promise}`);
  const files = await writePrograms(checked, ["plain.ts"]);
  for (const resolution of Object.values(RESOLUTIONS)) {
    const options = { ...resolution, lib: ["es2022", "dom"], types: [] };
    await compile(checked, options, files, version);
  }
}

/** The source's types by TypeScript itself, with the settings that dnt has. */
export async function checkSource({ project }: Checked): Promise<void> {
  const root = new URL("../", import.meta.url);
  const files = Object.values((await readConfig()).exports).map((it) => new URL(it, root));
  const compilerOptions = {
    strict: true,
    useUnknownInCatchVariables: false,
    isolatedModules: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    target: "es2022",
    module: "esnext",
    moduleResolution: "bundler",
    lib: ["esnext", "dom", "dom.iterable"],
    types: ["node"],
    typeRoots: [fromFileUrl(new URL("../", await tool("@types/node")))],
  };
  const config = new URL("tsconfig.source.json", project);
  await Deno.writeTextFile(
    config,
    JSON.stringify({ compilerOptions, files: files.map(fromFileUrl) }),
  );
  await succeed([...await toolCommand("typescript", "tsc"), "-p", fromFileUrl(config)]);
}
