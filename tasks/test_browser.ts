/**
 * The tests in headless Chromium, in a page and in a worker: the conformance suite of the native channel,
 * the same with our own server at the other end, and the unit tests that need nothing but the language.
 *
 * Chromium is the system's (Debian: `apt-get install chromium`), or what the environment variable
 * `CHROMIUM` names; npm's playwright-core drives it. The servers of the tests run in this process.
 *
 * ```sh
 * deno task test:browser
 * ```
 */

import { createRequire } from "node:module";
import { standInArgs } from "./std.ts";
import { fromFileUrl } from "./support.ts";
import { ignoredNote } from "./table.ts";
import { OUT, succeed, tool } from "./tools.ts";
import { ControlServer, type StartRecipe } from "../tests/browser/control_server.ts";
import { LEFT_OUT, STANDARD_LEFT_OUT } from "../tests/browser/left_out.ts";
import type { Place } from "../tests/browser/control.ts";
import { startBoundRecipe } from "../tests/server/platform_recipes.ts";
import { type RecipeServer, startRecipe } from "../tests/support/recipes.ts";
import { startSubject } from "../tests/faces/subject_server.ts";

const ROOT = new URL("../", import.meta.url);
const FOLDER = new URL("browser/", OUT);

/** The result of a suite in a place. */
export interface BrowserOutcome {
  readonly suite: string;
  readonly place: Place;
  readonly passed: number;
  readonly failed: number;
  /** The names of the tests that didn't run. */
  readonly ignored: readonly string[];
}

/** The folders of the unit tests that may run in a browser. */
const UNIT_FOLDERS = [
  "tests",
  "tests/handshake",
  "tests/native",
  "tests/permessage_deflate",
  "tests/protocol",
  "tests/realm",
  "tests/reconnecting",
  "tests/stream_channel",
  "tests/testing",
  "tests/web_socket",
];

/** The maximum time without an event, in milliseconds: longer than any test's own limit. */
const SILENCE = 60_000;

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** Where Chromium is, or `null`. */
export async function findChromium(): Promise<string | null> {
  const named = Deno.env.get("CHROMIUM");
  const folders = ["/usr/bin/", "/usr/local/bin/", "/snap/bin/"];
  const places = folders.flatMap((folder) => NAMES.map((name) => folder + name));
  for (const path of named === undefined ? places : [named]) {
    if (await Deno.stat(path).then((it) => it.isFile, () => false)) return path;
  }
  return null;
}

/** The unit tests that import no builtin and nothing that runs elsewhere. */
async function unitTests(): Promise<string[]> {
  const paths: string[] = [];
  for (const folder of UNIT_FOLDERS) {
    for await (const { name } of Deno.readDir(new URL(`${folder}/`, ROOT))) {
      const path = `${folder}/${name}`;
      if (name.endsWith("_test.ts") && await isPortable(path)) paths.push(path);
    }
  }
  return paths.sort();
}

/** What takes something's place in a browser: by module, the file of tests/browser/. */
const REPLACED: Readonly<Record<string, string>> = {
  "node:assert/strict": "assert_strict.ts",
  "node:process": "process.ts",
  "tests/support/recipes.ts": "remote_recipes.ts",
  "tests/faces/subject_server.ts": "remote_subject.ts",
};

/** Whether a file, and all that it imports, can be in a browser's bundle. */
async function isPortable(path: string, seen: Set<string> = new Set()): Promise<boolean> {
  if (seen.has(path) || path in REPLACED) return true;
  seen.add(path);
  const text = await Deno.readTextFile(new URL(path, ROOT));
  if (/^\/\/ (Deno only|Not in browsers): /m.test(text)) return false;
  for (
    const [, type, target = ""] of text.matchAll(
      /^(?:import|export)( type)? [^;]*? from "([^"]+)";/gm,
    )
  ) {
    if (type !== undefined || target in REPLACED || target.startsWith("@std/")) continue;
    if (!target.startsWith(".")) return false;
    const file = new URL(target, new URL(path, ROOT)).href.slice(ROOT.href.length);
    // What is shipped imports no builtin anyway.
    if (file.startsWith("tests/") && !await isPortable(file, seen)) return false;
  }
  return true;
}

