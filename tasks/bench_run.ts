/** Runs a section of the benchmarks on a runtime. */

import type { Row } from "../bench/row.ts";
import { standInArgs } from "./std.ts";
import { fromFileUrl } from "./support.ts";
import { NEWEST_NODE, npm, OLDEST_NODE, OUT, output, runtime, succeed } from "./tools.ts";

const ROOT = new URL("../", import.meta.url);
const FOLDER = new URL("bench/", OUT);

/** The sections, in the order of execution. */
export const SECTIONS: readonly string[] = [
  "size",
  "protocol",
  "net",
  "server",
  "compression",
  "tls",
  "growth",
  "many",
  "large",
  "http2",
  "topics",
  "diagnostics",
];

/** The runtimes, by their names for `--runtime`. */
export const RUNTIMES: Readonly<Record<string, string>> = {
  deno: "Deno",
  [`node${NEWEST_NODE}`]: `Node ${NEWEST_NODE}`,
  [`node${OLDEST_NODE}`]: `Node ${OLDEST_NODE}`,
  bun: "Bun",
};

/** The peers, by names that no runtime replaces with its own implementation. */
const PEERS = [
  "peer-ws@npm:ws@8",
  "peer-ws-plain@npm:ws@8",
  "bufferutil@4",
  "websocket-driver@0.7",
  // Its later versions need a later Node.
  "undici@7",
  "crossws@0.4",
];

/** A runtime that is available. */
export interface BenchRuntime {
  readonly name: string;
  /** With that of the peers' package, where it is the runtime's. */
  readonly version: string;
  /** The command; a script's path is to follow. */
  readonly command: readonly string[];
}

/**
 * Finds a runtime.
 *
 * @throws {Error} When it isn't available; the message says why.
 */
export async function findRuntime(key: string): Promise<BenchRuntime> {
  const name = RUNTIMES[key] ?? "";
  if (key === "deno") {
    const command = [Deno.execPath(), "run", "--allow-all", "--quiet", "--v8-flags=--expose-gc"];
    return { name, version: `Deno ${Deno.version.deno}`, command };
  }
  const command = await onPath(key) ?? (await withinTime(runtime(name))).command;
  const version = (await succeed([...command, "--version"])).trim().replace(/^v/, "");
  if (key === "bun") return { name, version: `Bun ${version}`, command };
  return { name, version: `Node ${version}`, command: [...command, "--expose-gc"] };
}

/** The first program on the path with the right version; others with its name may precede it. */
async function onPath(key: string): Promise<string[] | null> {
  const [, name = "", major = ""] = /^([a-z]+)(\d*)$/.exec(key) ?? [];
  const separator = Deno.build.os === "windows" ? ";" : ":";
  for (const folder of (Deno.env.get("PATH") ?? "").split(separator)) {
    const program = `${folder}/${name}${Deno.build.os === "windows" ? ".exe" : ""}`;
    const seen = await output([program, "--version"]).catch(() => null);
    const version = seen?.stdout.trim().replace(/^v/, "") ?? "";
    if (version !== "" && (major === "" || version.startsWith(`${major}.`))) return [program];
  }
  return null;
}

/** The maximum time for npm to install a runtime, in milliseconds. */
const PATIENCE = 120_000;

async function withinTime<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const why = `npm has not brought it within ${PATIENCE / 1000} seconds`;
    timer = setTimeout(() => reject(new Error(why)), PATIENCE);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Installs the peers of the benchmarks, and bundles those beside them. */
export function prepare(): Promise<string> {
  return prepareBeside(PEERS, FOLDER, "bench/main.ts");
}

/**
 * Installs packages in a folder, unless they are there, and bundles a program beside them.
 *
 * @returns The path of the bundle.
 */
export async function prepareBeside(
  peers: readonly string[],
  folder: URL,
  program: string,
): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  const stamp = new URL("installed.json", folder);
  const wanted = JSON.stringify(peers);
  if (await Deno.readTextFile(stamp).catch(() => "") !== wanted) {
    await Deno.writeTextFile(new URL("package.json", folder), `{"private":true,"type":"module"}`);
    // bufferutil brings its binaries along: no script needs to be run.
    await npm(folder, "install", "--ignore-scripts", ...peers);
    await Deno.writeTextFile(stamp, wanted);
  }
  const script = fromFileUrl(new URL("main.js", folder));
  const options = ["--quiet", "--platform=deno", "--format=esm", `--output=${script}`];
  await succeed([Deno.execPath(), "bundle", ...await standInArgs(), ...options, program], {
    cwd: fromFileUrl(ROOT),
  });
  return script;
}

/** The maximum duration of a section, in milliseconds. */
const LIMIT = 900_000;

/**
 * Runs a section in a process of its own, which it always ends. It yields each row when it is ready.
 *
 * @throws {Error} When the section doesn't run to its end.
 */
export async function* runSection(
  { command, name }: BenchRuntime,
  script: string,
  section: string,
  quick: boolean,
): AsyncGenerator<Row> {
  if (section === "size") return yield await sizes();
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    args: [...args, script, "rows", section, ...(quick ? ["--quick"] : [])],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let isOver = false;
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT);
  try {
    for await (const line of lines(child.stdout)) yield JSON.parse(line);
    const { success, code } = await child.status;
    isOver = true;
    if (!success) throw new Error(`${section} on ${name} ended with exit code ${code}`);
  } finally {
    clearTimeout(timer);
    if (!isOver) child.kill("SIGKILL");
  }
}

async function* lines(bytes: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of bytes) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

/** The sizes of the bundles for browsers, from `deno task size`. */
async function sizes(): Promise<Row> {
  const { stdout } = await output([Deno.execPath(), "run", "--allow-all", "tasks/size.ts"], {
    cwd: fromFileUrl(ROOT),
    env: { NO_COLOR: "1" },
  });
  const found = stdout.matchAll(/^(\.\S*(?:, \w+ \w+)?) +[\d.]+ kB +([\d.]+) kB/gm);
  const results = [...found].map(([, name = "", size]) => ({ name, values: [Number(size)] }));
  if (results.length === 0) throw new Error(`tasks/size.ts told no sizes: ${stdout}`);
  return {
    id: "size",
    title: "Bundle of an entry for a browser",
    unit: "kB, min + gzip",
    better: "less",
    note: "By esbuild, with tree shaking; `deno task size` has more.",
    results,
  };
}
