/**
 * How large each entry is in a browser's bundle: minified by esbuild and compressed by gzip. It fails
 * when one is larger than its budget, or when it would need a builtin module of Node.
 *
 * ```sh
 * deno task size          # the table
 * deno task size --parts  # and what each file of the source takes of it
 * ```
 */

import { gzipSync } from "node:zlib";
import { fromFileUrl } from "./support.ts";
import { esbuild, OUT, succeed } from "./tools.ts";

const ROOT = new URL("../", import.meta.url);
const FOLDER = new URL("size/", OUT);

/** What is measured: a module of its own, so that tree shaking does what it does for a user. */
interface Measured {
  readonly name: string;
  readonly source: string;
  /** What it is meant to reach, in bytes. */
  readonly target?: number;
  /** What it must not exceed, in bytes. */
  readonly budget?: number;
}

interface Result extends Measured {
  readonly minified: number;
  readonly compressed: number;
  /** The files of the source, the largest first, with their bytes. */
  readonly parts: readonly (readonly [string, number])[];
}

interface Metafile {
  outputs: Record<string, {
    entryPoint?: string;
    inputs: Record<string, { bytesInOutput: number }>;
    imports: { path: string; kind: string; external?: boolean }[];
  }>;
}

const KILOBYTE = 1000;

/** Entries that have no place in a browser. */
const ELSEWHERE = new Set(["./net", "./server"]);

/**
 * The budgets. `target` is where an entry is meant to be; a `budget` above it says where it is, so that
 * it can't grow unnoticed meanwhile.
 */
const BUDGETS: Record<string, { target: number; budget: number }> = {
  ".": { target: 16 * KILOBYTE, budget: 42 * KILOBYTE },
  "./native, connect alone": { target: 7 * KILOBYTE, budget: 20 * KILOBYTE },
};

async function measuredEntries(): Promise<Measured[]> {
  const config = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const entries = Object.entries(config.exports as Record<string, string>);
  const path = (file: string): string => JSON.stringify(fromFileUrl(new URL(file, ROOT)));
  const all = entries.map(([name, file]) => ({ name, source: `export * from ${path(file)};` }));
  const native = config.exports["./native"];
  const alone = {
    name: "./native, connect alone",
    source: `import { NativeWebSocketChannel } from ${path(native)};
export const connect = NativeWebSocketChannel.connect;`,
  };
  return [...all, alone].map((it) => ({ ...it, ...BUDGETS[it.name] }));
}

/** Bundles as an application's bundler would, and looks at the entry's chunk. */
async function measure(measured: Measured): Promise<Result> {
  const { name, source } = measured;
  const stem = name.replaceAll(/[^a-z]+/g, "_");
  const input = new URL(`in/${stem}.js`, FOLDER);
  const outdir = new URL(`out/${stem}/`, FOLDER);
  const metafile = new URL(`out/${stem}.json`, FOLDER);
  await Deno.mkdir(new URL("in/", FOLDER), { recursive: true });
  await Deno.writeTextFile(input, source);
  await succeed([
    ...await esbuild(),
    fromFileUrl(input),
    "--bundle",
    "--minify",
    "--splitting",
    "--format=esm",
    "--target=es2022",
    ...(ELSEWHERE.has(name) ? ["--platform=node"] : ["--platform=browser"]),
    `--outdir=${fromFileUrl(outdir)}`,
    `--metafile=${fromFileUrl(metafile)}`,
    "--log-level=error",
  ], { cwd: fromFileUrl(ROOT) });
  const meta: Metafile = JSON.parse(await Deno.readTextFile(metafile));
  return { ...measured, ...await weigh(meta) };
}

/** The entry's chunk with all that it imports at once; a chunk imported later isn't counted. */
async function weigh({ outputs }: Metafile): Promise<Omit<Result, keyof Measured>> {
  const entry = Object.keys(outputs).find((path) => outputs[path]?.entryPoint !== undefined);
  if (entry === undefined) throw new Error("esbuild's metafile has no entry");
  const chunks = new Set([entry]);
  const parts = new Map<string, number>();
  let minified = 0;
  let compressed = 0;
  for (const chunk of chunks) {
    for (const { path, kind } of outputs[chunk]?.imports ?? []) {
      if (kind === "import-statement" && path in outputs) chunks.add(path);
    }
    const bytes = await Deno.readFile(new URL(chunk, ROOT));
    minified += bytes.length;
    compressed += gzipSync(bytes, { level: 9 }).length;
    for (const [path, { bytesInOutput }] of Object.entries(outputs[chunk]?.inputs ?? {})) {
      parts.set(path, (parts.get(path) ?? 0) + bytesInOutput);
    }
  }
  return { minified, compressed, parts: [...parts].sort(([, a], [, b]) => b - a) };
}

function kilobytes(bytes: number): string {
  return `${(bytes / KILOBYTE).toFixed(1)} kB`;
}

function judge({ compressed, target, budget }: Result): string {
  if (budget === undefined || target === undefined) return "";
  if (compressed > budget) return `over its budget of ${kilobytes(budget)}`;
  if (compressed <= target) return `within its target of ${kilobytes(target)}`;
  return `above its target of ${kilobytes(target)}, within its budget of ${kilobytes(budget)}`;
}

function show(results: readonly Result[]): void {
  const width = Math.max(...results.map(({ name }) => name.length));
  console.log(`${"entry".padEnd(width)}  minified   gzip`);
  for (const result of results) {
    const sizes = [result.minified, result.compressed].map((it) => kilobytes(it).padStart(8));
    console.log(`${result.name.padEnd(width)}  ${sizes.join("  ")}  ${judge(result)}`.trimEnd());
    if (!Deno.args.includes("--parts")) continue;
    for (const [path, bytes] of result.parts) {
      console.log(`${"".padEnd(width)}  ${kilobytes(bytes).padStart(8)}  ${path}`);
    }
  }
}

if (import.meta.main) {
  const results: Result[] = [];
  for (const measured of await measuredEntries()) results.push(await measure(measured));
  show(results);
  const over = results.filter(({ compressed, budget }) => compressed > (budget ?? Infinity));
  if (over.length > 0) {
    console.error(`\nOver budget: ${over.map(({ name }) => name).join(", ")}`);
    Deno.exit(1);
  }
}