/** The import map's, or the stand-ins', with what takes a server's place in a browser. */
async function importMap(): Promise<string> {
  const [argument] = await standInArgs();
  const imports: Record<string, string> = argument === undefined
    ? JSON.parse(await Deno.readTextFile(new URL("import_map.json", ROOT))).imports
    : JSON.parse(decodeURIComponent(argument.slice(argument.indexOf(",") + 1))).imports;
  for (const [from, to] of Object.entries(REPLACED)) {
    const module = from.endsWith(".ts") ? new URL(from, ROOT).href : from;
    imports[module] = new URL(`tests/browser/${to}`, ROOT).href;
  }
  const path = new URL("import_map.json", FOLDER);
  await Deno.writeTextFile(path, JSON.stringify({ imports }));
  return fromFileUrl(path);
}

/**
 * One file with all of the given tests, but for those that are left out.
 *
 * @param start What is done with the call that runs them; left out: it is made.
 */
export async function bundle(
  tests: readonly string[],
  leftOut: Readonly<Record<string, string>>,
  start: (call: string) => string = (call) => `await ${call};`,
): Promise<string> {
  await Deno.mkdir(FOLDER, { recursive: true });
  const url = (path: string): string => JSON.stringify(new URL(path, ROOT).href);
  const entry = new URL("entry.ts", FOLDER);
  const imports = ["tests/browser/runner.ts", ...tests].map((it) => `import ${url(it)};`);
  await Deno.writeTextFile(
    entry,
    `${imports.join("\n")}
import { reportTests } from ${url("tests/browser/report.ts")};
${start(`reportTests(${JSON.stringify(leftOut)})`)}
`,
  );
  const output = new URL("bundle.js", FOLDER);
  await succeed([
    Deno.execPath(),
    "bundle",
    "--quiet",
    "--platform=browser",
    "--format=esm",
    `--import-map=${await importMap()}`,
    `--output=${fromFileUrl(output)}`,
    fromFileUrl(entry),
  ], { cwd: fromFileUrl(ROOT) });
  const code = await Deno.readTextFile(output);
  // A browser would say nothing but that it can't load the module.
  const builtin = /^import .* from "(node:[^"]+)"/m.exec(code)?.[1];
  if (builtin !== undefined) throw new Error(`A test that is to run in a browser needs ${builtin}`);
  return code;
}

/** The part of playwright-core that this task uses. */
interface Playwright {
  readonly chromium: {
    launch(options: { executablePath: string; args: string[] }): Promise<Browser>;
  };
}

/** A browser that was started. */
export interface Browser {
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

/** The server's end of a WebSocket that a test answers itself. */
export interface RoutedWebSocket {
  onMessage(handler: (message: string | Uint8Array) => void): void;
  send(message: string): void;
}

/** The part of a page that this task uses. */
export interface Page {
  goto(url: string): Promise<unknown>;
  fill(selector: string, text: string): Promise<void>;
  type(selector: string, text: string): Promise<void>;
  click(selector: string): Promise<void>;
  textContent(selector: string, options?: { timeout: number }): Promise<string | null>;
  waitForSelector(selector: string): Promise<unknown>;
  evaluate(script: string): Promise<unknown>;
  addScriptTag(options: { path: string }): Promise<unknown>;
  routeWebSocket(url: string, handler: (socket: RoutedWebSocket) => void): Promise<void>;
  screenshot(options: { path: string }): Promise<unknown>;
  on(event: "pageerror" | "crash", listener: (error: unknown) => void): void;
  close(): Promise<void>;
}

async function playwright(): Promise<Playwright> {
  const folder = await tool("playwright-core");
  return createRequire(new URL("package.json", folder))("playwright-core");
}

/**
 * Starts a browser without a window.
 *
 * @param chromium Where Chromium is.
 */
export async function launch(chromium: string): Promise<Browser> {
  return await (await playwright()).chromium.launch({ executablePath: chromium, args: FLAGS });
}

/** Rejects after the maximum time without an event. */
export class Watchdog {
  readonly barked: Promise<never>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reject: (error: Error) => void = () => {};

