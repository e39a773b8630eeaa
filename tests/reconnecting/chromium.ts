/** A page in Chromium, for tests that Deno runs. */

import { findChromium } from "../../tasks/test_browser.ts";
import { esbuild, OUT, succeed } from "../../tasks/tools.ts";
import { DevTools, type Tab } from "../support/dev_tools.ts";

/** The path of Chromium; `null` if it isn't installed. */
export const chromium: string | null = await findChromium();

/** The module that a page imports. */
export const ENTRY: string = JSON.stringify(
  new URL("../../src/reconnecting/page.ts", import.meta.url).pathname,
);

/** The page's code, bundled. */
async function bundled(name: string, source: string): Promise<string> {
  const [input, output] = [`${name}.mjs`, `${name}.out.js`].map((it) =>
    new URL(`browser/${it}`, OUT).pathname
  ) as [string, string];
  await Deno.mkdir(new URL("browser/", OUT), { recursive: true });
  await Deno.writeTextFile(input, source);
  await succeed([...await esbuild(), input, "--bundle", "--format=esm", `--outfile=${output}`]);
  return await Deno.readTextFile(output);
}

/** Serves a page with one script, which sets `globalThis.connect`. */
export class PageServer implements AsyncDisposable {
  /** The page's origin. */
  readonly origin: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  #browser: DevTools | null = null;

  private constructor(code: string) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      ({ url }) =>
        url.endsWith(".js")
          ? new Response(code, { headers: { "content-type": "text/javascript" } })
          : new Response(`<script type="module" src="page.js"></script>`, {
            headers: { "content-type": "text/html" },
          }),
    );
    this.origin = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Bundles the script and serves it. */
  static async start(name: string, source: string): Promise<PageServer> {
    return new PageServer(await bundled(name, source));
  }

  /** Opens the page. */
  async open(): Promise<Tab> {
    this.#browser = await DevTools.start(chromium as string);
    return await this.#browser.open(`${this.origin}/`, "globalThis.connect !== undefined");
  }

  /** Closes the browser and the server. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser?.close();
    await this.#server.shutdown();
  }
}

/** Turns a page's network off or on. */
export async function setOffline(tab: Tab, offline: boolean): Promise<void> {
  await tab.send("Network.enable");
  const unlimited = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
  await tab.send("Network.emulateNetworkConditions", { offline, ...unlimited });
}
