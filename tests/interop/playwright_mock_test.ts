// Deno only: it bundles, and starts a browser

/** Playwright's `routeWebSocket` replaces the browser's WebSocket in a page by its own. */

import { assertEquals } from "@std/assert";
import { findChromium, launch } from "../../tasks/test_browser.ts";
import { esbuild, OUT, succeed } from "../../tasks/tools.ts";
import { leftOut } from "../support/needs.ts";

const chromium = await findChromium();
const reason = leftOut("Chromium", chromium !== null);

/** The page's program, with the bundle as `channels`. */
const PROGRAM = `(async () => {
  const channel = channels.WebSocketChannel.connect("ws://no-such-host.invalid/chat");
  channel.sink.add("hello");
  const { value } = await channel.stream.next();
  await channel.sink.close(3001, "enough");
  const { code, wasClean } = await channel.closed;
  return JSON.stringify({ value, code, wasClean });
})()`;

Deno.test({
  name:
    `interop: in a page, the channel connects to Playwright's mock instead of the host${reason}`,
  ignore: chromium === null,
  fn: async () => {
    const output = new URL("browser/playwright.js", OUT);
    await succeed([
      ...await esbuild(),
      "mod.ts",
      "--bundle",
      "--platform=browser",
      "--format=iife",
      "--global-name=channels",
      "--log-level=warning",
      `--outfile=${output.pathname}`,
    ], { cwd: new URL("../../", import.meta.url) });
    const browser = await launch(chromium ?? "");
    try {
      const page = await browser.newPage();
      await page.routeWebSocket("ws://no-such-host.invalid/**", (socket) => {
        socket.onMessage((message) => socket.send(`mock: ${message}`));
      });
      await page.goto("about:blank");
      await page.addScriptTag({ path: output.pathname });
      assertEquals(JSON.parse(String(await page.evaluate(PROGRAM))), {
        value: "mock: hello",
        code: 3001,
        wasClean: true,
      });
    } finally {
      await browser.close();
    }
  },
});
