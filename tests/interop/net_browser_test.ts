// Deno only: it bundles, and hides what servers have

/** A bundle for browsers imports no builtin, and connects with the global WebSocket. */

import { assertEquals } from "@std/assert";
import { esbuild, OUT, succeed } from "../../tasks/tools.ts";
import { startRecipe } from "../support/recipes.ts";

Deno.test("the bundle for browsers has no specifier of a builtin, and connects with the global WebSocket", async () => {
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
  // Like a page: with WebSocket, without Deno, process or other server globals.
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
    "Unsupported on browser: headers. The option headers needs it. " +
    "Authenticate with a subprotocol, a cookie, the URL or the first message instead",
    "Unsupported on browser: proxy. The option proxy needs it. Pages don't support it: leave it out, or connect on Deno, Node or Bun",
  ]);
});

Deno.test("a bundler with code splitting leaves our own transport out of the page; connect loads it", async () => {
  const folder = new URL("browser/split/", OUT);
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await succeed([
    ...await esbuild(),
    "mod.ts",
    "--bundle",
    "--minify",
    "--splitting",
    "--platform=browser",
    "--format=esm",
    "--log-level=warning",
    `--outdir=${folder.pathname}`,
  ], { cwd: new URL("../../", import.meta.url) });
  const chunks = new Map<string, string>();
  for await (const { name } of Deno.readDir(folder)) {
    chunks.set(name, await Deno.readTextFile(new URL(name, folder)));
  }
  for (const [name, text] of chunks) {
    assertEquals(text.match(/["'`]node:|\brequire\(/g), null, name);
  }
  const dialling = [...chunks].filter(([, text]) => text.includes("`CONNECT $"));
  assertEquals(dialling.length, 1);
  const [[name] = [""]] = dialling;
  // Only `connect` imports the dialer, with `import()`.
  assertEquals(name.startsWith("dialer"), true, name);
  for (const text of chunks.values()) {
    assertEquals(text.includes(`from"./${name}"`) || text.includes(`import"./${name}"`), false);
  }
  const echo = await startRecipe("echo");
  const entry = JSON.stringify(new URL("mod.js", folder).href);
  const file = new URL("dial.mjs", folder);
  await Deno.writeTextFile(
    file,
    `
    import { WebSocketChannel } from ${entry};
    const channel = WebSocketChannel.connect(${JSON.stringify(echo.url)}, { transport: "net" });
    channel.sink.add("hello");
    console.log((await channel.stream.next()).value, channel.capabilities.ping);
    await channel.sink.close();
    `,
  );
  const lines = await succeed([Deno.execPath(), "run", "-A", "--no-config", file.pathname]);
  await echo.close();
  assertEquals(lines.trim(), "hello true");
});
