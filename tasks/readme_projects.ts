/**
 * A newcomer's projects, word for word, in empty folders: what the README says under "In two minutes", on
 * Deno, Node and Bun, and what docs/how-to/pages.md says, with Vite in a browser. What is put in place of its words: the package as it was
 * built for its name at the registry, because it need not be published; free ports for the README's.
 */

import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { type Built, NPM_NAME, readConfig } from "./build_npm.ts";
import { endTree, limited } from "./process_tree.ts";
import { fromFileUrl } from "./support.ts";
import { findChromium, launch } from "./test_browser.ts";
import { npm, output, type Runtime, toolVersion } from "./tools.ts";

const ROOT = new URL("../", import.meta.url);
const SECTION = "## In two minutes\n";
/** The guide for a newcomer with a bundler. */
const PAGE = new URL("docs/how-to/pages.md", ROOT);
const SAID = "You said: hello";
/** The maximum duration of a command or the page, in milliseconds. */
const LIMIT = 60_000;

/** The README's first program, which a newcomer saves. */
function program(readme: string): string {
  return block(readme, "ts");
}

/** The README, with npm's name of the package where that is wanted. */
async function readReadme(isNpm: boolean): Promise<string> {
  const text = await Deno.readTextFile(new URL("README.md", ROOT));
  return isNpm ? text.replaceAll((await readConfig()).name, NPM_NAME) : text;
}

/** The section of the README that a newcomer follows. */
function section(text: string): string {
  const start = text.indexOf(SECTION);
  if (start < 0) throw new Error(`README.md has no section "${SECTION.trim()}"`);
  const end = text.indexOf("\n## ", start);
  return text.slice(start, end < 0 ? undefined : end);
}

function block(text: string, language: string): string {
  const fence = "```";
  const code = text.split(`${fence}${language}\n`)[1]?.split(fence)[0];
  if (code === undefined) throw new Error(`There is no block of ${language}`);
  return code;
}

/** The two commands in a platform's row of the table. */
function commands(text: string, platform: string): { get: string[]; run: string[] } {
  const row = new RegExp(`^\\| ${platform} +\\| \`([^\`]+)\` +\\| \`([^\`]+)\` +\\|$`, "m");
  const [, get, run] = row.exec(text) ?? [];
  if (get === undefined || run === undefined) throw new Error(`No row for ${platform}`);
  return { get: get.split(" "), run: run.split(" ") };
}

