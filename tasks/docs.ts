/**
 * Builds the documentation as a static site: the pages of docs/, and the reference of every symbol.
 *
 * ```sh
 * deno task docs            # .out/docs/site
 * deno task docs --check    # and looks at its pages in Chromium, at a phone's and a desktop's width
 * ```
 *
 * VitePress makes the pages, with a search and a dark mode; `deno doc --html` makes the reference.
 */

import { createServer } from "node:http";
import { readConfig } from "./build_npm.ts";
import { REPOSITORY, SITE } from "./places.ts";
import { fromFileUrl } from "./support.ts";
import { findChromium, launch } from "./test_browser.ts";
import { OUT, succeed, toolCommand, toolModules } from "./tools.ts";

/** The part of a page of playwright-core that is used here. */
interface Page {
  on(event: "pageerror", listener: (error: unknown) => void): void;
  url(): string;
  goto(url: string): Promise<unknown>;
  content(): Promise<string>;
  evaluate<T>(script: string): Promise<T>;
  screenshot(options: { path: string }): Promise<unknown>;
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  emulateMedia(options: { colorScheme: "dark" }): Promise<void>;
  textContent(selector: string, options: { timeout: number }): Promise<string | null>;
  click(selector: string): Promise<void>;
  fill(selector: string, text: string): Promise<void>;
}

const ROOT = new URL("../", import.meta.url);
const FOLDER = new URL("docs/", OUT);
const SOURCE = new URL("source/", FOLDER);
const BUILT = new URL("site/", FOLDER);
/** The path of the site on its host, with slashes. */
const BASE = new URL(SITE).pathname;
/** A phone's width and a desktop's, in pixels. */
const WIDTHS = [390, 1280];

/** The folders of the docs, and what their pages are called together. */
const SECTIONS: Readonly<Record<string, string>> = {
  "tutorial": "Tutorial",
  "how-to": "How to",
  "explanation": "Explanations",
  "reference": "Reference",
};

/** A page in the list beside the text. */
interface Item {
  readonly text: string;
  readonly link: string;
}

/** The pages of a folder, by their first headings. */
async function pagesOf(folder: string): Promise<Item[]> {
  const pages: Item[] = [];
  for await (const { name } of Deno.readDir(new URL(`docs/${folder}/`, ROOT))) {
    if (!name.endsWith(".md")) continue;
    const text = await Deno.readTextFile(new URL(`docs/${folder}/${name}`, ROOT));
    const title = /^# (.+)$/m.exec(text)?.[1]?.replaceAll("`", "") ?? name;
    pages.push({ text: title, link: `/${folder}/${name.slice(0, -3)}` });
  }
  return pages.sort((a, b) => a.text < b.text ? -1 : 1);
}

/** Links to files that are no pages of the site lead to the repository. */
function withLinks(text: string, path: string): string {
  return text.replace(/(\]\()(?![a-z]+:|#)([^)\s]+)(?=\))/g, (all, before, link) => {
    const { pathname, hash } = new URL(link, `file:///${path}`);
    if (pathname === "/docs/README.md") return `${before}/${hash}`;
    if (/^\/docs\/.*\.(?:md|svg|png)$/.test(pathname)) return all;
    const kind = pathname.endsWith("/") ? "tree" : "blob";
    return `${before}${REPOSITORY}/${kind}/main${pathname.replace(/\/$/, "")}${hash}`;
  });
}

