// Deno only: starts a browser

/** The guide's components, with the real React, Vue and Svelte, bundled by Vite, in Chromium. */

import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { readConfig } from "../../tasks/build_npm.ts";
import { findChromium } from "../../tasks/test_browser.ts";
import { succeed, toolbox } from "../../tasks/tools.ts";
import { DevTools } from "../support/dev_tools.ts";
import { leftOut } from "../support/needs.ts";
import { until } from "../support/turns.ts";
import { Network } from "./network.ts";

const GUIDE = new URL("../../docs/how-to/reconnect.md", import.meta.url);
const ENTRY = new URL("../../src/reconnecting/page.ts", import.meta.url);

const PACKAGES = [
  ...["vite", "react", "react-dom", "vue", "svelte"],
  ...["@vitejs/plugin-vue", "@sveltejs/vite-plugin-svelte"],
];

/** Each framework: the first line of its component in the guide, its file, and the code that mounts it. */
const FRAMEWORKS = {
  react: {
    block: "```jsx ignore\n",
    file: "feed.jsx",
    mount: `
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { Feed } from "./feed.jsx";
export function mount(target, url) {
  const root = createRoot(target);
  root.render(createElement(Feed, { url }));
  return () => root.unmount();
}`,
  },
  vue: {
    block: "```vue\n",
    file: "feed.vue",
    mount: `
import { createApp } from "vue";
import Feed from "./feed.vue";
export function mount(target, url) {
  const app = createApp(Feed, { url });
  app.mount(target);
  return () => app.unmount();
}`,
  },
  svelte: {
    block: "```svelte\n",
    file: "feed.svelte",
    mount: `
import { mount as mountIt, unmount } from "svelte";
import Feed from "./feed.svelte";
export function mount(target, url) {
  const component = mountIt(Feed, { target, props: { url } });
  return () => unmount(component);
}`,
  },
} as const;

type Framework = keyof typeof FRAMEWORKS;

const MAIN = `
const loaders = { ${
  Object.keys(FRAMEWORKS).map((it) => `${it}: () => import("./${it}.js")`).join(", ")
} };
globalThis.start = async (name, url) => {
  const { mount } = await loaders[name]();
  globalThis.stop = mount(document.querySelector("main"), url);
};
globalThis.text = () => document.querySelector("main").textContent.trim();
`;

const { name } = await readConfig();

const CONFIG = `
import vue from "@vitejs/plugin-vue";
import { svelte } from "@sveltejs/vite-plugin-svelte";
export default {
  logLevel: "error",
  plugins: [vue(), svelte()],
  resolve: { alias: { ${JSON.stringify(`${name}/reconnecting`)}: ${
  JSON.stringify(ENTRY.pathname)
} } },
};
`;

/** The component of the guide. */
async function componentOf(name: Framework): Promise<string> {
  const guide = await Deno.readTextFile(GUIDE);
  const { block } = FRAMEWORKS[name];
  const start = guide.indexOf(block) + block.length;
  assert(start >= block.length, `The guide has no block for ${name}`);
  const code = guide.slice(start, guide.indexOf("```", start));
  assert(code.trim().split("\n").length <= 20, `${name}: more than 20 lines`);
  return code;
}

/** Builds the application, and returns its folder. */
async function built(): Promise<URL> {
  const tools = await toolbox("frameworks", PACKAGES);
  const app = new URL("app/", tools);
  await Deno.mkdir(app, { recursive: true });
  const write = (name: string, text: string): Promise<void> =>
    Deno.writeTextFile(new URL(name, app), text);
  for (const name of Object.keys(FRAMEWORKS) as Framework[]) {
    const { file, mount } = FRAMEWORKS[name];
    await write(file, await componentOf(name));
    await write(`${name}.js`, mount);
  }
  await write("main.js", MAIN);
  await write("vite.config.js", CONFIG);
  const script = `<script type="module" src="/main.js"></script>`;
  await write("index.html", `<!DOCTYPE html><main></main>${script}`);
  const vite = new URL("node_modules/vite/bin/vite.js", tools).pathname;
  await succeed(["node", vite, "build"], { cwd: app.pathname });
  return new URL("dist/", app);
}

function serve(folder: URL): Deno.HttpServer<Deno.NetAddr> {
  const handler = async ({ url }: Request): Promise<Response> => {
    const path = new URL(url).pathname.slice(1) || "index.html";
    const body = await Deno.readFile(new URL(path, folder)).catch(() => null);
    const type = path.endsWith(".js") ? "text/javascript" : "text/html";
    return new Response(body, {
      status: body === null ? 404 : 200,
      headers: { "content-type": type },
    });
  };
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
}

const chromium = await findChromium();

Deno.test({
  name: `Chromium: the guide's components in React, Vue and Svelte${
    leftOut("Chromium", chromium !== null)
  }`,
  ignore: chromium === null,
  async fn(t) {
    const files = serve(await built());
    const origin = `http://127.0.0.1:${files.addr.port}`;
    const browser = await DevTools.start(chromium as string);
    try {
      for (const name of Object.keys(FRAMEWORKS) as Framework[]) {
        await t.step(name, async () => {
          const { network, url } = await Network.start([origin]);
          try {
            const tab = await browser.open(`${origin}/`, "globalThis.start !== undefined");
            const shows = async (text: string): Promise<void> => {
              const isSo = `(async () => {
                while (text() !== ${JSON.stringify(text)}) await new Promise(requestAnimationFrame);
              })()`;
              await deadline(tab.evaluate(isSo), 20_000);
            };
            await tab.evaluate(`start("${name}", ${JSON.stringify(url)})`);
            await until(() => network.guests.length === 1);
            network.guests[0]?.sink.add("one");
            await shows("open: one");
            network.guests[0]?.terminate();
            await until(() => network.guests.length === 2);
            network.guests[1]?.sink.add("two");
            await shows("open: two");
            await tab.evaluate("stop()");
            assertEquals((await network.guests[1]?.closed)?.code, 1000);
            assertEquals(network.guests.length, 2);
          } finally {
            await network.close();
          }
        });
      }
    } finally {
      await browser.close();
      await files.shutdown();
    }
  },
});
