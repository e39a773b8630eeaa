// Deno only: it bundles, and hides what servers have

/** A bundle for browsers: it imports no builtin, and connects with the global WebSocket. */

import { assertEquals } from "@std/assert";
import { esbuild, OUT, succeed } from "../../tasks/tools.ts";
import { startRecipe } from "../support/recipes.ts";

Deno.test("the bundle for browsers has no specifier of a builtin, and connects natively", async () => {
  const output = new URL("browser/mod.js", OUT);
  await succeed([
    ...await esbuild(),
    "mod.ts",
    "--bundle",
    "--minify",
    "--platform=browser",
    "--format=esm",
    "--log-level=warning",
    `--outfile=${output.pathname}`,
  ], { cwd: new URL("../../", import.meta.url) });
  const text = await Deno.readTextFile(output);
  assertEquals(text.match(/["'`]node:|\brequire\(|\bimport\s*\(|^import\b/gm), null);
  const echo = await startRecipe("echo");
  // As a page: with WebSocket, without Deno, process or anything else of a server's.
  const page = `
    const { WebSocketChannel } = await import(${JSON.stringify(output.href)});
    const { log } = console;
    for (const name of ["Deno", "process", "Buffer", "global"]) delete globalThis[name];
    const channel = WebSocketChannel.connect(${JSON.stringify(echo.url)});
    channel.sink.add("hello");
    log((await channel.stream.next()).value, channel.capabilities.ping);
    await channel.sink.close();
    const refused = WebSocketChannel.connect(${JSON.stringify(echo.url)}, {
      headers: { Authorization: "Bearer token" },
    });
    log(await refused.ready.catch((error) => error.message));
    log(await WebSocketChannel.connect(${JSON.stringify(echo.url)}, { proxy: "http://p.test" })
      .ready.catch((error) => error.message));
  `;
  const file = new URL("browser/page.mjs", OUT);
  await Deno.writeTextFile(file, page);
  const lines = await succeed([Deno.execPath(), "run", "-A", "--no-config", file.pathname]);
  await echo.close();
  assertEquals(lines.trim().split("\n"), [
    "hello false",
    "Unsupported on browser: headers. " +
    "Authenticate with a subprotocol, a cookie, the URL or the first message instead",
    "Unsupported on browser: proxy",
  ]);
});
