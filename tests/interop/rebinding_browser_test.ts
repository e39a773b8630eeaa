/** DNS rebinding in a real browser: Chromium is configured to resolve a foreign name to this machine. */

import { assertEquals } from "@std/assert";
import { retry } from "@std/async";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { BindOptions } from "../../src/server/mod.ts";
import { withServer } from "../server/support.ts";
import { findCommand, start } from "../support/processes.ts";
import { deferred } from "../support/promises.ts";
import { leftOut } from "../support/needs.ts";

const chromium = findCommand([["chromium"], ["chromium-browser"], ["google-chrome"]]);
const reason = leftOut("Chromium", chromium !== null);

/** A page that connects to its own host, and reports the result with another request. */
const PAGE = `<script>
  const socket = new WebSocket("ws://" + location.host + "/socket");
  socket.onopen = () => fetch("/open");
  socket.onerror = () => fetch("/refused");
</script>`;

/** The result of the page when a loopback server serves it as evil.example. */
async function outcome(options: BindOptions): Promise<string> {
  const folder = mkdtempSync(`${tmpdir()}/rebinding-`);
  const { promise: reported, resolve: report } = deferred<string>();
  const onRequest = ({ url }: Request): Response => {
    const { pathname } = new URL(url);
    if (pathname === "/open" || pathname === "/refused") report(pathname);
    return new Response(pathname === "/" ? PAGE : "", { headers: { "Content-Type": "text/html" } });
  };
  let path = "";
  try {
    await withServer({ ...options, onRequest }, async ({ address }) => {
      const browser = start([
        ...chromium ?? [],
        ...["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${folder}`],
        ...["--host-resolver-rules=MAP evil.example 127.0.0.1"],
        `http://evil.example:${address.port}/`,
      ]);
      const ended = browser.next().then(() => "");
      try {
        path = await Promise.race([reported, ended]);
      } finally {
        await browser.close();
        await ended.catch(() => {});
      }
    });
  } finally {
    // Chromium's helper processes may still write for a moment.
    const remove = (): void => rmSync(folder, { recursive: true, force: true });
    await retry(remove, { maxAttempts: 50, minTimeout: 100, multiplier: 1, jitter: 0 });
  }
  return path;
}

Deno.test({
  name:
    `interop, attack 52: the server refuses a page that Chromium loaded through DNS rebinding${reason}`,
  ignore: chromium === null,
  fn: async () => {
    assertEquals(await outcome({}), "/refused");
    assertEquals(await outcome({ hosts: ["evil.example"] }), "/open");
  },
});