/** Runs a body in an empty folder, then removes the folder. */
export async function inEmptyFolder(body: (folder: URL) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "newcomer-" });
  try {
    await body(new URL(`file://${path.replaceAll("\\", "/").replace(/^(?=\w:)/, "/")}/`));
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

/** Runs the README's program, whose name is the last word of the command. */
async function say(command: readonly string[], program: string, folder: URL): Promise<void> {
  await Deno.writeTextFile(new URL(command.at(-1) ?? "", folder), program);
  const { stdout, stderr, isLate } = await limited(command, LIMIT, folder);
  if (stdout.trim() === SAID) return;
  throw new Error(
    `${command.join(" ")} said${isLate ? ", until it was ended" : ""}:\n${stdout}${stderr}`,
  );
}

/** A command of the README's with what stands in for its program and for the package's name. */
function substituted(words: readonly string[], program: readonly string[], pack: URL): string[] {
  const rest = words.slice(1).map((it) => it === NPM_NAME ? fromFileUrl(pack) : it);
  if (!rest.includes(fromFileUrl(pack))) throw new Error(`${words.join(" ")} gets another package`);
  return [...program, ...rest];
}

/** On Node or Bun. */
export function followOn(platform: "Node" | "Bun", runtime: Runtime, built: Built): Promise<void> {
  return inEmptyFolder(async (folder) => {
    const text = await readReadme(true);
    const { get, run } = commands(section(text), platform);
    if (platform === "Node") await npm(folder, ...substituted(get, [], built.tarball));
    else {
      const { code, stderr } = await output(substituted(get, runtime.command, built.tarball), {
        cwd: fromFileUrl(folder),
      });
      if (code !== 0) throw new Error(stderr);
    }
    await say([...runtime.command, ...run.slice(1)], program(text), folder);
  });
}

async function copy(from: URL, to: URL): Promise<void> {
  if ((await Deno.stat(from)).isFile) return await Deno.copyFile(from, to);
  await Deno.mkdir(to);
  const below = (folder: URL, name: string): URL => new URL(`${folder.href}/${name}`);
  for await (const { name } of Deno.readDir(from)) await copy(below(from, name), below(to, name));
}

/** On Deno, with what JSR would get: the link stands for the registry. */
export function followOnDeno(): Promise<void> {
  return inEmptyFolder(async (folder) => {
    const { name, version, publish } = await readConfig();
    const text = await readReadme(false);
    const { get, run } = commands(section(text), "Deno");
    if (get.join(" ") !== `deno add jsr:${name}`) throw new Error(`${get.join(" ")} isn't right`);
    const published = new URL("registry/", folder);
    await Deno.mkdir(published);
    for (const it of publish.include) await copy(new URL(it, ROOT), new URL(it, published));
    const added = { imports: { [name]: `jsr:${name}@^${version}` }, links: ["./registry"] };
    await Deno.writeTextFile(new URL("deno.json", folder), JSON.stringify(added));
    await say([Deno.execPath(), ...run.slice(1)], program(text), folder);
    const types = [Deno.execPath(), "check", "--quiet", run.at(-1) ?? ""];
    const { code, stderr } = await limited(types, LIMIT, folder);
    if (code !== 0) throw new Error(stderr);
  });
}

/** A port that currently has no listener. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs a command for as long as the body takes. */
async function during(
  command: readonly string[],
  folder: URL,
  body: () => Promise<void>,
): Promise<void> {
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    args,
    cwd: fromFileUrl(folder),
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  try {
    await body();
  } finally {
    await endTree(child.pid);
    await child.status;
  }
}

/** Opens a page as soon as a server serves it, and waits for what it is to show. */
async function look(chromium: string, url: string): Promise<void> {
  const browser = await launch(chromium);
  let shown: string | null = null;
  try {
    const page = await browser.newPage();
    const end = performance.now() + LIMIT;
    while (shown !== SAID && performance.now() < end) {
      const there = await page.goto(url).then(() => true, () => false);
      // The servers may still be starting: a page that shows nothing is opened again.
      if (there) {
        shown = await page.textContent(`output:not(:empty)`, { timeout: 2000 }).catch(() => null);
      } else await new Promise((resolve) => setTimeout(resolve, 200));
    }
  } finally {
    await browser.close();
  }
  if (shown !== SAID) throw new Error(`The page shows ${shown ?? "nothing"}`);
}

/**
 * With Vite, in Chromium.
 *
 * @returns What couldn't be done, or nothing.
 */
export async function followWithVite(runtime: Runtime, built: Built): Promise<string> {
  const chromium = await findChromium();
  if (chromium === null) return "Chromium isn't installed";
  await inEmptyFolder(async (folder) => {
    const text = await Deno.readTextFile(PAGE);
    const get = /`(npm install [^`]+ vite)`/.exec(text)?.[1]?.replace(
      "vite",
      `vite@${toolVersion("vite")}`,
    );
    if (get === undefined) throw new Error("The page doesn't say how to get Vite");
    await npm(folder, ...substituted(get.split(" "), [], built.tarball));
    const [port, pages] = [await freePort(), await freePort()];
    const withPorts = (code: string): string =>
      code.replaceAll("8080", `${port}`).replaceAll("5173", `${pages}`);
    const write = (name: string, code: string): Promise<void> =>
      Deno.writeTextFile(new URL(name, folder), withPorts(code));
    await write("server.mjs", block(text, "ts ignore"));
    await write("index.html", block(text, "html"));
    const vite = fromFileUrl(new URL("node_modules/vite/bin/vite.js", folder));
    const serve = [...runtime.command, vite, `--port=${pages}`, "--strictPort", "--logLevel=error"];
    await during(
      [...runtime.command, "server.mjs"],
      folder,
      () => during(serve, folder, () => look(chromium, `http://localhost:${pages}`)),
    );
  });
  return "";
}