/** Puts the pages where VitePress reads them: the index of the docs is the site's first page. */
async function writeSource(from: string): Promise<void> {
  const target = new URL(from.replace(/^docs\//, "").replace(/^README\.md$/, "index.md"), SOURCE);
  if (from.endsWith("/") || from === "docs") {
    for await (const { name, isDirectory } of Deno.readDir(new URL(from, ROOT))) {
      await writeSource(`${from.replace(/\/$/, "")}/${name}${isDirectory ? "/" : ""}`);
    }
    return;
  }
  await Deno.mkdir(new URL("./", target), { recursive: true });
  if (!from.endsWith(".md")) return await Deno.copyFile(new URL(from, ROOT), target);
  const text = await Deno.readTextFile(new URL(from, ROOT));
  await Deno.writeTextFile(target, withLinks(text, from));
}

async function writeSettings(): Promise<void> {
  const { name, version } = await readConfig();
  const sidebar = [];
  for (const [folder, text] of Object.entries(SECTIONS)) {
    sidebar.push({ text, collapsed: false, items: await pagesOf(folder) });
  }
  const settings = {
    title: name,
    description: "WebSocket channels for Deno, Node, Bun and browsers",
    base: BASE,
    head: [["style", {}, TABLES]],
    outDir: fromFileUrl(BUILT),
    cleanUrls: true,
    // What a program serves on the reader's own machine. VitePress checks all other links.
    ignoreDeadLinks: "localhostLinks",
    themeConfig: {
      outline: [2, 3],
      search: { provider: "local" },
      nav: [
        { text: "Tutorial", link: "/tutorial/chat" },
        { text: "API", link: "/api/index.html", target: "_self" },
        { text: `v${version}`, link: `${REPOSITORY}/blob/main/CHANGELOG.md` },
      ],
      sidebar,
      socialLinks: [{ icon: "github", link: REPOSITORY }],
    },
  };
  const folder = new URL(".vitepress/", SOURCE);
  await Deno.mkdir(folder, { recursive: true });
  const text = `export default ${JSON.stringify(settings)};\n`;
  await Deno.writeTextFile(new URL("config.mjs", folder), text);
}

/** The reference of every symbol that an entry exports. */
async function writeReference(): Promise<void> {
  const { name, exports } = await readConfig();
  await succeed([
    Deno.execPath(),
    "doc",
    "--html",
    `--name=${name}`,
    `--output=${fromFileUrl(new URL("api/", BUILT))}`,
    ...Object.values(exports),
  ], { cwd: fromFileUrl(ROOT) });
  // The last style sheet that each page loads: it overrides the others.
  await Deno.writeTextFile(new URL("api/page.css", BUILT), NARROW, { append: true });
}

/** On a phone, a page of the reference fits the window: code scrolls, long names break, the search has a line of its own. */
const NARROW = `
@media (max-width: 700px) {
  .ddoc, .ddoc * { min-width: 0 !important; max-width: 100%; overflow-wrap: anywhere; }
  .ddoc pre { overflow-x: auto; }
  #content { display: block; }
  #topnav, #topnav > div { flex-wrap: wrap; height: auto; max-height: none; position: static; gap: 0.5rem; }
  #theme-toggle { flex: none; }
  #searchbar { flex: 1; width: auto; }
}
`;

/** Pages of VitePress: tables have room on a desktop, and small cells on a phone. */
const TABLES = `
@media (min-width: 1440px) {
  .VPDoc.has-aside .content-container.content-container { max-width: 760px; }
}
@media (max-width: 640px) {
  .vp-doc tr { font-size: 13px; }
  .vp-doc th, .vp-doc td { padding: 6px 8px; }
}
`;

/** Builds the site. */
export async function buildDocs(): Promise<URL> {
  await Deno.remove(FOLDER, { recursive: true }).catch(() => {});
  await writeSource("docs");
  await writeSettings();
  const vitepress = await toolCommand("vitepress", "vitepress");
  // Where the pages lie, the modules of VitePress have to be found.
  await Deno.symlink(fromFileUrl(await toolModules("vitepress")), new URL("node_modules", SOURCE));
  await succeed([...vitepress, "build", fromFileUrl(SOURCE)]);
  await writeReference();
  return BUILT;
}

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript",
  css: "text/css",
  svg: "image/svg+xml",
  json: "application/json",
};

/** The file of a path of the site, or `null`: a page's path has no ending. */
async function fileOf(path: string): Promise<URL | null> {
  const rest = path.slice(BASE.length);
  for (const name of [rest, `${rest}.html`, `${rest}index.html`]) {
    const file = new URL(name, BUILT);
    const found = await Deno.stat(file).catch(() => null);
    if (found?.isFile) return file;
  }
  return null;
}

/** Serves the site as GitHub Pages does, for as long as the body takes. */
async function served(body: (origin: string) => Promise<void>): Promise<void> {
  const server = createServer(async (request, response) => {
    const file = await fileOf(new URL(request.url ?? "/", "http://localhost").pathname);
    if (file === null) return void response.writeHead(404).end();
    const type = TYPES[file.pathname.split(".").at(-1) ?? ""] ?? "application/octet-stream";
    response.writeHead(200, { "Content-Type": type }).end(await Deno.readFile(file));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body(`http://127.0.0.1:${(server.address() as { port: number }).port}`);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

/** The paths of all pages of VitePress, and of two pages of the reference. */
async function paths(): Promise<string[]> {
  const found = [BASE, `${BASE}api/index.html`, `${BASE}api/server/~/WebSocketServer.html`];
  for (const folder of Object.keys(SECTIONS)) {
    found.push(...(await pagesOf(folder)).map(({ link }) => BASE + link.slice(1)));
  }
  return found;
}

/** Every link and picture of a page that leads to the site leads to a file. */
async function brokenLinks(path: string, text: string): Promise<string[]> {
  const broken: string[] = [];
  for (const [, link = ""] of text.matchAll(/\b(?:href|src)="([^"#?]+)/g)) {
    const url = new URL(link, `http://localhost${path}`);
    if (url.host !== "localhost" || url.protocol !== "http:") continue;
    if (await fileOf(decodeURIComponent(url.pathname)) === null) broken.push(`${path}: ${link}`);
  }
  return broken;
}

/** What a page shows, measured in the page. */
const MEASURE = `({
  heading: document.querySelector("h1, h2, h3, h4, .ddoc a")?.textContent ?? "",
  over: document.documentElement.scrollWidth - innerWidth,
  isCovered: [...document.querySelectorAll("#topnav *")].some((it) =>
    it.getBoundingClientRect().bottom > document.querySelector("#content").getBoundingClientRect().top
  ),
})`;

interface Measured {
  readonly heading: string;
  /** By how many pixels the page is wider than the window. */
  readonly over: number;
  /** Whether the head of a page of the reference covers its text. */
  readonly isCovered: boolean;
}

/**
 * Opens each page at each width. The page must show its heading, print no error and fit the window.
 *
 * @returns The number of pages.
 */
async function look(chromium: string, origin: string): Promise<number> {
  const browser = await launch(chromium);
  const wrong: string[] = [];
  const all = await paths();
  try {
    const page = await browser.newPage() as unknown as Page;
    page.on("pageerror", (error: unknown) => wrong.push(`${page.url()}: ${error}`));
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      for (const path of all) {
        await page.goto(origin + path);
        const { heading, over, isCovered } = await page.evaluate<Measured>(MEASURE);
        if (heading.trim() === "") wrong.push(`${path}: no heading`);
        if (over > 0) wrong.push(`${path}: ${over} px wider than a window of ${width} px`);
        const isShot = path === BASE || /chat$|performance$|options$|api/.test(path);
        if (isCovered) wrong.push(`${path}: the head covers the text at ${width} px`);
        if (isShot) {
          const name = path.slice(BASE.length).replace(/\W+/g, "_") || "index";
          await page.screenshot({ path: fromFileUrl(new URL(`${name}_${width}.png`, FOLDER)) });
        }
        if (width === WIDTHS[0]) wrong.push(...await brokenLinks(path, await page.content()));
      }
    }
    await page.emulateMedia({ colorScheme: "dark" });
    await page.goto(origin + BASE);
    await page.screenshot({ path: fromFileUrl(new URL("dark_1280.png", FOLDER)) });
    // The search is asked as a reader does.
    await page.click("#local-search button");
    await page.fill("#localsearch-input", "backpressure");
    const result = await page.textContent(".VPLocalSearchBox .result", { timeout: 10_000 })
      .catch(() => null);
    if (!/backpressure/i.test(result ?? "")) wrong.push("The search finds nothing");
  } finally {
    await browser.close();
  }
  if (wrong.length > 0) throw new Error(wrong.join("\n"));
  return all.length;
}

if (import.meta.main) {
  console.log(fromFileUrl(await buildDocs()));
  if (Deno.args.includes("--check")) {
    const chromium = await findChromium();
    if (chromium === null) throw new Error("Chromium isn't installed: set CHROMIUM to its path");
    await served(async (origin) => {
      console.log(
        `${await look(chromium, origin)} pages, at ${WIDTHS.join(" and ")} px: as they should be`,
      );
    });
  }
}