  constructor() {
    this.barked = new Promise((_resolve, reject) => this.#reject = reject);
    this.barked.catch(() => {});
  }

  pat(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.fail("It is silent"), SILENCE);
  }

  fail(message: string): void {
    this.#reject(new Error(message));
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

interface Counts {
  passed: number;
  failed: number;
  readonly ignored: string[];
}

/** Tests, bundled, and what starts their servers. */
interface Bundle {
  readonly code: string;
  readonly start: StartRecipe;
}

/** Runs a bundle in a place, and counts. */
async function runIn(browser: Browser, place: Place, { code, start }: Bundle): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, ignored: [] };
  const watchdog = new Watchdog();
  let heard = false;
  let finish: () => void = () => {};
  const finished = new Promise<void>((resolve) => finish = resolve);
  const server = new ControlServer(code, start, {
    onResult: (_place, { name, failures, ignored }) => {
      heard = true;
      watchdog.pat();
      if (ignored) counts.ignored.push(name);
      else counts[failures.length === 0 ? "passed" : "failed"]++;
      if (failures.length > 0) console.log(`FAILED (${place}): ${name}\n${failures.join("\n")}`);
    },
    onDone: () => finish(),
  });
  try {
    const page = await browser.newPage();
    page.on("crash", () => watchdog.fail("The page has crashed"));
    // What a test throws out of place is collected there; this is before the first test.
    page.on("pageerror", (error) => !heard && watchdog.fail(`The bundle failed: ${error}`));
    watchdog.pat();
    await page.goto(server.url(place));
    await Promise.race([finished, watchdog.barked]);
    await page.close();
  } catch (error) {
    counts.failed++;
    console.log(`FAILED (${place}): ${error instanceof Error ? error.message : error}`);
  } finally {
    watchdog.stop();
    await server.close();
  }
  return counts;
}

/** Our own server at the other end. The page is another's: it has to be let in. */
const startOwn: StartRecipe = (name, options, origin) =>
  startBoundRecipe(name, options, { origin: [origin] });

/** The server of a case of the WebSockets standard: what is next of it is how its first channel ended. */
const startCase: StartRecipe = async (_name, _options, origin) => {
  const { url, ending, close } = await startSubject([origin]);
  return { url, next: ending, close } as unknown as RecipeServer;
};

/**
 * Runs the browser's suites in a page, then in a worker.
 *
 * @param chromium Where Chromium is.
 */
export async function testInBrowser(chromium: string): Promise<BrowserOutcome[]> {
  const conformance = ["tests/conformance/native_test.ts"];
  const suites = [
    { suite: "conformance", tests: conformance, start: startRecipe, leftOut: {} },
    { suite: "conformance, our server", tests: conformance, start: startOwn, leftOut: {} },
    {
      suite: "the WebSockets standard",
      tests: ["tests/browser/standard_cases.ts"],
      start: startCase,
      leftOut: STANDARD_LEFT_OUT,
    },
    { suite: "unit tests", tests: await unitTests(), start: startRecipe, leftOut: LEFT_OUT },
  ];
  const browser = await launch(chromium);
  const outcomes: BrowserOutcome[] = [];
  try {
    for (const { suite, tests, start, leftOut } of suites) {
      const code = await bundle(tests, leftOut);
      for (const place of ["page", "worker"] as const) {
        outcomes.push({ suite, place, ...await runIn(browser, place, { code, start }) });
      }
    }
  } finally {
    await browser.close();
  }
  return outcomes;
}

if (import.meta.main) {
  const chromium = await findChromium();
  if (chromium === null) {
    console.log("Not applicable: there is no Chromium here. CHROMIUM may name one.");
    Deno.exit(0);
  }
  const outcomes = await testInBrowser(chromium);
  for (const { suite, place, passed, failed, ignored } of outcomes) {
    const skipped = ignored.length > 0 ? `, ${ignoredNote(ignored)}` : "";
    console.log(`Chromium ${place}, ${suite}: ${passed} passed, ${failed} failed${skipped}`);
  }
  Deno.exit(outcomes.every(({ failed }) => failed === 0) ? 0 : 1);
}
